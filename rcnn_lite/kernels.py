"""Compiled CPU versions of operators that also have a plain torch form; tests hold the two equal.

Each is the loop one would write on paper. Numba compiles it at the first call and keeps the result on disk.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")  # 0 / 0 is NaN, which is above no threshold
def nms_greedy(boxes, order, iou_threshold):
    """Indices (K,) int64 of the boxes (N, 4) that greedy suppression keeps, going through them in ``order`` (N,).

    See `rcnn_lite.nms.nms`.
    """
    count = len(order)
    x1, y1, x2, y2 = boxes[order, 0], boxes[order, 1], boxes[order, 2], boxes[order, 3]
    area = (x2 - x1) * (y2 - y1)
    zero = area.dtype.type(0)
    keep = np.ones(count, dtype=np.bool_)
    for i in range(count):
        if not keep[i]:
            continue
        for j in range(i + 1, count):  # no branch inside: the compiler does several boxes at a time
            width = max(min(x2[i], x2[j]) - max(x1[i], x1[j]), zero)
            height = max(min(y2[i], y2[j]) - max(y1[i], y1[j]), zero)
            overlap = width * height
            keep[j] &= not overlap / (area[i] + area[j] - overlap) > iou_threshold
    return order[keep]
