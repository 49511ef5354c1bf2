"""The twelve COCO numbers (Lin 2014; the rules are those of pycocotools, which these functions equal).

Notation: N detections, M objects, K classes, A = 4 area ranges, T = 10 IoU thresholds, R = 101 recall levels, L = 3
limits on the detections of a class in an image. -1 stands for "undefined" (no object to find), as in pycocotools.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rcnn_lite.evaluation.coco_matching import match_image
from rcnn_lite.evaluation.inputs import image_pairs
from rcnn_lite.evaluation.overlaps import box_areas, box_overlaps, mask_areas, mask_overlaps
from rcnn_lite.evaluation.verdicts import RIGHT, WRONG

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_LEVELS = np.linspace(0, 1, 101)
AREA_RANGES = {"all": (0, 1e5**2), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e5**2)}
"""In square pixels, both ends included: an object of exactly 32 x 32 is small and medium."""
MAX_DETECTIONS = (1, 10, 100)


@dataclass(frozen=True)
class Similarity:
    """What is compared: the key of detections and targets, how alike two of them are, and how large one is.

    ``between(detection, target) -> (N, M)`` sees the arrays of one image, so that it may look at more than one key (as
    the similarity of keypoints must); ``areas(shapes) -> (N,)`` sees those under ``key``.
    """

    key: str
    between: Callable[[dict, dict], np.ndarray]
    areas: Callable[[np.ndarray], np.ndarray]


def _box_similarity(detection: dict, target: dict) -> np.ndarray:
    return box_overlaps(detection["boxes"], target["boxes"], target["iscrowd"])


def _mask_similarity(detection: dict, target: dict) -> np.ndarray:
    return mask_overlaps(detection["masks"], target["masks"], target["iscrowd"])


SIMILARITIES = {
    "bbox": Similarity("boxes", _box_similarity, box_areas),
    "segm": Similarity("masks", _mask_similarity, mask_areas),
}


@dataclass(frozen=True)
class CocoCurves:
    """Everything that the twelve numbers summarise, for plots and tables."""

    labels: np.ndarray  # (K,) classes that have objects
    precision: np.ndarray  # (T, R, K, A) at most 100 detections of a class in an image
    recall: np.ndarray  # (T, K, A, L) largest recall

    def numbers(self) -> dict[str, float]:
        """The twelve COCO numbers by name."""
        ap, ar = self.precision, self.recall
        return {
            "AP": _mean(ap[..., 0]),
            "AP50": _mean(ap[0, ..., 0]),
            "AP75": _mean(ap[5, ..., 0]),
            "APs": _mean(ap[..., 1]),
            "APm": _mean(ap[..., 2]),
            "APl": _mean(ap[..., 3]),
            "AR1": _mean(ar[:, :, 0, 0]),
            "AR10": _mean(ar[:, :, 0, 1]),
            "AR100": _mean(ar[:, :, 0, 2]),
            "ARs": _mean(ar[:, :, 1, 2]),
            "ARm": _mean(ar[:, :, 2, 2]),
            "ARl": _mean(ar[:, :, 3, 2]),
        }

    def class_ap(self) -> dict[int, float]:
        """AP over all thresholds and sizes of each class that has objects; -1 if all of them are crowds."""
        return {int(label): _mean(self.precision[:, :, k, 0]) for k, label in enumerate(self.labels)}


def evaluate_coco(
    detections: Sequence[dict], targets: Sequence[dict], iou_type: str = "bbox", num_classes: int | None = None
) -> dict[str, float]:
    """The 12 COCO numbers: AP AP50 AP75 APs APm APl AR1 AR10 AR100 ARs ARm ARl.

    Parameters
    ----------
    detections, targets : lists of dicts, one for each image (see `rcnn_lite.evaluation`). Optional in a target:
        ``iscrowd`` (else no crowds) and ``area`` (else the area of the box, or of the mask), by which small, medium
        and large are told.
    iou_type : "bbox" compares ``boxes``, "segm" compares ``masks``.
    num_classes : classes including the background. If given, a label outside 1 .. num_classes - 1 is an error; else a
        detected class that no target has is legal and, as in pycocotools, without effect.

    Returns -1 for a number that is undefined. Equal scores: the earlier image goes first, then the earlier detection.
    Raises ValueError naming the image and the key. Built in notebook 02.
    """
    return coco_curves(detections, targets, iou_type, num_classes).numbers()


def coco_curves(
    detections: Sequence[dict], targets: Sequence[dict], iou_type: str = "bbox", num_classes: int | None = None
) -> CocoCurves:
    """The curves that `evaluate_coco` summarises, by class, area range and IoU threshold. Same input, same errors."""
    if iou_type not in SIMILARITIES:
        raise ValueError(f"iou_type must be one of {sorted(SIMILARITIES)}, got {iou_type!r}")
    similarity = SIMILARITIES[iou_type]
    pairs = image_pairs(detections, targets, similarity.key, num_classes)
    return accumulate([judge_image(found, truth, similarity) for found, truth in pairs])


class _Judged(NamedTuple):
    """One image: its detections, best score first, and its objects."""

    labels: np.ndarray  # (N,)
    scores: np.ndarray  # (N,)
    verdicts: np.ndarray  # (N, A, T) WRONG, RIGHT or IGNORED
    object_labels: np.ndarray  # (M,)
    counted: np.ndarray  # (M, A) objects that should be found


def judge_image(found: dict, truth: dict, similarity: Similarity) -> _Judged:
    """Which detections of one image are right, at each threshold and for each range of areas, best score first."""
    order = np.argsort(-found["scores"], kind="stable")
    found = {key: values[order] for key, values in found.items()}
    areas = truth["area"] if "area" in truth else similarity.areas(truth[similarity.key])
    ignored = _outside(areas) | truth["iscrowd"]  # (A, M)
    verdicts = match_image(
        similarity.between(found, truth),
        found["labels"],
        truth["labels"],
        ignored,
        truth["iscrowd"],
        _outside(similarity.areas(found[similarity.key])),
        IOU_THRESHOLDS,
    )
    return _Judged(found["labels"], found["scores"], verdicts, truth["labels"], ~ignored.T)


def _outside(areas: np.ndarray) -> np.ndarray:
    """Which areas (N,) lie outside which range: bool (A, N)."""
    return np.stack([(areas < low) | (areas > high) for low, high in AREA_RANGES.values()])


def accumulate(judged: list[_Judged]) -> CocoCurves:
    """Class by class, sort the detections of all images and follow precision and recall down the list."""
    images = np.repeat(
        np.arange(len(judged)), [len(image.labels) for image in judged]
    )  # (N,) over all images, as below
    columns = zip(*judged, strict=True) if judged else [[np.zeros(0)]] * len(_Judged._fields)
    labels, scores, verdicts, object_labels, counted = map(np.concatenate, columns)
    classes = np.unique(object_labels)
    precision = np.full((len(IOU_THRESHOLDS), len(RECALL_LEVELS), len(classes), len(AREA_RANGES)), -1.0)
    recall = np.full((len(IOU_THRESHOLDS), len(classes), len(AREA_RANGES), len(MAX_DETECTIONS)), -1.0)
    for k, label in enumerate(classes):
        objects = np.count_nonzero(counted[object_labels == label], axis=0)  # (A,)
        mine = np.flatnonzero(labels == label)  # image by image, in each image best score first
        rank = np.arange(len(mine)) - np.searchsorted(images[mine], images[mine])  # place within the image
        best = mine[rank < MAX_DETECTIONS[-1]]
        best = best[np.argsort(-scores[best], kind="stable")]  # all images together
        for a in np.flatnonzero(objects):
            precision[:, :, k, a] = _sampled_precision(verdicts[best, a], objects[a])
            for i, limit in enumerate(MAX_DETECTIONS):
                recall[:, k, a, i] = np.count_nonzero(verdicts[mine[rank < limit], a] == RIGHT, axis=0) / objects[a]
    return CocoCurves(classes, precision, recall)


def _sampled_precision(verdicts: np.ndarray, objects: int) -> np.ndarray:
    """Precision at the recall levels: verdicts (N, T), best score first -> (T, R). A recall never reached gives 0."""
    right = np.cumsum(verdicts == RIGHT, axis=0)  # (N, T)
    wrong = np.cumsum(verdicts == WRONG, axis=0)
    precision = right / np.maximum(right + wrong, 1)  # only ignored detections so far: 0, not 0 / 0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision from here on
    envelope = np.vstack((envelope, np.zeros(len(IOU_THRESHOLDS))))  # (N + 1, T)
    recall = right / objects
    return np.stack([envelope[np.searchsorted(recall[:, t], RECALL_LEVELS), t] for t in range(len(IOU_THRESHOLDS))])


def _mean(values: np.ndarray) -> float:
    """Mean of the defined values, -1 if none is."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else -1.0
