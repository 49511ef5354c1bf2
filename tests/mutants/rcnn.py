"""Wrong and right answers to notebook 08's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.nms import batched_nms, nms

# ---- candidates ----


def _loops(keep=lambda s, t: s > t, first=1, shift=0, columns=False):
    """Two plain loops, with what learners change in them."""

    def answer(scores, threshold):
        pairs = [
            (n, k)
            for n in range(scores.shape[0])
            for k in range(first, scores.shape[1])
            if keep(scores[n, k].item(), np.float32(threshold))
        ]
        if columns:
            pairs.sort(key=lambda pair: (pair[1], pair[0]))
        return [n for n, _ in pairs], [k + shift for _, k in pairs]

    return answer


def _candidates_where(scores, threshold):
    rows, labels = np.where(scores.numpy() > np.float32(threshold))
    return rows[labels > 0], labels[labels > 0]


def _candidates_argmax(scores, threshold):
    labels = scores[:, 1:].argmax(dim=1) + 1
    rows = torch.arange(len(scores))
    keep = scores[rows, labels] > threshold
    return rows[keep], labels[keep]


def _candidates_swapped(scores, threshold):
    rows, labels = _loops()(scores, threshold)
    return labels, rows


def _candidates_pairs(scores, threshold):
    return torch.nonzero(scores > threshold)


def _candidates_in_place(scores, threshold):
    scores[:, 0] = -float("inf")
    return torch.nonzero(scores > threshold, as_tuple=True)


# ---- best_of_picture ----


def _best_numpy(scores, labels, limit):
    return np.argsort(-scores.numpy())[:limit]


def _best_topk(scores, labels, limit):
    return scores.topk(min(limit, len(scores))).indices


def _best_sorted(scores, labels, limit):
    return sorted(range(len(scores)), key=lambda i: scores[i].item(), reverse=True)[:limit]


def _best_per_class(scores, labels, limit):
    rows = []
    for k in set(labels.tolist()):
        of_class = [i for i in range(len(labels)) if labels[i] == k]
        rows += sorted(of_class, key=lambda i: -scores[i].item())[:limit]
    return sorted(rows, key=lambda i: -scores[i].item())


def _best_ascending(scores, labels, limit):
    return scores.argsort()[:limit]


def _best_tail(scores, labels, limit):
    return scores.argsort()[-limit:]


def _best_values(scores, labels, limit):
    return scores.sort(descending=True).values[:limit]


def _best_first_rows(scores, labels, limit):
    return torch.arange(min(limit, len(scores)))


def _best_absolute(scores, labels, limit):
    return scores.abs().argsort(descending=True)[:limit]


def _best_labels(scores, labels, limit):
    return labels[scores.argsort(descending=True)[:limit]]


# ---- kind_of ----


def _kinds(enough=0.5, touching=0.1, group=True, swap=False, sides=2):
    """Plain loops over the objects, with what learners change in them."""

    def answer(box, label, gt_boxes, gt_labels, similar):
        iou = [box_iou(box.reshape(1, 4), gt.reshape(1, 4)).item() for gt in gt_boxes]
        near = [m for m in range(len(iou)) if iou[m] >= touching - 1e-6]
        own = [iou[m] for m in near if int(gt_labels[m]) == label]
        if own:
            return 0 if max(own) >= enough - 1e-6 else 1
        alike = [m for m in near if int(gt_labels[m]) in similar and (label in similar or sides == 1)]
        if alike and group:
            return 3 if swap else 2
        if near:
            return 2 if swap else 3
        return 4

    return answer


def _kind_nearest(box, label, gt_boxes, gt_labels, similar):
    if len(gt_boxes) == 0:
        return 4
    overlap = box_iou(box[None], gt_boxes)[0]
    m = int(overlap.argmax())
    if overlap[m] < 0.1:
        return 4
    if gt_labels[m] == label:
        return 0 if overlap[m] >= 0.5 else 1
    return 2 if int(gt_labels[m]) in similar and label in similar else 3


def _kind_no_empty(box, label, gt_boxes, gt_labels, similar):
    overlap = box_iou(box[None], gt_boxes)[0]
    return 4 if overlap.max() < 0.1 else _kinds()(box, label, gt_boxes, gt_labels, similar)


def _kind_any_class(box, label, gt_boxes, gt_labels, similar):
    if len(gt_boxes) and box_iou(box[None], gt_boxes).max() >= 0.5:
        return 0
    return _kinds()(box, label, gt_boxes, gt_labels, similar)


def _kind_vectorised(box, label, gt_boxes, gt_labels, similar):
    overlap, group = box_iou(box[None], gt_boxes)[0], torch.tensor(similar)
    near, own = overlap >= 0.1, gt_labels == label
    alike = torch.isin(gt_labels, group) & (label in similar)
    tests = [(own & (overlap >= 0.5)).any(), (own & near).any(), (alike & near).any(), near.any(), torch.tensor(True)]
    return int(torch.stack(tests).int().argmax())


# ---- detections_of ----


def _by_class(threshold_on=lambda s, t: s > t, box_of=lambda moved, k, rows: moved[k, rows], order=True, first=1):
    """A loop over the classes, each with its own NMS."""

    def answer(scores, moved, threshold, nms_iou):
        boxes, labels, values = [torch.zeros(0, 4)], [torch.zeros(0, dtype=torch.int64)], [torch.zeros(0)]
        for k in range(first, scores.shape[1]):
            rows = torch.nonzero(threshold_on(scores[:, k], threshold)).flatten()
            kept = rows[nms(box_of(moved, k, rows), scores[rows, k], nms_iou)]
            boxes.append(box_of(moved, k, kept))
            labels.append(torch.full((len(kept),), k))
            values.append(scores[kept, k])
        boxes, labels, values = torch.cat(boxes), torch.cat(labels), torch.cat(values)
        if order:
            best = values.argsort(descending=True)
            boxes, labels, values = boxes[best], labels[best], values[best]
        return boxes, labels, values

    return answer


def _pipeline(scores, moved, threshold, nms_iou):
    rows, labels = torch.nonzero(scores > threshold, as_tuple=True)
    rows, labels = rows[labels > 0], labels[labels > 0]
    kept = batched_nms(moved[labels, rows], scores[rows, labels], labels, nms_iou)
    rows, labels = rows[kept], labels[kept]
    return moved[labels, rows], labels, scores[rows, labels]


def _pipeline_across(scores, moved, threshold, nms_iou):
    rows, labels = torch.nonzero(scores[:, 1:] > threshold, as_tuple=True)
    labels = labels + 1
    kept = nms(moved[labels, rows], scores[rows, labels], nms_iou)
    return moved[labels[kept], rows[kept]], labels[kept], scores[rows[kept], labels[kept]]


def _pipeline_no_nms(scores, moved, threshold, nms_iou):
    return _pipeline(scores, moved, threshold, 1.0)


def _pipeline_one_class(scores, moved, threshold, nms_iou):
    if not len(scores):
        return moved[0], torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    labels = scores[:, 1:].argmax(dim=1) + 1
    rows = torch.nonzero(scores[torch.arange(len(scores)), labels] > threshold).flatten()
    labels = labels[rows]
    kept = batched_nms(moved[labels, rows], scores[rows, labels], labels, nms_iou)
    return moved[labels[kept], rows[kept]], labels[kept], scores[rows[kept], labels[kept]]


MUTANTS = [
    ("candidates", "one class a region", _candidates_argmax, "best class of each region"),
    ("candidates", "background included", _loops(first=0), "column 0"),
    ("candidates", "at the threshold", _loops(keep=lambda s, t: s >= t), "equal to the threshold"),
    ("candidates", "labels and rows", _candidates_swapped, "labels first"),
    ("candidates", "labels one too small", _loops(shift=-1), "one too small"),
    ("candidates", "class by class", _loops(columns=True), "class by class"),
    ("candidates", "pairs in one tensor", _candidates_pairs, ""),
    ("candidates", "writes into the scores", _candidates_in_place, "change"),
    ("best_of_picture", "best of each class", _best_per_class, "of each class"),
    ("best_of_picture", "ascending", _best_ascending, "lowest scores"),
    ("best_of_picture", "the tail of an ascending sort", _best_tail, "best one last"),
    ("best_of_picture", "scores", _best_values, "rows where they stand"),
    ("best_of_picture", "not sorted", _best_first_rows, ""),
    ("best_of_picture", "absolute values", _best_absolute, ""),
    ("best_of_picture", "labels", _best_labels, ""),
    ("kind_of", "nearest object only", _kind_nearest, "largest overlap"),
    ("kind_of", "class forgotten", _kind_any_class, "the class must be right too"),
    ("kind_of", "any touch", _kinds(touching=1e-3), "below an IoU of 0.1"),
    ("kind_of", "similar forgotten", _kinds(group=False), "you never say 2"),
    ("kind_of", "similar and other swapped", _kinds(swap=True), ""),
    ("kind_of", "one side of the group", _kinds(sides=1), "the detection's own label"),
    ("kind_of", "crashes without objects", _kind_no_empty, "stops with"),
    ("kind_of", "0.6 for 0.5", _kinds(enough=0.6), ""),
    ("detections_of", "boxes of class 1 for all", _by_class(box_of=lambda m, k, rows: m[1, rows]), "class-specific"),
    ("detections_of", "NMS across classes", _pipeline_across, "other classes"),
    ("detections_of", "no NMS", _pipeline_no_nms, "leave out NMS"),
    ("detections_of", "not sorted", _by_class(order=False), ""),
    ("detections_of", "best class only", _pipeline_one_class, "best class of each region"),
    ("detections_of", "background included", _by_class(first=0), ""),
    ("detections_of", "axes swapped", _by_class(box_of=lambda m, k, rows: m[rows, k] if len(m) else m[0]), ""),
]

ENDLESS = []

RIGHT = [
    ("candidates", "plain loops", _loops()),
    ("candidates", "numpy", _candidates_where),
    ("best_of_picture", "numpy", _best_numpy),
    ("best_of_picture", "topk", _best_topk),
    ("best_of_picture", "sorted", _best_sorted),
    ("kind_of", "plain loops", _kinds()),
    ("kind_of", "vectorised", _kind_vectorised),
    ("detections_of", "a class at a time", _by_class()),
    ("detections_of", "all at once", _pipeline),
]
