"""Checks of notebook 07's exercises: pairs, the ridge problem, maps of classes. Mistakes: `wrong_regressing`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.checks import wrong_regressing as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture
from rcnn_lite.heads.ridge import LinearMap, fit_ridge
from rcnn_lite.plotting import GROUND_TRUTH, PROPOSAL

NO_BOX, NO_ROW = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)


def _floats(*rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _rows(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _digits(rng: np.random.Generator, *shape: int) -> Tensor:
    """Numbers from -2 to 2 with one digit."""
    return torch.from_numpy(rng.integers(-20, 21, shape) / 10).float()


# ---- exercise 1 ----


def _select_pairs(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    if len(gt_boxes) == 0:
        return NO_ROW, NO_ROW
    best, nearest = box_iou(boxes, gt_boxes).max(dim=1)
    rows = torch.nonzero(best >= threshold).flatten()
    return rows, nearest[rows]


def _pairs_picture(case: Case, result: object) -> Picture:
    boxes, gt_boxes, _ = case.args
    return Picture((Outline("gt_boxes", gt_boxes, GROUND_TRUTH), Outline("boxes", boxes, PROPOSAL)))


def _draw_pairs(rng: np.random.Generator, size: int) -> tuple:
    """Many boxes near few objects; no IoU equals the threshold, and no box overlaps two objects equally."""
    objects = _floats((0, 0, 10, 10), (3, 0, 13, 10), (20, 20, 31, 28))[: int(rng.integers(1, 4))]
    shift = torch.from_numpy(rng.integers(-3, 4, (size, 4)) + np.array([0.1, 0.3, 0.2, 0.4])).float()
    return objects[rng.integers(0, len(objects), size)] + shift, objects, int(rng.integers(3, 8)) / 10 + 0.013


_SQUARE = _floats((0, 0, 10, 10))
check_select_pairs = Exercise(
    name="select_pairs",
    cases=(
        Case((_floats((0, 0, 10, 8)), _SQUARE, 0.6), (_rows(0), _rows(0)), "IoU 80 / 100: box 0 learns from object 0"),
        Case((_floats((0, 0, 10, 5)), _SQUARE, 0.6), (NO_ROW, NO_ROW), "IoU 50 / 100 is too far away"),
        Case((_floats((0, 0, 10, 5)), _SQUARE, 0.5), (_rows(0), _rows(0)), "IoU 0.5 is at least 0.5"),
        Case(
            (_floats((50, 50, 60, 60), (2, 0, 12, 10)), _floats((0, 0, 10, 10), (3, 0, 13, 10)), 0.6),
            (_rows(1), _rows(1)),
            "box 1 overlaps object 0 by 80 / 120 and object 1 by 90 / 110: object 1 is nearest",
        ),
        Case(
            (_floats((0, 0, 10, 9), (0, 0, 10, 8), (40, 40, 50, 48)), torch.cat((_SQUARE + 40, _SQUARE)), 0.6),
            (_rows(0, 1, 2), _rows(1, 1, 0)),
            "two boxes may learn from one object",
        ),
        Case((_SQUARE, NO_BOX, 0.6), (NO_ROW, NO_ROW), "no objects, no pairs"),
        Case((NO_BOX, _SQUARE, 0.6), (NO_ROW, NO_ROW), "no boxes, no pairs"),
    ),
    reference=_select_pairs,
    known=known(
        wrong.pairs_above,
        wrong.pairs_first_object,
        wrong.pairs_all,
        wrong.pairs_best_of_object,
        wrong.pairs_without_threshold,
        wrong.pairs_swapped,
    ),
    draw=_draw_pairs,
    together=((0,), (1,)),
    picture=_pairs_picture,
)


# ---- exercise 2 ----


def _ridge_objective(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    return ((Y - X @ W - b) ** 2).sum() + lam * (W**2).sum()


def _draw_objective(rng: np.random.Generator, size: int) -> tuple:
    X, Y = _digits(rng, size, 3), _digits(rng, size, 4)
    return X, Y, _digits(rng, 3, 4), _digits(rng, 4), float(rng.integers(1, 5))


check_ridge_objective = Exercise(
    name="ridge_objective",
    cases=(
        Case((_floats([2]), _floats([5]), _floats([2]), _floats(0), 3.0), 13.0, "(5 - 4)^2 + 3 * 2^2"),
        Case((_floats([2]), _floats([5]), _floats([2]), _floats(1), 3.0), 12.0, "b = 1 closes the gap; 3 * 2^2 stays"),
        Case((_floats([1], [2]), _floats([2], [2]), _floats([1]), _floats(0), 0.0), 1.0, "errors 1 and 0, no penalty"),
        Case(
            (_floats([1, 0], [0, 2]), _floats([1, 1], [0, 3]), _floats([1, 0], [0, 1]), _floats(0, 0.5), 2.0),
            0.5**2 + 0.5**2 + 4.0,
            "predicted [1, 0.5] and [0, 2.5]: two errors of 0.5; 2 (1 + 1)",
        ),
        Case((torch.zeros(0, 1), torch.zeros(0, 1), _floats([3]), _floats(1), 2.0), 18.0, "no pairs: 2 * 3^2 is left"),
    ),
    reference=_ridge_objective,
    known=known(
        wrong.objective_mean,
        wrong.objective_root,
        wrong.objective_penalises_bias,
        wrong.objective_without_bias,
        wrong.objective_absolute,
        wrong.objective_without_penalty,
    ),
    draw=_draw_objective,
    together=((0, 1),),
)


# ---- exercise 3 ----


def _ridge_weights(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    found = fit_ridge(X, Y, lam)
    return found.weight, found.bias


def _draw_ridge(rng: np.random.Generator, size: int) -> tuple:
    return _digits(rng, size + 1, 3) + 1, _digits(rng, size + 1, 2), float(rng.integers(1, 5))


check_ridge_weights = Exercise(
    name="ridge_weights",
    cases=(
        Case((_floats([-1], [1]), _floats([2], [8]), 1.0), (_floats([2]), _floats(5)), "centred: X'X = 2, X'Y = 6"),
        Case((_floats([-1], [1]), _floats([2], [8]), 4.0), (_floats([1]), _floats(5)), "6 / (2 + 4) = 1"),
        Case(
            (_floats([9], [11]), _floats([2], [8]), 1.0), (_floats([2]), _floats(-15)), "centred the same; 5 - 10 * 2"
        ),
        Case((_floats([3], [3]), _floats([2], [8]), 1.0), (_floats([0]), _floats(5)), "a feature that never changes"),
        Case(
            (_floats([1, 0], [-1, 0], [0, 2], [0, -2]), _floats([3], [-3], [4], [-4]), 2.0),
            (_floats([1.5], [1.6]), _floats(0)),
            "centred already: 6 / (2 + 2) and 16 / (8 + 2)",
        ),
    ),
    reference=_ridge_weights,
    known=known(
        wrong.ridge_uncentred,
        wrong.ridge_without_bias,
        wrong.ridge_lambda_per_pair,
        wrong.ridge_no_lambda,
        wrong.ridge_half_lambda,
    ),
    draw=_draw_ridge,
    together=(),
)


# ---- exercise 4 ----


def _class_deltas(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    deltas = LinearMap(weight, bias).predict(features)  # (K, N, 4)
    return deltas[labels, torch.arange(len(labels))]


def _draw_maps(rng: np.random.Generator, size: int) -> tuple:
    labels = torch.from_numpy(rng.integers(1, 4, size))
    return _digits(rng, size, 3), labels, _digits(rng, 4, 3, 4), _digits(rng, 4, 4)


_MAPS = torch.tensor([0.0, 1.0, 10.0])[:, None, None].expand(3, 1, 4)  # class k multiplies the only feature
_SHIFTS = torch.tensor([0.0, 0.5, -0.5])[:, None].expand(3, 4)
check_class_deltas = Exercise(
    name="class_deltas",
    cases=(
        Case((_floats([2]), _rows(1), _MAPS, _SHIFTS), _floats([2.5] * 4), "class 1: 2 * 1 + 0.5"),
        Case((_floats([2]), _rows(2), _MAPS, _SHIFTS), _floats([19.5] * 4), "class 2: 2 * 10 - 0.5"),
        Case(
            (_floats([2], [3], [1]), _rows(2, 1, 2), _MAPS, _SHIFTS),
            _floats([19.5] * 4, [3.5] * 4, [9.5] * 4),
            "each box by the map of its own class",
        ),
        Case((torch.zeros(0, 1), NO_ROW, _MAPS, _SHIFTS), NO_BOX, "no boxes"),
    ),
    reference=_class_deltas,
    known=known(
        wrong.deltas_first_map,
        wrong.deltas_one_off,
        wrong.deltas_without_bias,
        wrong.deltas_mean_map,
        wrong.deltas_of_first_label,
        wrong.deltas_all_classes,
    ),
    draw=_draw_maps,
    together=((0, 1),),
)
