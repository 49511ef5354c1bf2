"""Mistakes that learners make in notebook 06's exercises; each docstring is what they are told."""

import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou

# ---- hinge_loss ----


def hinge_unclamped(scores: Tensor, signs: Tensor) -> Tensor:
    """you do not cut at 0: an example beyond the margin costs nothing, it is no income either."""
    return 1 - signs * scores


def hinge_without_margin(scores: Tensor, signs: Tensor) -> Tensor:
    """your loss ends at score 0: max(0, -y s) is the perceptron's. The margin asks for a score of 1."""
    return (-signs * scores).clamp(min=0)


def hinge_without_sign(scores: Tensor, signs: Tensor) -> Tensor:
    """you forget y, so negatives are pushed to the positive side: the loss of a negative is max(0, 1 + s)."""
    return (1 - scores).clamp(min=0)


def hinge_absolute(scores: Tensor, signs: Tensor) -> Tensor:
    """you take the absolute value, so a score of 3 on the right side costs 2. Beyond the margin the loss is 0."""
    return (1 - signs * scores).abs()


def hinge_zero_one(scores: Tensor, signs: Tensor) -> Tensor:
    """you count mistakes: 0 or 1. The hinge loss grows with the distance from the margin."""
    return (signs * scores <= 0).float()


# ---- label_regions ----


def _best(boxes: Tensor, gt_boxes: Tensor) -> Tensor:
    return box_iou(boxes, gt_boxes).amax(dim=1) if len(gt_boxes) else torch.zeros(len(boxes))


def _labels(best: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return positive.long() - (negative & ~positive).long()


def labels_as_in_finetuning(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    """you call proposals positive that overlap an object by 0.5: fine-tuning does. Here only ground truth is."""
    best = _best(boxes, gt_boxes)
    return _labels(best, best >= 0.5, best < threshold)


def labels_without_band(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    """you have no ignored band: what is not ground truth is negative with you, however much of the object it shows."""
    best = _best(boxes, gt_boxes)
    return _labels(best, best == 1, best < 1)


def labels_band_positive(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    """you call all positive that is not negative: between the threshold and the ground truth lies the ignored band."""
    best = _best(boxes, gt_boxes)
    return _labels(best, best >= threshold, best < threshold)


def labels_at_threshold(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    """at exactly the threshold you say negative: negatives lie *below* it."""
    best = _best(boxes, gt_boxes)
    return _labels(best, best == 1, best <= threshold)


def labels_any_object(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    """a region is negative with you if it is below the threshold with *some* object: it must be so with every one."""
    iou = box_iou(boxes, gt_boxes)
    far = (iou < threshold).any(dim=1) if len(gt_boxes) else torch.ones(len(boxes), dtype=torch.bool)
    return _labels(iou, (iou == 1).any(dim=1), far)


def labels_swapped(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    """you ignore the negatives and call the band negative: it is the other way round."""
    best = _best(boxes, gt_boxes)
    return _labels(best, best == 1, best >= threshold)


# ---- hard_negatives ----


def _sorted(scores: Tensor, chosen: Tensor, limit: int) -> Tensor:
    rows = torch.nonzero(chosen).flatten()
    return rows[scores[rows].argsort(descending=True, stable=True)][:limit]


def hard_above_zero(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    """you take those above 0 only: between -1 and 0 a negative lies inside the margin and costs something too."""
    return _sorted(scores, (overlaps < 0.3) & (scores > 0), limit)


def hard_with_band(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    """you forget the overlap: regions of the ignored band score high because they show the object, and are no error."""
    return _sorted(scores, scores > -1, limit)


def hard_all_negatives(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    """you take easy negatives as well: a score of -1 or less costs nothing."""
    return _sorted(scores, overlaps < 0.3, limit)


def hard_in_order(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    """you keep the first ones of the image, not the hardest: sort by score, highest first, before you cut."""
    return torch.nonzero((overlaps < 0.3) & (scores > -1)).flatten()[:limit]


def hard_easiest_first(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    """you sort the wrong way: the hardest negative is the one with the highest score."""
    return _sorted(-scores, (overlaps < 0.3) & (scores > -1), limit)


def hard_positions(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    """your numbers count within the hard negatives: turn them back into rows of the image (rows[order])."""
    rows = torch.nonzero((overlaps < 0.3) & (scores > -1)).flatten()
    return scores[rows].argsort(descending=True, stable=True)[:limit]


# ---- next_negatives ----


def next_keeps_all(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    """you throw nothing out: held negatives that score below -1.2 are forgotten."""
    return torch.cat((held, found[~torch.isin(found, held)]))


def next_only_new(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    """you keep the new ones only: the old hard ones are still needed, or they come back in the next round."""
    return found[~torch.isin(found, held)]


def next_twice(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    """you add negatives that are held already: such a row counts twice in the loss."""
    return torch.cat((held[scores >= -1.2], found))


def next_throws_hard(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    """you throw out the hard ones and keep the easy ones."""
    return torch.cat((held[scores < -1.2], found[~torch.isin(found, held)]))


def next_at_margin(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    """you throw out at -1: those between -1.2 and -1 stay, or they would come and go from round to round."""
    return torch.cat((held[scores > -1], found[~torch.isin(found, held)]))


def next_found_first(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    """your order is not the one asked for: first what stays, then what is new."""
    return torch.cat((found[~torch.isin(found, held)], held[scores >= -1.2]))
