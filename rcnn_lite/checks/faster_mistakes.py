"""The mistakes of notebook 12: each leaves a Faster R-CNN that runs without complaint.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("one_factor"): ...`` switches one on.
"""

from rcnn_lite.boxes import clip_boxes
from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.regions.scales import scale_boxes

__all__ = ["mistake", "mistakes"]


def clip_nothing(boxes, image_size):
    """Boxes stay where they are, beyond the border of the picture too."""
    return boxes.clone()


def clip_swapped(boxes, image_size):
    """The picture's size is taken for (W, H)."""
    return clip_boxes(boxes, tuple(image_size)[::-1])


def scale_with_height(boxes, image_size, new_size):
    """One factor for both axes, that of the heights."""
    return scale_boxes(boxes, (image_size[0], image_size[0]), (new_size[0], new_size[0]))


_TABLE = (
    Mistake(
        "nothing_clipped",
        "Neither proposals nor detections are clipped to the picture.",
        {"boxes.clip_boxes": clip_nothing},
    ),
    Mistake(
        "size_swapped",
        "Where boxes are clipped, the picture's size is taken for (W, H).",
        {"boxes.clip_boxes": clip_swapped},
    ),
    Mistake(
        "one_factor",
        "Boxes are carried between the image and its resized copy with the factor of the height for both axes.",
        {"regions.scales.scale_boxes": scale_with_height},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
