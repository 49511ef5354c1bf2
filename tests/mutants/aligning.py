"""Answers to notebook 13's exercises, as learners write them: wrong ones and what they must be told, right ones."""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---- slips ----


def _slips(nearest=lambda v: math.floor(v + 0.5), more=1, sign=1, least=1, unit=lambda s: s):
    """Plain loops over boxes, with what learners change in them."""

    def answer(boxes, stride):
        rows = []
        for box in boxes.tolist():
            first, last = [[nearest(v / stride) for v in corner] for corner in (box[:2], box[2:])]
            ends = [a + max(b - a + more, least) for a, b in zip(first, last, strict=True)]
            rows.append([sign * (e * unit(stride) - v * unit(1)) for e, v in zip(first + ends, box, strict=True)])
        return torch.tensor(rows).float().reshape(-1, 4)

    return answer


def _slips_torch(boxes, stride):
    cells = (boxes / stride + 0.5).floor()
    window = torch.cat((cells[:, :2], cells[:, 2:] + 1), dim=1)
    return window * stride - boxes


def _slips_numpy(boxes, stride):
    cells = np.floor(boxes.numpy() / stride + 0.5)
    return (cells + [0, 0, 1, 1]) * stride - boxes.numpy()


def _slips_in_place(boxes, stride):
    before = boxes.clone()
    boxes /= stride
    return ((boxes + 0.5).floor() + torch.tensor([0, 0, 1, 1])) * stride - before


def _slips_in_cells(boxes, stride):
    return _slips_torch(boxes, stride) / stride


# ---- read_at ----


def _read(neighbours=2, outside=lambda x, n: x < -1 or x > n, flip=False, clamp=True, weight=lambda d: 1 - d, shift=0):
    """Plain loops over points and neighbours, with what learners change in them."""

    def answer(channel, points):
        height, width = channel.shape
        values = []
        for x, y in points.tolist():
            x, y = (y - shift, x - shift) if flip else (x - shift, y - shift)
            if outside(x, width) or outside(y, height):
                values.append(0.0)
                continue
            if clamp:
                x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
            left, top, total = math.floor(x), math.floor(y), 0.0
            for i in range(top, top + neighbours):
                for j in range(left, left + neighbours):
                    share = weight(abs(x - j)) * weight(abs(y - i)) if neighbours == 2 else 1
                    if share and 0 <= i < height and 0 <= j < width:
                        total += share * channel[i, j].item()
            values.append(total)
        return torch.tensor(values)

    return answer


def _read_numpy(channel, points):
    """The tent as weights of all cells: one product for each point."""
    height, width = channel.shape
    x, y = points.double().numpy().T
    inside = (x >= -1) & (x <= width) & (y >= -1) & (y <= height)
    tent = lambda v, n: np.maximum(0, 1 - np.abs(v.clip(0, n - 1)[:, None] - np.arange(n)))  # noqa: E731
    return np.einsum("nh,hw,nw->n", tent(y, height), channel.numpy(), tent(x, width)) * inside


def _read_index_error(channel, points):
    values = []
    for x, y in points.tolist():
        j, i = int(x), int(y)
        a, b = x - j, y - i
        upper = (1 - a) * channel[i, j] + a * channel[i, j + 1]
        lower = (1 - a) * channel[i + 1, j] + a * channel[i + 1, j + 1]
        values.append((1 - b) * upper + b * lower)
    return torch.stack(values)


def _read_grid_sample(channel, points):
    """torch's own, whose border is another rule."""
    limits = torch.tensor([channel.shape[1], channel.shape[0]])
    grid = ((points * 2 + 1) / limits - 1)[None, None]
    return F.grid_sample(channel[None, None], grid, padding_mode="zeros", align_corners=False).flatten()


def _read_column(channel, points):
    return _read()(channel, points)[:, None]


# ---- sample_points ----


