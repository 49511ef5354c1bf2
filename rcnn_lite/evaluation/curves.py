"""From a curve of precision over recall to one number, after PASCAL VOC."""

import numpy as np
from torch import Tensor

RECALL_TOLERANCE = 1e-6
"""A recall this little below one of the eleven levels has reached it: 7 of 10 kept as float32 is 0.69999999."""


def average_precision(recall: Tensor, precision: Tensor, use_07_metric: bool = False) -> float:
    """Area under the precision-recall curve: recall (N,), precision (N,), best-scored detection first -> float in [0,
    1].

    - VOC 2010 and later (default): precision at recall r becomes the best precision at any recall >= r (the
      *envelope*: it takes the zigzag out), then the exact area under that staircase. VOC 2010 development kit, section
      3.4.1.
    - VOC 2007 (``use_07_metric``): the mean of the envelope at the eleven recalls 0, 0.1, ..., 1. Everingham 2010,
      section 4.2.

    Recall that is never reached has precision 0, so the curve of no detections at all gives 0.
    Raises ValueError when the two differ in length or recall falls. Built in notebook 02.

    >>> recall, precision = [0.5, 0.5, 1.0], [1.0, 0.5, 2 / 3]  # two objects; right, wrong, right
    >>> round(average_precision(recall, precision), 4)  # 0.5 * 1 + 0.5 * 2/3
    0.8333
    >>> round(average_precision(recall, precision, use_07_metric=True), 4)  # (6 * 1 + 5 * 2/3) / 11
    0.8485
    """
    recall, precision = np.asarray(recall, dtype=np.float64), np.asarray(precision, dtype=np.float64)
    if recall.ndim != 1 or recall.shape != precision.shape:
        raise ValueError(f"recall and precision must both have shape (N,), got {recall.shape} and {precision.shape}")
    if np.isnan(recall).any() or np.isnan(precision).any():
        return float("nan")
    if (np.diff(recall) < 0).any():
        first = int((np.diff(recall) < 0).argmax()) + 1
        raise ValueError(f"recall must not fall, but recall[{first}] = {recall[first]} comes after {recall[first - 1]}")
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)  # (N + 1,) 0 beyond the last recall
    if use_07_metric:
        levels = np.arange(11) / 10
        return float(envelope[np.searchsorted(recall, levels - RECALL_TOLERANCE)].mean())
    return float((np.diff(recall, prepend=0.0) * envelope[:-1]).sum())
