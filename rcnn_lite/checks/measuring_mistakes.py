"""The mistakes of notebook 02: each was once shipped by somebody, and each moves the mAP.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("sorted_per_image"): ...`` switches one
on.
"""

from collections.abc import Iterator

import numpy as np

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.evaluation import average_precision
from rcnn_lite.evaluation.inputs import detection_arrays, image_pairs
from rcnn_lite.evaluation.voc import WRONG, _judge, _Judged, judge_image

__all__ = ["mistake", "mistakes"]


def judge_sorted_per_image(detections, targets, iou_threshold, num_classes) -> _Judged:
    """The verdicts are right; the list is sorted in each image, and the images' lists are laid end to end."""
    parts = [_judge([d], [t], iou_threshold, num_classes) for d, t in zip(detections, targets, strict=True)]
    return (
        _Judged(*map(np.concatenate, zip(*parts, strict=True))) if parts else _judge([], [], iou_threshold, num_classes)
    )


def pairs_with_difficult(*args) -> Iterator:
    """Difficult objects are objects like others. Crowds stay ignored."""
    for found, truth in image_pairs(*args):
        yield found, truth | {"difficult": np.zeros_like(truth["difficult"])}


def verdicts_without_claims(found, truth, difficult, iou_threshold) -> np.ndarray:
    """Each detection is judged as if it were the only one."""
    verdicts = np.full(len(found["labels"]), WRONG)
    for n in range(len(verdicts)):
        alone = {key: values[n : n + 1] for key, values in found.items()}
        verdicts[n] = judge_image(alone, truth, difficult, iou_threshold)[0]
    return verdicts


def precision_without_envelope(recall, precision, use_07_metric=False) -> float:
    """The area under the zigzag itself: the mean of the precisions at the right detections."""
    if use_07_metric:
        return average_precision(recall, precision, use_07_metric=True)
    return float((np.diff(np.asarray(recall), prepend=0.0) * np.asarray(precision)).sum())


def eleven_points_always(recall, precision, use_07_metric=False) -> float:
    return average_precision(recall, precision, use_07_metric=True)


def labels_one_up(*args) -> dict[str, np.ndarray]:
    """The detections' file counts its classes from 0, the targets' from 1, and somebody added the 1 twice."""
    found = detection_arrays(*args)
    return found | {"labels": found["labels"] + 1}


_TABLE = (
    Mistake(
        "sorted_per_image",
        "Detections are sorted by score within each image only, and the images follow one another.",
        {"evaluation.voc._judge": judge_sorted_per_image},
    ),
    Mistake(
        "difficult_counted",
        "Objects marked difficult count like all others: missing one costs recall.",
        {"evaluation.inputs.image_pairs": pairs_with_difficult},
    ),
    Mistake(
        "claims_forgotten",
        "An object can be claimed again and again: duplicates count as right.",
        {"evaluation.voc.judge_image": verdicts_without_claims},
    ),
    Mistake(
        "envelope_forgotten",
        "The area is taken under the zigzag of precision instead of under its envelope.",
        {"evaluation.curves.average_precision": precision_without_envelope},
    ),
    Mistake(
        "eleven_points",
        "VOC 2007's eleven points are computed where the area (VOC 2010) is reported.",
        {"evaluation.curves.average_precision": eleven_points_always},
    ),
    Mistake(
        "labels_shifted",
        "The labels of the detections are one too high: a cat is reported as what follows cat in the list.",
        {"evaluation.inputs.detection_arrays": labels_one_up},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
