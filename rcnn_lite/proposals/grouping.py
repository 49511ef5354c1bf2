"""Hierarchical grouping of selective search: join the two most similar neighbours until one region is left (Uijlings 2013, section 3).

A merged region's size is the sum of the two sizes, its box encloses the two boxes, and its histograms are the averages of the two
weighted by size (equation 2). Pixels are never visited again.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from rcnn_lite.proposals.region_features import Regions


class Hierarchy(NamedTuple):
    """The history of one grouping of n segments: regions 0 .. n-1 are the segments, region n + t is made by merge t.

    boxes (R, 4) int64 x1 y1 x2 y2 of all R = n + merges regions · merges (R - n, 2) int64, the two regions joined · similarities
    (R - n,) float64, how similar they were.
    """

    boxes: np.ndarray
    merges: np.ndarray
    similarities: np.ndarray


def color_similarity(regions: Regions, a: int, b: int) -> float:
    """Equation 1: histogram intersection of colours, sum_k min(c_a^k, c_b^k), in [0, 1]; 1 where the histograms are equal."""
    return _intersection(regions.colour, a, b)


def texture_similarity(regions: Regions, a: int, b: int) -> float:
    """Equation 3: histogram intersection of textures, sum_k min(t_a^k, t_b^k), in [0, 1]."""
    return _intersection(regions.texture, a, b)


def size_similarity(regions: Regions, a: int, b: int, image_size: tuple[int, int]) -> float:
    """Equation 4: 1 - (size(a) + size(b)) / size(image). Small regions merge early, so that no region swallows its surroundings."""
    return _size_similarity(regions.size, a, b, image_size[0] * image_size[1])


def fill_similarity(regions: Regions, a: int, b: int, image_size: tuple[int, int]) -> float:
    """Equation 5: 1 - (size(box around both) - size(a) - size(b)) / size(image). High where the two fit into each other."""
    return _fill_similarity(regions.size, regions.box, a, b, image_size[0] * image_size[1])


@njit(cache=True, nogil=True)
def _intersection(histogram, a, b):
    total = np.float32(0)
    for k in range(histogram.shape[1]):
        total += min(histogram[a, k], histogram[b, k])
    return total


@njit(cache=True, nogil=True)
def _size_similarity(size, a, b, area):
    return 1.0 - (size[a] + size[b]) / area


@njit(cache=True, nogil=True)
def _fill_similarity(size, box, a, b, area):
    width = max(box[a, 2], box[b, 2]) - min(box[a, 0], box[b, 0])
    height = max(box[a, 3], box[b, 3]) - min(box[a, 1], box[b, 1])
    return 1.0 - (width * height - size[a] - size[b]) / area


@njit(cache=True, nogil=True)
def adjacent_pairs(labels):
    """Pairs of labels that touch, by side or corner, once for each stretch of border: int64 codes ``low * n + high``, n > any label."""
    height, width = labels.shape
    count = np.int64(labels.max()) + 1
    codes = np.empty(4 * labels.size, dtype=np.int64)
    found = 0
    for y in range(height):
        for x in range(width):
            a = np.int64(labels[y, x])
            for d in range(4):  # right, down left, down, down right
                y2, x2 = (y, x + 1) if d == 0 else (y + 1, x + d - 2)
                if y2 < height and 0 <= x2 < width and labels[y2, x2] != a:
                    b = np.int64(labels[y2, x2])
                    codes[found] = min(a, b) * count + max(a, b)
                    found += 1
    return codes[:found]


def neighbours(labels: np.ndarray) -> np.ndarray:
    """The pairs of segments of ``labels`` (H, W) that touch by a side or a corner: int64 (P, 2), sorted, smaller label first.

    >>> neighbours(np.array([[0, 0, 1], [2, 2, 1]], dtype=np.int32)).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    return np.stack(np.divmod(np.unique(adjacent_pairs(labels)), int(labels.max()) + 1), axis=1)


def group_regions(regions: Regions, pairs: np.ndarray, weights: tuple[float, ...], image_size: tuple[int, int]) -> Hierarchy:
    """Join neighbouring ``regions`` (n of them; ``pairs`` (P, 2) from `neighbours`), the most similar first, until none touch.

    ``weights`` are a_1 .. a_4 of equation 6: colour, texture, size, fill.
    """
    area = float(image_size[0] * image_size[1])
    return Hierarchy(*_group(regions, pairs, np.asarray(weights, dtype=np.float64), area))


@njit(cache=True, nogil=True)
def _similarity(regions, a, b, weights, area):
    """Equation 6: s(a, b) = a_1 s_colour + a_2 s_texture + a_3 s_size + a_4 s_fill."""
    total = 0.0
    if weights[0] != 0:
        total += weights[0] * _intersection(regions.colour, a, b)
    if weights[1] != 0:
        total += weights[1] * _intersection(regions.texture, a, b)
    total += weights[2] * _size_similarity(regions.size, a, b, area)
    return total + weights[3] * _fill_similarity(regions.size, regions.box, a, b, area)


@njit(cache=True, nogil=True)
def _merge(regions, a, b, t):
    """Row t becomes the union of rows a and b."""
    regions.size[t] = regions.size[a] + regions.size[b]
    for side in range(2):
        regions.box[t, side] = min(regions.box[a, side], regions.box[b, side])
        regions.box[t, side + 2] = max(regions.box[a, side + 2], regions.box[b, side + 2])
    part = np.float32(regions.size[a] / regions.size[t])
    for histogram in (regions.colour, regions.texture):  # equation 2
        for k in range(histogram.shape[1]):
            histogram[t, k] = part * histogram[a, k] + (np.float32(1) - part) * histogram[b, k]


@njit(cache=True, nogil=True)
def _grown(rows, count):
    """A copy of ``rows`` with room for ``count``."""
    grown = np.empty((count,) + rows.shape[1:], dtype=rows.dtype)
    grown[: len(rows)] = rows
    return grown


@njit(cache=True, nogil=True)
def _group(segments, pairs, weights, area):
    count = len(segments.size)
    last = 2 * count - 1
    regions = Regions(
        _grown(segments.size, last), _grown(segments.box, last), _grown(segments.colour, last), _grown(segments.texture, last)
    )
    pairs = pairs.copy()
    similarity = np.empty(len(pairs))
    for e in range(len(pairs)):
        similarity[e] = _similarity(regions, pairs[e, 0], pairs[e, 1], weights, area)
    merges = np.empty((count - 1, 2), dtype=np.int64)
    strengths = np.empty(count - 1)
    alive = len(pairs)  # pairs[:alive] are those of regions that still stand by themselves
    seen = np.zeros(last, dtype=np.int64)
    t = count
    while alive > 0:
        best = np.argmax(similarity[:alive])
        a, b = pairs[best]
        merges[t - count, 0], merges[t - count, 1] = a, b
        strengths[t - count] = similarity[best]
        _merge(regions, a, b, t)
        e = 0
        while e < alive:  # what touched a or b now touches t
            p, q = pairs[e]
            if p != a and p != b and q != a and q != b:
                e += 1
                continue
            other = q if p == a or p == b else p
            if other == a or other == b or seen[other] == t:  # the joined pair itself, or a neighbour of both for the second time
                alive -= 1
                pairs[e] = pairs[alive]
                similarity[e] = similarity[alive]
                continue
            seen[other] = t
            pairs[e, 0], pairs[e, 1] = other, t
            similarity[e] = _similarity(regions, other, t, weights, area)
            e += 1
        t += 1
    return regions.box[:t], merges[: t - count], strengths[: t - count]
