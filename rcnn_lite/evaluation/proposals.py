"""How well do proposals cover the objects, whatever they are? (Uijlings 2013, section 5; Hosang 2016, section 4)

Notation: P proposals of an image, M objects of all images, T thresholds. Objects marked ``difficult`` or ``iscrowd``
are left out. An image without objects says nothing; an object in an image without proposals has best overlap 0. To
judge the first k proposals, pass ``[p[:k] for p in proposals]``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou, require_boxes
from rcnn_lite.evaluation.inputs import target_arrays


def best_overlaps(proposals: Sequence[Tensor], targets: Sequence[dict]) -> tuple[Tensor, Tensor]:
    """The IoU of each object with its best proposal: lists of (P, 4) and of targets -> overlaps (M,) float64, labels
    (M,) int64.

    Raises ValueError naming the image when the lists differ in length or a box is bad.
    """
    if len(proposals) != len(targets):
        raise ValueError(f"proposals has {len(proposals)} images but targets has {len(targets)}")
    overlaps, labels = [torch.zeros(0, dtype=torch.float64)], [torch.zeros(0, dtype=torch.int64)]
    for index, (boxes, target) in enumerate(zip(proposals, targets, strict=True)):
        require_boxes(boxes, f"proposals[{index}]")
        truth = target_arrays(target, f"targets[{index}]", "boxes", None)
        counts = ~(truth["difficult"] | truth["iscrowd"])
        objects = torch.from_numpy(truth["boxes"][counts])  # (m, 4)
        iou = box_iou(boxes.detach().cpu().double(), objects)  # (P, m)
        overlaps.append(iou.amax(dim=0) if len(iou) else torch.zeros(len(objects), dtype=torch.float64))
        labels.append(torch.from_numpy(truth["labels"][counts]).long())
    return torch.cat(overlaps), torch.cat(labels)


def proposal_recall(proposals: Sequence[Tensor], targets: Sequence[dict], iou_thresholds: Sequence[float]) -> Tensor:
    """Share of the objects that some proposal covers with at least each IoU: T thresholds -> (T,) float64.

    Two objects may share a proposal. NaN if there is no object. Raises ValueError as `best_overlaps`.

    >>> target = {"boxes": torch.tensor([[0.0, 0.0, 10.0, 10.0]]), "labels": torch.tensor([1])}
    >>> proposal_recall([torch.tensor([[0.0, 0.0, 10.0, 7.0]])], [target], [0.5, 0.7, 0.9])
    tensor([1., 1., 0.], dtype=torch.float64)
    """
    overlaps, _ = best_overlaps(proposals, targets)
    thresholds = torch.as_tensor(iou_thresholds, dtype=torch.float64).reshape(-1, 1)  # (T, 1)
    return (overlaps[None, :] >= thresholds).double().mean(dim=1)


def mean_average_best_overlap(proposals: Sequence[Tensor], targets: Sequence[dict]) -> float:
    """MABO: the mean best overlap of each class's objects (ABO), then the mean over classes (Uijlings 2013, eq. 7).

    So a rare class weighs as much as a frequent one. Classes without objects are left out; NaN if there is no object
    at all. Raises ValueError as `best_overlaps`.
    """
    overlaps, labels = best_overlaps(proposals, targets)
    averages = [overlaps[labels == label].mean() for label in labels.unique()]
    return float(torch.stack(averages).mean()) if averages else float("nan")
