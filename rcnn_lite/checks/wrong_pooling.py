"""Known wrong versions of notebook 09's answers. The docstring of each is what a learner who makes it is told."""

import torch
from torch import Tensor

# ---- pyramid_bins ----


def _pairs(low: Tensor, high: Tensor) -> Tensor:
    """Bounds (L, n) of bins as one tensor of integers (L, n, 2)."""
    return torch.stack((low, high), dim=2).long()


def _edges(sizes: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Where bins begin and end before rounding, times n: (L, n) integers each."""
    low = sizes[:, None] * torch.arange(n)
    return low, low + sizes[:, None]


def bins_floored(sizes: Tensor, n: int) -> Tensor:
    """you round both ends down: the end is rounded up, so that two bins share the cell that lies between them."""
    low, high = _edges(sizes, n)
    return _pairs(low // n, high // n)


def bins_ceiled(sizes: Tensor, n: int) -> Tensor:
    """you round both ends up: the first cell is rounded down, so that two bins share the cell between them."""
    low, high = _edges(sizes, n)
    return _pairs(-(-low // n), -(-high // n))


def bins_rounded(sizes: Tensor, n: int) -> Tensor:
    """you round both ends to the nearest number: it is down for the first cell, up for the end."""
    low, high = _edges(sizes, n)
    return _pairs(torch.round(low / n), torch.round(high / n))


def bins_equal(sizes: Tensor, n: int) -> Tensor:
    """your bins are all size // n cells long: what is left over at the end belongs to no bin."""
    step = (sizes // n)[:, None]
    return _pairs(step * torch.arange(n), step * torch.arange(1, n + 1))


def bins_last_included(sizes: Tensor, n: int) -> Tensor:
    """your second number is the last cell; asked for is one past it, as in a slice."""
    low, high = _edges(sizes, n)
    return _pairs(low // n, -(-high // n) - 1)


def bins_from_one(sizes: Tensor, n: int) -> Tensor:
    """you count bins from 1, so your first one is the second: appendix A does too, and writes i - 1 for its start."""
    low, high = (edge + sizes[:, None] for edge in _edges(sizes, n))
    return _pairs(low // n, -(-high // n))


def bins_lengths(sizes: Tensor, n: int) -> Tensor:
    """your second number is how many cells a bin has; asked for is one past its last."""
    low, high = _edges(sizes, n)
    return _pairs(low // n, -(-high // n) - low // n)


# ---- windows ----


def _nearest(values: Tensor) -> Tensor:
    return torch.floor(values + 0.5)


def _as_windows(first: Tensor, last: Tensor) -> Tensor:
    """First and last cells (N, 2), x before y, as (row, column, height, width)."""
    return torch.cat((first.flip(1), (last - first + 1).flip(1)), dim=1).long()


def windows_without_last(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you take last - first as the size: both ends are included, so it is one more."""
    cells = _nearest(boxes * spatial_scale)
    return _as_windows(cells[:, :2], cells[:, 2:] - 1)


def windows_floored(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you round down, as dividing whole numbers does: corners go to the nearest whole number."""
    cells = torch.floor(boxes * spatial_scale)
    return _as_windows(cells[:, :2], cells[:, 2:])


def windows_outwards(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you round the first cell down and the last one up, as bins are: corners go to the nearest whole number."""
    return _as_windows(torch.floor(boxes[:, :2] * spatial_scale), torch.ceil(boxes[:, 2:] * spatial_scale))


def windows_half_to_even(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you round halves to the even number, as torch.round and Python do: 0.5 becomes 0. Here halves go up."""
    cells = torch.round(boxes * spatial_scale)
    return _as_windows(cells[:, :2], cells[:, 2:])


def windows_columns_first(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you have x before y: a window is row, column, height, width."""
    cells = _nearest(boxes * spatial_scale)
    return torch.cat((cells[:, :2], cells[:, 2:] - cells[:, :2] + 1), dim=1).long()


def windows_size_rounded(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you round the box's size: it is the corners that are rounded, and the size follows from them."""
    scaled = boxes * spatial_scale
    first, size = _nearest(scaled[:, :2]), _nearest(scaled[:, 2:] - scaled[:, :2]).clamp(min=1)
    return _as_windows(first, first + size - 1)


def windows_corners(boxes: Tensor, spatial_scale: float) -> Tensor:
    """you return first and last cell, x y x y: asked for are row, column, height, width."""
    return _nearest(boxes * spatial_scale).long()


# ---- pool_window ----


def _pool(channel: Tensor, window: Tensor, n: int, bounds, best=torch.max) -> Tensor:
    """RoI pooling by loops; ``bounds(size, n, i)`` gives a bin, ``best`` what it becomes."""
    (row, column, height, width), pooled = window.tolist(), torch.zeros(n, n)
    for p in range(n):
        rows = slice(*(max(row + edge, 0) for edge in bounds(height, n, p)))
        for q in range(n):
            columns = slice(*(max(column + edge, 0) for edge in bounds(width, n, q)))
            cells = channel[rows, columns]
            pooled[p, q] = best(cells) if cells.numel() else 0
    return pooled


def _right(size: int, n: int, i: int) -> tuple[int, int]:
    return i * size // n, -(-(i + 1) * size // n)


def pool_floored(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """you round both ends of a bin down: the end is rounded up, so that neighbours may share a row."""
    return _pool(channel, window, n, lambda size, n, i: (i * size // n, (i + 1) * size // n))


def pool_from_zero(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """your maximum starts at 0, so it is wrong where all cells are below 0. Start at minus infinity."""
    return _pool(channel, window, n, _right, lambda cells: cells.max().clamp(min=0))


def pool_averages(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """you average: RoI pooling takes the largest cell of a bin."""
    return _pool(channel, window, n, _right, torch.mean)


def pool_columns_first(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """you have rows and columns the wrong way round: a window is row, column, height, width."""
    return _pool(channel, window[[1, 0, 3, 2]], n, _right)


def pool_clipped_first(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """you cut the window at the map's border before you divide it into bins: divide first, then cut each bin."""
    (row, column, height, width), (rows, columns) = window.tolist(), channel.shape
    bottom, right = min(row + height, rows), min(column + width, columns)
    row, column = max(row, 0), max(column, 0)
    if bottom <= row or right <= column:
        return torch.zeros(n, n)
    return _pool(channel, torch.tensor([row, column, bottom - row, right - column]), n, _right)


def pool_whole_map(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """you pool the whole map: only the cells of the window count."""
    return _pool(channel, torch.tensor([0, 0, *channel.shape]), n, _right)


def pool_equal_bins(channel: Tensor, window: Tensor, n: int) -> Tensor:
    """your bins are all size // n cells long: what is left over at the end belongs to no bin."""
    return _pool(channel, window, n, lambda size, n, i: (i * (size // n), (i + 1) * (size // n)))


# ---- pool_gradient ----


def _gradient(channel: Tensor, bins: Tensor, grad: Tensor, give) -> Tensor:
    """``give(total, place, cells, value)`` hands the gradient of one bin out; ``place`` is a view of ``total``."""
    total = torch.zeros_like(channel)
    for (top, left, bottom, right), value in zip(bins.tolist(), grad, strict=True):
        cells = channel[top:bottom, left:right]
        if cells.numel():
            give(total, total[top:bottom, left:right], cells, value)
    return total


def _first(cells: Tensor) -> tuple[int, int]:
    return divmod(int(cells.flatten().argmax()), cells.shape[1])


def gradient_overwrites(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """you write over what is there: a cell that is the largest of several bins gets the sum of their gradients."""
    return _gradient(channel, bins, grad, lambda _, place, cells, value: place[_first(cells)].fill_(value))


def gradient_last_of_ties(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """of equal values you take the last: the first in reading order gets the gradient."""

    def give(total, place, cells, value):
        place[tuple(torch.nonzero(cells == cells.max())[-1])] += value

    return _gradient(channel, bins, grad, give)


def gradient_shared(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """you share the gradient among equal values, as torch.amax does: here the first of them gets it all."""

    def give(total, place, cells, value):
        held = cells == cells.max()
        place += held * value / held.sum()

    return _gradient(channel, bins, grad, give)


def gradient_to_all_cells(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """you spread the gradient over the whole bin: that is average pooling. Only the largest cell gets it."""

    def give(total, place, cells, value):
        place += value / cells.numel()

    return _gradient(channel, bins, grad, give)


def gradient_counts(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """you count bins: each passes on its own gradient, not 1."""

    def give(total, place, cells, value):
        place[_first(cells)] += 1

    return _gradient(channel, bins, grad, give)


def gradient_place_in_bin(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """your place counts within the bin: add the bin's first row and column to it."""

    def give(total, place, cells, value):
        total[_first(cells)] += value

    return _gradient(channel, bins, grad, give)


def gradient_of_largest(channel: Tensor, bins: Tensor, grad: Tensor) -> Tensor:
    """you multiply by the value: y = x has the derivative 1, whatever x is."""

    def give(total, place, cells, value):
        place[_first(cells)] += value * cells.max()

    return _gradient(channel, bins, grad, give)
