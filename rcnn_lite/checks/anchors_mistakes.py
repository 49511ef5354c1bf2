"""The mistakes of notebook 11: each leaves a region proposal network that runs without complaint.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("anchors_at_the_corner"): ...`` switches
one on.
"""

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.matching import match_boxes
from rcnn_lite.proposals.anchors import make_cell_anchors, shift_anchors

__all__ = ["mistake", "mistakes"]


def shift_from_corner(cell_anchors, feature_size, stride, offset=0.0):
    """Whatever the offset, anchors lie around the upper left corners of the cells."""
    return shift_anchors(cell_anchors, feature_size, stride)


def make_swapped(sizes, aspect_ratios):
    """The ratio is taken as w / h: what should stand lies, and the other way round."""
    return make_cell_anchors(sizes, [1 / ratio for ratio in aspect_ratios])


def match_without_best(boxes, gt_boxes, fg_iou, bg_iou, keep_best=False):
    """Positive is only what overlaps enough."""
    return match_boxes(boxes, gt_boxes, fg_iou, bg_iou)


_TABLE = (
    Mistake(
        "anchors_at_the_corner",
        "Anchors lie around the upper left corner of their cell where the model was trained with its centre.",
        {"proposals.anchors.shift_anchors": shift_from_corner},
    ),
    Mistake(
        "anchor_sides_swapped",
        "The aspect ratio of the anchors is taken as w / h where the model was trained with h / w.",
        {"proposals.anchors.make_cell_anchors": make_swapped},
    ),
    Mistake(
        "one_kind_of_positives",
        "Only boxes that overlap an object enough are positive; the best box of an object that none fits is not.",
        {"matching.match_boxes": match_without_best},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
