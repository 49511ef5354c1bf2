"""Known wrong versions of notebook 10's functions. The docstring of each is what a learner who makes it is told."""

import torch
import torch.nn.functional as F

from rcnn_lite.losses import smooth_l1

# ---- smooth_l1 ----


def smooth_whole_square(x, beta):
    """near zero you take x^2 / beta; half of it is right, so that the slope is 1 where the line begins."""
    return torch.where(x.abs() < beta, x.square() / beta, x.abs() - beta / 2)


def smooth_step(x, beta):
    """far out you take |x| without subtracting beta / 2: at |x| = beta the loss jumps from beta / 2 to beta."""
    return torch.where(x.abs() < beta, x.square() / (2 * beta), x.abs())


def smooth_kink(x, beta):
    """you take x^2 / beta and |x|, as some slides do. The two meet, but with slopes 2 and 1: a kink at beta."""
    return torch.where(x.abs() < beta, x.square() / beta, x.abs())


def smooth_signed(x, beta):
    """you compare x with beta, not |x|, so a large negative error goes into the parabola."""
    return torch.where(x < beta, x.square() / (2 * beta), x - beta / 2)


def smooth_beta_ignored(x, beta):
    """you take 1 for beta, whatever it is. The paper has no other, but implementations do."""
    return smooth_l1(x)


def smooth_summed(x, beta):
    """you return the sum; the task wants the loss of each number of x."""
    return smooth_l1(x, beta).sum()


def smooth_never_line(x, beta):
    """you have the parabola everywhere: that is the squared error, which lets one outlier pull without limit."""
    return x.square() / (2 * beta)


# ---- multi_task_loss ----


def _box_loss(deltas, labels, targets, rows, offset=0):
    return smooth_l1(deltas[rows, labels[rows] + offset] - targets[rows]).sum()


def _classes(class_logits, labels):
    return F.cross_entropy(class_logits, labels)


def loss_of_background_boxes(class_logits, deltas, labels, targets):
    """you count the boxes of background too. Background has no place, so [u >= 1] switches L_loc off for it."""
    return _classes(class_logits, labels), _box_loss(deltas, labels, targets, torch.arange(len(labels))) / len(labels)


def loss_by_positives(class_logits, deltas, labels, targets):
    """you divide the box loss by the number of positives; all RoIs of the batch count, background too."""
    rows = torch.nonzero(labels > 0).flatten()
    return _classes(class_logits, labels), _box_loss(deltas, labels, targets, rows) / max(len(rows), 1)


def loss_averaged_over_coordinates(class_logits, deltas, labels, targets):
    """you average over the four coordinates; equation 2 sums over x, y, w and h."""
    rows = torch.nonzero(labels > 0).flatten()
    return _classes(class_logits, labels), _box_loss(deltas, labels, targets, rows) / len(labels) / 4


def loss_of_best_class(class_logits, deltas, labels, targets):
    """you judge the box of the class that the network prefers; it is the box of the true class u that counts."""
    rows = torch.nonzero(labels > 0).flatten()
    return _classes(class_logits, labels), _box_loss(deltas, class_logits.argmax(dim=1), targets, rows) / len(labels)


def loss_one_class_off(class_logits, deltas, labels, targets):
    """you take row u - 1 of the deltas; background is class 0 and has a row too, so class u is row u."""
    rows = torch.nonzero(labels > 0).flatten()
    return _classes(class_logits, labels), _box_loss(deltas, labels, targets, rows, offset=-1) / len(labels)


def loss_without_softmax(class_logits, deltas, labels, targets):
    """you use the logit of the true class as its log probability: the softmax is missing."""
    rows = torch.nonzero(labels > 0).flatten()
    own = -class_logits[torch.arange(len(labels)), labels].mean()
    return own, _box_loss(deltas, labels, targets, rows) / len(labels)


def loss_summed(class_logits, deltas, labels, targets):
    """you return sums over the batch; divide both by the number of RoIs."""
    rows = torch.nonzero(labels > 0).flatten()
    return _classes(class_logits, labels) * len(labels), _box_loss(deltas, labels, targets, rows)


def loss_squared(class_logits, deltas, labels, targets):
    """you take the squared error for smooth L1."""
    rows = torch.nonzero(labels > 0).flatten()
    errors = deltas[rows, labels[rows]] - targets[rows]
    return _classes(class_logits, labels), errors.square().sum() / 2 / len(labels)


# ---- label_rois ----


def _counts(labels, samples, fraction=0.25, rest=None):
    positives = min(int((labels > 0).sum()), int(fraction * samples))
    return labels, positives, min(int((labels == 0).sum()), samples - positives if rest is None else rest)


