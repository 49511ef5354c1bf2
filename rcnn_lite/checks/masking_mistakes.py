"""The mistakes of notebook 14: each leaves a Mask R-CNN that runs without complaint, and whose boxes are right.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("mask_half_a_pixel_off"): ...`` switches
one on.
"""

import torch

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.heads.mask_head import own_masks
from rcnn_lite.regions.masks import paste_masks

__all__ = ["mistake", "mistakes"]


def paste_at_corners(masks, boxes, image_size, threshold=None):
    """The value of a pixel is read at its upper left corner."""
    return paste_masks(masks, boxes + 0.5, image_size, threshold)


def paste_whole(masks, boxes, image_size, threshold=None):
    """Boxes are cut to whole pixels, both ends, before a mask is fitted in."""
    return paste_masks(masks, boxes.trunc(), image_size, threshold)


def paste_transposed(masks, boxes, image_size, threshold=None):
    """Rows of the mask are taken for columns."""
    return paste_masks(masks.transpose(1, 2), boxes, image_size, threshold)


def paste_beyond(masks, boxes, image_size, threshold=None):
    """The outermost cells go on beyond the box, up to the border of the picture."""

    def shares(low, high, count, pixels):  # (pixels, count)
        places = ((torch.arange(pixels) + 0.5 - low) / (high - low) * count - 0.5).clamp(0, count - 1)
        return (1 - (places[:, None] - torch.arange(count)).abs()).clamp(min=0).to(masks)

    pasted = masks.new_zeros(len(masks), 1, *image_size)
    for mask, (x1, y1, x2, y2), canvas in zip(masks, boxes.tolist(), pasted, strict=True):
        if x1 == x2 or y1 == y2:
            continue
        rows, columns = shares(y1, y2, len(mask), image_size[0]), shares(x1, x2, len(mask), image_size[1])
        canvas[0] = rows @ mask @ columns.T
    return pasted if threshold is None else pasted > threshold


def masks_of_the_class_before(logits, labels, competing=False):
    """The mask of class k - 1 is taken for that of class k."""
    return own_masks(logits, labels - 1, competing)


def masks_without_sigmoid(logits, labels, competing=False):
    """Logits are taken for probabilities."""
    return logits[torch.arange(len(labels)), labels]


_TABLE = (
    Mistake(
        "mask_half_a_pixel_off",
        "Where masks are pasted, a pixel's value is read at its corner: all masks lie half a pixel to the lower right.",
        {"regions.masks.paste_masks": paste_at_corners},
    ),
    Mistake(
        "mask_in_whole_pixels",
        "Where masks are pasted, the corners of the box are cut to whole pixels.",
        {"regions.masks.paste_masks": paste_whole},
    ),
    Mistake(
        "mask_transposed",
        "Where masks are pasted, rows and columns are exchanged.",
        {"regions.masks.paste_masks": paste_transposed},
    ),
    Mistake(
        "mask_not_cut_to_box",
        "Where masks are pasted, the outermost cells are continued beyond the box.",
        {"regions.masks.paste_masks": paste_beyond},
    ),
    Mistake(
        "mask_of_another_class",
        "The mask of class k - 1 is taken for that of class k, as if background had none.",
        {"heads.mask_head.own_masks": masks_of_the_class_before},
    ),
    Mistake(
        "mask_without_sigmoid",
        "The sigmoid is forgotten, so logits are cut at 0.5, which is a probability of 0.62.",
        {"heads.mask_head.own_masks": masks_without_sigmoid},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
