"""Known wrong versions of notebook 08's functions. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.nms import batched_nms, nms

# ---- candidates ----


def _candidates(scores, threshold):
    rows, labels = torch.nonzero(scores[:, 1:] > threshold, as_tuple=True)
    return rows, labels + 1


def candidates_one_class(scores, threshold):
    """you take only the best class of each region. Each SVM decides for itself: a region may be a candidate of several
    classes, and NMS and the other regions settle it later.
    """
    best, labels = scores[:, 1:].max(dim=1) if len(scores) else (scores.new_zeros(0), torch.zeros(0, dtype=torch.int64))
    rows = torch.nonzero(best > threshold).flatten()
    return rows, labels[rows] + 1


def candidates_with_background(scores, threshold):
    """you count column 0 too; the background is no object and never a detection."""
    return torch.nonzero(scores > threshold, as_tuple=True)


def candidates_at_threshold(scores, threshold):
    """you keep scores equal to the threshold; they must be above it."""
    rows, labels = torch.nonzero(scores[:, 1:] >= threshold, as_tuple=True)
    return rows, labels + 1


def candidates_swapped(scores, threshold):
    """you return labels first; the task wants rows, then labels."""
    return _candidates(scores, threshold)[::-1]


def candidates_shifted(scores, threshold):
    """your labels are one too small: when column 0 is cut off, what was column 1 becomes column 0. Add 1 again."""
    rows, labels = _candidates(scores, threshold)
    return rows, labels - 1


def candidates_by_class(scores, threshold):
    """you go class by class; the task wants region by region, and within a region by label."""
    labels, rows = torch.nonzero((scores[:, 1:] > threshold).T, as_tuple=True)
    return rows, labels + 1


# ---- best_of_picture ----


def best_of_each_class(scores, labels, limit):
    """you keep the best `limit` of each class; the limit is for the whole picture."""
    order = scores.argsort(descending=True)
    kept = [i for k in labels.unique() for i in order[labels[order] == k][:limit].tolist()]
    return torch.tensor(sorted(kept, key=lambda i: -float(scores[i])), dtype=torch.int64)


def best_last(scores, labels, limit):
    """you return the right rows, the best one last; the best one comes first."""
    return scores.argsort(descending=True)[:limit].flip(0)


def worst_of_picture(scores, labels, limit):
    """you keep the lowest scores: argsort sorts from small to large unless it is told otherwise."""
    return scores.argsort()[:limit]


def best_in_order(scores, labels, limit):
    """you keep the right rows but leave them in their old order; the best one comes first."""
    return scores.argsort(descending=True)[:limit].sort().values


def best_scores(scores, labels, limit):
    """you return the scores; the task wants the rows where they stand."""
    return scores.sort(descending=True).values[:limit]


def best_positive(scores, labels, limit):
    """you drop negative scores. An SVM's score may be negative and the best there is: the limit alone decides here."""
    order = scores.argsort(descending=True)
    return order[scores[order] > 0][:limit]


# ---- kind_of ----


def _kind(box, label, gt_boxes, gt_labels, similar, touching=0.1, enough=lambda iou: iou >= 0.5):
    overlap = box_iou(box[None], gt_boxes)[0]
    touches = overlap >= touching
    if touching == 0:
        touches = overlap > 0
    own = gt_labels == label
    alike = torch.tensor([int(k) in similar and label in similar for k in gt_labels], dtype=torch.bool)
    if bool((touches & own).any()):
        return 0 if bool(enough(overlap[own]).any()) else 1
    if bool((touches & alike).any()):
        return 2
    return 3 if bool(touches.any()) else 4


def kind_by_best_overlap(box, label, gt_boxes, gt_labels, similar):
    """you look only at the object with the largest overlap. An object of its own class that it touches goes first, then
    a similar one, however large the overlap with others.
    """
    if not len(gt_boxes):
        return 4
    best = int(box_iou(box[None], gt_boxes)[0].argmax())
    return _kind(box, label, gt_boxes[best : best + 1], gt_labels[best : best + 1], similar)


def kind_without_class(box, label, gt_boxes, gt_labels, similar):
    """you call a detection right when it covers any object well; the class must be right too."""
    if len(gt_boxes) and bool((box_iou(box[None], gt_boxes) >= 0.5).any()):
        return 0
    return _kind(box, label, gt_boxes, gt_labels, similar)


def kind_any_touch(box, label, gt_boxes, gt_labels, similar):
    """you count every overlap above zero as touching; below an IoU of 0.1 it is background."""
    return _kind(box, label, gt_boxes, gt_labels, similar, touching=0)


def kind_strict(box, label, gt_boxes, gt_labels, similar):
    """you ask for an IoU above 0.5; an IoU of exactly 0.5 is right."""
    return _kind(box, label, gt_boxes, gt_labels, similar, enough=lambda iou: iou > 0.5)


def kind_similar_forgotten(box, label, gt_boxes, gt_labels, similar):
    """you never say 2, similar: look whether both labels are in the group before you say 3."""
    kind = _kind(box, label, gt_boxes, gt_labels, similar)
    return 3 if kind == 2 else kind


def kind_object_only(box, label, gt_boxes, gt_labels, similar):
    """you ask only whether the object's label is in the group; the detection's own label must be in it as well."""
    return _kind(box, label, gt_boxes, gt_labels, (*similar, label))


# ---- detections_of ----


def _finish(boxes, labels, scores, nms_iou):
    kept = batched_nms(boxes, scores, labels, nms_iou)
    return boxes[kept], labels[kept], scores[kept]


def detections_one_map(scores, moved, threshold, nms_iou):
    """you take the boxes of one class for all. Regression is class-specific: the candidate (row, label) goes to
    moved[label, row].
    """
    rows, labels = _candidates(scores, threshold)
    return _finish(moved[1, rows], labels, scores[rows, labels], nms_iou)


def detections_without_nms(scores, moved, threshold, nms_iou):
    """you leave out NMS: boxes of one class that overlap a better one by more than nms_iou must go."""
    rows, labels = _candidates(scores, threshold)
    order = scores[rows, labels].argsort(descending=True)
    rows, labels = rows[order], labels[order]
    return moved[labels, rows], labels, scores[rows, labels]


def detections_nms_across(scores, moved, threshold, nms_iou):
    """your NMS lets a box strike out boxes of other classes; it must be done for each class by itself."""
    rows, labels = _candidates(scores, threshold)
    boxes, values = moved[labels, rows], scores[rows, labels]
    kept = nms(boxes, values, nms_iou)
    return boxes[kept], labels[kept], values[kept]


def detections_in_order(scores, moved, threshold, nms_iou):
    """what you return is right but not sorted: the best score comes first, whatever the class."""
    rows, labels = _candidates(scores, threshold)
    boxes, values = moved[labels, rows], scores[rows, labels]
    kept = batched_nms(boxes, values, labels, nms_iou).sort().values
    return boxes[kept], labels[kept], values[kept]


def detections_best_class_only(scores, moved, threshold, nms_iou):
    """you take only the best class of each region; every pair above the threshold is a candidate."""
    rows, labels = candidates_one_class(scores, threshold)
    return _finish(moved[labels, rows], labels, scores[rows, labels], nms_iou)
