"""How much a detection covers an object: IoU of boxes and of masks, with COCO's rule for crowd regions.

Notation: N detections, M objects of one image. A crowd region marks many objects that nobody
outlined one by one; a detection that lies inside it should not be punished for being smaller, so its overlap is
intersection / area of the detection.
"""

import numpy as np
from numba import njit


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """(N, 4) -> (N,) square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


@njit(cache=True)
def box_overlaps(boxes: np.ndarray, gt_boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Overlap of boxes: (N, 4), (M, 4), bool (M,) -> (N, M) in [0, 1]. In float64, since thresholds such as 0.7 are
    met exactly."""
    overlaps = np.zeros((len(boxes), len(gt_boxes)))
    for n, (x1, y1, x2, y2) in enumerate(boxes):
        area = (x2 - x1) * (y2 - y1)
        for m, (gt_x1, gt_y1, gt_x2, gt_y2) in enumerate(gt_boxes):
            width = min(x2, gt_x2) - max(x1, gt_x1)
            height = min(y2, gt_y2) - max(y1, gt_y1)
            if width > 0 and height > 0:
                shared = width * height
                union = area + (gt_x2 - gt_x1) * (gt_y2 - gt_y1) - shared
                overlaps[n, m] = shared / (area if crowd[m] else union)
    return overlaps


def mask_areas(masks: np.ndarray) -> np.ndarray:
    """bool (N, H, W) -> (N,) pixels."""
    return np.count_nonzero(masks, axis=(1, 2)).astype(np.float64)


def mask_overlaps(masks: np.ndarray, gt_masks: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Overlap of masks: bool (N, H, W), bool (M, H, W), bool (M,) -> (N, M) in [0, 1].

    Masks are compared as runs, so memory grows with the length of their outlines, not with N x M x H x W.
    """
    return _run_overlaps(*mask_runs(masks), *mask_runs(gt_masks), crowd)


def mask_runs(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks as runs of pixels: bool (N, H, W) -> edges, offsets (N + 1,).

    Pixels are counted row by row. Mask n consists of the pixels ``start <= p < stop`` with start, stop alternating in
    ``edges[offsets[n]:offsets[n + 1]]``.

    >>> mask_runs(np.array([[[0, 1, 1], [1, 0, 0]]], bool))
    (array([1, 4]), array([0, 2]))
    """
    edges = [np.flatnonzero(np.diff(mask.ravel(), prepend=False, append=False)) for mask in masks]
    offsets = np.cumsum([0] + [len(e) for e in edges])
    return np.concatenate([*edges, np.zeros(0, np.int64)]), offsets


@njit(cache=True)
def _run_overlaps(edges, offsets, gt_edges, gt_offsets, crowd):
    overlaps = np.zeros((len(offsets) - 1, len(gt_offsets) - 1))
    for n in range(len(offsets) - 1):
        mine = edges[offsets[n] : offsets[n + 1]]
        area = (mine[1::2] - mine[::2]).sum()
        for m in range(len(gt_offsets) - 1):
            gt = gt_edges[gt_offsets[m] : gt_offsets[m + 1]]
            shared = _shared_pixels(mine, gt)
            if shared > 0:
                union = area + (gt[1::2] - gt[::2]).sum() - shared
                overlaps[n, m] = shared / (area if crowd[m] else union)
    return overlaps


@njit(cache=True)
def _shared_pixels(edges, other):
    """Walk along two lists of runs at once; whichever run ends first is left behind."""
    shared = i = j = 0
    while i < len(edges) and j < len(other):
        start, stop = max(edges[i], other[j]), min(edges[i + 1], other[j + 1])
        shared += max(0, stop - start)
        if edges[i + 1] < other[j + 1]:
            i += 2
        else:
            j += 2
    return shared
