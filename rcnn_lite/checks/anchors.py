"""Checks of notebook 11's exercises: cell anchors, the grid, labels; the RPN's loss and proposals are in `proposing`.

Known mistakes are in `wrong_anchors`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_anchors as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import grids, right_and_yours
from rcnn_lite.proposals.anchors import make_cell_anchors

__all__ = ["check_all_anchors", "check_cell_anchors", "check_label_anchors"]

# ---- exercise 1 ----


def _cell_anchors(sizes: Tensor, ratios: Tensor) -> Tensor:
    return make_cell_anchors(sizes.tolist(), ratios.tolist())


def _cell_case(sizes: list, ratios: list, expected: list, why: str) -> Case:
    return Case((torch.tensor(sizes), torch.tensor(ratios)), torch.tensor(expected), why)


def _random_sizes(rng: np.random.Generator, size: int) -> tuple:
    sizes = 4.0 * rng.integers(1, 40, int(rng.integers(1, 4)))
    ratios = rng.choice([0.25, 0.5, 1.0, 2.0, 3.0, 4.0], min(size, 3), replace=False)
    return torch.from_numpy(sizes).float(), torch.from_numpy(ratios).float()


check_cell_anchors = Exercise(
    name="cell_anchors",
    cases=(
        _cell_case([16.0], [1.0], [[-8.0, -8.0, 8.0, 8.0]], "a square of 16 around 0"),
        _cell_case([16.0], [4.0], [[-4.0, -16.0, 4.0, 16.0]], "the root of 4 is 2: h = 32, w = 8, area 256 as before"),
        _cell_case([10.0], [0.25], [[-10.0, -2.5, 10.0, 2.5]], "h = 10 / 2, w = 10 x 2: it lies down"),
        _cell_case([4.0, 8.0], [1.0], [[-2.0] * 2 + [2.0] * 2, [-4.0] * 2 + [4.0] * 2], "two sizes, one ratio"),
        _cell_case(
            [4.0, 8.0],
            [1.0, 4.0],
            [[-2.0, -2.0, 2.0, 2.0], [-4.0, -4.0, 4.0, 4.0], [-1.0, -4.0, 1.0, 4.0], [-2.0, -8.0, 2.0, 8.0]],
            "the first ratio with all sizes, then the second",
        ),
    ),
    reference=_cell_anchors,
    known=known(
        wrong.cell_width_over_height,
        wrong.cell_without_root,
        wrong.cell_ratio_squared,
        wrong.cell_sizes_first,
        wrong.cell_from_corner,
        wrong.cell_whole_sides,
        wrong.cell_rounded,
        wrong.cell_last_pixel,
    ),
    draw=_random_sizes,
    picture=right_and_yours(),
)

# ---- exercise 2 ----


def _all_anchors(cell_anchors: Tensor, feature_size: tuple[int, int], stride: int) -> Tensor:
    rows = []
    for y in range(feature_size[0]):
        for x in range(feature_size[1]):
            centre = torch.tensor([x, y, x, y]) * stride + stride / 2
            rows.append(cell_anchors + centre)
    return torch.cat(rows)


def _random_grid(rng: np.random.Generator, size: int) -> tuple:
    half = torch.from_numpy(rng.integers(1, 30, (min(size, 3), 2))).float()
    height, width = (int(side) for side in rng.integers(1, 5, 2))
    return torch.cat((-half, half), dim=1), (height, width), int(rng.choice([4, 8, 16, 20]))


_SQUARE = torch.tensor([[-4.0, -4.0, 4.0, 4.0]])

check_all_anchors = Exercise(
    name="all_anchors",
    cases=(
        Case(
            (_SQUARE, (1, 2), 16),
            [[4.0, 4.0, 12.0, 12.0], [20.0, 4.0, 28.0, 12.0]],
            "one row of two cells, from 0 to 16 and from 16 to 32: centres 8, 8 and 24, 8",
        ),
        Case(
            (torch.tensor([[-2.0, -4.0, 2.0, 4.0]]), (2, 1), 10),
            [[3.0, 1.0, 7.0, 9.0], [3.0, 11.0, 7.0, 19.0]],
            "two rows of one cell: centres 5, 5 and 5, 15",
        ),
        Case(
            (torch.tensor([[-1.0, -1.0, 1.0, 1.0], [-3.0, -2.0, 3.0, 2.0]]), (1, 2), 8),
            [[3.0, 3.0, 5.0, 5.0], [1.0, 2.0, 7.0, 6.0], [11.0, 3.0, 13.0, 5.0], [9.0, 2.0, 15.0, 6.0]],
            "both anchors of the first cell (centre 4, 4), then both of the second (centre 12, 4)",
        ),
        Case(
            (_SQUARE, (2, 2), 16),
            [[4.0, 4.0, 12.0, 12.0], [20.0, 4.0, 28.0, 12.0], [4.0, 20.0, 12.0, 28.0], [20.0, 20.0, 28.0, 28.0]],
            "row by row: centres (8, 8), (24, 8), then (8, 24), (24, 24)",
        ),
    ),
    reference=_all_anchors,
    known=known(
        wrong.grid_at_corner,
        wrong.grid_half_a_pixel,
        wrong.grid_by_columns,
        wrong.grid_by_anchor,
        wrong.grid_row_first,
        wrong.grid_width_first,
        wrong.grid_without_stride,
        wrong.grid_half_shifted,
    ),
    draw=_random_grid,
    picture=right_and_yours(),
)

# ---- exercise 3 ----


def _label_anchors(overlaps: Tensor, inside: Tensor) -> Tensor:
    labels = torch.full((len(overlaps),), -1)
    rows = torch.nonzero(inside).flatten()
    own = overlaps[rows]  # (i, M), of those inside
    if overlaps.shape[1] == 0 or len(rows) == 0:
        labels[rows] = 0
        return labels
    highest = own.amax(dim=1)
    best = own.amax(dim=0)  # (M,)
    labels[rows[highest < 0.3]] = 0
    labels[rows[highest >= 0.7]] = 1
    labels[rows[((own == best) & (best > 0)).any(dim=1)]] = 1
    return labels


def _label_case(overlaps: list, inside: list, labels: list, why: str) -> Case:
    table = torch.tensor(overlaps).reshape(len(inside), -1)
    return Case((table, torch.tensor(inside)), torch.tensor(labels), why)


def _random_table(rng: np.random.Generator, size: int) -> tuple:
    """Overlaps of few values, so that anchors tie, none near a threshold; some objects are out of reach."""
    table = rng.choice([0.0, 0.0, 0.1, 0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.8], (size, int(rng.integers(1, 4))))
    return torch.from_numpy(table).float(), torch.from_numpy(rng.random(size) < 0.7)


check_label_anchors = Exercise(
    name="label_anchors",
    cases=(
        _label_case([[0.8], [0.1]], [True, True], [1, 0], "0.8 is above 0.7: positive; 0.1 is below 0.3: background"),
        _label_case([[0.8], [0.5]], [True, True], [1, -1], "0.5 is neither: ignored"),
        _label_case([[0.5], [0.1]], [True, True], [1, 0], "no anchor reaches 0.7, so the best is positive"),
        _label_case([[0.2], [0.1]], [True, True], [1, 0], "the best anchor is positive however little it overlaps"),
        _label_case([[0.4], [0.4], [0.2]], [True] * 3, [1, 1, 0], "two tie for the best: both are positive"),
        _label_case([[0.8], [0.75], [0.4]], [True] * 3, [1, 1, -1], "all above 0.7 are positive, not only the best"),
        _label_case(
            [[0.8], [0.5], [0.1]], [False, True, True], [-1, 1, 0], "the first crosses the border: 0.5 is best"
        ),
        _label_case([[0.1], [0.8]], [False, True], [-1, 1], "across the border is not background either"),
        _label_case(
            [[0.8, 0.0], [0.1, 0.0], [0.1, 0.0]], [True, True, False], [1, 0, -1], "object 1 is out of reach of all"
        ),
        _label_case([[0.8, 0.1], [0.2, 0.6]], [True] * 2, [1, 1], "each object has its own best anchor"),
        Case((torch.zeros(2, 0), torch.tensor([True, False])), torch.tensor([0, -1]), "no objects: all is background"),
    ),
    reference=_label_anchors,
    known=known(
        wrong.labels_one_kind,
        wrong.labels_best_only,
        wrong.labels_without_band,
        wrong.labels_first_of_ties,
        wrong.labels_out_of_reach,
        wrong.labels_best_outside,
        wrong.labels_border_ignored,
        wrong.labels_outside_background,
        wrong.labels_background_last,
    ),
    draw=_random_table,
    together=((0, 1),),
    picture=grids((0, "IoU: anchors x objects")),
)