def _points(place=lambda s, n: (s + 0.5) / n, begin=lambda a: a, value=lambda v: v):
    """Plain loops over RoIs, bins and points, with what learners change in them."""

    def answer(start, end, bins, samples):
        rows = []
        for a, b in zip(start.tolist(), end.tolist(), strict=True):
            size = (b - a) / bins
            edges = [begin(a) + k * size for k in range(bins)]
            rows.append([[value(edge + place(s, samples) * size) for s in range(samples)] for edge in edges])
        return torch.tensor(rows).reshape(-1, bins, samples)

    return answer


def _points_numpy(start, end, bins, samples):
    parts = (np.arange(bins * samples) + 0.5).reshape(bins, samples) / (bins * samples)
    start, end = start.numpy()[:, None, None], end.numpy()[:, None, None]
    return start + parts * (end - start)


def _points_linspace(start, end, bins, samples):
    """One row of points from end to end of the RoI."""
    rows = [torch.linspace(a, b, bins * samples) for a, b in zip(start.tolist(), end.tolist(), strict=True)]
    return torch.stack(rows).reshape(-1, bins, samples) if rows else torch.zeros(0, bins, samples)


def _points_flat(start, end, bins, samples):
    return torch.from_numpy(_points_numpy(start, end, bins, samples)).flatten(1)


def _points_bins_last(start, end, bins, samples):
    return torch.from_numpy(_points_numpy(start, end, bins, samples)).mT


# ---- axis_matrix ----


def _matrix(half=0.5, add=True, share=None, outside=lambda x, n: x < -1 or x > n, clamp=True, value=lambda d: 1 - d):
    """Plain loops over bins, points and two neighbours, with what learners change in them."""

    def answer(side, bins, samples, cells):
        start, end = side.tolist()
        matrix = [[0.0] * cells for _ in range(bins)]
        size = (end - start) / bins
        for b in range(bins):
            for s in range(samples):
                x = start + (b + (s + 0.5) / samples) * size - half
                if outside(x, cells):
                    continue
                x = min(max(x, 0), cells - 1) if clamp else x
                for cell in (math.floor(x), math.floor(x) + 1):
                    if 0 <= cell < cells and abs(x - cell) < 1:
                        part = value(abs(x - cell)) / (share or samples)
                        matrix[b][cell] = matrix[b][cell] + part if add else part
        return torch.tensor(matrix)

    return answer


def _matrix_torch(side, bins, samples, cells):
    start, end = side.tolist()
    places = start + (torch.arange(bins * samples, dtype=torch.float64) + 0.5) * (end - start) / (bins * samples) - 0.5
    inside = (places >= -1) & (places <= cells)
    tents = (1 - (places.clamp(0, cells - 1)[:, None] - torch.arange(cells)).abs()).clamp(min=0) * inside[:, None]
    return tents.view(bins, samples, cells).mean(dim=1).float()


def _matrix_sideways(side, bins, samples, cells):
    return _matrix_torch(side, bins, samples, cells).T


def _matrix_nearest(side, bins, samples, cells):
    start, end = side.tolist()
    places = start + (torch.arange(bins * samples) + 0.5) * (end - start) / (bins * samples) - 0.5
    near = places.round().clamp(0, cells - 1).long()
    return F.one_hot(near, cells).view(bins, samples, cells).float().mean(dim=1)


def _matrix_normalised(side, bins, samples, cells):
    matrix = _matrix_torch(side, bins, samples, cells)
    return matrix / matrix.sum(dim=1, keepdim=True).clamp(min=1e-6)


def _matrix_negative_index(side, bins, samples, cells):
    """No clamp: a place of -0.5 writes to cell -1, which is the last one."""
    start, end = side.tolist()
    matrix = torch.zeros(bins, cells)
    for b in range(bins):
        for s in range(samples):
            x = start + (b + (s + 0.5) / samples) * (end - start) / bins - 0.5
            low = math.floor(x)
            matrix[b, low] += (1 - (x - low)) / samples
            matrix[b, low + 1] += (x - low) / samples
    return matrix


