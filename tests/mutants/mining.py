"""Wrong and right answers to notebook 06's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

from rcnn_lite.boxes import box_iou

# ---- hinge_loss ----


def _hinge_no_max(scores, signs):
    return [1 - y * s for s, y in zip(scores.tolist(), signs.tolist(), strict=True)]


def _hinge_perceptron(scores, signs):
    return torch.relu(-scores * signs)


def _hinge_positives_only(scores, signs):
    return torch.clamp(1 - scores, min=0)


def _hinge_sum(scores, signs):
    return torch.clamp(1 - signs * scores, min=0).sum()


def _hinge_squared(scores, signs):
    return torch.clamp(1 - signs * scores, min=0) ** 2


def _hinge_errors(scores, signs):
    return [float(y * s <= 0) for s, y in zip(scores.tolist(), signs.tolist(), strict=True)]


def _hinge_in_place(scores, signs):
    scores *= signs
    return torch.clamp(1 - scores, min=0)


def _hinge_loops(scores, signs):
    return [max(0.0, 1 - y * s) for s, y in zip(scores.tolist(), signs.tolist(), strict=True)]


def _hinge_numpy(scores, signs):
    return np.maximum(0, 1 - scores.numpy() * signs.numpy())


# ---- label_regions ----


def _overlap(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def _labelled(rule):
    """Labels by a rule of a region's IoUs with all objects."""

    def answer(boxes, gt_boxes, threshold):
        overlaps = [[_overlap(a, b) for b in gt_boxes.tolist()] for a in boxes.tolist()]
        return [rule(values or [0.0], threshold) for values in overlaps]

    return answer


_label_loops = _labelled(lambda ious, t: 1 if max(ious) == 1 else -1 if max(ious) < t else 0)
_label_finetuning = _labelled(lambda ious, t: 1 if max(ious) >= 0.5 else -1 if max(ious) < t else 0)
_label_no_band = _labelled(lambda ious, t: 1 if max(ious) == 1 else -1)
_label_band_is_object = _labelled(lambda ious, t: 1 if max(ious) >= t else -1)
_label_at_threshold = _labelled(lambda ious, t: 1 if max(ious) == 1 else -1 if max(ious) <= t else 0)
_label_nearest_to_zero = _labelled(lambda ious, t: 1 if max(ious) == 1 else -1 if min(ious) < t else 0)
_label_zero_for_negative = _labelled(lambda ious, t: 1 if max(ious) == 1 else 0 if max(ious) < t else -1)


def _label_no_objects(boxes, gt_boxes, threshold):
    best = box_iou(boxes, gt_boxes).max(dim=1).values
    return torch.where(best == 1, 1, torch.where(best < threshold, -1, 0))


def _label_torch(boxes, gt_boxes, threshold):
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    iou = box_iou(boxes, gt_boxes)
    labels[(iou < threshold).all(dim=1)] = -1
    labels[(iou == 1).any(dim=1)] = 1
    return labels


# ---- hard_negatives ----


def _hard(keep, key=lambda row: -row[1], cut=True):
    """Rows (index, score, overlap) that `keep` likes, sorted by `key`."""

    def answer(scores, overlaps, limit):
        rows = [row for row in zip(range(len(scores)), scores.tolist(), overlaps.tolist(), strict=True) if keep(*row)]
        rows = sorted(rows, key=key) if key else rows
        return torch.tensor([row[0] for row in (rows[:limit] if cut else rows)], dtype=torch.int64)

    return answer


_hard_loops = _hard(lambda i, score, overlap: overlap < 0.2999 and score > -1)
_hard_false_positives = _hard(lambda i, score, overlap: overlap < 0.2999 and score > 0)
_hard_no_overlap_test = _hard(lambda i, score, overlap: score > -1)
_hard_every_negative = _hard(lambda i, score, overlap: overlap < 0.2999)
_hard_unsorted = _hard(lambda i, score, overlap: overlap < 0.2999 and score > -1, key=None)
_hard_ascending = _hard(lambda i, score, overlap: overlap < 0.2999 and score > -1, key=lambda row: row[1])
_hard_uncut = _hard(lambda i, score, overlap: overlap < 0.2999 and score > -1, cut=False)


def _hard_mask(scores, overlaps, limit):
    return (overlaps < 0.3) & (scores > -1)


