"""Checks of notebook 08's exercises: R-CNN from scores to detections. Known mistakes are in `wrong_rcnn`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.checks import wrong_rcnn as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, right_and_yours
from rcnn_lite.nms import batched_nms
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, PROPOSAL

__all__ = ["check_best_of_picture", "check_candidates", "check_detections_of", "check_kind_of"]

NONE = torch.zeros(0, dtype=torch.int64)

# ---- exercise 1 ----


def _candidates(scores: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    objects = scores[:, 1:]
    rows, labels = torch.nonzero(objects > threshold, as_tuple=True)
    return rows, labels + 1


def _random_scores(rng: np.random.Generator, size: int) -> tuple:
    """Scores of ``size`` regions and two to four classes, two digits; column 0, which counts for nothing, is among the
    highest.
    """
    values = rng.permutation(np.arange(-199, 200, 2))[: size * int(rng.integers(3, 6))] / 100
    scores = torch.from_numpy(values[: len(values) // size * size].reshape(size, -1)).float()
    scores[:, 0] = 3.0
    return scores, float(rng.integers(-10, 10)) / 10


check_candidates = Exercise(
    name="candidates",
    cases=(
        Case((torch.tensor([[0.0, 0.5]]), -1.0), ([0], [1]), "0.5 is above -1: region 0 may be class 1"),
        Case((torch.tensor([[0.0, -2.0]]), -1.0), (NONE, NONE), "-2 is a clear no"),
        Case((torch.tensor([[0.0, -1.0]]), -1.0), (NONE, NONE), "a score must be above the threshold, not equal to it"),
        Case((torch.tensor([[9.0, -2.0]]), -1.0), (NONE, NONE), "column 0 is the background, not an object"),
        Case(
            (torch.tensor([[0.0, 0.5, 0.7]]), -1.0),
            ([0, 0], [1, 2]),
            "a region can be a candidate of two classes: each has its own SVM",
        ),
        Case(
            (torch.tensor([[0.0, -2.0, 0.7], [0.0, 0.1, -3.0]]), -1.0),
            ([0, 1], [2, 1]),
            "region 0 for class 2, then region 1 for class 1",
        ),
        Case((torch.zeros(0, 3), 0.0), (NONE, NONE), "no regions"),
    ),
    reference=_candidates,
    known=known(
        wrong.candidates_one_class,
        wrong.candidates_with_background,
        wrong.candidates_at_threshold,
        wrong.candidates_swapped,
        wrong.candidates_shifted,
        wrong.candidates_by_class,
    ),
    draw=_random_scores,
    together=((0,),),
)

# ---- exercise 2 ----


def _best_of_picture(scores: Tensor, labels: Tensor, limit: int) -> Tensor:
    return scores.argsort(descending=True)[:limit]


def _random_picture(rng: np.random.Generator, size: int) -> tuple:
    scores = torch.from_numpy(rng.permutation(np.arange(-99, 100))[:size] / 100).float()
    return scores, torch.from_numpy(rng.integers(1, 4, size)), int(rng.integers(1, 5))


check_best_of_picture = Exercise(
    name="best_of_picture",
    cases=(
        Case((torch.tensor([0.3, 0.8]), torch.tensor([1, 1]), 1), [1], "the best one is in row 1"),
        Case((torch.tensor([0.3, 0.8]), torch.tensor([1, 2]), 2), [1, 0], "best first, not in the order of the rows"),
        Case((torch.tensor([0.3, 0.8]), torch.tensor([1, 1]), 5), [1, 0], "fewer than the limit: all of them"),
        Case(
            (torch.tensor([0.9, 0.8, 0.1]), torch.tensor([1, 1, 2]), 2),
            [0, 1],
            "the limit is for the picture: class 2 gets no place of its own",
        ),
        Case((torch.tensor([-0.5, -0.2]), torch.tensor([1, 1]), 1), [1], "a negative score can be the best one"),
        Case((torch.zeros(0), NONE, 3), NONE, "no detections"),
    ),
    reference=_best_of_picture,
    known=known(
        wrong.best_of_each_class,
        wrong.best_last,
        wrong.worst_of_picture,
        wrong.best_in_order,
        wrong.best_scores,
        wrong.best_positive,
    ),
    draw=_random_picture,
    together=((0, 1),),
)

# ---- exercise 3 ----


def _kind_of(box: Tensor, label: int, gt_boxes: Tensor, gt_labels: Tensor, similar: tuple) -> int:
    overlap = box_iou(box[None], gt_boxes)[0]  # (M,)
    touches = overlap >= 0.1
    alike = torch.tensor([int(k) in similar and label in similar for k in gt_labels], dtype=torch.bool)
    if bool((touches & (gt_labels == label)).any()):
        return 0 if bool((overlap[gt_labels == label] >= 0.5).any()) else 1
    if bool((touches & alike).any()):
        return 2
    return 3 if bool(touches.any()) else 4


_HALF = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
_SIMILAR = (1, 2)


def _kind_case(box: list, label: int, gt_boxes: list, gt_labels: list, kind: int, why: str) -> Case:
    boxes = torch.tensor(gt_boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor(gt_labels, dtype=torch.int64)
    return Case((torch.tensor(box, dtype=torch.float32), label, boxes, labels, _SIMILAR), kind, why)


def _random_kind(rng: np.random.Generator, size: int) -> tuple:
    """A box and up to ``size`` objects around it. No IoU lies within 0.01 of a threshold."""
    while True:
        corners = rng.integers(0, 12, (size + 1, 2))
        boxes = torch.from_numpy(np.concatenate((corners, corners + rng.integers(4, 12, (size + 1, 2))), 1)).float()
        overlap = box_iou(boxes[:1], boxes[1:])
        if all(float((overlap - t).abs().min()) > 0.01 for t in (0.1, 0.5)):
            return boxes[0], int(rng.integers(1, 5)), boxes[1:], torch.from_numpy(rng.integers(1, 5, size)), _SIMILAR


def _kind_picture(case: Case, result: object) -> Picture:
    box, label, gt_boxes, gt_labels, _ = case.args
    objects = Outline("objects, and their labels", gt_boxes, GROUND_TRUTH, names=[str(k) for k in gt_labels.tolist()])
    return Picture((objects, Outline(f"the detection, of label {label}", box, DETECTION, dashed=True)))


_A = [0, 0, 10, 10]

check_kind_of = Exercise(
    name="kind_of",
    cases=(
        _kind_case(_A, 1, [_A], [1], 0, "the right class and an IoU of 1: right"),
        _kind_case([0, 0, 10, 5], 3, [_A], [3], 0, "an IoU of exactly 0.5 is enough: right"),
        _kind_case([5, 0, 15, 10], 1, [_A], [1], 1, "the right class, an IoU of 1/3: localisation"),
        _kind_case(_A, 2, [_A], [1], 2, "class 2 on an object of class 1, and the two are alike: similar"),
        _kind_case(_A, 3, [_A], [1], 3, "class 3 on an object of class 1: another object"),
        _kind_case([20, 0, 30, 10], 1, [_A], [1], 4, "it touches nothing: background"),
        _kind_case([9.5, 0, 19.5, 10], 3, [_A], [3], 4, "an IoU of 0.03 does not count as touching: background"),
        _kind_case(_A, 1, [_A, [5, 0, 15, 10]], [2, 1], 1, "it touches an object of its own class: that goes first"),
        _kind_case(_A, 1, [_A, [2, 0, 12, 10]], [3, 2], 2, "of two other objects the similar one goes first"),
        _kind_case(_A, 1, [], [], 4, "no objects: background"),
    ),
    reference=_kind_of,
    known=known(
        wrong.kind_by_best_overlap,
        wrong.kind_without_class,
        wrong.kind_any_touch,
        wrong.kind_strict,
        wrong.kind_similar_forgotten,
        wrong.kind_object_only,
    ),
    draw=_random_kind,
    together=((2, 3),),
    picture=_kind_picture,
)

# ---- exercise 4 ----


def _detections_of(scores: Tensor, moved: Tensor, threshold: float, nms_iou: float) -> tuple[Tensor, Tensor, Tensor]:
    rows, labels = _candidates(scores, threshold)
    boxes, values = moved[labels, rows], scores[rows, labels]
    kept = batched_nms(boxes, values, labels, nms_iou)
    return boxes[kept], labels[kept], values[kept]


def _random_pipeline(rng: np.random.Generator, size: int) -> tuple:
    scores, threshold = _random_scores(rng, size)
    corners = rng.integers(0, 12, (scores.shape[1], size, 2))
    moved = np.concatenate((corners, corners + rng.integers(4, 12, corners.shape)), axis=2)
    return scores, torch.from_numpy(moved).float(), threshold, 0.303


_MOVED = torch.tensor([[_A, _A], [_A, [1, 0, 11, 10]], [[20, 0, 30, 10], [40, 0, 50, 10]]]).float()
_NOTHING = (torch.zeros(0, 4), NONE, torch.zeros(0))


def _pipeline_case(scores: list, boxes: list, labels: list, values: list, why: str) -> Case:
    expected = (
        torch.tensor(boxes).float().reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(values),
    )
    return Case((torch.tensor(scores), _MOVED, -1.0, 0.3), expected, why)


check_detections_of = Exercise(
    name="detections_of",
    cases=(
        _pipeline_case([[0.0, 0.5, -2.0], [0.0, -2.0, -2.0]], [_A], [1], [0.5], "one candidate: region 0, class 1"),
        _pipeline_case(
            [[0.0, -2.0, 0.5], [0.0, -2.0, -2.0]],
            [[20, 0, 30, 10]],
            [2],
            [0.5],
            "class 2 moves region 0 to its own place: moved[2, 0]",
        ),
        _pipeline_case(
            [[0.0, 0.5, -2.0], [0.0, 0.9, -2.0]],
            [[1, 0, 11, 10]],
            [1],
            [0.9],
            "two boxes of class 1 with an IoU of 0.82: the better one stays",
        ),
        _pipeline_case(
            [[0.0, 0.2, 0.5], [0.0, -2.0, 0.9]],
            [[40, 0, 50, 10], [20, 0, 30, 10], _A],
            [2, 2, 1],
            [0.9, 0.5, 0.2],
            "three detections that do not touch, best first",
        ),
        _pipeline_case(
            [[0.0, 0.5, -1.0], [0.0, -2.0, -2.0]], [_A], [1], [0.5], "exactly -1, the threshold, is not above it"
        ),
        Case((torch.zeros(0, 3), torch.zeros(3, 0, 4), 0.0, 0.3), _NOTHING, "no regions"),
    ),
    reference=_detections_of,
    known=known(
        wrong.detections_one_map,
        wrong.detections_without_nms,
        wrong.detections_nms_across,
        wrong.detections_in_order,
        wrong.detections_best_class_only,
    ),
    draw=_random_pipeline,
    together=(),
    picture=right_and_yours((1, "moved regions of all classes", PROPOSAL), part=0),
)
