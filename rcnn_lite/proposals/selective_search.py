"""Selective search (Uijlings et al., IJCV 2013): boxes that may hold an object, whatever it is (notebook 04).

No single way of grouping pixels finds all objects, so many are tried: several colour spaces, several sizes of first segments (k) and
several sums of similarities. Each gives a hierarchy of regions; the boxes of all regions of all hierarchies are the proposals.
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

__all__ = ["MODES", "Mode", "color_similarity", "fill_similarity", "selective_search", "size_similarity", "texture_similarity"]

CTSF, TSF, F, S = (1, 1, 1, 1), (0, 1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0)


@dataclass(frozen=True)
class Mode:
    """One diversification of selective search: every combination of the three is a hierarchy (section 3.2 and table 3)."""

    colour_spaces: tuple[str, ...]
    similarities: tuple[tuple[int, int, int, int], ...]
    scales: tuple[int, ...]
    sigma: float = 0.8


MODES = {
    "single": Mode(("hsv",), (CTSF,), (100,)),
    "fast": Mode(("hsv", "lab"), (CTSF, TSF), (50, 100)),
    "quality": Mode(("hsv", "lab", "rgi", "h", "i"), (CTSF, TSF, F, S), (50, 100, 150, 300)),
}

MAX_SIDE = 1000
MIN_SIDE = 8


def selective_search(image: np.ndarray, mode: str = "fast", rng: np.random.Generator | None = None) -> Tensor:
    """Proposals of a uint8 picture (H, W, 3): float32 (N, 4) x1 y1 x2 y2, each once, best first."""
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; there are {', '.join(MODES)}")
    rng = np.random.default_rng(0) if rng is None else rng
    image = as_rgb(image)
    height, width = image.shape[:2]
    shrink = min(1.0, MAX_SIDE / max(height, width))
    if shrink < 1:
        image = cv2.resize(image, (max(1, round(width * shrink)), max(1, round(height * shrink))), interpolation=cv2.INTER_AREA)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda space: _hierarchies(image, space, MODES[mode]), MODES[mode].colour_spaces)
        hierarchies = [hierarchy for group in found for hierarchy in group]
    boxes = _rank([h.boxes for h in hierarchies], rng).astype(np.float32)
    boxes = boxes * np.float32([width / image.shape[1], height / image.shape[0]] * 2)
    return torch.from_numpy(boxes)


def _hierarchies(image: np.ndarray, space: str, mode: Mode) -> list[Hierarchy]:
    converted = to_colour_space(image, space)
    edges = sort_edges(smooth_image(converted, mode.sigma))
    codes = texture_codes(converted)
    size = converted.shape[:2]
    found = []
    for scale in mode.scales:
        labels = segment_graph(edges, size, scale * (converted.shape[2] / 3) ** 0.5, scale)
        regions, pairs = describe_regions(labels, converted, codes), neighbours(labels)
        found += [group_regions(regions, pairs, weights, size) for weights in mode.similarities]
    return found


def _rank(hierarchies: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    boxes = np.concatenate(hierarchies)
    position = np.concatenate([np.arange(len(b), 0, -1) for b in hierarchies])
    boxes = boxes[np.argsort(position * rng.random(len(boxes)), kind="stable")]
    _, first = np.unique(boxes, axis=0, return_index=True)
    boxes = boxes[np.sort(first)]
    sides = boxes[:, 2:] - boxes[:, :2]
    small = (sides < MIN_SIDE).any(axis=1) & (len(boxes) > 1)
    return boxes[~small]
