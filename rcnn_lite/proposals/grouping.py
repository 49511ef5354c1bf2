"""Hierarchical grouping: join the two most similar neighbours until one region is left (Uijlings 2013, section 3).

    s_colour(a, b)  = sum_k min(c_a^k, c_b^k)                                   equation 1
    c_t             = (size(a) c_a + size(b) c_b) / (size(a) + size(b))         equation 2, t = a joined with b
    s_texture(a, b) = sum_k min(t_a^k, t_b^k)                                   equation 3
    s_size(a, b)    = 1 - (size(a) + size(b)) / size(image)                     equation 4
    s_fill(a, b)    = 1 - (size(box of both) - size(a) - size(b)) / size(image) equation 5
    s(a, b)         = a_1 s_colour + a_2 s_texture + a_3 s_size + a_4 s_fill    equation 6

By equation 2 a joined region is described from its two parts: its pixels are never visited again.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from rcnn_lite.proposals.region_features import Region, Regions


class Hierarchy(NamedTuple):
    """The history of one grouping of n segments. Regions 0 .. n-1 are the segments; merge t makes region n + t.

    regions: all R = n + merges of them, described · merges (R - n, 2) int64: the two that merge t joined ·
    similarities (R - n,) float64: how similar the two were. Of a whole picture R = 2 n - 1 and the last is the picture.
    """

    regions: Regions
    merges: np.ndarray
    similarities: np.ndarray


def color_similarity(a: Region, b: Region) -> float:
    """Equation 1: the intersection of the colour histograms, in [0, 1]; 1 where they are equal. Notebook 04."""
    return float(_intersection(a.colour, b.colour))  # Uijlings 2013, equation 1


def texture_similarity(a: Region, b: Region) -> float:
    """Equation 3: the intersection of the texture histograms, in [0, 1]; 1 where they are equal. Notebook 04."""
    return float(_intersection(a.texture, b.texture))  # Uijlings 2013, equation 3


def size_similarity(a: Region, b: Region, image_size: tuple[int, int]) -> float:
    """Equation 4, in [0, 1]: high for small regions, so that no region swallows its surroundings one by one."""
    return _size_similarity(a.size, b.size, image_size[0] * image_size[1])


def fill_similarity(a: Region, b: Region, image_size: tuple[int, int]) -> float:
    """Equation 5, in [0, 1]: high for regions that fit into each other and leave few holes in the box around both."""
    return _fill_similarity(a.size, b.size, a.box, b.box, image_size[0] * image_size[1])


def group_regions(
    segments: Regions, pairs: np.ndarray, weights: tuple[float, float, float, float], image_size: tuple[int, int]
) -> Hierarchy:
    """Join the most similar pair of neighbours again and again, until no two regions touch.

    ``pairs`` (P, 2) are the segments that touch, from `neighbours`; ``weights`` are a_1 .. a_4 of equation 6. Equally
    similar pairs are joined in a fixed order. Notebook 04 shows the merges one by one.
    """
    room = len(segments.size) - 1
    regions = Regions(*(np.concatenate((rows, np.zeros((room, *rows.shape[1:]), rows.dtype))) for rows in segments))
    merges, similarities = _group(regions, pairs.copy(), np.asarray(weights, np.float64), image_size)
    return Hierarchy(Regions(*(rows[: len(segments.size) + len(merges)] for rows in regions)), merges, similarities)


def neighbours(labels: np.ndarray) -> np.ndarray:
    """The pairs of ``labels`` (H, W) int32 that touch by a side or a corner: int64 (P, 2), smaller label first, sorted.

    >>> neighbours(np.array([[0, 0, 1], [2, 2, 1]], dtype=np.int32)).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    count = int(labels.max()) + 1
    return np.stack(np.divmod(np.unique(_borders(labels, count)), count), axis=1)


def merged_labels(labels: np.ndarray, merges: np.ndarray) -> np.ndarray:
    """The picture after some merges: ``labels`` (H, W) 0 .. n-1 -> (H, W) int64 ids of the regions that stand then.

    Give ``hierarchy.merges[:t]`` for the state after t merges.

    >>> merged_labels(np.array([[0, 1, 2]]), np.array([[0, 1]]))
    array([[3, 3, 2]])
    """
    count = int(labels.max()) + 1
    owner = np.arange(count + len(merges))
    for t in reversed(range(len(merges))):  # from the top down: a region belongs to what its union belongs to
        owner[merges[t]] = owner[count + t]
    return owner[labels]


