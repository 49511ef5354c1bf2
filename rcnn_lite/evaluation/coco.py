"""The twelve COCO numbers (Lin 2014; the rules are those of pycocotools, which these functions equal).

Notation: N detections, M objects, K classes, A = 4 area ranges, T = 10 IoU thresholds, R = 101 recall levels, L = 3
limits on the detections of a class in an image. -1 stands for "undefined" (no object to find), as in pycocotools.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rcnn_lite.evaluation.coco_matching import RIGHT, WRONG, match_image
from rcnn_lite.evaluation.inputs import image_pairs
from rcnn_lite.evaluation.overlaps import box_areas, box_overlaps, mask_areas, mask_overlaps

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_LEVELS = np.linspace(0, 1, 101)
AREA_RANGES = {"all": (0, 1e5**2), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e5**2)}
"""In square pixels, both ends included: an object of exactly 32 x 32 is small and medium."""
MAX_DETECTIONS = (1, 10, 100)


@dataclass(frozen=True)
class Overlap:
    """What is compared: the key of detections and targets, how much two of them overlap, and how large one is.

    ``overlaps(detections, objects, crowd) -> (N, M)`` and ``areas(detections) -> (N,)`` see the arrays of one image.
    """

    key: str
    overlaps: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    areas: Callable[[np.ndarray], np.ndarray]


IOU_TYPES = {"bbox": Overlap("boxes", box_overlaps, box_areas), "segm": Overlap("masks", mask_overlaps, mask_areas)}


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
    """The curves that `evaluate_coco` summarises: precision at 101 recalls, and largest recall, by class, size and
    threshold."""
    if iou_type not in IOU_TYPES:
        raise ValueError(f"iou_type must be one of {sorted(IOU_TYPES)}, got {iou_type!r}")
    overlap = IOU_TYPES[iou_type]
    labels, scores, images, verdicts = [], [], [], []
    gt_labels, gt_counts = [], []
    for index, (found, truth) in enumerate(image_pairs(detections, targets, overlap.key, num_classes)):
        order = np.argsort(-found["scores"], kind="stable")
        found = {key: values[order] for key, values in found.items()}
        ignored = _ignored_objects(truth, overlap)
        verdicts.append(_judge_image(found, truth, ignored, overlap))
        labels.append(found["labels"])
        scores.append(found["scores"])
        images.append(np.full(len(order), index))
        gt_labels.append(truth["labels"])
        gt_counts.append(~ignored.T)  # (M, A)
    if not labels:
        return _no_curves()
    return _accumulate(*map(np.concatenate, (labels, scores, images, verdicts, gt_labels, gt_counts)))


def _outside(areas: np.ndarray) -> np.ndarray:
    """Which areas (N,) lie outside which range: bool (A, N)."""
    return np.stack([(areas < low) | (areas > high) for low, high in AREA_RANGES.values()])


def _ignored_objects(truth: dict, overlap: Overlap) -> np.ndarray:
    """Objects that need not be found, by area range: bool (A, M)."""
    areas = truth["area"] if "area" in truth else overlap.areas(truth[overlap.key])
    return _outside(areas) | truth["iscrowd"]


def _judge_image(found: dict, truth: dict, ignored: np.ndarray, overlap: Overlap) -> np.ndarray:
    """Verdicts (N, A, T) on the detections of one image, which are sorted by score."""
    shapes, crowd = found[overlap.key], truth["iscrowd"]
    overlaps = overlap.overlaps(shapes, truth[overlap.key], crowd)  # (N, M)
    outside = _outside(overlap.areas(shapes))
    return match_image(overlaps, found["labels"], truth["labels"], ignored, crowd, outside, IOU_THRESHOLDS)


def _accumulate(labels, scores, images, verdicts, gt_labels, gt_counts) -> CocoCurves:
    """Sort the detections of all images, class by class, and follow precision and recall down the list."""
    classes = np.unique(gt_labels)
    precision = np.full((len(IOU_THRESHOLDS), len(RECALL_LEVELS), len(classes), len(AREA_RANGES)), -1.0)
    recall = np.full((len(IOU_THRESHOLDS), len(classes), len(AREA_RANGES), len(MAX_DETECTIONS)), -1.0)
    for k, label in enumerate(classes):
        objects = np.count_nonzero(gt_counts[gt_labels == label], axis=0)  # (A,)
        defined = objects > 0
        mine = np.flatnonzero(labels == label)  # image by image, in each image best score first
        rank = np.arange(len(mine)) - np.searchsorted(images[mine], images[mine])  # place within the image
        for limit, count in enumerate(MAX_DETECTIONS):
            right = np.count_nonzero(verdicts[mine[rank < count]] == RIGHT, axis=0)  # (A, T)
            recall[:, k, defined, limit] = (right[defined] / objects[defined, None]).T
        mine = mine[rank < MAX_DETECTIONS[-1]]
        mine = mine[np.argsort(-scores[mine], kind="stable")]  # all images together
        for a in np.flatnonzero(defined):
            precision[:, :, k, a] = _sampled_precision(verdicts[mine, a], objects[a])
    return CocoCurves(classes, precision, recall)


def _sampled_precision(verdicts: np.ndarray, objects: int) -> np.ndarray:
    """Precision at the recall levels: verdicts (N, T), best score first -> (T, R); 0 where the recall is never
    reached."""
    right = np.cumsum(verdicts == RIGHT, axis=0)  # (N, T)
    wrong = np.cumsum(verdicts == WRONG, axis=0)
    precision = right / np.maximum(right + wrong, 1)  # only ignored detections so far: 0, not 0 / 0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]  # the best precision from here on
    envelope = np.vstack((envelope, np.zeros(len(IOU_THRESHOLDS))))  # (N + 1, T)
    recall = right / objects
    return np.stack([envelope[np.searchsorted(recall[:, t], RECALL_LEVELS), t] for t in range(len(IOU_THRESHOLDS))])


def _no_curves() -> CocoCurves:
    return CocoCurves(np.zeros(0, np.int64), np.zeros((10, 101, 0, 4)), np.zeros((10, 0, 4, 3)))


def _mean(values: np.ndarray) -> float:
    """Mean of the defined values, -1 if none is."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else -1.0
