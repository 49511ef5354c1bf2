"""Checks of notebook 14's exercises: the cell of a keypoint, and the similarity of two sets of points.

Known mistakes are in `wrong_keypointing`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_keypointing as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Dots, Outline, Picture
from rcnn_lite.evaluation.keypoints import keypoint_similarity
from rcnn_lite.heads.keypoint_head import keypoint_targets
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, POSITIVE


def _points(*objects: list) -> Tensor:
    return torch.tensor(objects, dtype=torch.float32)


def _whole(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64)


# ---- exercise 6 ----


def _point_cells(keypoints: Tensor, boxes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    return keypoint_targets(keypoints, boxes, size)


def _random_points(rng: np.random.Generator, size: int) -> tuple:
    """Points in and around boxes, none on the line between two cells, some on a border of their box."""
    low = rng.integers(0, 20, (size, 2))
    high = low + rng.integers(3, 12, (size, 2))
    count = int(rng.integers(1, 4))
    places = rng.integers(low[:, None] - 2, high[:, None] + 2, (size, count, 2)) + 0.413
    places = np.where(rng.random(places.shape) < 0.1, high[:, None], places)
    seen = rng.integers(0, 3, (size, count, 1))
    boxes = torch.from_numpy(np.hstack((low, high))).float()
    return torch.from_numpy(np.concatenate((places, seen), axis=2)).float(), boxes, int(rng.integers(2, 8))


def _cells_picture(case: Case, result: object) -> Picture:
    """The first box with its points, and the cells that are right and the learner's."""
    keypoints, boxes, size = case.args
    x1, y1, x2, y2 = boxes[0].tolist()
    w, h = (x2 - x1) / size, (y2 - y1) / size
    cells = []
    for place, used in (case.expected, result):
        chosen = torch.as_tensor(place)[0][torch.as_tensor(used)[0].bool()].tolist()
        corners = [(x1 + index % size * w, y1 + index // size * h) for index in chosen]
        cells.append([[x, y, x + w, y + h] for x, y in corners])
    marks = (Outline("the first box", boxes[:1], POSITIVE), Outline("right cells", cells[0], GROUND_TRUTH))
    seen = keypoints[0][keypoints[0, :, 2] > 0][:, :2]
    return Picture((*marks, Outline("your cells", cells[1], DETECTION, dashed=True), Dots("points", seen, "#333333")))


_BOX = torch.tensor([[2.0, 0.0, 6.0, 4.0]])
_WIDE = torch.tensor([[10.0, 10.0, 18.0, 14.0]])
_NONE = torch.zeros(0, 5)
check_point_cells = Exercise(
    name="point_cells",
    cases=(
        Case((_points([[3.5, 1.5, 2]]), _BOX, 4), (_whole((5,)), [[True]]), "column 1, row 1: 4 * 1 + 1"),
        Case((_points([[5.5, 1.5, 2]]), _BOX, 4), (_whole((7,)), [[True]]), "column 3, row 1: 4 * 1 + 3"),
        Case((_points([[3.5, 1.5, 1]]), _BOX, 4), (_whole((5,)), [[True]]), "hidden, but annotated: it counts"),
        Case((_points([[3.5, 1.5, 0]]), _BOX, 4), (_whole((0,)), [[False]]), "not annotated"),
        Case((_points([[1.5, 1.5, 2]]), _BOX, 4), (_whole((0,)), [[False]]), "left of the box"),
        Case((_points([[6.0, 4.0, 2]]), _BOX, 4), (_whole((15,)), [[True]]), "on the border: the last cell"),
        Case(
            (_points([[15.5, 10.5, 2], [11.0, 13.5, 2]]), _WIDE, 4),
            (_whole((2, 12)), [[True, True]]),
            "cells of 2 x 1 pixels: column 2 of row 0, column 0 of row 3",
        ),
        Case(
            (_points([[3.5, 3.5, 2]], [[17.5, 10.5, 2]]), torch.cat((_BOX, _WIDE)), 2),
            (_whole((2,), (1,)), [[True], [True]]),
            "two regions, 2 x 2 cells",
        ),
        Case(
            (torch.zeros(0, 5, 3), torch.zeros(0, 4), 4), (torch.zeros(0, 5).long(), torch.zeros(0, 5).bool()), "none"
        ),
    ),
    reference=_point_cells,
    known=known(
        wrong.cells_columns_first,
        wrong.cells_rounded,
        wrong.cells_of_picture,
        wrong.cells_one_size,
        wrong.cells_hidden_left_out,
        wrong.cells_border_left_out,
        wrong.cells_clamped,
        wrong.cells_index_kept,
    ),
    draw=_random_points,
    together=((0, 1),),
    picture=_cells_picture,
)

# ---- exercise 7 ----


def _oks(points: Tensor, gt_points: Tensor, area: float, sigma: float) -> float:
    if not (gt_points[:, 2] > 0).any():
        return 0.0
    found, truth = (value.double().numpy()[None] for value in (points, gt_points))
    sigmas = np.full(len(points), sigma)
    return float(keypoint_similarity(found, truth, np.zeros((1, 4)), np.array([area]), sigmas)[0, 0])


def _random_finding(rng: np.random.Generator, size: int) -> tuple:
    truth = np.column_stack((rng.uniform(0, 40, (size, 2)), rng.integers(0, 3, size)))
    found = truth[:, :2] + rng.normal(0, 3, (size, 2))
    area, sigma = int(rng.integers(100, 2000)), float(rng.choice([0.03, 0.05, 0.1]))
    return torch.from_numpy(found).float(), torch.from_numpy(truth).float(), area, sigma


def _distances_picture(case: Case, result: object) -> Picture:
    points, gt_points, *_ = case.args
    seen = gt_points[:, 2] > 0
    return Picture((Dots("annotated", gt_points[seen, :2], GROUND_TRUTH), Dots("found", points, DETECTION)))


_AT_ZERO = torch.tensor([[0.0, 0.0, 2.0]])
check_oks = Exercise(
    name="oks",
    cases=(
        Case((torch.tensor([[0.0, 0.0]]), _AT_ZERO, 400, 0.05), 1.0, "met exactly"),
        Case(
            (torch.tensor([[2.0, 0.0]]), _AT_ZERO, 400, 0.05),
            0.606531,
            "2 sigma sqrt(area) = 2 pixels; off by as much: exp(-1/2)",
        ),
        Case((torch.tensor([[0.0, 4.0]]), _AT_ZERO, 400, 0.05), 0.135335, "off by 4: exp(-4/2)"),
        Case((torch.tensor([[0.0, 4.0]]), _AT_ZERO, 1600, 0.05), 0.606531, "in an object twice as large: exp(-1/2)"),
        Case(
            (torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([[0.0, 0, 2], [0, 0, 0]]), 400, 0.05),
            1.0,
            "a point that nobody annotated does not count",
        ),
        Case(
            (torch.tensor([[0.0, 0.0], [5.0, 7.0]]), torch.tensor([[0.0, 0, 2], [5, 5, 1]]), 400, 0.05),
            0.803265,
            "a hidden one does: the mean of 1 and exp(-1/2)",
        ),
        Case((torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 0, 0]]), 400, 0.05), 0.0, "none is annotated"),
    ),
    reference=_oks,
    known=known(
        wrong.oks_one_sigma,
        wrong.oks_without_half,
        wrong.oks_area_squared,
        wrong.oks_without_size,
        wrong.oks_distance,
        wrong.oks_over_all,
        wrong.oks_visible_only,
        wrong.oks_of_mean,
    ),
    draw=_random_finding,
    together=((0, 1),),
    picture=_distances_picture,
)