def _hard_numpy(scores, overlaps, limit):
    scores, overlaps = scores.numpy(), overlaps.numpy()
    order = np.argsort(-scores, kind="stable")
    return order[(overlaps[order] < np.float32(0.3)) & (scores[order] > -1)][:limit]


# ---- next_negatives ----


def _next_everything(held, scores, found):
    return held.tolist() + [row for row in found.tolist() if row not in held.tolist()]


def _next_fresh(held, scores, found):
    return [row for row in found.tolist() if row not in held.tolist()]


def _next_doubled(held, scores, found):
    return [row for row, s in zip(held.tolist(), scores.tolist(), strict=True) if s >= -1.2] + found.tolist()


def _next_reversed_test(held, scores, found):
    return torch.cat((held[scores < -1.2], found[~torch.isin(found, held)]))


def _next_margin(held, scores, found):
    return torch.cat((held[scores >= -1], found[~torch.isin(found, held)]))


def _next_new_first(held, scores, found):
    return torch.cat((found[~torch.isin(found, held)], held[scores >= -1.2]))


def _next_loops(held, scores, found):
    rows = []
    for row, score in zip(held.tolist(), scores.tolist(), strict=True):
        if not score < -1.2:
            rows.append(row)
    for row in found.tolist():
        if row not in rows:
            rows.append(row)
    return rows


def _next_numpy(held, scores, found):
    held, found = held.numpy(), found.numpy()
    return np.concatenate((held[scores.numpy() >= -1.2], found[~np.isin(found, held)]))


MUTANTS = [
    ("hinge_loss", "no max", _hinge_no_max, "do not cut at 0"),
    ("hinge_loss", "perceptron", _hinge_perceptron, "the perceptron's"),
    ("hinge_loss", "as if all were positive", _hinge_positives_only, "you forget y"),
    ("hinge_loss", "summed up", _hinge_sum, "shape"),
    ("hinge_loss", "squared", _hinge_squared, "hinge_loss is not right yet"),
    ("hinge_loss", "counts errors", _hinge_errors, "you count mistakes"),
    ("hinge_loss", "changes its scores", _hinge_in_place, "changes its argument `scores`"),
    ("label_regions", "as in fine-tuning", _label_finetuning, "fine-tuning does"),
    ("label_regions", "no band", _label_no_band, "no ignored band"),
    ("label_regions", "band positive", _label_band_is_object, "the ignored band"),
    ("label_regions", "at the threshold", _label_at_threshold, "*below* it"),
    ("label_regions", "far from some object", _label_nearest_to_zero, "with every one"),
    ("label_regions", "0 and -1 swapped", _label_zero_for_negative, "the other way round"),
    ("label_regions", "no objects", _label_no_objects, "gt_boxes = torch.zeros((0, 4))"),
    ("hard_negatives", "false positives only", _hard_false_positives, "inside the margin"),
    ("hard_negatives", "band too", _hard_no_overlap_test, "you forget the overlap"),
    ("hard_negatives", "easy ones too", _hard_every_negative, "easy negatives as well"),
    ("hard_negatives", "unsorted", _hard_unsorted, "not the hardest"),
    ("hard_negatives", "easiest first", _hard_ascending, "sort the wrong way"),
    ("hard_negatives", "no limit", _hard_uncut, "limit = "),
    ("hard_negatives", "a mask", _hard_mask, "True and False"),
    ("next_negatives", "nothing forgotten", _next_everything, "throw nothing out"),
    ("next_negatives", "only new ones", _next_fresh, "the new ones only"),
    ("next_negatives", "doubles", _next_doubled, "counts twice"),
    ("next_negatives", "hard ones forgotten", _next_reversed_test, "throw out the hard ones"),
    ("next_negatives", "at the margin", _next_margin, "you throw out at -1"),
    ("next_negatives", "new ones first", _next_new_first, "order is not the one asked for"),
]


def _spin(held, scores, found):
    while len(found) >= 0:
        pass


ENDLESS = [("next_negatives", "never converges", _spin, "does not come to an end")]

RIGHT = [
    ("hinge_loss", "loops", _hinge_loops),
    ("hinge_loss", "numpy", _hinge_numpy),
    ("label_regions", "loops", _label_loops),
    ("label_regions", "torch", _label_torch),
    ("hard_negatives", "loops", _hard_loops),
    ("hard_negatives", "numpy", _hard_numpy),
    ("next_negatives", "loops", _next_loops),
    ("next_negatives", "numpy", _next_numpy),
]
