"""Which detection belongs to which object, after COCO: one image, all thresholds and area ranges at once.

Notation: N detections, M objects, A area ranges, T IoU thresholds. The greedy rule, for each class, range and
threshold: the detections choose in order of their scores; each takes the free object that it overlaps most, if the
overlap reaches the threshold. An *ignored* object (a crowd region, or one outside the area range) is only taken when
no other qualifies; who takes it is ignored as well, and a crowd region can be taken any number of times.
"""

import numpy as np
from numba import njit

from rcnn_lite.evaluation.verdicts import IGNORED, RIGHT, WRONG


@njit(cache=True)
def match_image(overlaps, labels, gt_labels, ignored, crowd, outside, thresholds):
    """Verdicts int8 (N, A, T) on the detections of one image.

    overlaps (N, M); labels (N,), best score first; gt_labels (M,); ignored bool (A, M); crowd bool (M,); outside bool
    (A, N): the detection's own area is outside the range, so that being WRONG becomes being IGNORED; thresholds (T,).
    """
    verdicts = np.full((len(labels), len(ignored), len(thresholds)), WRONG, np.int8)
    for a in range(len(ignored)):
        for t in range(len(thresholds)):
            free = np.ones(len(gt_labels), np.bool_)
            for n in range(len(labels)):
                candidates = free & (gt_labels == labels[n])
                m = _best_object(overlaps[n], candidates & ~ignored[a], thresholds[t])
                if m < 0:
                    m = _best_object(overlaps[n], candidates & ignored[a], thresholds[t])
                if m < 0:
                    verdicts[n, a, t] = IGNORED if outside[a, n] else WRONG
                    continue
                verdicts[n, a, t] = IGNORED if ignored[a, m] else RIGHT
                free[m] = crowd[m]
    return verdicts


@njit(cache=True)
def _best_object(overlaps, candidates, threshold):
    """Index of the candidate with the largest overlap >= threshold, the last one among equals, or -1."""
    best, best_overlap = -1, threshold
    for m in range(len(overlaps)):
        if candidates[m] and overlaps[m] >= best_overlap:
            best, best_overlap = m, overlaps[m]
    return best
