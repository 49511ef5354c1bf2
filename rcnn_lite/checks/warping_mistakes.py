"""The mistakes of notebook 05: regions that do not reach the network as it was trained to see them.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("context_forgotten"): ...`` switches one
on.
"""

import torch
from torch import Tensor

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.regions.warp import square_regions, warp_regions

__all__ = ["mistake", "mistakes"]


def warp_blue_first(image: Tensor, boxes: Tensor, *args, **options) -> Tensor:
    """The picture was read with OpenCV, whose channels come as B G R."""
    return warp_regions(image, boxes, *args, **options).flip(1)


def warp_with_mean(image: Tensor, boxes: Tensor, size: int = 227, context: int = 16, fill: Tensor | None = None):
    """What the network is about to subtract is added, so that in the end nothing was subtracted."""
    mean = image.mean(dim=(1, 2)) if fill is None else fill.to(image)
    return warp_regions(image, boxes, size, context, fill) + mean.reshape(3, 1, 1)


def warp_in_bytes(image: Tensor, boxes: Tensor, *args, **options) -> Tensor:
    return 255 * warp_regions(image, boxes, *args, **options)


def warp_without_context(image: Tensor, boxes: Tensor, size: int = 227, context: int = 16, fill: Tensor | None = None):
    return warp_regions(image, boxes, size, 0, fill)


def warp_square(image: Tensor, boxes: Tensor, *args, **options) -> Tensor:
    return square_regions(image, boxes, *args, **options)


def warp_onto_black(image: Tensor, boxes: Tensor, size: int = 227, context: int = 16, fill: Tensor | None = None):
    return warp_regions(image, boxes, size, context, torch.zeros(3))


def warp_rows_for_columns(image: Tensor, boxes: Tensor, *args, **options) -> Tensor:
    return warp_regions(image, boxes, *args, **options).transpose(2, 3)


_WARP = "regions.warp.warp_regions"
_TABLE = (
    Mistake(
        "blue_first", "The channels of a region come as B G R, and the network expects R G B.", {_WARP: warp_blue_first}
    ),
    Mistake(
        "mean_left_in", "The mean is not subtracted before a region goes into the network.", {_WARP: warp_with_mean}
    ),
    Mistake("bytes_for_unit", "Regions run from 0 to 255, and the network expects 0 to 1.", {_WARP: warp_in_bytes}),
    Mistake(
        "context_forgotten",
        "Regions are cut without context, and everything was trained with it.",
        {_WARP: warp_without_context},
    ),
    Mistake(
        "squares_for_warps", "Regions keep their shape, and everything was trained on warps.", {_WARP: warp_square}
    ),
    Mistake("black_for_mean", "What lies outside the picture is black, not the mean.", {_WARP: warp_onto_black}),
    Mistake(
        "rows_for_columns",
        "x and y are swapped when a region is sampled: it lies on its side, mirrored.",
        {_WARP: warp_rows_for_columns},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