@njit(cache=True, nogil=True)
def _borders(labels, count):
    """A code low * count + high for each two neighbouring pixels with different labels, which are below ``count``."""
    height, width = labels.shape
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


@njit(cache=True, nogil=True)
def _intersection(histogram, other):
    total = np.float32(0)
    for k in range(len(histogram)):
        total += min(histogram[k], other[k])
    return total


@njit(cache=True, nogil=True)
def _size_similarity(size_a, size_b, area):
    return 1.0 - (size_a + size_b) / area  # Uijlings 2013, equation 4


@njit(cache=True, nogil=True)
def _fill_similarity(size_a, size_b, box_a, box_b, area):
    width = max(box_a[2], box_b[2]) - min(box_a[0], box_b[0])
    height = max(box_a[3], box_b[3]) - min(box_a[1], box_b[1])
    return 1.0 - (width * height - size_a - size_b) / area  # Uijlings 2013, equation 5


@njit(cache=True, nogil=True)
def _similarity(regions, a, b, weights, area):
    """Equation 6."""
    # Uijlings 2013, equation 6: here and in the lines below
    total = weights[2] * _size_similarity(regions.size[a], regions.size[b], area)
    total += weights[3] * _fill_similarity(regions.size[a], regions.size[b], regions.box[a], regions.box[b], area)
    if weights[0] != 0:
        total += weights[0] * _intersection(regions.colour[a], regions.colour[b])
    if weights[1] != 0:
        total += weights[1] * _intersection(regions.texture[a], regions.texture[b])
    return total


@njit(cache=True, nogil=True)
def _unite(regions, a, b, t):
    """Row t of ``regions`` becomes the union of rows a and b."""
    regions.size[t] = regions.size[a] + regions.size[b]
    for side in range(2):
        regions.box[t, side] = min(regions.box[a, side], regions.box[b, side])
        regions.box[t, side + 2] = max(regions.box[a, side + 2], regions.box[b, side + 2])
    share = np.float32(regions.size[a] / regions.size[t])
    for histogram in (regions.colour, regions.texture):
        for k in range(histogram.shape[1]):
            # Uijlings 2013, equation 2
            histogram[t, k] = share * histogram[a, k] + (np.float32(1) - share) * histogram[b, k]


@njit(cache=True, nogil=True)
def _group(regions, pairs, weights, image_size):
    """Fills ``regions`` from the first free row on; ``pairs`` is used up. Returns merges and similarities.

    pairs[:alive] are the pairs still to be joined. A pair never moves except into the place of one that is dropped, and
    there are never more than at the start, so the arrays need not grow.
    """
    area = image_size[0] * image_size[1]
    total = len(regions.size)
    first = (total + 1) // 2
    merges = np.empty((total - first, 2), dtype=np.int64)
    similarities = np.empty(total - first)
    similarity = np.empty(len(pairs))
    for e in range(len(pairs)):
        similarity[e] = _similarity(regions, pairs[e, 0], pairs[e, 1], weights, area)
    seen = np.zeros(total, dtype=np.int64)  # seen[p] == t: p is known to touch t
    alive = len(pairs)
    t = first
    while alive > 0:
        best = 0
        for e in range(1, alive):
            if similarity[e] > similarity[best]:
                best = e
        a, b = pairs[best, 0], pairs[best, 1]
        merges[t - first, 0], merges[t - first, 1], similarities[t - first] = a, b, similarity[best]
        _unite(regions, a, b, t)
        seen[a] = seen[b] = t  # they do not touch t: they are t
        e = 0
        while e < alive:
            p, q = pairs[e, 0], pairs[e, 1]
            if p in (a, b) or q in (a, b):
                other = q if p in (a, b) else p
                if seen[other] == t:  # a and b themselves, or a neighbour of both for the second time
                    alive -= 1
                    pairs[e, 0], pairs[e, 1], similarity[e] = pairs[alive, 0], pairs[alive, 1], similarity[alive]
                    continue
                seen[other] = t
                pairs[e, 0], pairs[e, 1] = other, t
                similarity[e] = _similarity(regions, other, t, weights, area)
            e += 1
        t += 1
    return merges[: t - first], similarities[: t - first]
