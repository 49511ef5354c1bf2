"""Which box belongs to which ground truth, and which boxes a training step looks at (notebooks 08, 10, 11).

Notation: N boxes (anchors or proposals), M ground truths.
"""

import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou, require_positive_area
from rcnn_lite.distributed import in_turn

POSITIVE, NEGATIVE, IGNORED = 1, 0, -1
AT_ONCE = 1_000_000  # pairs that are compared at a time: 250,000 anchors x 500 objects together would take 4 GB


def match_boxes(
    boxes: Tensor, gt_boxes: Tensor, fg_iou: float, bg_iou: float | tuple[float, float], keep_best: bool = False
) -> tuple[Tensor, Tensor]:
    """Match each box (N, 4) with the ground truth (M, 4) that it overlaps most.

    Returns ``matched`` (N,) int64, the index of that ground truth (-1 where there is none: M = 0), and ``labels``
    (N,) int64:

    - 1 (positive) where the best IoU is at least ``fg_iou``;
    - 0 (negative) where it is below ``bg_iou``, or in the interval [low, high) if ``bg_iou`` is a pair: Fast R-CNN,
      section 2.3, takes background from [0.1, 0.5);
    - -1 (ignored) elsewhere.

    With ``keep_best`` the boxes that overlap a ground truth most are positive too, all that tie for it, however
    little they overlap: Faster R-CNN, section 3.1.2, the first kind of positive anchor. Such a box keeps the ground
    truth that *it* overlaps most in ``matched``, as torchvision's matcher does; the two differ only where a box is
    the best of one object and overlaps another more. A ground truth that no box overlaps at all has no best box.

    >>> anchors = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 20.0], [50.0, 50.0, 60.0, 60.0]])
    >>> match_boxes(anchors, torch.tensor([[0.0, 0.0, 10.0, 12.0]]), fg_iou=0.7, bg_iou=0.3)
    (tensor([0, 0, 0]), tensor([ 1, -1,  0]))
    """
    low, high = bg_iou if isinstance(bg_iou, tuple) else (0.0, bg_iou)
    if not 0 <= low <= high <= fg_iou <= 1:
        raise ValueError(f"thresholds must satisfy 0 <= bg_iou <= fg_iou <= 1, got bg_iou={bg_iou}, fg_iou={fg_iou}")
    require_positive_area(gt_boxes, "gt_boxes")
    parts = boxes.split(max(1, AT_ONCE // max(1, len(gt_boxes))))
    iou = torch.cat([box_iou(part, gt_boxes) for part in parts])  # (N, M)
    if iou.shape[1] == 0:  # nothing to find: every box is background, if background may overlap nothing
        matched = torch.full((len(boxes),), -1, dtype=torch.int64, device=boxes.device)
        return matched, torch.full_like(matched, NEGATIVE if low == 0 < high else IGNORED)
    best, matched = iou.max(dim=1)  # (N,), (N,)
    labels = torch.full_like(matched, IGNORED)
    labels[(best >= low) & (best < high)] = NEGATIVE
    labels[best >= fg_iou] = POSITIVE
    if keep_best and len(boxes) > 0:
        best_of_gt = iou.max(dim=0).values  # (M,)
        labels[((iou == best_of_gt) & (best_of_gt > 0)).any(dim=1)] = POSITIVE
    return matched, labels


def sample_labels(
    labels: Tensor, num_samples: int, fg_fraction: float, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Draw a mini-batch from ``labels`` (N,) in -1/0/1: indices of positives and of negatives, each sorted, together
    at most ``num_samples``.

    At most ``fg_fraction`` of the samples are positive; where there are fewer positives, negatives fill up (Faster
    R-CNN, section 3.1.3); where there are fewer negatives too, the batch is smaller. Nothing is drawn twice. Ignored
    boxes (-1) are never drawn.

    >>> sample_labels(torch.tensor([1, 0, -1, 0, 1]), 2, 0.5, torch.Generator().manual_seed(0))[0].shape
    torch.Size([1])
    """
    if num_samples < 0 or not 0 <= fg_fraction <= 1:
        raise ValueError(f"num_samples must be >= 0 and fg_fraction in [0, 1], got {num_samples} and {fg_fraction}")
    if labels.ndim != 1:
        raise ValueError(f"labels must have shape (N,), got {tuple(labels.shape)}")
    with in_turn(generator):  # where several processes share a batch
        positives = _draw(labels == POSITIVE, int(num_samples * fg_fraction), generator)
        negatives = _draw(labels == NEGATIVE, num_samples - len(positives), generator)
    return positives, negatives


def _draw(members: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """At most ``count`` of the indices where ``members`` (N,) is true, without replacement, sorted."""
    indices = torch.nonzero(members).squeeze(1)
    if len(indices) > count:
        chosen = torch.randperm(len(indices), generator=generator)[:count]  # on the CPU: the same draw on any device
        indices = indices[chosen.sort().values.to(indices.device)]
    return indices