# ---- align ----


def _align(half=0.5, least=1.0, n=2, scale=lambda v, s: v / s, order=(0, 1), keep=np.mean, rounded=False, clip=False):
    """The notebook's way with what learners change in it: two matrices, from the points of both axes."""

    def answer(channel, box, stride, bins, aligned):
        matrices = []
        for axis, cells in ((order[0], channel.shape[1]), (order[1], channel.shape[0])):
            low, high = (scale(box[k].item(), stride) for k in (axis, axis + 2))
            low, high = (math.floor(low + 0.5), math.floor(high + 0.5)) if rounded else (low, high)
            low, high = (min(max(v, 0), cells) for v in (low, high)) if clip else (low, high)
            if not aligned:
                low, high = low + half, max(high, low + least) + half
            places = low + (np.arange(n * bins) + 0.5) * (high - low) / (n * bins) - half
            inside = (places >= -1) & (places <= cells)
            tents = np.maximum(0, 1 - np.abs(places.clip(0, cells - 1)[:, None] - np.arange(cells)))
            matrices.append(tents * inside[:, None])
        a_x, a_y = matrices
        points = a_y @ channel.double().numpy() @ a_x.T
        return torch.from_numpy(keep(points.reshape(bins, n, bins, n), axis=(1, 3)))

    return answer


def _align_never(channel, box, stride, bins, aligned):
    return _align()(channel, box, stride, bins, False)


def _align_always(channel, box, stride, bins, aligned):
    return _align()(channel, box, stride, bins, True)


def _align_unstretched(channel, box, stride, bins, aligned):
    return _align(least=0.0)(channel, box, stride, bins, aligned)


def _align_stretched(channel, box, stride, bins, aligned):
    box = torch.cat((box[:2], torch.maximum(box[2:], box[:2] + stride))) if aligned else box
    return _align()(channel, box, stride, bins, aligned)


def _align_transposed(channel, box, stride, bins, aligned):
    return _align()(channel, box, stride, bins, aligned).T


