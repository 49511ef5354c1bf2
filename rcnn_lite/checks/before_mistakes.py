"""The mistakes of notebook 03: each leaves a sliding-window detector that runs and finds less.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("one_scale"): ...`` switches one on.
"""

import torch
from torch import Tensor

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.proposals.sliding_window import pyramid_scales, sliding_windows
from rcnn_lite.regions.hog import BLOCK_CELLS, DIRECTIONS, hog_blocks

__all__ = ["mistake", "mistakes"]


def windows_of_the_level(image_size, window, stride, scales) -> Tensor:
    """The boxes stay in the pixels of their level."""
    parts = [sliding_windows(image_size, window, stride, [scale]) / scale for scale in scales]
    return torch.cat([torch.zeros(0, 4), *parts])


def windows_around_their_corner(image_size, window, stride, scales) -> Tensor:
    """Each position is taken for the centre of its window."""
    boxes = sliding_windows(image_size, window, stride, scales)
    return boxes - (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2) / 2


def first_scale_only(image_size, window, per_octave=3, first=1.0) -> list[float]:
    """The picture itself and no smaller copy of it."""
    return pyramid_scales(image_size, window, per_octave, first)[:1]


def hog_upside_down(image, cell) -> Tensor:
    """dy has the wrong sign: rising edges are called falling. Direction bin k becomes 8 - k."""
    blocks = hog_blocks(image, cell)
    rows, columns = blocks.shape[1:]
    return blocks.reshape(BLOCK_CELLS**2, DIRECTIONS, rows, columns).flip(1).reshape(blocks.shape)


_TABLE = (
    Mistake(
        "windows_not_scaled_back",
        "The boxes of the windows stay in the pixels of the shrunk copy in which they were found.",
        {"proposals.sliding_window.sliding_windows": windows_of_the_level},
    ),
    Mistake(
        "window_around_its_corner",
        "The position of a window, its upper left corner, is taken for its centre.",
        {"proposals.sliding_window.sliding_windows": windows_around_their_corner},
    ),
    Mistake(
        "one_scale",
        "There is no pyramid: windows of one size look at the picture as it is.",
        {"proposals.sliding_window.pyramid_scales": first_scale_only},
    ),
    Mistake(
        "gradient_upside_down",
        "At test time dy has the wrong sign (y upwards instead of downwards), unlike in training.",
        {"regions.hog.hog_blocks": hog_upside_down},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
