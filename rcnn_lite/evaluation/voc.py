"""Average precision as PASCAL VOC defines it (Everingham 2010, section 4.2; VOC 2010 development kit, section 4.4).

Notation: N detections, M objects, K classes. A detection is right if its best-overlapping object of the same class has
IoU >= threshold and no better-scored detection has claimed that object before. *Difficult* objects are neither counted
nor punished: they do not enter the recall, and a detection on one of them is left out of the curve.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.evaluation.curves import average_precision
from rcnn_lite.evaluation.inputs import image_pairs
from rcnn_lite.evaluation.overlaps import box_overlaps
from rcnn_lite.evaluation.verdicts import IGNORED, RIGHT, WRONG


class _Judged(NamedTuple):
    """All detections of all images, best score first, and the labels of the objects that count."""

    labels: np.ndarray  # (N,)
    scores: np.ndarray  # (N,)
    verdicts: np.ndarray  # (N,) WRONG, RIGHT or IGNORED
    object_labels: np.ndarray  # (M,) without difficult objects


def evaluate_voc(
    detections: Sequence[dict],
    targets: Sequence[dict],
    iou_threshold: float = 0.5,
    use_07_metric: bool = False,
    num_classes: int | None = None,
) -> dict:
    """Average precision of each class and their mean.

    Parameters
    ----------
    detections, targets : lists of dicts, one for each image (see `rcnn_lite.evaluation`). ``difficult`` is
        optional in a target; an ``iscrowd`` object counts as difficult.
    iou_threshold : a detection on an object has at least this IoU.
    use_07_metric : eleven points (VOC 2007) instead of the area (VOC 2010 and later).
    num_classes : classes including the background. If given, a label outside 1 .. num_classes - 1 is an error and
        every class has an entry in ``AP``.

    Returns
    -------
    ``{"mAP": float, "AP": {label: float}}``. A class without countable objects has AP NaN and is left out of the mean;
    without any class the mean is NaN.

    Equal scores: the earlier image goes first, then the earlier detection. Raises ValueError naming the image and the
    key. Built in notebook 02.
    """
    judged = _judge(detections, targets, iou_threshold, num_classes)
    labels = np.union1d(judged.labels, judged.object_labels) if num_classes is None else range(1, num_classes)
    aps = {int(label): float("nan") for label in labels}
    for label in np.unique(judged.object_labels):
        recall, precision, _ = _curve(judged, label)
        aps[int(label)] = average_precision(recall, precision, use_07_metric)
    known = [ap for ap in aps.values() if not np.isnan(ap)]
    return {"mAP": float(np.mean(known)) if known else float("nan"), "AP": aps}


def precision_recall(
    detections: Sequence[dict], targets: Sequence[dict], label: int, iou_threshold: float = 0.5
) -> tuple[Tensor, Tensor, Tensor]:
    """The curve of one class, best score first: recall (N,), precision (N,), scores (N,), float64.

    Point n is what the detector would have if it kept the detections with ``scores >= scores[n]``. Detections on
    difficult objects have no point. Without countable objects recall is NaN. Raises ValueError as `evaluate_voc`.
    """
    curve = _curve(_judge(detections, targets, iou_threshold, None), label)
    return tuple(torch.from_numpy(values) for values in curve)


def _judge(detections, targets, iou_threshold: float, num_classes: int | None) -> _Judged:
    """Decide about every detection, image by image, then sort all of them by score."""
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold must lie in (0, 1], got {iou_threshold}")
    nothing = np.zeros(0, np.int64)
    labels, scores, verdicts, object_labels = [nothing], [nothing], [nothing], [nothing]
    for found, truth in image_pairs(detections, targets, "boxes", num_classes):
        difficult = truth["difficult"] | truth["iscrowd"]
        labels.append(found["labels"])
        scores.append(found["scores"])
        verdicts.append(judge_image(found, truth, difficult, iou_threshold))
        object_labels.append(truth["labels"][~difficult])
    labels, scores, verdicts = np.concatenate(labels), np.concatenate(scores), np.concatenate(verdicts)
    order = np.argsort(-scores, kind="stable")
    return _Judged(labels[order], scores[order], verdicts[order], np.concatenate(object_labels))


def judge_image(found: dict, truth: dict, difficult: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Verdicts (N,) on the detections of one image. Among equal overlaps the first object is taken."""
    verdicts = np.full(len(found["labels"]), WRONG)
    if len(truth["labels"]) == 0:
        return verdicts
    overlaps = box_overlaps(found["boxes"], truth["boxes"], np.zeros(len(truth["labels"]), bool))  # (N, M)
    overlaps[found["labels"][:, None] != truth["labels"][None, :]] = -1  # another class: as if it were not there
    claimed = np.zeros(len(truth["labels"]), bool)
    for n in np.argsort(-found["scores"], kind="stable"):
        m = overlaps[n].argmax()
        if overlaps[n, m] < iou_threshold:
            continue
        if difficult[m]:
            verdicts[n] = IGNORED
        elif not claimed[m]:
            verdicts[n] = RIGHT
            claimed[m] = True
    return verdicts


def _curve(judged: _Judged, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recall, precision and scores of one class, each (N,)."""
    points = (judged.labels == label) & (judged.verdicts != IGNORED)
    right = np.cumsum(judged.verdicts[points] == RIGHT)
    objects = np.count_nonzero(judged.object_labels == label)
    recall = right / objects if objects else np.full(len(right), np.nan)
    return recall, right / np.arange(1, len(right) + 1), judged.scores[points]
