"""Checks of notebook 09's exercises: pyramid bins, RoI pooling and its gradient. Known mistakes: `wrong_pooling`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_pooling as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, grids
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, POSITIVE
from rcnn_lite.regions.roi_pool import roi_pool
from rcnn_lite.regions.spp import bin_range


def _whole(*values: int | tuple) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _floats(*values: float | tuple) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


# ---- exercise 1 ----


def _pyramid_bins(sizes: Tensor, n: int) -> Tensor:
    pairs = [torch.stack(bin_range(size, n), dim=1) for size in sizes.tolist()]
    return torch.stack(pairs) if pairs else torch.zeros(0, n, 2, dtype=torch.int64)


check_pyramid_bins = Exercise(
    name="pyramid_bins",
    cases=(
        Case((_whole(4), 2), [[[0, 2], [2, 4]]], "4 cells in 2 bins: 2 each"),
        Case((_whole(7), 2), [[[0, 4], [3, 7]]], "7 / 2 = 3.5: up to ceil(3.5) = 4, and from floor(3.5) = 3"),
        Case((_whole(5), 1), [[[0, 5]]], "one bin holds all"),
        Case((_whole(3), 3), [[[0, 1], [1, 2], [2, 3]]], "a cell each"),
        Case((_whole(2), 3), [[[0, 1], [0, 2], [1, 2]]], "more bins than cells: edges 0, 2/3, 4/3, 2; none is empty"),
        Case((_whole(8, 5), 4), [[[0, 2], [2, 4], [4, 6], [6, 8]], [[0, 2], [1, 3], [2, 4], [3, 5]]], "two axes"),
        Case((_whole(), 2), torch.zeros(0, 2, 2, dtype=torch.int64), "no axis"),
    ),
    reference=_pyramid_bins,
    known=known(  # fmt: skip
        wrong.bins_floored,
        wrong.bins_ceiled,
        wrong.bins_rounded,
        wrong.bins_equal,
        wrong.bins_last_included,
        wrong.bins_from_one,
        wrong.bins_lengths,
    ),
    draw=lambda rng, size: (torch.from_numpy(rng.integers(1, 20, size)), int(rng.integers(1, 8))),
    together=((0,),),
)


# ---- exercise 2 ----


def _windows(boxes: Tensor, spatial_scale: float) -> Tensor:
    cells = torch.floor(boxes * spatial_scale + 0.5).long()  # inside the picture nothing is negative
    first, last = cells[:, :2].flip(1), cells[:, 2:].flip(1)  # (row, column)
    return torch.cat((first, last - first + 1), dim=1)


def _random_boxes(rng: np.random.Generator, size: int) -> tuple:
    """Boxes in quarters of a cell, so that many corners lie on halves and all arithmetic is exact."""
    stride = int(rng.choice([4, 8, 16]))
    corner = rng.integers(0, 40, (size, 2))
    boxes = np.hstack((corner, corner + rng.integers(0, 30, (size, 2)))) * (stride / 4)
    return torch.from_numpy(boxes).float(), 1 / stride


def _windows_picture(case: Case, result: object) -> Picture:
    """In cells of the map. A window is (top, left, height, width)."""
    right, yours = (
        [[left, top, left + width, top + height] for top, left, height, width in torch.as_tensor(rows).tolist()]
        for rows in (case.expected, result)
    )
    marks = (Outline("boxes, in cells", case.args[0] * case.args[1], POSITIVE), Outline("right", right, GROUND_TRUTH))
    return Picture((*marks, Outline("yours", yours, DETECTION, dashed=True)))


check_windows = Exercise(
    name="windows",
    cases=(
        Case((_floats((0, 0, 16, 32)), 1 / 16), [[0, 0, 3, 2]], "columns 0 to 1, rows 0 to 2, both ends included"),
        Case((_floats((20, 10, 50, 70)), 1 / 16), [[1, 1, 4, 3]], "1.25 -> 1, 0.625 -> 1; 3.125 -> 3, 4.375 -> 4"),
        Case((_floats((4, 12, 20, 28)), 1 / 8), [[2, 1, 3, 3]], "0.5 -> 1, 1.5 -> 2; 2.5 -> 3, 3.5 -> 4: halves go up"),
        Case((_floats((30, 30, 31, 31)), 1 / 16), [[2, 2, 1, 1]], "a tiny box still has a cell"),
        Case((_floats((9, 9, 11, 11)), 1 / 4), [[2, 2, 2, 2]], "2.25 -> 2, 2.75 -> 3"),
        Case((torch.zeros(0, 4), 1 / 16), torch.zeros(0, 4, dtype=torch.int64), "no boxes"),
    ),
    reference=_windows,
    known=known(  # fmt: skip
        wrong.windows_without_last,
        wrong.windows_floored,
        wrong.windows_outwards,
        wrong.windows_half_to_even,
        wrong.windows_columns_first,
        wrong.windows_size_rounded,
        wrong.windows_corners,
    ),
    draw=_random_boxes,
    together=((0,),),
    picture=_windows_picture,
)


# ---- exercise 3 ----


def _pool_window(channel: Tensor, window: Tensor, n: int) -> Tensor:
    row, column, height, width = window.tolist()
    box = torch.tensor([[0, column, row, column + width - 1, row + height - 1]], dtype=channel.dtype)
    return roi_pool(channel[None, None], box, n, 1.0)[0, 0]


def _random_window(rng: np.random.Generator, size: int) -> tuple:
    """A map of whole numbers, most of them below 0, and a window that may reach over its border."""
    height, width = (int(value) for value in rng.integers(1, size + 3, 2))
    channel = torch.from_numpy(rng.integers(-30, 10, (height, width))).float()
    start = rng.integers(-2, (height + 1, width + 1))
    return channel, torch.from_numpy(np.hstack((start, rng.integers(1, size + 3, 2)))), int(rng.integers(1, 4))


def _window_marks(channel: Tensor, window: Tensor, n: int) -> list[Outline]:
    top, left, height, width = window.tolist()
    return [Outline(f"window, for {n} x {n} bins", [[left, top, left + width, top + height]], POSITIVE)]


_MAP = torch.arange(12.0).view(3, 4)
check_pool_window = Exercise(
    name="pool_window",
    cases=(
        Case((_MAP, _whole(0, 0, 2, 4), 2), _floats((1, 3), (5, 7)), "rows 0, 1 and columns 0-1, 2-3"),
        Case(
            (_MAP, _whole(0, 0, 3, 3), 2), _floats((5, 6), (9, 10)), "3 / 2 = 1.5: rows 0-1 and 1-2, columns likewise"
        ),
        Case((_MAP, _whole(1, 2, 2, 2), 1), _floats((11,)), "rows 1-2, columns 2-3: one bin"),
        Case(
            (-_MAP, _whole(0, 0, 2, 4), 2), _floats((0, -2), (-4, -6)), "all below 0: the largest is the nearest to 0"
        ),
        Case((_MAP, _whole(1, 1, 1, 1), 2), _floats((5, 5), (5, 5)), "one cell, which every bin shares"),
        Case(
            (_MAP, _whole(2, 0, 2, 2), 2),
            _floats((8, 9), (0, 0)),
            "row 3 lies outside the map: a bin without cells is 0",
        ),
        Case(
            (_MAP, _whole(-2, 0, 4, 2), 2), _floats((0, 0), (4, 5)), "rows -2 and -1 are outside, rows 0 and 1 inside"
        ),
        Case((-1 - _MAP, _whole(5, 0, 1, 1), 1), _floats((0,)), "quite outside"),
    ),
    reference=_pool_window,
    known=known(  # fmt: skip
        wrong.pool_floored,
        wrong.pool_from_zero,
        wrong.pool_averages,
        wrong.pool_columns_first,
        wrong.pool_clipped_first,
        wrong.pool_whole_map,
        wrong.pool_equal_bins,
    ),
    draw=_random_window,
    picture=grids((0, "channel"), marks=_window_marks),
)


# ---- exercise 4 ----


def _pool_gradient(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    total = torch.zeros_like(channel)
    for (top, left, bottom, right), value in zip(bins.tolist(), grad, strict=True):
        cells = channel[top:bottom, left:right]
        if cells.numel():
            y, x = divmod(int(cells.flatten().argmax()), cells.shape[1])
            total[top + y, left + x] += value
    return total


def _random_bins(rng: np.random.Generator, size: int) -> tuple:
    """A map of small whole numbers, with many ties, and bins that overlap; some are empty."""
    shape = rng.integers(1, size + 2, 2)
    start = rng.integers(0, shape, (size, 2))
    end = np.minimum(start + rng.integers(0, size + 2, (size, 2)), shape)
    bins = torch.from_numpy(np.hstack((start, end)))
    channel = torch.from_numpy(rng.integers(-3, 3, shape)).float()
    return channel, bins, torch.from_numpy(rng.integers(1, 9, size)).float()


def _bin_marks(channel: Tensor, bins: Tensor, grad: Tensor) -> list[Outline]:
    """A bin is (top, left, bottom, right)."""
    return [
        Outline("bins, and their gradients", bins[:, [1, 0, 3, 2]], POSITIVE, names=[f"{g:g}" for g in grad.tolist()])
    ]


_SMALL = _floats((1, 5, 2), (4, 3, 6))
check_pool_gradient = Exercise(
    name="pool_gradient",
    cases=(
        Case((_SMALL, _whole((0, 0, 2, 2)), _floats(10)), _floats((0, 10, 0), (0, 0, 0)), "the largest of four is 5"),
        Case(
            (_SMALL, _whole((0, 0, 2, 2), (0, 1, 2, 3)), _floats(10, 20)),
            _floats((0, 10, 0), (0, 0, 20)),
            "the second bin's largest is 6",
        ),
        Case(
            (_SMALL, _whole((0, 0, 1, 2), (0, 0, 2, 2), (0, 1, 1, 3)), _floats(1, 2, 4)),
            _floats((0, 7, 0), (0, 0, 0)),
            "5 is the largest of all three: 1 + 2 + 4",
        ),
        Case((torch.ones(2, 2), _whole((0, 0, 2, 2)), _floats(8)), _floats((8, 0), (0, 0)), "a tie: the first"),
        Case((-_SMALL, _whole((0, 1, 2, 3)), _floats(3)), _floats((0, 0, 3), (0, 0, 0)), "of -5 -2 -3 -6 it is -2"),
        Case((_SMALL, _whole((1, 1, 1, 3)), _floats(9)), torch.zeros(2, 3), "a bin without cells gives nothing back"),
        Case((_SMALL, torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0)), torch.zeros(2, 3), "no bins"),
    ),
    reference=_pool_gradient,
    known=known(  # fmt: skip
        wrong.gradient_overwrites,
        wrong.gradient_last_of_ties,
        wrong.gradient_shared,
        wrong.gradient_to_all_cells,
        wrong.gradient_counts,
        wrong.gradient_place_in_bin,
        wrong.gradient_of_largest,
    ),
    draw=_random_bins,
    together=((1, 2),),
    picture=grids((0, "channel"), marks=_bin_marks),
)
