"""Selective search (Uijlings et al., IJCV 2013): boxes that may hold an object, whatever it is (notebook 04).

No single way of grouping pixels finds every object, so many are tried: several colour spaces, several sizes of the
first segments (k) and several sums of similarities. Each gives a hierarchy of regions; the boxes of all regions of all
hierarchies are the proposals.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from rcnn_lite.images import as_rgb
from rcnn_lite.proposals.colour_spaces import to_colour_space
from rcnn_lite.proposals.grouping import (
    Hierarchy,
    color_similarity,
    fill_similarity,
    group_regions,
    neighbours,
    size_similarity,
    texture_similarity,
)
from rcnn_lite.proposals.region_features import describe_regions, texture_codes
from rcnn_lite.proposals.segmentation import segment_graph, smooth_image, sort_edges

__all__ = [
    "MODES",
    "Mode",
    "color_similarity",
    "fill_similarity",
    "group_image",
    "rank_boxes",
    "selective_search",
    "size_similarity",
    "texture_similarity",
]

CTSF, TSF, F, S = (1, 1, 1, 1), (0, 1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0)
"""The sums of similarities of section 5.1: weights of colour, texture, size, fill in equation 6."""


@dataclass(frozen=True)
class Mode:
    """A set of strategies: each colour space with each k and each sum of similarities gives one hierarchy."""

    colour_spaces: tuple[str, ...]
    similarities: tuple[tuple[int, int, int, int], ...]
    scales: tuple[int, ...]  # k of the first segments, in grey levels; also their smallest size, in pixels
    sigma: float = 0.8  # of the smoothing before segmentation, in pixels


MODES = {
    "single": Mode(("hsv",), (CTSF,), (100,)),
    "fast": Mode(("hsv", "lab"), (CTSF, TSF), (50, 100)),
    "quality": Mode(("hsv", "lab", "rgi", "h", "i"), (CTSF, TSF, F, S), (50, 100, 150, 300)),
}
"""The three versions that the paper compares (section 5.1): 1, 8 and 80 hierarchies."""

WORKING_SIDE = 500
"""A picture with a longer side is shrunk to it first, as R-CNN does: k and the smallest size are in pixels and were
chosen on PASCAL VOC's pictures of that side. It also bounds time and memory."""

SMALLEST_PART = 1 / 32
"""Boxes with a side below this part of the picture's longer side are left out: 15.6 of 500 pixels (the authors' code
has 20). They are a fifth of all boxes and hold fewer than a hundredth of VOC's objects."""

THREADS = 2
"""Colour spaces searched at the same time. The answer does not depend on it."""


def selective_search(image: np.ndarray, mode: str = "fast", rng: np.random.Generator | None = None) -> Tensor:
    """Proposals for a picture: float32 (N, 4) x1 y1 x2 y2 in its pixels, no two equal, best first.

    ``image`` is uint8 (H, W, 3) RGB, or grey or RGBA; ``mode`` is "single", "fast" or "quality". ``rng`` draws the
    random part of the order (`rank_boxes`) and changes nothing else; None stands for `numpy.random.default_rng(0)`. The
    first n boxes, ``boxes[:n]``, are the ones to keep where n must do; benchmarks/results/selective_search.md has what
    they are worth. The whole picture's box is always among them all: a picture of one colour has only that. ValueError
    for another dtype or shape and for an unknown mode.

    Uijlings, van de Sande, Gevers, Smeulders: Selective search for object recognition, IJCV 104(2), 2013.

    >>> selective_search(np.zeros((20, 30, 3), np.uint8))
    tensor([[ 0.,  0., 30., 20.]])
    """
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; there are {', '.join(MODES)}")
    image = as_rgb(image)
    height, width = image.shape[:2]
    image = _shrink(image)
    with ThreadPoolExecutor(THREADS) as pool:
        of_spaces = list(pool.map(lambda space: group_image(image, space, MODES[mode]), MODES[mode].colour_spaces))
    boxes = rank_boxes([found for hierarchies in of_spaces for found in hierarchies], rng)
    boxes = boxes[_large_enough(boxes, image.shape)]
    back = boxes * np.array([width, height] * 2) / np.array([image.shape[1], image.shape[0]] * 2)
    return torch.from_numpy(back.astype(np.float32))


def group_image(image: np.ndarray, space: str, mode: Mode) -> list[Hierarchy]:
    """The hierarchies of ``mode`` in one colour space: for each scale one for each sum of similarities."""
    converted = to_colour_space(image, space)  # (H, W, C)
    edges, codes = sort_edges(smooth_image(converted, mode.sigma)), texture_codes(converted)
    image_size = converted.shape[:2]
    # k is meant for colours of three channels. One channel stands for three equal ones, whose distances are sqrt(3)
    # times as large; dividing k by sqrt(3) instead gives the same segments.
    levels = (converted.shape[2] / 3) ** 0.5
    hierarchies = []
    for scale in mode.scales:
        labels = segment_graph(edges, image_size, scale * levels, scale)
        segments, pairs = describe_regions(labels, converted, codes), neighbours(labels)
        hierarchies += [group_regions(segments, pairs, weights, image_size) for weights in mode.similarities]
    return hierarchies


def rank_boxes(hierarchies: list[Hierarchy], rng: np.random.Generator | None = None) -> np.ndarray:
    """The boxes of all regions of all hierarchies, each once: int64 (N, 4), best first.

    A region's position in its hierarchy is 1 for the whole picture, 2 for the last region made before it, and so on.
    Boxes are sorted by position times a random number in [0, 1): large regions come first, but not all of them
    (section 3.3). Of equal boxes the best-placed one counts.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    boxes = np.concatenate([found.regions.box for found in hierarchies])
    position = np.concatenate([np.arange(len(found.regions.box), 0, -1) for found in hierarchies])
    boxes = boxes[np.argsort(position * rng.random(len(boxes)), kind="stable")]
    _, first = np.unique(boxes, axis=0, return_index=True)
    return boxes[np.sort(first)]


def _shrink(image: np.ndarray) -> np.ndarray:
    """The picture with its longer side at most `WORKING_SIDE`."""
    height, width = image.shape[:2]
    factor = WORKING_SIDE / max(height, width)
    if factor >= 1:
        return image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _large_enough(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which of the boxes (N, 4) are not too small, or are the whole picture: (N,) bool."""
    sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
    height, width = shape[:2]
    return (sides >= SMALLEST_PART * max(height, width)).all(axis=1) | (sides == (width, height)).all(axis=1)
