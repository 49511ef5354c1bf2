"""Checks of notebook 13's exercises 4 and 5: the matrix of an axis, and RoIAlign; see `aligning` for words.

Known mistakes are in `wrong_aligning_bins`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_aligning_bins as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, grids
from rcnn_lite.plotting import POSITIVE
from rcnn_lite.regions.roi_align import _axis_weights, _dense, roi_align

__all__ = ["check_align", "check_axis_matrix"]

OFF_THE_GRID = 1 / 1024  # added to random places, so that no point lies just where the map ends


def _floats(*rows: float | tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


# ---- exercise 4 ----


def _axis_matrix(side: Tensor, bins: int, samples: int, cells: int) -> Tensor:
    weights = _axis_weights(side[:1] - 0.5, side[1:] - side[:1], bins, samples, cells)
    return _dense(*weights, cells)[0]


def _random_axis(rng: np.random.Generator, size: int) -> tuple:
    """Sides in quarters of a cell, partly outside the axis; dyadic, so that no place is rounded."""
    cells = int(rng.integers(1, size + 3))
    start = int(rng.integers(-8, 4 * cells)) / 4 + OFF_THE_GRID
    end = start + int(rng.integers(1, 4 * size + 2)) / 4
    return torch.tensor([start, end]), int(rng.choice([1, 2, 4])), int(rng.choice([1, 2, 4])), cells


check_axis_matrix = Exercise(
    name="axis_matrix",
    cases=(
        Case(
            (_floats(1.0, 2.0), 1, 1, 3),
            [[0.0, 1.0, 0.0]],
            "cell 1 from edge to edge: its middle is where its value stands",
        ),
        Case((_floats(0.5, 1.5), 1, 1, 3), [[0.5, 0.5, 0.0]], "the middle, 1.0, is the edge between cells 0 and 1"),
        Case(
            (_floats(0.0, 4.0), 2, 1, 4),
            [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]],
            "points 1 and 3, in indices 0.5, 2.5",
        ),
        Case(
            (_floats(0.0, 4.0), 2, 2, 4),
            [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]],
            "points on the four cells' places",
        ),
        Case(
            (_floats(1.0, 2.0), 1, 2, 3),
            [[0.125, 0.75, 0.125]],
            "indices 0.75 and 1.25: (0.25, 0.75, 0), (0, 0.75, 0.25)",
        ),
        Case((_floats(2.5, 3.5), 1, 1, 3), [[0.0, 0.0, 1.0]], "index 2.5, half a cell outside: the last cell"),
        Case((_floats(-0.75, 0.25), 1, 1, 2), [[1.0, 0.0]], "index -0.75: the first cell"),
        Case((_floats(-3.0, -1.0), 1, 1, 2), [[0.0, 0.0]], "index -2.5, further than a cell outside: nothing"),
        Case((_floats(-3.0, 1.0), 1, 2, 2), [[0.5, 0.0]], "points -2 and 0: one counts nothing, the other half"),
        Case((_floats(0.0, 1.0), 2, 1, 1), [[1.0], [1.0]], "an axis of one cell"),
    ),
    reference=_axis_matrix,
    known=known(
        wrong.matrix_half_missing,
        wrong.matrix_half_added,
        wrong.matrix_sum,
        wrong.matrix_nearest,
        wrong.matrix_shares_swapped,
        wrong.matrix_border_zero,
        wrong.matrix_border_everywhere,
        wrong.matrix_sums_to_one,
        wrong.matrix_overwrites,
        wrong.matrix_transposed,
    ),
    draw=_random_axis,
    rounds=120,
    picture=grids(),
)

# ---- exercise 5 ----


def _align(channel: Tensor, box: Tensor, stride: int, bins: int, aligned: bool) -> Tensor:
    roi = torch.cat((torch.zeros(1), box))[None]
    return roi_align(channel[None, None], roi, bins, 1 / stride, 2, aligned)[0, 0]


def _random_box(rng: np.random.Generator, size: int) -> tuple:
    """A map of whole numbers that is not square, and a box that may be tiny or reach over its border."""
    shape, stride = rng.integers(2, size + 4, 2), int(rng.choice([4, 8, 16]))
    corner = rng.integers(-6, 4 * shape[::-1], 2) / 4 + OFF_THE_GRID
    box = np.hstack((corner, corner + rng.integers(0, 4 * size + 2, 2) / 4)) * stride
    channel = torch.from_numpy(rng.integers(-9, 20, shape)).float()
    return channel, torch.from_numpy(box).float(), stride, int(rng.choice([1, 2, 4])), bool(rng.integers(2))


def _align_marks(channel: Tensor, box: Tensor, stride: int, bins: int, aligned: bool) -> list[Outline]:
    return [Outline("the box, in cells", box / stride, POSITIVE)]


_PLANE = torch.arange(4.0)[None, :] + 10 * torch.arange(5.0)[:, None]  # x + 10 y, in indices
check_align = Exercise(
    name="align",
    cases=(
        Case((_PLANE, _floats(16, 16, 48, 48), 16, 1, True), [[16.5]], "middle 2, 2 in cells, 1.5, 1.5 in indices"),
        Case((_PLANE, _floats(16, 16, 48, 48), 16, 1, False), [[22.0]], "the half left out: indices 2, 2"),
        Case(
            (_PLANE, _floats(16, 16, 48, 48), 16, 2, True),
            [[11.0, 12.0], [21.0, 22.0]],
            "the middles of the bins are those of cells 1 and 2",
        ),
        Case((_PLANE, _floats(4, 8, 12, 40), 8, 1, True), [[25.5]], "x 0.5 to 1.5, y 1 to 5 in cells: 0.5 + 10 x 2.5"),
        Case((_PLANE, _floats(24, 24, 24, 24), 16, 1, True), [[11.0]], "no area: its one place, 1.5, 1.5 in cells"),
        Case((_PLANE, _floats(24, 24, 24, 24), 16, 1, False), [[22.0]], "stretched to a cell: from 1.5 to 2.5"),
        Case(
            (_PLANE, _floats(-24, 16, 8, 48), 16, 1, True),
            [[7.5]],
            "x in indices -1.5 (0) and -0.5 (column 0); y 1, 2: (0 + 0 + 10 + 20) / 4",
        ),
        Case((_PLANE, _floats(200, 200, 260, 260), 16, 2, True), [[0.0, 0.0], [0.0, 0.0]], "quite outside"),
    ),
    reference=_align,
    known=known(
        wrong.align_never_aligned,
        wrong.align_always_aligned,
        wrong.align_in_pixels,
        wrong.align_rounds,
        wrong.align_axes_swapped,
        wrong.align_one_point,
        wrong.align_largest,
        wrong.align_stretches_always,
        wrong.align_stretches_never,
        wrong.align_clips_box,
    ),
    draw=_random_box,
    rounds=150,
    picture=grids((0, "channel"), marks=_align_marks),
)
