"""How sure is a difference of mAP? Its interval over the test images that might have been drawn.

Notation: N detections, M objects.
"""

from collections.abc import Sequence

import numpy as np
import torch
from rcnn_parts import RESAMPLES
from torch import Tensor

from rcnn_lite.evaluation import average_precision
from rcnn_lite.evaluation.inputs import image_pairs
from rcnn_lite.evaluation.verdicts import RIGHT
from rcnn_lite.evaluation.voc import judge_image

Detections = list[dict[str, Tensor]]


def interval(a: Sequence[Detections], b: Sequence[Detections], targets: list[dict]) -> list[float]:
    """The middle 95 % of mAP(a) - mAP(b), means over their runs, over sets of images drawn with replacement."""
    gain = sum(resampled(one, targets) for one in a) / len(a) - sum(resampled(one, targets) for one in b) / len(b)
    return gain.quantile(torch.tensor([0.025, 0.975], dtype=gain.dtype)).tolist()


def resampled(found: Detections, targets: list[dict]) -> Tensor:
    """mAP (`evaluate_voc`) in sets of images drawn with replacement, always the same: (RESAMPLES,).

    Whether a detection is right does not depend on other images, so each is judged and sorted once; a set repeats it as
    often as it drew its image. N detections, M objects.
    """
    pairs = list(image_pairs(found, targets, "boxes", None))
    right = np.concatenate(
        [judge_image(f, t, np.zeros(len(t["labels"]), bool), 0.5) == RIGHT for f, t in pairs]
    )  # (N,)
    order = np.argsort(-np.concatenate([f["scores"] for f, _ in pairs]), kind="stable")
    image, labels = (column[order] for column in columns([f for f, _ in pairs]))
    object_image, object_labels = columns([t for _, t in pairs])  # (M,), (M,)
    generator, values = torch.Generator().manual_seed(0), []
    for _ in range(RESAMPLES):
        drawn = torch.randint(len(targets), (len(targets),), generator=generator).numpy()
        times = np.bincount(drawn, minlength=len(targets))
        objects, again = np.repeat(object_labels, times[object_image]), times[image]
        hits = np.repeat(right[order], again), np.repeat(labels, again)
        values.append(mean_precision(*hits, objects))
    return torch.tensor(values, dtype=torch.float64)


def columns(records: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Of which image each detection or object is, and its label."""
    counts = [len(record["labels"]) for record in records]
    return np.repeat(np.arange(len(records)), counts), np.concatenate([record["labels"] for record in records])


def mean_precision(right: np.ndarray, labels: np.ndarray, objects: np.ndarray) -> float:
    """mAP of N detections, best first: which of them are right (N,), labels (N,); labels of the objects (M,)."""
    values = []
    for label, count in zip(*np.unique(objects, return_counts=True), strict=True):
        hits = np.cumsum(right[labels == label])
        values.append(average_precision(hits / count, hits / np.arange(1, len(hits) + 1)))
    return float(np.mean(values))
