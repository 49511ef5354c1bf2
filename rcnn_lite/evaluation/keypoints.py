"""How good are keypoints? COCO's average precision, with a similarity of points in the place of IoU (notebook 14).

COCO's keypoint evaluation (the rules are those of pycocotools, which these functions equal). Notation: N detections and
M objects of one image, K keypoints.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from rcnn_lite.evaluation.coco import Similarity, accumulate, judge_image
from rcnn_lite.evaluation.inputs import detection_arrays, target_arrays
from rcnn_lite.evaluation.overlaps import box_areas

MAX_DETECTIONS = 20  # of a class in an image: COCO's limit for keypoints
COCO_SIGMAS = tuple(s / 1000 for s in (26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89))
"""How far apart two people put the same point, in units of the root of the object's area: nose, eyes, ears, shoulders,
elbows, wrists, hips, knees, ankles. An eye is found more exactly than a hip."""


def evaluate_keypoints(
    detections: Sequence[dict],
    targets: Sequence[dict],
    sigmas: float | Sequence[float] = 0.05,
    num_classes: int | None = None,
) -> dict[str, float]:
    """The 10 COCO numbers of keypoints: AP AP50 AP75 APm APl AR AR50 AR75 ARm ARl.

    Parameters
    ----------
    detections, targets : lists of dicts, one for each image (see `rcnn_lite.evaluation`), both with ``keypoints``
        (N, K, 3) besides ``boxes``. Of a detection's only x and y count; its score is that of ``scores``. Of an
        object's with a visibility of 0 nothing counts. The ``area`` of an object, else that of its box, is its size.
    sigmas : K numbers, how exactly each keypoint can be placed, or one for all; `COCO_SIGMAS` for people. 0.05 lies
        between an eye and a shoulder.
    num_classes : as for `evaluate_coco`.

    Objects without a visible keypoint need not be found, and who finds one is not punished, like crowds. So a class
    that has no keypoints plays no part. Returns -1 for a number that is undefined. Raises ValueError naming the image
    and the key.
    """
    if len(detections) != len(targets):
        raise ValueError(f"detections has {len(detections)} images but targets has {len(targets)}")
    judged = []
    for index, (detection, target) in enumerate(zip(detections, targets, strict=True)):
        found = detection_arrays(detection, f"detections[{index}]", "boxes", num_classes)
        truth = target_arrays(target, f"targets[{index}]", "boxes", num_classes)
        found["keypoints"] = _points(detection, f"detections[{index}]", len(found["labels"]))
        truth["keypoints"] = _points(target, f"targets[{index}]", len(truth["labels"]))
        count = truth["keypoints"].shape[1]
        if len(found["labels"]) and len(truth["labels"]) and found["keypoints"].shape[1] != count:
            raise ValueError(
                f"image {index}: a detection has {found['keypoints'].shape[1]} keypoints, an object {count}"
            )
        truth["size"] = truth["area"] if "area" in truth else box_areas(truth["boxes"])
        annotated = (truth["keypoints"][..., 2] > 0).any(axis=1)
        truth["area"] = np.where(annotated, truth["size"], -1)  # outside every range: ignored
        similarity = Similarity("keypoints", partial(_similarity, sigmas=sigmas), _areas)
        judged.append(judge_image(_best(found), truth, similarity))
    return _numbers(accumulate(judged))


def keypoint_similarity(
    points: np.ndarray, gt_points: np.ndarray, gt_boxes: np.ndarray, sizes: np.ndarray, sigmas: np.ndarray
) -> np.ndarray:
    """Object keypoint similarity (OKS): (N, K, 3), (M, K, 3), (M, 4), (M,), (K,) -> (N, M) in [0, 1].

        OKS = mean over annotated keypoints of exp(-d^2 / (2 size (2 sigma)^2))

    with d the distance in pixels and the size an area in square pixels. It is to points what IoU is to boxes: 1 where
    all are met; a point that is off by 2 sigma times the root of the area counts 0.61. For an object without
    annotated keypoints, d is how far a point lies outside the object's box enlarged three times.

    >>> points = np.array([[[3.0, 0.0, 1.0]]])
    >>> keypoint_similarity(points, 0 * points + [0, 0, 2], np.zeros((1, 4)), np.array([900.0]), np.array([0.05]))
    array([[0.60653066]])
    """
    annotated = gt_points[..., 2] > 0  # (M, K)
    off = points[:, None, :, :2] - gt_points[None, :, :, :2]  # (N, M, K, 2)
    sides = gt_boxes[:, 2:] - gt_boxes[:, :2]
    low, high = (gt_boxes[:, :2] - sides)[:, None], (gt_boxes[:, 2:] + sides)[:, None]  # (M, 1, 2)
    beyond = np.maximum(low - points[:, None, :, :2], 0) + np.maximum(points[:, None, :, :2] - high, 0)
    none = ~annotated.any(axis=1)  # (M,)
    distances = np.where(none[:, None, None], beyond, off)  # (N, M, K, 2)
    scale = (2 * sigmas) ** 2 * (sizes[:, None] + np.spacing(1))  # (M, K)
    near = np.exp(-(distances**2).sum(axis=3) / (2 * scale))  # (N, M, K)
    counted = annotated | none[:, None]
    return (near * counted).sum(axis=2) / np.maximum(counted.sum(axis=1), 1)


def _similarity(found: dict, truth: dict, sigmas: float | Sequence[float]) -> np.ndarray:
    if len(found["labels"]) == 0 or len(truth["labels"]) == 0:
        return np.zeros((len(found["labels"]), len(truth["labels"])))
    sigmas = _each(sigmas, truth["keypoints"].shape[1])
    return keypoint_similarity(found["keypoints"], truth["keypoints"], truth["boxes"], truth["size"], sigmas)


def _areas(points: np.ndarray) -> np.ndarray:
    """Of the box around the keypoints of each detection: (N, K, 3) -> (N,)."""
    if 0 in points.shape:
        return np.zeros(len(points))
    return np.ptp(points[..., :2], axis=1).prod(axis=1)


def _best(found: dict) -> dict:
    """The `MAX_DETECTIONS` best detections of each class in an image."""
    order = np.argsort(-found["scores"], kind="stable")
    labels = found["labels"][order]
    rank = np.array([np.count_nonzero(labels[:i] == label) for i, label in enumerate(labels)], dtype=np.int64)
    kept = order[rank < MAX_DETECTIONS]
    return {key: values[kept] for key, values in found.items()}


def _numbers(curves) -> dict[str, float]:
    """COCO's ten; with at most 20 detections, recall "at 100" is recall at 20."""
    twelve = curves.numbers()
    numbers = {name: twelve[name] for name in ("AP", "AP50", "AP75", "APm", "APl")} | {"AR": twelve["AR100"]}
    for name, threshold in (("AR50", 0), ("AR75", 5)):
        recall = curves.recall[threshold, :, 0, -1]
        numbers[name] = float(recall[recall > -1].mean()) if (recall > -1).any() else -1.0
    return numbers | {"ARm": twelve["ARm"], "ARl": twelve["ARl"]}


def _each(sigmas: float | Sequence[float], count: int) -> np.ndarray:
    values = (
        np.broadcast_to(np.asarray(sigmas, dtype=np.float64), (count,)) if np.ndim(sigmas) == 0 else np.array(sigmas)
    )
    if values.shape != (count,):
        raise ValueError(f"sigmas must be one number or {count}, got {values.shape}")
    if not (values > 0).all():
        raise ValueError(f"sigmas must be positive, got {values.tolist()}")
    return values


def _points(record: dict, where: str, length: int) -> np.ndarray:
    """keypoints (N, K, 3) in float64."""
    if "keypoints" not in record:
        raise ValueError(f"{where} has no key 'keypoints'")
    points = record["keypoints"]
    if points.ndim != 3 or points.shape[2] != 3 or len(points) != length:
        raise ValueError(f"{where}['keypoints'] must have shape ({length}, K, 3), got {tuple(points.shape)}")
    points = points.detach().cpu().double().numpy()
    if not np.isfinite(points).all():
        raise ValueError(f"{where}['keypoints'] has a number that is not finite")
    return points
