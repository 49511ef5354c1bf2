"""Known wrong versions of the RPN's loss and proposals. The docstring of each is what a learner is told."""

import torch
import torch.nn.functional as F

from rcnn_lite.boxes import clip_boxes, decode_boxes, remove_small_boxes
from rcnn_lite.losses import smooth_l1
from rcnn_lite.nms import nms

LAMBDA, MIN_SIZE, NMS_IOU = 10.0, 8.0, 0.7

# ---- rpn_losses ----


def _objectness(logits, labels, weight=1.0):
    drawn = labels >= 0
    return weight * F.binary_cross_entropy_with_logits(logits[drawn], labels[drawn].float(), reduction="sum")


def _count(labels):
    return max(int((labels >= 0).sum()), 1)


def _boxes(deltas, labels, targets, chosen=None, error=smooth_l1):
    rows = labels == 1 if chosen is None else chosen
    return LAMBDA * error(deltas[rows] - targets[rows]).sum()


def rpn_ignored_as_background(logits, deltas, labels, targets, locations):
    """you count ignored anchors as background; those with label -1 count for nothing, and not in N_cls."""
    whole = labels.clamp(min=0)
    return _objectness(logits, whole) / max(len(labels), 1), _boxes(deltas, labels, targets) / locations


def rpn_all_anchors(logits, deltas, labels, targets, locations):
    """you divide by the number of all anchors; N_cls is the mini-batch: those with label 0 or 1."""
    return _objectness(logits, labels) / max(len(labels), 1), _boxes(deltas, labels, targets) / locations


def rpn_without_switch(logits, deltas, labels, targets, locations):
    """you judge the boxes of background too. p* is 0 for them and switches L_reg off."""
    return _objectness(logits, labels) / _count(labels), _boxes(deltas, labels, targets, labels >= 0) / locations


def rpn_boxes_by_batch(logits, deltas, labels, targets, locations):
    """you divide the box term by N_cls; equation 1 divides it by N_reg, the number of places of the map."""
    return _objectness(logits, labels) / _count(labels), _boxes(deltas, labels, targets) / _count(labels)


def rpn_boxes_by_positives(logits, deltas, labels, targets, locations):
    """you divide the box term by the number of positives; equation 1 divides it by N_reg, the places of the map."""
    return _objectness(logits, labels) / _count(labels), _boxes(deltas, labels, targets) / max(
        int((labels == 1).sum()), 1
    )


def rpn_without_lambda(logits, deltas, labels, targets, locations):
    """lambda is missing: the box term is multiplied by 10."""
    return _objectness(logits, labels) / _count(labels), _boxes(deltas, labels, targets) / LAMBDA / locations


def rpn_lambda_before_classes(logits, deltas, labels, targets, locations):
    """you multiply the classification by lambda; it stands before the box term."""
    boxes = _boxes(deltas, labels, targets) / LAMBDA / locations
    return _objectness(logits, labels, LAMBDA) / _count(labels), boxes


def rpn_averaged_over_coordinates(logits, deltas, labels, targets, locations):
    """you average over x, y, w and h; L_reg is their sum."""
    return _objectness(logits, labels) / _count(labels), _boxes(deltas, labels, targets) / 4 / locations


def rpn_squared(logits, deltas, labels, targets, locations):
    """you take half the squared error everywhere; R is smooth L1, a line beyond 1."""
    boxes = _boxes(deltas, labels, targets, error=lambda x: x.square() / 2)
    return _objectness(logits, labels) / _count(labels), boxes / locations


def rpn_summed(logits, deltas, labels, targets, locations):
    """you return sums; divide the first by N_cls and the second by N_reg."""
    return _objectness(logits, labels), _boxes(deltas, labels, targets)


# ---- propose ----


def _propose(logits, deltas, anchors, image_size, before_nms, after_nms, steps=("clip", "small", "top", "nms", "last")):
    """The steps in an order of one's own; those left out are not done."""
    boxes, scores = decode_boxes(deltas, anchors), logits
    for step in steps:
        if step == "clip":
            boxes = clip_boxes(boxes, image_size)
            continue
        if step == "small":
            kept = remove_small_boxes(boxes, MIN_SIZE)
        elif step == "nms":
            kept = nms(boxes, scores, NMS_IOU)
        else:
            kept = scores.argsort(descending=True, stable=True)[: before_nms if step == "top" else after_nms]
        boxes, scores = boxes[kept], scores[kept]
    return boxes


def propose_anchors(logits, deltas, anchors, image_size, before_nms, after_nms):
    """your proposals are anchors: the deltas are not applied."""
    return _propose(logits, torch.zeros_like(deltas), anchors, image_size, before_nms, after_nms)


def propose_unclipped(logits, deltas, anchors, image_size, before_nms, after_nms):
    """your proposals reach beyond the picture: clip them to it."""
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, ("small", "top", "nms", "last"))


def propose_sides_swapped(logits, deltas, anchors, image_size, before_nms, after_nms):
    """you clip x to the height and y to the width; image_size is (H, W)."""
    return _propose(logits, deltas, anchors, image_size[::-1], before_nms, after_nms)


def propose_small_first(logits, deltas, anchors, image_size, before_nms, after_nms):
    """you drop small boxes before you clip, so slivers at the border stay: clip first."""
    steps = ("small", "clip", "top", "nms", "last")
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, steps)


def propose_small_kept(logits, deltas, anchors, image_size, before_nms, after_nms):
    """boxes narrower or lower than 8 pixels are still there: drop them."""
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, ("clip", "top", "nms", "last"))


def propose_small_takes_places(logits, deltas, anchors, image_size, before_nms, after_nms):
    """you take the best `before_nms` before the small ones are dropped, so they take places. Drop them first."""
    steps = ("clip", "top", "small", "nms", "last")
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, steps)


def propose_without_nms(logits, deltas, anchors, image_size, before_nms, after_nms):
    """NMS is missing: boxes that overlap a better one by more than 0.7 must go."""
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, ("clip", "small", "top", "last"))


def propose_limit_before(logits, deltas, anchors, image_size, before_nms, after_nms):
    """you take `after_nms` boxes and then NMS, which leaves fewer. First NMS among the best `before_nms`."""
    steps = ("clip", "small", "top", "last", "nms")
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, steps)


def propose_all_into_nms(logits, deltas, anchors, image_size, before_nms, after_nms):
    """all boxes go into NMS; only the best `before_nms` should."""
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, ("clip", "small", "nms", "last"))


def propose_all_out_of_nms(logits, deltas, anchors, image_size, before_nms, after_nms):
    """you return all that NMS leaves; only the best `after_nms` are wanted."""
    return _propose(logits, deltas, anchors, image_size, before_nms, after_nms, ("clip", "small", "top", "nms"))


def propose_worst_first(logits, deltas, anchors, image_size, before_nms, after_nms):
    """you begin with the lowest logit; the best comes first."""
    return _propose(-logits, deltas, anchors, image_size, before_nms, after_nms)