def _align_loops(channel, box, stride, bins, aligned):
    """Point by point, with the loops of `read_at`."""
    low, high = (box[:2] / stride).double(), (box[2:] / stride).double()
    if not aligned:
        low, high = low + 0.5, torch.maximum(high, low + 1) + 0.5
    pooled = torch.zeros(bins, bins)
    for p in range(2 * bins):
        for q in range(2 * bins):
            part = torch.tensor([q + 0.5, p + 0.5], dtype=torch.float64) / (2 * bins)
            point = low + part * (high - low) - 0.5
            pooled[p // 2, q // 2] += _read()(channel, point[None])[0] / 4
    return pooled


MUTANTS = [
    ("slips", "in cells", _slips_in_cells, "stride times as large"),
    ("slips", "last cell's number", _slips(more=0), "up to its far edge"),
    ("slips", "box minus window", _slips(sign=-1), "window minus box"),
    ("slips", "floor", _slips(nearest=math.floor), "you round down"),
    ("slips", "Python's round", _slips(nearest=round), "halves to the even"),
    ("slips", "absolute", lambda b, s: _slips_torch(b, s).abs(), "its sign too"),
    (
        "slips",
        "outwards",
        lambda b, s: torch.cat(((b[:, :2] / s).floor(), (b[:, 2:] / s).ceil()), 1) * s - b,
        "outwards",
    ),
    ("slips", "in place", _slips_in_place, "changes its argument"),
    ("slips", "exact", lambda b, s: b * 0, ""),
    ("read_at", "nearest", _read(weight=lambda d: float(d <= 0.5)), ""),
    ("read_at", "upper left", _read(neighbours=1), "above and left"),
    ("read_at", "row first", _read(flip=True), "x, the column"),
    ("read_at", "shares swapped", _read(weight=lambda d: d), ""),
    ("read_at", "half a cell off", _read(shift=0.5), "nothing is to be taken off"),
    ("read_at", "border everywhere", _read(outside=lambda x, n: False), "Further than one cell"),
    ("read_at", "zero outside", _read(outside=lambda x, n: x < 0 or x > n - 1), "a point reads the border"),
    ("read_at", "cells outside are zero", _read(clamp=False), "fade"),
    ("read_at", "index out of range", _read_index_error, ""),
    ("read_at", "grid_sample", _read_grid_sample, "fade"),
    ("read_at", "a column", _read_column, "the shape is"),
    ("sample_points", "from the edge", _points(lambda s, n: s / n), "middles of its parts"),
    ("sample_points", "edge to edge", _points(lambda s, n: s / (n - 1) if n > 1 else 0.5), "edge to edge"),
    ("sample_points", "from zero", _points(begin=lambda a: 0.0), "add where the RoI starts"),
    ("sample_points", "bin's middle", _points(lambda s, n: 0.5), "spread over it"),
    ("sample_points", "thirds", _points(lambda s, n: (s + 1) / (n + 1)), "1/4 and 3/4"),
    ("sample_points", "floor", _points(value=lambda v: float(math.floor(v))), "Nothing is rounded"),
    ("sample_points", "linspace", _points_linspace, ""),
    ("sample_points", "flat", _points_flat, "the shape is"),
    ("sample_points", "bins last", _points_bins_last, "bins come before"),
    ("axis_matrix", "no half", _matrix(half=0.0), "you leave out the half"),
    ("axis_matrix", "half added", _matrix(half=-0.5), "take it off"),
    ("axis_matrix", "sum", _matrix(share=1), "divide by their number"),
    ("axis_matrix", "nearest", _matrix_nearest, ""),
    ("axis_matrix", "shares swapped", _matrix(value=lambda d: d), ""),
    ("axis_matrix", "overwrites", _matrix(add=False), "add them up"),
    ("axis_matrix", "zero outside", _matrix(outside=lambda x, n: x < 0 or x > n - 1), ""),
    ("axis_matrix", "cells outside are zero", _matrix(clamp=False), "Clamp the place first"),
    ("axis_matrix", "border everywhere", _matrix(outside=lambda x, n: False), "they count nothing"),
    ("axis_matrix", "rows of sum one", _matrix_normalised, "Divide by S"),
    ("axis_matrix", "on its side", _matrix_sideways, ""),
    ("axis_matrix", "writes to cell -1", _matrix_negative_index, ""),
    ("align", "never aligned", _align_never, "even where `aligned` is true"),
    ("align", "always aligned", _align_always, "you do not look at `aligned`"),
    ("align", "pixels", _align(scale=lambda v, s: v), "forget the stride"),
    ("align", "rounded box", _align(rounded=True), "That is RoIWarp"),
    ("align", "x for y", _align(order=(1, 0)), ""),
    ("align", "transposed", _align_transposed, "x and y are mixed up"),
    ("align", "one point", _align(n=1), "read 2 x 2"),
    ("align", "largest", _align(keep=np.max), "take their mean"),
    ("align", "sum", _align(keep=np.sum), ""),
    ("align", "stretched always", _align_stretched, "only the form that is not aligned"),
    ("align", "never stretched", _align_unstretched, "is stretched to one"),
    ("align", "clipped box", _align(clip=True), "Leave it"),
]

ENDLESS = []

RIGHT = [
    ("slips", "plain loops", _slips()),
    ("slips", "torch", _slips_torch),
    ("slips", "numpy", _slips_numpy),
    ("read_at", "plain loops", _read()),
    ("read_at", "numpy, all cells", _read_numpy),
    ("sample_points", "plain loops", _points()),
    ("sample_points", "numpy", _points_numpy),
    ("axis_matrix", "plain loops", _matrix()),
    ("axis_matrix", "torch, tents", _matrix_torch),
    ("align", "two matrices", _align()),
    ("align", "point by point", _align_loops),
]
