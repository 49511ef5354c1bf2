"""Greedy non-maximum suppression: of boxes that overlap too much, the best-scored one stays (notebook 01).

Notation: N boxes. On a CPU the compiled loop in kernels.py does the work; elsewhere the same rule runs as torch
operations by blocks. Tests hold the two equal.
"""

import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou, require_boxes
from rcnn_lite.kernels import nms_greedy

BLOCK = 1024
"""Boxes that `_nms_by_blocks` decides on at a time: one IoU matrix of BLOCK x N."""


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, limit: int | None = None) -> Tensor:
    """Indices (K,) int64 of the boxes (N, 4) that are kept, best score (N,) first, the best `limit` if it is given.

    Going down the scores, a box is kept unless its IoU with one kept before is above ``iou_threshold`` (at the
    threshold it stays). Of equal scores the earlier box comes first. A NaN score, or scores of another length than
    boxes, raise ValueError. R-CNN section 2.2.

    >>> boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 3.0], [8.0, 8.0, 9.0, 9.0]])
    >>> nms(boxes, torch.tensor([0.6, 0.9, 0.3]), iou_threshold=0.5)
    tensor([1, 2])
    """
    _require_scores(boxes, scores)
    order = torch.argsort(scores, descending=True, stable=True)  # (N,)
    limit = len(boxes) if limit is None else limit
    if boxes.device.type == "cpu":
        return torch.from_numpy(nms_greedy(boxes.detach().contiguous().numpy(), order.numpy(), iou_threshold, limit))
    return order[_nms_by_blocks(boxes[order], iou_threshold)][:limit]


def batched_nms(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    """`nms` for each label (N,) by itself: indices (K,) int64 of the boxes (N, 4) that are kept, best score first.

    Boxes of different labels never suppress one another (R-CNN section 2.2: "for each class independently").
    """
    _require_scores(boxes, scores)
    if labels.shape != scores.shape:
        raise ValueError(f"labels must have shape {tuple(scores.shape)} like scores, got {tuple(labels.shape)}")
    kept = [torch.empty(0, dtype=torch.int64, device=boxes.device)]
    for label in torch.unique(labels):
        members = torch.nonzero(labels == label).squeeze(1)
        kept.append(members[nms(boxes[members], scores[members], iou_threshold)])
    kept = torch.cat(kept).sort().values  # equal scores: the earlier box first, as in nms
    return kept[torch.argsort(scores[kept], descending=True, stable=True)]


def _require_scores(boxes: Tensor, scores: Tensor) -> None:
    require_boxes(boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes must have shape (N, 4), got {tuple(boxes.shape)}")
    if not isinstance(scores, Tensor) or scores.shape != boxes.shape[:1]:
        got = getattr(scores, "shape", type(scores))
        raise ValueError(f"scores must have shape ({len(boxes)},), one for each box, got {got}")
    bad = torch.isnan(scores)
    if bad.any():
        raise ValueError(f"scores[{int(torch.nonzero(bad)[0, 0])}] is NaN")


def _nms_by_blocks(ranked: Tensor, iou_threshold: float) -> Tensor:
    """Which of the boxes (N, 4), best first, are kept: (N,) bool. Torch operations only, for any device.

    A block's boxes are decided among themselves by iterating to the fixed point of "kept = no kept better box
    overlaps me", which is reached after as many rounds as the longest chain of suppressions; then the kept ones
    strike out everything after the block.
    """
    alive = torch.ones(len(ranked), dtype=torch.bool, device=ranked.device)
    for start in range(0, len(ranked), BLOCK):
        block = ranked[start : start + BLOCK]
        overlaps = box_iou(block, ranked[start:]).double() > iou_threshold  # (B, N - start), compared as the loop does
        among = overlaps[:, : len(block)].triu(diagonal=1)  # (B, B): [i, j] = i is better and overlaps j
        candidates = alive[start : start + BLOCK]
        kept = candidates
        while True:
            update = candidates & ~(among & kept[:, None]).any(dim=0)
            if torch.equal(update, kept):
                break
            kept = update
        alive[start : start + BLOCK] = kept
        alive[start + BLOCK :] &= ~overlaps[kept, len(block) :].any(dim=0)
    return alive
