"""Compiled CPU versions of operators that also have a plain torch form; tests hold the two equal.

Each is the loop one would write on paper. Numba compiles it at the first call and keeps the result on disk.
"""

from functools import cache

import numba
import numpy as np
import torch
from numba import njit, prange


@cache
def start_threads() -> None:
    """Start the threads of the parallel loops, as many as torch has; to be called before the first of them.

    Numba and torch may share one OpenMP, and numba's start changes how many threads torch's sums are cut into, hence
    their last digits: a training that is resumed would not end with the same weights. So torch gets its own number
    back.
    """
    threads = torch.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(threads)


@njit(cache=True, nogil=True, error_model="numpy")  # 0 / 0 is NaN, which is above no threshold
def nms_greedy(boxes, order, iou_threshold, limit):
    """Indices (K,) int64 of the first ``limit`` boxes (N, 4) that greedy suppression keeps, going through them in
    ``order`` (N,).

    See `rcnn_lite.nms.nms`.
    """
    count = len(order)
    x1, y1, x2, y2 = boxes[order, 0], boxes[order, 1], boxes[order, 2], boxes[order, 3]
    area = (x2 - x1) * (y2 - y1)
    zero = area.dtype.type(0)
    keep, found = np.ones(count, dtype=np.bool_), 0
    for i in range(count):
        if not keep[i]:
            continue
        found += 1
        if found >= limit:
            break
        for j in range(i + 1, count):  # no branch inside: the compiler does several boxes at a time
            width = max(min(x2[i], x2[j]) - max(x1[i], x1[j]), zero)
            height = max(min(y2[i], y2[j]) - max(y1[i], y1[j]), zero)
            overlap = width * height
            keep[j] &= not overlap / (area[i] + area[j] - overlap) > iou_threshold
    return order[keep][:limit]


@njit(cache=True, nogil=True, parallel=True)
def roi_pool_forward(cells, image, top, bottom, left, right):
    """Maxima (R, C, P, Q) of the bins of R RoIs over ``cells`` (N, H, W, C), and the cells (y W + x) that held them.

    ``top`` and ``bottom`` (R, P), ``left`` and ``right`` (R, Q) bound the bins. An empty bin is 0 and held by -1. See
    `rcnn_lite.regions.roi_pool`.
    """
    width, channels = cells.shape[2], cells.shape[3]
    count, rows, columns = len(image), top.shape[1], left.shape[1]
    pooled = np.empty((count, channels, rows, columns), dtype=cells.dtype)
    switches = np.empty((count, channels, rows, columns), dtype=np.int32)
    for r in prange(count):
        best = np.empty(channels, dtype=cells.dtype)
        held = np.empty(channels, dtype=np.int32)
        for p in range(rows):
            for q in range(columns):
                empty = bottom[r, p] <= top[r, p] or right[r, q] <= left[r, q]
                best[:] = 0 if empty else -np.inf
                held[:] = -1
                for y in range(top[r, p], bottom[r, p]):
                    for x in range(left[r, q], right[r, q]):
                        cell = cells[image[r], y, x]
                        place = np.int32(y * width + x)
                        for c in range(channels):  # no branch inside: several channels at a time
                            better = cell[c] > best[c]
                            best[c] = cell[c] if better else best[c]
                            held[c] = place if better else held[c]
                pooled[r, :, p, q] = best
                switches[r, :, p, q] = held
    return pooled, switches


@njit(cache=True, nogil=True, parallel=True)
def roi_pool_backward(grad, switches, image, grad_features):
    """Add ``grad`` (R, C, P, Q) to the cells named by ``switches`` in ``grad_features`` (N, C, H W), in place.

    Parallel over channels: no two threads write to one cell, and the order of additions is always the same.
    """
    for c in prange(grad.shape[1]):
        for r in range(grad.shape[0]):
            cells = grad_features[image[r], c]
            for p in range(grad.shape[2]):
                for q in range(grad.shape[3]):
                    if switches[r, c, p, q] >= 0:
                        cells[switches[r, c, p, q]] += grad[r, c, p, q]  # Fast R-CNN, equation 4


@njit(cache=True, nogil=True, parallel=True)
def roi_align_forward(cells, image, y_cells, y_weights, x_cells, x_weights):
    """Weighted sums (R, C, P, Q) of ``cells`` (N, H, W, C): bin (p, q) reads y_cells (R, P, T) x x_cells (R, Q, T).

    See `rcnn_lite.regions.roi_align`, which makes the cells and weights of each axis.
    """
    channels = cells.shape[3]
    count, rows, columns = len(image), y_cells.shape[1], x_cells.shape[1]
    pooled = np.empty((count, channels, rows, columns), dtype=cells.dtype)
    for r in prange(count):
        total = np.empty(channels, dtype=cells.dtype)
        for p in range(rows):
            for q in range(columns):
                total[:] = 0
                for i in range(y_cells.shape[2]):
                    for j in range(x_cells.shape[2]):
                        weight = y_weights[r, p, i] * x_weights[r, q, j]
                        if weight != 0:
                            cell = cells[image[r], y_cells[r, p, i], x_cells[r, q, j]]
                            for c in range(channels):  # several channels at a time
                                total[c] += weight * cell[c]
                pooled[r, :, p, q] = total
    return pooled


@njit(cache=True, nogil=True, parallel=True)
def roi_align_backward(grad, image, y_cells, y_weights, x_cells, x_weights, grad_cells, bands):
    """Add ``grad`` (R, C, P, Q), weighted as in `roi_align_forward`, to ``grad_cells`` (N, H, W, C), in place.

    The channels are cut into ``bands``, one thread's each: no two threads write to one number, and the order of the
    additions does not depend on the number of threads.
    """
    channels = grad.shape[1]
    for band in prange(bands):
        first, last = channels * band // bands, channels * (band + 1) // bands
        for r in range(len(image)):
            for p in range(grad.shape[2]):
                for q in range(grad.shape[3]):
                    bin_grad = grad[r, first:last, p, q].copy()
                    for i in range(y_cells.shape[2]):
                        for j in range(x_cells.shape[2]):
                            weight = y_weights[r, p, i] * x_weights[r, q, j]
                            if weight != 0:
                                cell = grad_cells[image[r], y_cells[r, p, i], x_cells[r, q, j], first:last]
                                for c in range(last - first):
                                    cell[c] += weight * bin_grad[c]
