"""What selective search knows of a region: its size, its box, and histograms of its colours and textures (Uijlings 2013, section 3.2).

One pass over the pixels describes all segments at once. A merged region is described without pixels (`grouping.py`).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numba import njit

COLOUR_BINS = 25
"""Bins a channel of the colour histogram (section 3.2: 75 for three channels)."""
ORIENTATIONS = 8
"""Directions of the gaussian derivative (section 3.2)."""
TEXTURE_BINS = 10
"""Bins a direction and channel of the texture histogram (section 3.2: 240 for three channels)."""
TEXTURE_SIGMA = 1.0
"""Width of the gaussian derivative in pixels (section 3.2)."""


class Regions(NamedTuple):
    """R regions of a picture with C channels; row i describes region i.

    size (R,) int64 pixels · box (R, 4) int64 x1 y1 x2 y2, edges of pixels, so width = x2 - x1 · colour (R, 25 C) and texture (R, 80 C)
    float32 histograms that sum to 1.
    """

    size: np.ndarray
    box: np.ndarray
    colour: np.ndarray
    texture: np.ndarray


def describe_regions(labels: np.ndarray, image: np.ndarray, codes: np.ndarray | None = None) -> Regions:
    """The segments of ``labels`` (H, W), 0 .. n-1, in a uint8 picture (H, W, C). ``codes``: `texture_codes` of it, if at hand."""
    codes = texture_codes(image) if codes is None else codes
    size, box, colour, texture = _count(labels, image, codes, int(labels.max()) + 1)
    colour = colour / colour.sum(axis=1, keepdims=True, dtype=np.float32)
    texture = texture / texture.sum(axis=1, keepdims=True, dtype=np.float32)
    return Regions(size, box, colour, texture)


def texture_codes(image: np.ndarray) -> np.ndarray:
    """Bins of the gaussian derivatives of a uint8 picture (H, W, C): uint8 (H, W, C, 4), values orientation * 10 + bin.

    The derivative along orientation j, at 45 j degrees, is cos(45 j) dx + sin(45 j) dy; its negative part is the positive part along
    orientation j + 4. So of each opposite pair one is zero, in bin 0, and only the other is stored. Bins are equal steps from
    0 to the largest derivative of the channel.
    """
    smooth = cv2.GaussianBlur(image.astype(np.uint16) * 256, (7, 7), TEXTURE_SIGMA, borderType=cv2.BORDER_REPLICATE)
    return _texture_codes(np.ascontiguousarray(smooth.reshape(image.shape)))


@njit(cache=True, nogil=True)
def _texture_codes(smooth):
    height, width, channels = smooth.shape
    codes = np.empty((height, width, channels, 4), dtype=np.uint8)
    half = np.sqrt(0.5)
    largest = np.zeros(channels)
    response = np.empty(4)
    for fill in range(2):
        for y in range(height):
            above, below = max(y - 1, 0), min(y + 1, height - 1)
            for x in range(width):
                left, right = max(x - 1, 0), min(x + 1, width - 1)
                for c in range(channels):
                    dx = float(smooth[y, right, c]) - float(smooth[y, left, c])
                    dy = float(smooth[below, x, c]) - float(smooth[above, x, c])
                    if fill == 0:
                        largest[c] = max(largest[c], abs(dx), abs(dy), half * (abs(dx) + abs(dy)))
                        continue
                    response[0], response[1], response[2], response[3] = dx, half * (dx + dy), dy, half * (dy - dx)
                    for j in range(4):
                        level = int(abs(response[j]) * TEXTURE_BINS / max(largest[c], 1.0))
                        orientation = j if response[j] >= 0 else j + 4
                        codes[y, x, c, j] = orientation * TEXTURE_BINS + min(level, TEXTURE_BINS - 1)
    return codes


@njit(cache=True, nogil=True)
def _count(labels, image, codes, count):
    """Sizes, boxes and unnormalised histograms of ``count`` segments."""
    height, width, channels = image.shape
    size = np.zeros(count, dtype=np.int64)
    box = np.zeros((count, 4), dtype=np.int64)
    box[:, 0], box[:, 1] = width, height
    colour = np.zeros((count, channels * COLOUR_BINS), dtype=np.float32)
    texture = np.zeros((count, channels, ORIENTATIONS * TEXTURE_BINS), dtype=np.float32)
    for y in range(height):
        for x in range(width):
            i = labels[y, x]
            size[i] += 1
            box[i, 0], box[i, 1] = min(box[i, 0], x), min(box[i, 1], y)
            box[i, 2], box[i, 3] = max(box[i, 2], x + 1), max(box[i, 3], y + 1)
            for c in range(channels):
                colour[i, c * COLOUR_BINS + image[y, x, c] * COLOUR_BINS // 256] += 1
                for j in range(4):
                    texture[i, c, codes[y, x, c, j]] += 1
    for i in range(count):
        for c in range(channels):
            for first in range(0, ORIENTATIONS * TEXTURE_BINS, TEXTURE_BINS):  # bin 0 of an orientation: the pixels in no other
                texture[i, c, first] = size[i] - texture[i, c, first + 1 : first + TEXTURE_BINS].sum()
    return size, box, colour, texture.reshape(count, -1)
