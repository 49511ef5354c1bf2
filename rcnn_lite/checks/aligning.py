"""Checks of notebook 13's exercises: slips, reading between cells, points of bins; `aligning_bins` has the others.

Places on a map are given "in indices", where the value of cell i stands at i, or "in cells", where cell i reaches from
i to i + 1 and its value stands in the middle. Each exercise says which. Known mistakes are in `wrong_aligning`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_aligning as wrong
from rcnn_lite.checks.aligning_bins import OFF_THE_GRID, check_align, check_axis_matrix
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Dots, Outline, Picture
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, POSITIVE, PROPOSAL
from rcnn_lite.regions.roi_align import roi_align
from rcnn_lite.regions.roi_pool import round_half_away

__all__ = ["check_align", "check_axis_matrix", "check_read_at", "check_sample_points", "check_slips"]

NO_BOX = torch.zeros(0, 4)


def _floats(*rows: float | tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


# ---- exercise 1 ----


def _slips(boxes: Tensor, stride: int) -> Tensor:
    first, last = round_half_away(boxes / stride).split(2, dim=1)
    return torch.cat((first, first + (last - first + 1).clamp(min=1)), dim=1) * stride - boxes


def _random_boxes(rng: np.random.Generator, size: int) -> tuple:
    """Boxes in quarters of a cell, so that many corners lie on halves and all arithmetic is exact."""
    stride = int(rng.choice([4, 8, 16]))
    corner = rng.integers(0, 40, (size, 2))
    boxes = np.hstack((corner, corner + rng.integers(0, 30, (size, 2)))) * (stride / 4)
    return torch.from_numpy(boxes).float(), stride


def _slips_picture(case: Case, result: object) -> Picture:
    boxes = case.args[0]
    read, yours = boxes + torch.as_tensor(case.expected), boxes + torch.as_tensor(result)
    marks = (Outline("boxes", boxes, POSITIVE), Outline("what RoI pooling reads", read, PROPOSAL))
    return Picture((*marks, Outline("the boxes with your slips", yours, DETECTION, dashed=True)))


check_slips = Exercise(
    name="slips",
    cases=(
        Case((_floats((0, 0, 16, 32)), 16), [[0.0, 0.0, 16.0, 16.0]], "cells 0 to 1 and 0 to 2: edges 0, 0, 32, 48"),
        Case(
            (_floats((20, 10, 50, 70)), 16),
            [[-4.0, 6.0, 14.0, 10.0]],
            "1.25 -> 1, 0.625 -> 1, 3.125 -> 3, 4.375 -> 4: edges 16, 16, 64, 80",
        ),
        Case(
            (_floats((4, 12, 20, 28)), 8), [[4.0, 4.0, 12.0, 12.0]], "halves go up: cells 1, 2 to 3, 4: 8, 16, 32, 40"
        ),
        Case((_floats((30, 30, 31, 31)), 16), [[2.0, 2.0, 17.0, 17.0]], "one cell, 2, from 32 to 48"),
        Case((_floats((8, 0, 16, 8)), 4), [[0.0, 0.0, 4.0, 4.0]], "a smaller stride, a smaller slip"),
        Case((NO_BOX, 16), NO_BOX, "no boxes"),
    ),
    reference=_slips,
    known=known(
        wrong.slips_in_cells,
        wrong.slips_last_edge,
        wrong.slips_other_sign,
        wrong.slips_floored,
        wrong.slips_half_to_even,
        wrong.slips_outwards,
        wrong.slips_without_sign,
    ),
    draw=_random_boxes,
    together=((0,),),
    picture=_slips_picture,
)

# ---- exercise 2 ----


def _read_at(channel: Tensor, points: Tensor) -> Tensor:
    """RoIAlign of a box without area reads its one point; test_check_aligning.py compares with torchvision's."""
    rois = torch.cat((torch.zeros(len(points), 1), (points + 0.5).repeat(1, 2)), dim=1)
    return roi_align(channel[None, None], rois, 1, 1.0, sampling_ratio=1)[:, 0, 0, 0]


def _random_points(rng: np.random.Generator, size: int) -> tuple:
    """A map of whole numbers; points inside and up to three cells outside."""
    shape = rng.integers(1, size + 3, 2)
    points = rng.integers(-24, 8 * (shape[::-1] + 2), (size, 2)) / 8 + OFF_THE_GRID
    return torch.from_numpy(rng.integers(-9, 20, shape)).float(), torch.from_numpy(points).float()


def _points_picture(case: Case, result: object) -> Picture:
    channel, points = case.args
    return Picture([Dots("points (index 0 is the middle of cell 0)", points + 0.5, DETECTION)], channel, "channel")


