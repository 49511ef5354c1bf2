"""The mistakes of notebook 16: nothing fails, and the scoreboard's numbers are those of another detector.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("proposals_as_in_training"): ...``
switches one on.
"""

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.losses import detection_loss, rpn_loss
from rcnn_lite.nms import nms
from rcnn_lite.proposals.rpn import RPNSettings

__all__ = ["mistake", "mistakes"]

NINTH = 1 / 9


def nms_as_in_training(boxes, scores, iou_threshold, limit=None):
    """Where a number of boxes is asked for, it is that of training."""
    return nms(boxes, scores, iou_threshold, limit if limit is None else RPNSettings().training.after_nms)


def rpn_loss_a_ninth(logits, deltas, labels, targets, locations, weight=10.0, beta=1.0):
    """Whatever the settings say, beta is 1/9."""
    return rpn_loss(logits, deltas, labels, targets, locations, weight, NINTH)


def detection_loss_a_ninth(class_logits, deltas, labels, targets, weight=1.0, beta=1.0):
    """Whatever the settings say, beta is 1/9."""
    return detection_loss(class_logits, deltas, labels, targets, weight, NINTH)


_TABLE = (
    Mistake(
        "proposals_as_in_training",
        "When it is tested the detector is given the 2,000 proposals of training, not the 300 of testing.",
        {"nms.nms": nms_as_in_training},
    ),
    Mistake(
        "beta_buried",
        "Both box losses have a beta of 1/9 somewhere inside, whatever the settings say.",
        {"losses.rpn_loss": rpn_loss_a_ninth, "losses.detection_loss": detection_loss_a_ninth},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
