"""Checks of notebook 03's exercises: what HOG counts, how many windows there are, and where one of them lies.

Known mistakes are in `wrong_before`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_before as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Picture, Row, right_and_yours
from rcnn_lite.proposals.sliding_window import sliding_windows, window_grid

__all__ = ["check_best_window", "check_count_windows", "check_direction_histogram", "check_normalise_block"]


# ---- exercise 1 ----


def _direction_histogram(dx: Tensor, dy: Tensor) -> Tensor:
    return wrong.histogram(dx, dy)  # with nothing done differently


def _votes(gradients: list, bins: dict, why: str) -> Case:
    """A case from (dx, dy) pairs and the sums of the bins that are not 0."""
    expected = [float(bins.get(k, 0.0)) for k in range(9)]
    return Case(tuple(torch.tensor(gradients, dtype=torch.float32).reshape(-1, 2).T), expected, why)


check_direction_histogram = Exercise(
    name="direction_histogram",
    cases=(
        _votes([(2, 0)], {0: 2}, "angle 0, length 2: two into bin 0"),
        _votes([(0, 3)], {4: 3}, "90 degrees lies in bin 4, from 80 to 100"),
        _votes([(-2, 0)], {0: 2}, "180 degrees is 0 again"),
        _votes([(3, 4)], {2: 5}, "53 degrees, length 5"),
        _votes([(-3, -4)], {2: 5}, "the opposite direction is the same edge"),
        _votes([(-4, 3)], {7: 5}, "143 degrees"),
        _votes([(3, 4), (0, 1), (6, 8)], {2: 15, 4: 1}, "votes add up"),
        _votes([(0, 0)], {}, "no gradient, no vote"),
        _votes([], {}, "no pixels"),
    ),
    reference=_direction_histogram,
    known=known(
        wrong.histogram_full_circle,
        wrong.histogram_counts,
        wrong.histogram_nearest,
        wrong.histogram_swapped,
        wrong.histogram_folded,
        wrong.histogram_city,
    ),
    draw=lambda rng, size: tuple(torch.from_numpy(rng.integers(-5, 6, (2, size))).float()),
    together=((0, 1),),
)


# ---- exercise 2 ----


def _normalise_block(values: Tensor) -> Tensor:
    return wrong.block(values)  # with nothing done differently


check_normalise_block = Exercise(
    name="normalise_block",
    cases=(
        Case((torch.zeros(2),), [0.0, 0.0], "nothing stays nothing"),
        Case((torch.tensor([5.0]),), [1.0], "5 / 5 = 1, cut to 0.2, and 0.2 / 0.2 = 1"),
        Case(
            (torch.tensor([3.0, 4.0]),), [0.5**0.5] * 2, "0.6 and 0.8 are both cut to 0.2; length 1 again: 1 / sqrt 2"
        ),
        Case((torch.ones(36),), [1 / 6] * 36, "36 ones have length 6; 1/6 is below 0.2"),
        Case((torch.full((36,), 0.01),), [1 / 6] * 36, "a hundredth of the contrast: the same"),
        Case((torch.zeros(0),), torch.zeros(0), "no values"),
    ),
    reference=_normalise_block,
    known=known(wrong.block_uncut, wrong.block_once, wrong.block_sum, wrong.block_without_eps, wrong.block_cut_first),
    draw=lambda rng, size: (torch.from_numpy(rng.integers(0, 10, 4 * size) / 10).float(),),
    together=((0,),),
)


# ---- exercise 3 ----


def _count_windows(sizes: Tensor, window: tuple, stride: int) -> int:
    grids = [window_grid(tuple(size), window, stride) for size in sizes.tolist()]
    return sum(rows * columns for rows, columns in grids)


def _levels(rows: list, why: str, expected: int, window=(2, 3), stride=2) -> Case:
    return Case((torch.tensor(rows, dtype=torch.int64).reshape(-1, 2), window, stride), expected, why)


check_count_windows = Exercise(
    name="count_windows",
    cases=(
        _levels([[2, 3]], "the window is as large as the level", 1),
        _levels([[5, 7]], "rows 0, 2; columns 0, 2, 4", 6),
        _levels([[6, 8]], "what is left over at the border holds no window", 9),
        _levels([[1, 9]], "too low", 0),
        _levels([[1, 1]], "too low and too narrow", 0, (9, 9)),
        _levels([[5, 7], [2, 3]], "6 + 1", 7),
        _levels([], "no levels", 0),
    ),
    reference=_count_windows,
    known=known(
        wrong.windows_fences,
        wrong.windows_below_nothing,
        wrong.windows_swapped,
        wrong.windows_by_area,
        wrong.windows_everywhere,
    ),
    draw=lambda rng, size: (
        torch.from_numpy(rng.integers(1, 15, (size, 2))),
        tuple(rng.integers(1, 9, 2).tolist()),
        int(rng.integers(1, 4)),
    ),
    together=((0,),),
)


# ---- exercise 4 ----


def _best_window(scores: Tensor, window: tuple, stride: int, scale: float) -> Tensor:
    rows, columns = scores.shape
    level = (window[0] + (rows - 1) * stride, window[1] + (columns - 1) * stride)
    size = tuple(-(-side * scale // 1) for side in level)  # of the picture, rounded up
    boxes = sliding_windows(size, window, stride, [scale])
    return boxes[scores.argmax()]


def _random_map(rng: np.random.Generator, size: int) -> tuple:
    """A map of scores, no two alike; a window; a stride; a scale with one decimal at most."""
    shape = (int(rng.integers(1, size + 1)), size)
    scores = rng.permutation(shape[0] * shape[1]).reshape(shape) / 10 - 1
    window = (int(rng.integers(2, 9)), int(rng.integers(2, 9)))
    return torch.from_numpy(scores).float(), window, int(rng.integers(2, 7)), int(rng.integers(2, 9)) / 2


def _map_case(rows: list, right: list, why: str, scale: float = 1.0) -> Case:
    return Case((torch.tensor(rows), (4, 6), 2, scale), [float(v) for v in right], why)


def _window_picture(case: Case, result: object) -> Row:
    return Row((Picture((), case.args[0], "scores"), right_and_yours()(case, result)))


check_best_window = Exercise(
    name="best_window",
    cases=(
        _map_case([[0.5]], [0, 0, 6, 4], "the only window: 6 wide, 4 high, at the corner"),
        _map_case([[0.1, 0.9]], [2, 0, 8, 4], "column 1 is 2 pixels to the right"),
        _map_case([[0.1], [0.9]], [0, 2, 6, 6], "row 1 is 2 pixels down"),
        _map_case([[0.5]], [0, 0, 9, 6], "at scale 1.5 it covers 9 x 6 pixels", 1.5),
        _map_case([[-3.0, -2.0], [-1.0, -4.0]], [0, 4, 12, 12], "row 1, column 0; then everything times 2", 2.0),
    ),
    reference=_best_window,
    known=known(
        wrong.best_unscaled,
        wrong.best_swapped,
        wrong.best_turned,
        wrong.best_centred,
        wrong.best_without_stride,
        wrong.best_corner_only,
    ),
    draw=_random_map,
    picture=_window_picture,
)