_MAP = _floats((0, 10, 20), (40, 80, 60))
check_read_at = Exercise(
    name="read_at",
    cases=(
        Case((_MAP, _floats((1, 0))), [10.0], "at a cell's own place its value alone counts: column 1, row 0"),
        Case((_MAP, _floats((0.5, 0))), [5.0], "halfway between 0 and 10"),
        Case((_MAP, _floats((1, 0.25))), [27.5], "a quarter of the way from 10 down to 80"),
        Case((_MAP, _floats((0.5, 0.5))), [32.5], "a quarter of each of 0, 10, 40, 80"),
        Case((_MAP, _floats((1.75, 0.5))), [41.25], "above 17.5, below 65: their mean"),
        Case((_MAP, _floats((2, 1))), [60.0], "the last cell's place; there is no cell after it to read"),
        Case((_MAP, _floats((-0.5, 1.5))), [40.0], "outside by half a cell: the border, column 0, row 1"),
        Case((_MAP, _floats((2.5, 0.5))), [40.0], "outside in x only: between 20 and 60"),
        Case((_MAP, _floats((-1.5, 0), (1, 2.25))), [0.0, 0.0], "further than a cell from the border's places: 0"),
        Case((_MAP, _floats((-1, 1), (3, 1))), [40.0, 60.0], "exactly a cell away still is the border's value"),
        Case((_MAP, _floats((1, 0), (1, 1))), [10.0, 80.0], "two points"),
        Case((_MAP, torch.zeros(0, 2)), torch.zeros(0), "no points"),
    ),
    reference=_read_at,
    known=known(
        wrong.read_nearest,
        wrong.read_floor,
        wrong.read_row_first,
        wrong.read_shares_swapped,
        wrong.read_centres_at_half,
        wrong.read_border_everywhere,
        wrong.read_zero_outside,
        wrong.read_zero_beyond_any,
    ),
    draw=_random_points,
    together=((1,),),
    picture=_points_picture,
)

# ---- exercise 3 ----


def _sample_points(start: Tensor, end: Tensor, bins: int, samples: int) -> Tensor:
    parts = (torch.arange(bins * samples) + 0.5) / (bins * samples)
    return (start[:, None] + parts * (end - start)[:, None]).reshape(len(start), bins, samples)


def _random_sides(rng: np.random.Generator, size: int) -> tuple:
    start = rng.integers(-16, 60, size) / 8
    sides = torch.from_numpy(np.stack((start, start + rng.integers(0, 80, size) / 8))).float()
    return sides[0], sides[1], int(rng.choice([1, 2, 3, 4, 7])), int(rng.choice([1, 2, 3, 4]))


def _bins_picture(case: Case, result: object) -> Picture:
    start, end, bins, _ = case.args
    sizes = ((end - start) / bins).tolist()
    rows = list(enumerate(zip(start.tolist(), sizes, strict=True)))
    boxes = [[a + k * size, r, a + (k + 1) * size, r + 0.8] for r, (a, size) in rows for k in range(bins)]
    right, yours = (
        [[x, r + at] for r, row in enumerate(points) for x in torch.as_tensor(row).flatten().tolist()]
        for points, at in ((case.expected, 0.25), (result, 0.55))
    )
    marks = (Outline("bins, a RoI a row", boxes, POSITIVE), Dots("right", right, GROUND_TRUTH))
    return Picture((*marks, Dots("yours", yours, DETECTION)))


check_sample_points = Exercise(
    name="sample_points",
    cases=(
        Case((_floats(0), _floats(4), 1, 1), [[[2.0]]], "one point: the middle"),
        Case((_floats(0), _floats(4), 2, 1), [[[1.0], [3.0]]], "the middle of each half"),
        Case((_floats(0), _floats(4), 1, 2), [[[1.0, 3.0]]], "one bin, cut in two, the middle of each part"),
        Case((_floats(0), _floats(8), 2, 2), [[[1.0, 3.0], [5.0, 7.0]]], "bins 0 to 4 and 4 to 8"),
        Case((_floats(1.5), _floats(4.5), 3, 2), [[[1.75, 2.25], [2.75, 3.25], [3.75, 4.25]]], "bins of one cell"),
        Case((_floats(0, 2), _floats(4, 3), 1, 2), [[[1.0, 3.0]], [[2.25, 2.75]]], "two RoIs"),
        Case((_floats(5), _floats(5), 2, 2), [[[5.0, 5.0], [5.0, 5.0]]], "no length: all at its place"),
        Case((torch.zeros(0), torch.zeros(0), 7, 2), torch.zeros(0, 7, 2), "no RoIs"),
    ),
    reference=_sample_points,
    known=known(
        wrong.points_at_edges,
        wrong.points_spread,
        wrong.points_from_zero,
        wrong.points_bin_centres,
        wrong.points_thirds,
        wrong.points_bins_last,
        wrong.points_rounded,
    ),
    draw=_random_sides,
    together=((0, 1),),
    picture=_bins_picture,
)
