"""Wrong and right answers to notebook 09's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch

# ---- pyramid_bins ----


def _bins_int(sizes, n):
    return [[[int(i * s / n), int((i + 1) * s / n)] for i in range(n)] for s in sizes.tolist()]


def _bins_ceil(sizes, n):
    return [[[math.ceil(i * s / n), math.ceil((i + 1) * s / n)] for i in range(n)] for s in sizes.tolist()]


def _bins_round(sizes, n):
    return [[[round(i * s / n), round((i + 1) * s / n)] for i in range(n)] for s in sizes.tolist()]


def _bins_step(sizes, n):
    return [[[i * (s // n), (i + 1) * (s // n)] for i in range(n)] for s in sizes.tolist()]


def _bins_inclusive(sizes, n):
    return [[[i * s // n, math.ceil((i + 1) * s / n) - 1] for i in range(n)] for s in sizes.tolist()]


def _bins_one_based(sizes, n):
    return [[[i * s // n, math.ceil((i + 1) * s / n)] for i in range(1, n + 1)] for s in sizes.tolist()]


def _bins_lengths(sizes, n):
    return [[[i * s // n, math.ceil((i + 1) * s / n) - i * s // n] for i in range(n)] for s in sizes.tolist()]


def _bins_floats(sizes, n):
    return torch.tensor([[[i * s // n, math.ceil((i + 1) * s / n)] for i in range(n)] for s in sizes.tolist()]).float()


def _bins_loops(sizes, n):
    result = []
    for size in sizes.tolist():
        result.append([])
        for i in range(n):
            start, end = i * size // n, (i + 1) * size // n
            if (i + 1) * size % n:
                end += 1
            result[-1].append((start, end))
    return torch.tensor(result).reshape(len(sizes), n, 2).long()


def _bins_numpy(sizes, n):
    edges = sizes.numpy()[:, None] * np.arange(n + 1)
    return np.stack((edges[:, :-1] // n, -(-edges[:, 1:] // n)), axis=2)


# ---- windows ----


def _corners(boxes, scale, rounded):
    return [[rounded(value * scale) for value in box] for box in boxes.tolist()]


def _nearest(value):
    return math.floor(value + 0.5)


def _window_difference(boxes, spatial_scale):
    return [[y1, x1, y2 - y1, x2 - x1] for x1, y1, x2, y2 in _corners(boxes, spatial_scale, _nearest)]


def _window_int(boxes, spatial_scale):
    return [[y1, x1, y2 - y1 + 1, x2 - x1 + 1] for x1, y1, x2, y2 in _corners(boxes, spatial_scale, int)]


def _window_python_round(boxes, spatial_scale):
    return [[y1, x1, y2 - y1 + 1, x2 - x1 + 1] for x1, y1, x2, y2 in _corners(boxes, spatial_scale, round)]


def _window_hull(boxes, spatial_scale):
    low, high = torch.floor(boxes[:, :2] * spatial_scale), torch.ceil(boxes[:, 2:] * spatial_scale)
    return torch.cat((low.flip(1), (high - low + 1).flip(1)), dim=1).long()


def _window_xywh(boxes, spatial_scale):
    return [[x1, y1, x2 - x1 + 1, y2 - y1 + 1] for x1, y1, x2, y2 in _corners(boxes, spatial_scale, _nearest)]


def _window_size(boxes, spatial_scale):
    sizes = [[b[3] - b[1], b[2] - b[0]] for b in (boxes * spatial_scale).tolist()]
    starts = [[_nearest(b[1]), _nearest(b[0])] for b in (boxes * spatial_scale).tolist()]
    return [start + [max(1, _nearest(s)) for s in size] for start, size in zip(starts, sizes, strict=True)]


def _window_pixels(boxes, spatial_scale):
    return torch.floor(boxes[:, [1, 0, 3, 2]] + 0.5).long()


def _window_corners(boxes, spatial_scale):
    return _corners(boxes, spatial_scale, _nearest)


def _window_loops(boxes, spatial_scale):
    rows = []
    for x1, y1, x2, y2 in boxes.tolist():
        left, top, right, bottom = (int(v * spatial_scale + 0.5) for v in (x1, y1, x2, y2))
        rows.append((top, left, bottom - top + 1, right - left + 1))
    return rows


def _window_numpy(boxes, spatial_scale):
    x1, y1, x2, y2 = np.floor(boxes.numpy() * spatial_scale + 0.5).astype(int).T
    return np.stack((y1, x1, y2 - y1 + 1, x2 - x1 + 1), axis=1)


# ---- pool_window ----


def _pool(channel, window, n, start, end, best=max, none=0.0):
    (r, c, h, w), (rows, columns) = window.tolist(), channel.shape
    pooled = [[none] * n for _ in range(n)]
    for p in range(n):
        for q in range(n):
            ys = [y for y in range(r + start(p * h / n), r + end((p + 1) * h / n)) if 0 <= y < rows]
            xs = [x for x in range(c + start(q * w / n), c + end((q + 1) * w / n)) if 0 <= x < columns]
            values = [channel[y, x].item() for y in ys for x in xs]
            pooled[p][q] = best(values) if values else none
    return pooled


def _pool_floor(channel, window, n):
    return _pool(channel, window, n, math.floor, math.floor)


def _pool_zero(channel, window, n):
    return _pool(channel, window, n, math.floor, math.ceil, lambda values: max([0.0, *values]))


def _pool_mean(channel, window, n):
    return _pool(channel, window, n, math.floor, math.ceil, lambda values: sum(values) / len(values))


def _pool_infinite(channel, window, n):
    return _pool(channel, window, n, math.floor, math.ceil, none=-math.inf)


def _pool_swapped(channel, window, n):
    column, row, width, height = window.tolist()
    return _pool(channel, torch.tensor([row, column, height, width]), n, math.floor, math.ceil)


def _pool_transposed(channel, window, n):
    return torch.tensor(_pool(channel, window, n, math.floor, math.ceil)).T


def _pool_clipped(channel, window, n):
    r, c, h, w = window.tolist()
    cut = channel[max(r, 0) : max(r + h, 0), max(c, 0) : max(c + w, 0)]
    if cut.numel() == 0:
        return torch.zeros(n, n)
    return torch.nn.functional.adaptive_max_pool2d(cut[None], n)[0]


def _pool_everything(channel, window, n):
    return torch.nn.functional.adaptive_max_pool2d(channel[None], n)[0]


def _pool_step(channel, window, n):
    r, c, h, w = window.tolist()
    steps = torch.tensor([r, c, h // n * n, w // n * n])
    return _pool(channel, steps, n, math.floor, math.ceil)


def _pool_loops(channel, window, n):
    return _pool(channel, window, n, math.floor, math.ceil)


def _pool_torch(channel, window, n):
    row, column, height, width = window.tolist()
    padded = torch.full((60, 60), -torch.inf)
    padded[20 : 20 + channel.shape[0], 20 : 20 + channel.shape[1]] = channel
    cut = padded[20 + row : 20 + row + height, 20 + column : 20 + column + width]
    pooled = torch.nn.functional.adaptive_max_pool2d(cut[None], n)[0]
    return torch.where(pooled.isneginf(), 0, pooled)


# ---- pool_gradient ----


def _gradient(channel, bins, grad, give):
    total = torch.zeros(channel.shape)
    for (top, left, bottom, right), value in zip(bins.tolist(), grad.tolist(), strict=True):
        places = [(y, x) for y in range(top, bottom) for x in range(left, right)]
        if places:
            give(total, places, [channel[place].item() for place in places], value)
    return total


def _gradient_written(channel, bins, grad):
    def give(total, places, values, value):
        total[places[values.index(max(values))]] = value

    return _gradient(channel, bins, grad, give)


def _gradient_last(channel, bins, grad):
    def give(total, places, values, value):
        total[max(p for p, v in zip(places, values, strict=True) if v == max(values))] += value

    return _gradient(channel, bins, grad, give)


def _gradient_amax(channel, bins, grad):
    leaf = channel.clone().requires_grad_()
    parts = [leaf[t:b, x1:x2] for t, x1, b, x2 in bins.tolist()]
    sums = [part.amax() * value for part, value in zip(parts, grad, strict=True) if part.numel()]
    if sums:
        torch.stack(sums).sum().backward()
    return torch.zeros_like(channel) if leaf.grad is None else leaf.grad


def _gradient_all_ties(channel, bins, grad):
    def give(total, places, values, value):
        for place, held in zip(places, values, strict=True):
            total[place] += value * (held == max(values))

    return _gradient(channel, bins, grad, give)


def _gradient_average(channel, bins, grad):
    def give(total, places, values, value):
        for place in places:
            total[place] += value / len(places)

    return _gradient(channel, bins, grad, give)


def _gradient_ones(channel, bins, grad):
    return _gradient_loops(channel, bins, torch.ones(len(grad)))


def _gradient_local(channel, bins, grad):
    def give(total, places, values, value):
        y, x = places[values.index(max(values))]
        total[y - places[0][0], x - places[0][1]] += value

    return _gradient(channel, bins, grad, give)


def _gradient_indexed(channel, bins, grad):
    """Adding through a list of places adds once where a place is named twice."""
    total = torch.zeros(channel.shape)
    filled = [(i, b) for i, b in enumerate(bins.tolist()) if b[0] < b[2] and b[1] < b[3]]
    places = [divmod(int(channel[t:b, x1:x2].argmax()), x2 - x1) for _, (t, x1, b, x2) in filled]
    ys = [y + b[0] for (y, _), (_, b) in zip(places, filled, strict=True)]
    xs = [x + b[1] for (_, x), (_, b) in zip(places, filled, strict=True)]
    total[ys, xs] += grad[[i for i, _ in filled]]
    return total


def _gradient_no_empty(channel, bins, grad):
    total = torch.zeros(channel.shape)
    for (t, x1, b, x2), value in zip(bins.tolist(), grad, strict=True):
        y, x = divmod(int(channel[t:b, x1:x2].argmax()), x2 - x1)
        total[t + y, x1 + x] += value
    return total


def _gradient_loops(channel, bins, grad):
    def give(total, places, values, value):
        total[places[values.index(max(values))]] += value

    return _gradient(channel, bins, grad, give)


def _gradient_autograd(channel, bins, grad):
    leaf = channel.clone().requires_grad_()
    total = leaf.sum() * 0
    for (top, left, bottom, right), value in zip(bins.tolist(), grad, strict=True):
        cells = leaf[top:bottom, left:right].flatten()
        if len(cells):
            total = total + value * cells[cells.argmax()]
    total.backward()
    return leaf.grad


MUTANTS = [
    ("pyramid_bins", "int() both", _bins_int, "you round both ends down"),
    ("pyramid_bins", "ceil both", _bins_ceil, "you round both ends up"),
    ("pyramid_bins", "round both", _bins_round, "to the nearest number"),
    ("pyramid_bins", "size // n", _bins_step, "belongs to no bin"),
    ("pyramid_bins", "last cell included", _bins_inclusive, "one past it, as in a slice"),
    ("pyramid_bins", "i from 1", _bins_one_based, "you count bins from 1"),
    ("pyramid_bins", "lengths", _bins_lengths, "how many cells a bin has"),
    ("pyramid_bins", "floats", _bins_floats, "must be integers"),
    ("windows", "last - first", _window_difference, "so it is one more"),
    ("windows", "int()", _window_int, "you round down"),
    ("windows", "round()", _window_python_round, "you round halves to the even number"),
    ("windows", "floor and ceil", _window_hull, "as bins are"),
    ("windows", "x first", _window_xywh, "you have x before y"),
    ("windows", "size rounded", _window_size, "you round the box's size"),
    ("windows", "not scaled", _window_pixels, "windows is not right yet"),
    ("windows", "corners", _window_corners, "you return first and last cell"),
    ("pool_window", "floor both", _pool_floor, "you round both ends of a bin down"),
    ("pool_window", "from 0", _pool_zero, "starts at 0"),
    ("pool_window", "mean", _pool_mean, "you average"),
    ("pool_window", "minus infinity left", _pool_infinite, "it gives -inf where 0 is right"),
    ("pool_window", "x first", _pool_swapped, "rows and columns the wrong way round"),
    ("pool_window", "transposed", _pool_transposed, "pool_window is not right yet"),
    ("pool_window", "clipped first", _pool_clipped, "divide first, then cut"),
    ("pool_window", "whole map", _pool_everything, "you pool the whole map"),
    ("pool_window", "h // n", _pool_step, "belongs to no bin"),
    ("pool_gradient", "written over", _gradient_written, "you write over what is there"),
    ("pool_gradient", "last of ties", _gradient_last, "you take the last"),
    ("pool_gradient", "amax", _gradient_amax, "you share the gradient among equal values"),
    ("pool_gradient", "all of the ties", _gradient_all_ties, "pool_gradient is not right yet"),
    ("pool_gradient", "average", _gradient_average, "that is average pooling"),
    ("pool_gradient", "ones", _gradient_ones, "you count bins"),
    ("pool_gradient", "place in the bin", _gradient_local, "your place counts within the bin"),
    ("pool_gradient", "added through indices", _gradient_indexed, "pool_gradient is not right yet"),
    ("pool_gradient", "empty bins", _gradient_no_empty, "stops with"),
]


def _spin(channel, bins, grad):
    while len(channel):
        pass


ENDLESS = [("pool_gradient", "never ends", _spin, "does not come to an end")]

RIGHT = [
    ("pyramid_bins", "loops", _bins_loops),
    ("pyramid_bins", "numpy", _bins_numpy),
    ("windows", "loops", _window_loops),
    ("windows", "numpy", _window_numpy),
    ("pool_window", "loops", _pool_loops),
    ("pool_window", "torch", _pool_torch),
    ("pool_gradient", "loops", _gradient_loops),
    ("pool_gradient", "autograd", _gradient_autograd),
]
