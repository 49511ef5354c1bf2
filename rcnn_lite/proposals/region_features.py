"""What selective search knows of a region: size, box, histograms of colour and texture (Uijlings 2013, section 3.2).

One pass over the pixels describes all segments at once; a merged region is described without pixels (grouping.py).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit

COLOUR_BINS = 25
"""Bins of a channel's colour histogram (section 3.2: 75 for three channels)."""
ORIENTATIONS = 8
"""Directions of the gaussian derivative (section 3.2)."""
TEXTURE_BINS = 10
"""Bins of a texture histogram for each direction and channel (section 3.2: 240 for three channels)."""
TEXTURE_SIGMA = 1.0
"""Width of the gaussian derivative in pixels (section 3.2)."""
STEEPEST = 255 / np.sqrt(2 * np.pi)
"""The derivative, in levels a pixel, at a step from 0 to 255: the gaussian's peak times 255. The bins end there.

The paper does not say where; a fixed end keeps a region's histogram independent of the rest of the picture.
"""


class Region(NamedTuple):
    """One region of a picture with C channels.

    size: pixels · box (4,): x1 y1 x2 y2, pixel edges, so width = x2 - x1 · colour (25 C,) and texture (80 C,): float32
    histograms, each with sum 1.
    """

    size: int
    box: np.ndarray
    colour: np.ndarray
    texture: np.ndarray


class Regions(NamedTuple):
    """R regions: size (R,) int64, box (R, 4) int64, colour (R, 25 C) and texture (R, 80 C) float32, as in `Region`."""

    size: np.ndarray
    box: np.ndarray
    colour: np.ndarray
    texture: np.ndarray

    def region(self, i: int) -> Region:
        """Region i by itself."""
        return Region(int(self.size[i]), self.box[i], self.colour[i], self.texture[i])


def describe_regions(labels: np.ndarray, image: np.ndarray, codes: np.ndarray | None = None) -> Regions:
    """Describe the segments ``labels`` (H, W) int32, 0 .. n-1, of a uint8 picture (H, W, C).

    ``codes`` is `texture_codes(image)`, for those who describe several segmentations of one picture. Notebook 04.
    """
    codes = texture_codes(image) if codes is None else codes
    size, box, colour, texture = _count(labels, image, codes, int(labels.max()) + 1)
    pixels = size[:, None].astype(np.float32) * image.shape[2]
    return Regions(size, box, colour / pixels, texture / (pixels * ORIENTATIONS))


def texture_codes(image: np.ndarray) -> np.ndarray:
    """Gaussian derivatives of a uint8 picture (H, W, C), in bins: uint8 (H, W, C, 4), orientation * 10 + bin.

    The derivative along orientation j, at 45 j degrees, is cos(45 j) dx + sin(45 j) dy, and a region's texture counts
    its positive part. The opposite orientation j + 4 has the negative part: of the two one is 0, hence in bin 0, and
    only the other is stored. dx, dy are central differences of the smoothed picture.
    """
    smooth = cv2.GaussianBlur(image.astype(np.uint16) * 256, (7, 7), TEXTURE_SIGMA, borderType=cv2.BORDER_REPLICATE)
    return _texture_codes(smooth.reshape(image.shape), TEXTURE_BINS / (2 * 256 * STEEPEST))


@njit(cache=True, nogil=True)
def _texture_codes(smooth, bins_per_step):
    height, width, channels = smooth.shape
    codes = np.empty((height, width, channels, ORIENTATIONS // 2), dtype=np.uint8)
    derivative = np.empty(ORIENTATIONS // 2)
    diagonal = np.sqrt(0.5)
    for y in range(height):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            for c in range(channels):
                dx = float(smooth[y, right, c]) - float(smooth[y, left, c])
                dy = float(smooth[below, x, c]) - float(smooth[above, x, c])
                derivative[0], derivative[1] = dx, diagonal * (dx + dy)  # 0, 45 degrees
                derivative[2], derivative[3] = dy, diagonal * (dy - dx)  # 90, 135 degrees
                for j in range(4):
                    orientation = j if derivative[j] >= 0 else j + 4
                    level = min(int(abs(derivative[j]) * bins_per_step), TEXTURE_BINS - 1)
                    codes[y, x, c, j] = orientation * TEXTURE_BINS + level
    return codes


@njit(cache=True, nogil=True)
def _count(labels, image, codes, count):
    """Sizes, boxes and unnormalised histograms of ``count`` segments."""
    height, width, channels = image.shape
    size = np.zeros(count, dtype=np.int64)
    box = np.empty((count, 4), dtype=np.int64)
    for i in range(count):
        box[i, 0], box[i, 1], box[i, 2], box[i, 3] = width, height, 0, 0
    colour = np.zeros((count, channels * COLOUR_BINS), dtype=np.float32)
    texture = np.zeros((count, channels * ORIENTATIONS * TEXTURE_BINS), dtype=np.float32)
    for y in range(height):
        for x in range(width):
            i = labels[y, x]
            size[i] += 1
            box[i, 0], box[i, 1] = min(box[i, 0], x), min(box[i, 1], y)
            box[i, 2], box[i, 3] = max(box[i, 2], x + 1), max(box[i, 3], y + 1)
            for c in range(channels):
                colour[i, c * COLOUR_BINS + image[y, x, c] * COLOUR_BINS // 256] += 1
                for j in range(4):
                    texture[i, c * ORIENTATIONS * TEXTURE_BINS + codes[y, x, c, j]] += 1
    for i in range(count):
        for zero in range(0, texture.shape[1], TEXTURE_BINS):  # bin 0 of an orientation: the pixels in no other bin
            texture[i, zero] = size[i]
            for level in range(1, TEXTURE_BINS):
                texture[i, zero] -= texture[i, zero + level]
    return size, box, colour, texture