def _labels(overlaps, gt_labels, low=0.1, positive=lambda best: best >= 0.5):
    if overlaps.shape[1] == 0:
        return torch.full((len(overlaps),), -1 if low > 0 else 0)
    best, matched = overlaps.max(dim=1)
    labels = torch.full_like(matched, -1)
    labels[best >= low] = 0
    return torch.where(positive(best), gt_labels[matched], labels)


def rois_all_background(overlaps, gt_labels, samples):
    """you call every box below 0.5 background. Below 0.1 it is ignored: -1."""
    return _counts(_labels(overlaps, gt_labels, low=0.0), samples)


def rois_strict(overlaps, gt_labels, samples):
    """you ask for an overlap above 0.5; one of exactly 0.5 is positive."""
    return _counts(_labels(overlaps, gt_labels, positive=lambda best: best > 0.5), samples)


def rois_without_class(overlaps, gt_labels, samples):
    """you write 1 for every positive; the task wants the class of the object that it overlaps most."""
    return _counts(_labels(overlaps, torch.ones_like(gt_labels)), samples)


def rois_by_index(overlaps, gt_labels, samples):
    """you write the index of the object, not its class: gt_labels[index]."""
    return _counts(_labels(overlaps, torch.arange(len(gt_labels))), samples)


def rois_without_limit(overlaps, gt_labels, samples):
    """you take all positives; at most a quarter of the samples may be positive."""
    return _counts(_labels(overlaps, gt_labels), samples, fraction=1.0)


def rois_not_filled(overlaps, gt_labels, samples):
    """you take at most three quarters background. Where positives are few, background fills the batch."""
    return _counts(_labels(overlaps, gt_labels), samples, rest=samples - samples // 4)


def rois_ignored_drawn(overlaps, gt_labels, samples):
    """you draw ignored boxes as background; label -1 is never drawn."""
    labels, positives, _ = _counts(_labels(overlaps, gt_labels), samples)
    return labels, positives, min(int((labels <= 0).sum()), samples - positives)


# ---- flip ----


def _mirrored(boxes, width):
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack((width - x2, y1, width - x1, y2), dim=-1)


def flip_not_swapped(boxes, masks, width):
    """you mirror x1 and x2 in place, so x2 < x1. The left edge becomes the right one: swap them."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack((width - x1, y1, width - x2, y2), dim=-1), masks.flip(-1)


def flip_last_pixel(boxes, masks, width):
    """you mirror at W - 1, as one mirrors pixel indices. A box is made of edges, and the last edge lies at W."""
    return _mirrored(boxes, width - 1), masks.flip(-1)


def flip_rows(boxes, masks, width):
    """you turn the masks upside down: columns are the last axis of (N, H, W), rows the one before."""
    return _mirrored(boxes, width), masks.flip(-2)


def flip_order(boxes, masks, width):
    """you reverse the order of the objects, the first axis; each mask must be mirrored by itself."""
    return _mirrored(boxes, width).flip(0), masks.flip(0)


def flip_boxes_only(boxes, masks, width):
    """you mirror the boxes and leave the masks as they were."""
    return _mirrored(boxes, width), masks


# ---- scale_of ----


def _nearest(sizes, wanted):
    return (sizes - wanted).abs().argmin(dim=1)


def _areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def scale_by_sides(boxes, factors, side):
    """you compare the square root of the area with the side; the paper compares areas, which gives other winners."""
    return _nearest(_areas(boxes).sqrt()[:, None] * torch.tensor(factors), side)


def scale_area_once(boxes, factors, side):
    """you multiply the area by the factor once. Both sides grow by it, so the area grows by its square."""
    return _nearest(_areas(boxes)[:, None] * torch.tensor(factors), side**2)


def scale_by_width(boxes, factors, side):
    """you look at the width alone; it is the area that counts."""
    widths = boxes[:, 2] - boxes[:, 0]
    return _nearest((widths[:, None] * torch.tensor(factors)).square(), side**2)


def scale_side_unsquared(boxes, factors, side):
    """you compare an area with the side, not with its square."""
    return _nearest(_areas(boxes)[:, None] * torch.tensor(factors).square(), side)


def scale_factors(boxes, factors, side):
    """you return the factor; the task wants its index."""
    index = _nearest(_areas(boxes)[:, None] * torch.tensor(factors).square(), side**2)
    return torch.tensor(factors)[index]


def scale_of_largest(boxes, factors, side):
    """you choose the scale at which the box comes out largest."""
    return (_areas(boxes)[:, None] * torch.tensor(factors).square()).argmax(dim=1)
