"""Checks of notebook 15's exercises on maps: enlarging one to the size of the finer one, and merging the two.

Known mistakes are in `wrong_pyramids_maps`; the other exercises are in `pyramids`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_pyramids_maps as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import grids

# ---- exercise 2 ----


def _enlarge_to(coarse: Tensor, size: tuple[int, int]) -> Tensor:
    """As `enlarge` has it; tests/checks/test_check_pyramids.py compares the two."""
    rows = (torch.arange(size[0]) // 2).clamp(max=coarse.shape[1] - 1)
    columns = (torch.arange(size[1]) // 2).clamp(max=coarse.shape[2] - 1)
    return coarse[:, rows][:, :, columns]


def _numbers(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.integers(-20, 20, shape)).float()


def _random_coarse(rng: np.random.Generator, size: int) -> tuple:
    height, width = (int(side) for side in rng.integers(1, size + 2, 2))
    fine = tuple(int(2 * side + rng.integers(-1, 2)) for side in (height, width))
    return _numbers(rng, int(rng.integers(1, 3)), height, width), fine


_ROW = torch.tensor([[[1.0, 2.0]]])  # one channel, one row
_SQUARE = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
_LONG = torch.arange(4.0).view(1, 1, 4)
check_enlarge_to = Exercise(
    name="enlarge_to",
    cases=(
        Case((_ROW, (2, 4)), [[[1.0, 1.0, 2.0, 2.0]] * 2], "each cell becomes 2 x 2"),
        Case(
            (_SQUARE, (4, 4)),
            [[[1.0, 1.0, 2.0, 2.0]] * 2 + [[3.0, 3.0, 4.0, 4.0]] * 2],
            "neighbours stay neighbours: 1 1 2 2, not 1 2 1 2",
        ),
        Case((_ROW, (1, 3)), [[[1.0, 1.0, 2.0]]], "one row and one column too many: the last are cut off"),
        Case((_ROW, (2, 5)), [[[1.0, 1.0, 2.0, 2.0, 2.0]] * 2], "one column too few: the last is repeated"),
        Case(
            (_LONG, (2, 9)),
            [[[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0]] * 2],
            "cell i still reads cell i // 2: only the last one is repeated",
        ),
        Case((_SQUARE, (5, 3)), [[[1.0, 1.0, 2.0]] * 2 + [[3.0, 3.0, 4.0]] * 3], "a row repeated, a column cut"),
        Case((torch.cat((_ROW, -_ROW)), (1, 4)), [[[1.0, 1.0, 2.0, 2.0]], [[-1.0, -1.0, -2.0, -2.0]]], "two channels"),
    ),
    reference=_enlarge_to,
    known=known(
        wrong.enlarge_stretched,
        wrong.enlarge_smoothly,
        wrong.enlarge_tiled,
        wrong.enlarge_not_cut,
        wrong.enlarge_cut_in_front,
        wrong.enlarge_with_zeros,
        wrong.enlarge_size_swapped,
    ),
    draw=_random_coarse,
    picture=grids((0, "coarse")),
)

# ---- exercise 3 ----


def _merge(fine: Tensor, above: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """As `FeaturePyramid` merges two levels; tests/checks/test_check_pyramids.py compares the two."""
    lateral = torch.einsum("dc,chw->dhw", weight, fine) + bias[:, None, None]
    return lateral + above.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)


def _random_levels(rng: np.random.Generator, size: int) -> tuple:
    height, width = (int(side) for side in rng.integers(1, 1 + min(size, 3), 2))
    channels, wide = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    fine, above = _numbers(rng, channels, 2 * height, 2 * width), _numbers(rng, wide, height, width)
    return fine, above, _numbers(rng, wide, channels), _numbers(rng, wide)


def _of(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


_FINE, _ONES = torch.arange(4.0).view(1, 2, 2), torch.ones(1, 2, 2)
check_merge = Exercise(
    name="merge",
    cases=(
        Case(
            (_FINE, _of(0).view(1, 1, 1), _of(2).view(1, 1), _of(1)),
            [[[1.0, 3.0], [5.0, 7.0]]],
            "nothing from above: 2 x + 1",
        ),
        Case(
            (_ONES, _of(5).view(1, 1, 1), _of(2).view(1, 1), _of(0)), [[[7.0, 7.0], [7.0, 7.0]]], "5 to all four cells"
        ),
        Case(
            (_FINE, _of(10).view(1, 1, 1), _of(1).view(1, 1), _of(0)), [[[10.0, 11.0], [12.0, 13.0]]], "both are added"
        ),
        Case(
            (torch.ones(1, 2, 4), _of(1, 2).view(1, 1, 2), _of(3).view(1, 1), _of(0)),
            [[[4.0, 4.0, 5.0, 5.0]] * 2],
            "the left cell from above goes to the left four",
        ),
        Case(
            (torch.cat((_FINE, _FINE + 1)), _of(0).view(1, 1, 1), _of(1, 10).view(1, 2), _of(0)),
            [[[10.0, 21.0], [32.0, 43.0]]],
            "two channels become one: 1 times the first plus 10 times the second",
        ),
        Case(
            (_FINE, _of(0, 100).view(2, 1, 1), _of(1, -1).view(2, 1), _of(0, 7)),
            [[[0.0, 1.0], [2.0, 3.0]], [[107.0, 106.0], [105.0, 104.0]]],
            "one channel becomes two: x + 0 and -x + 7 + 100",
        ),
    ),
    reference=_merge,
    known=known(
        wrong.merge_lateral_only,
        wrong.merge_above_only,
        wrong.merge_without_bias,
        wrong.merge_bias_twice,
        wrong.merge_mean,
        wrong.merge_product,
        wrong.merge_larger,
        wrong.merge_tiled,
        wrong.merge_convolved_above,
    ),
    draw=_random_levels,
    picture=grids((0, "fine"), (1, "above")),
)
