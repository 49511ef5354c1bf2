"""The mistakes of notebook 10: each leaves a Fast R-CNN that runs, and trains, without complaint.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("rois_row_first"): ...`` switches one on.
"""

from rcnn_lite.boxes import decode_boxes
from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.datasets.transforms import flip_horizontally
from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.losses import detection_loss
from rcnn_lite.regions.rois import boxes_to_rois
from rcnn_lite.regions.scales import scale_boxes

__all__ = ["mistake", "mistakes"]

STRIDE = 16.0


def decode_normalised(deltas, reference):
    """The deltas come multiplied by their standard deviations; undone here, as if that had been forgotten."""
    return decode_boxes(deltas / deltas.new_tensor(RoIHeadSettings().delta_std), reference)


def rois_row_first(boxes):
    """Rows before columns, the order in which arrays are indexed."""
    return boxes_to_rois(boxes)[:, [0, 2, 1, 4, 3]]


def scale_rounded(boxes, image_size, new_size):
    """Boxes are rounded to the map's stride before they are carried to the resized picture."""
    return scale_boxes((boxes / STRIDE).round() * STRIDE, image_size, new_size)


def flip_without_proposals(image, target, proposals=None, keypoint_flip=None):
    """Picture and objects are mirrored, proposals stay."""
    image, target, _ = flip_horizontally(image, target, None, keypoint_flip)
    return image, target, proposals


def loss_one_class_off(class_logits, deltas, labels, targets, weight=1.0, beta=1.0):
    """The box of class u is learnt in row u - 1."""
    return detection_loss(class_logits, deltas.roll(1, dims=1), labels, targets, weight, beta)


_TABLE = (
    Mistake(
        "deltas_stay_normalised",
        "Deltas are learnt in units of their standard deviations and decoded as if they were not.",
        {"boxes.decode_boxes": decode_normalised},
    ),
    Mistake(
        "rois_row_first",
        "RoIs are handed to the pooling as y1 x1 y2 x2.",
        {"regions.rois.boxes_to_rois": rois_row_first},
    ),
    Mistake(
        "rounded_before_scaling",
        "Boxes are rounded to whole cells of the map before the picture's resizing is taken into account.",
        {"regions.scales.scale_boxes": scale_rounded},
    ),
    Mistake(
        "proposals_not_flipped",
        "A mirrored picture gets its objects mirrored, but not its proposals.",
        {"datasets.transforms.flip_horizontally": flip_without_proposals},
    ),
    Mistake(
        "boxes_one_class_off",
        "The box of class u is learnt in the row of class u - 1, and looked for in its own.",
        {"losses.detection_loss": loss_one_class_off},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
