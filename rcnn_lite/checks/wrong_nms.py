"""Known wrong versions of notebook 01's suppression. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.nms import nms

# ---- suppressed_by ----


def _by(boxes, scores, iou_threshold, order=None, at=False, last=False, any_better=False):
    by = torch.arange(len(boxes))
    above = box_iou(boxes, boxes) >= iou_threshold if at else box_iou(boxes, boxes) > iou_threshold
    order = torch.argsort(scores, descending=True, stable=True) if order is None else order
    for rank, i in enumerate(order.tolist()):
        if by[i] != i and not any_better:
            continue
        for j in order[rank + 1 :].tolist():
            if above[i, j] and (by[j] == j or last):
                by[j] = i
    return by


def by_any_better(boxes, scores, iou_threshold):
    """a box that was struck out still strikes out others: only kept boxes may."""
    return _by(boxes, scores, iou_threshold, any_better=True)


def by_last_kept(boxes, scores, iou_threshold):
    """where several kept boxes overlap one, you name the last of them; the first (best) struck it out."""
    return _by(boxes, scores, iou_threshold, last=True)


def by_at_threshold(boxes, scores, iou_threshold):
    """you strike out at IoU = threshold; it must be above it."""
    return _by(boxes, scores, iou_threshold, at=True)


def by_worst_first(boxes, scores, iou_threshold):
    """you begin with the worst score."""
    return _by(boxes, scores, iou_threshold, order=torch.argsort(scores))


def by_unsorted(boxes, scores, iou_threshold):
    """you go through the boxes in the order in which they come; sort by score first."""
    return _by(boxes, scores, iou_threshold, order=torch.arange(len(boxes)))


def by_rank(boxes, scores, iou_threshold):
    """your indices count in the sorted list: translate them back with `order`."""
    order = torch.argsort(scores, descending=True, stable=True)
    return _by(boxes[order], scores[order], iou_threshold)


def by_most_overlap(boxes, scores, iou_threshold):
    """you name the kept box that overlaps most; the first one above the threshold struck it out."""
    by = _by(boxes, scores, iou_threshold)
    kept = torch.nonzero(by == torch.arange(len(by))).squeeze(1)
    if len(kept) == 0:
        return by
    closest = kept[box_iou(boxes, boxes[kept]).argmax(dim=1)]
    return torch.where(by == torch.arange(len(by)), by, closest)


def by_minus_one(boxes, scores, iou_threshold):
    """you give kept boxes -1; a kept box names itself."""
    by = _by(boxes, scores, iou_threshold)
    return torch.where(by == torch.arange(len(by)), -1, by)


# ---- batched_nms ----


def _sorted_by(kept, scores, descending=True):
    return kept[torch.argsort(scores[kept], descending=descending, stable=True)]


def _per_label(boxes, scores, labels, iou_threshold, local=False):
    kept = [torch.zeros(0, dtype=torch.int64)]
    for label in labels.unique():
        members = torch.nonzero(labels == label).squeeze(1)
        inside = nms(boxes[members], scores[members], iou_threshold)
        kept.append(inside if local else members[inside])
    return torch.cat(kept)


def batched_forgets_labels(boxes, scores, labels, iou_threshold):
    """you forget the labels: a box of one class must not strike out a box of another."""
    return nms(boxes, scores, iou_threshold)


def batched_grouped(boxes, scores, labels, iou_threshold):
    """you return the boxes class after class; the best score comes first, whatever its class."""
    return _per_label(boxes, scores, labels, iou_threshold)


def batched_local_indices(boxes, scores, labels, iou_threshold):
    """your indices count within each class: translate them back to positions in `boxes`."""
    return _sorted_by(_per_label(boxes, scores, labels, iou_threshold, local=True), scores)


def batched_by_index(boxes, scores, labels, iou_threshold):
    """you return the right boxes in the order of their indices; the best score comes first."""
    return _per_label(boxes, scores, labels, iou_threshold).sort().values


def batched_worst_first(boxes, scores, labels, iou_threshold):
    """you sort the wrong way round: the best score comes first."""
    return _sorted_by(_per_label(boxes, scores, labels, iou_threshold), scores, descending=False)


def batched_small_shift(boxes, scores, labels, iou_threshold):
    """you shift the classes too little: boxes of different classes still overlap. The shift must exceed the largest
    coordinate."""
    return nms(boxes + labels[:, None].to(boxes.dtype), scores, iou_threshold)


def batched_mask(boxes, scores, labels, iou_threshold):
    """you return a mask of True and False; the answer is the indices of the kept boxes."""
    mask = torch.zeros(len(boxes), dtype=torch.bool)
    mask[_per_label(boxes, scores, labels, iou_threshold)] = True
    return mask
