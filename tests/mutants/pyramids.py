"""Wrong and right answers to notebook 15's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---- level_of ----


def _size(x1, y1, x2, y2):
    return math.sqrt((x2 - x1) * (y2 - y1))


def _level(log=math.log2, size=_size, whole=math.floor, sign=1, clamp=True, first=0, empty=True):
    """Plain loops, with what learners change in them."""

    def answer(boxes, k0, canonical, lowest, highest):
        out = []
        for box in boxes.tolist():
            value = size(*box)
            if value == 0 and empty:
                out.append(lowest - first * lowest)
                continue
            k = whole(k0 + sign * log(value / canonical))
            k = max(lowest, min(highest, k)) if clamp else k
            out.append(k - first * lowest)
        return torch.tensor(out, dtype=torch.int64)

    return answer


def _level_numpy(boxes, k0, canonical, lowest, highest):
    sides = boxes.numpy()[:, 2:] - boxes.numpy()[:, :2]
    with np.errstate(divide="ignore"):
        level = np.floor(k0 + np.log2(np.sqrt(sides.prod(axis=1)) / canonical))
    return level.clip(lowest, highest).astype(int)


def _level_by_halving(boxes, k0, canonical, lowest, highest):
    """Without a logarithm: from the finest level up as long as the box is too large for it."""
    root = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    level = torch.full((len(boxes),), lowest)
    for k in range(lowest + 1, highest + 1):
        level[root >= canonical * 2.0 ** (k - k0)] = k
    return level


def _level_low_only(boxes, k0, canonical, lowest, highest):
    return torch.tensor([max(lowest, k) for k in _level(clamp=False)(boxes, k0, canonical, lowest, highest).tolist()])


def _level_floats(boxes, k0, canonical, lowest, highest):
    return _level()(boxes, k0, canonical, lowest, highest).float()


# ---- enlarge_to ----


def _enlarge_loops(coarse, size, from_row=lambda y, h: min(y // 2, h - 1), swap=False):
    height, width = size[::-1] if swap else size
    out = torch.zeros(len(coarse), height, width)
    for y in range(height):
        for x in range(width):
            out[:, y, x] = coarse[:, from_row(y, coarse.shape[1]), from_row(x, coarse.shape[2])]
    return out


def _enlarge_padded(coarse, size):
    doubled = F.pad(F.interpolate(coarse[None], scale_factor=2)[0], (0, 1, 0, 1), mode="replicate")
    return doubled[:, : size[0], : size[1]]


def _enlarge_numpy(coarse, size):
    doubled = np.kron(coarse.numpy(), np.ones((1, 2, 2), np.float32))
    missing = [max(0, want - have) for want, have in zip(size, doubled.shape[1:], strict=True)]
    return np.pad(doubled, ((0, 0), (0, missing[0]), (0, missing[1])), mode="edge")[:, : size[0], : size[1]]


def _enlarge_zeros(coarse, size):
    out = torch.zeros(len(coarse), size[0] + 2, size[1] + 2)
    height, width = 2 * coarse.shape[1], 2 * coarse.shape[2]
    for dy in (0, 1):
        for dx in (0, 1):
            out[:, dy:height:2, dx:width:2] = coarse
    return out[:, : size[0], : size[1]]


def _enlarge_with_gaps(coarse, size):
    out = torch.zeros(len(coarse), size[0] + 2, size[1] + 2)
    out[:, 0 : 2 * coarse.shape[1] : 2, 0 : 2 * coarse.shape[2] : 2] = coarse
    return out[:, : size[0], : size[1]]


def _enlarge_tiled(coarse, size):
    return _enlarge_loops(coarse, size, from_row=lambda y, h: y % h)


def _enlarge_rows(coarse, size):
    rows = coarse.repeat_interleave(2, dim=1)[:, : size[0]]
    return rows


# ---- merge ----


def _merged(lateral=True, above=True, bias=1.0, join=lambda a, b: a + b, double=None, weigh=lambda w: w):
    """One cell after another, with what learners change in it."""

    def answer(fine, coarse, weight, shift):
        channels, height, width = fine.shape
        out = torch.zeros(len(weight), height, width)
        for d in range(len(weight)):
            for y in range(height):
                for x in range(width):
                    mixed = sum(float(weigh(weight)[d, c] * fine[c, y, x]) for c in range(channels)) if lateral else 0
                    row, column = double(y, x, coarse) if double else (y // 2, x // 2)
                    top = float(coarse[d, row, column]) if above else 0.0
                    out[d, y, x] = join(mixed + bias * float(shift[d]), top)
        return out

    return answer


def _merge_torch(fine, coarse, weight, shift):
    return F.conv2d(fine[None], weight[:, :, None, None], shift)[0] + F.interpolate(coarse[None], scale_factor=2)[0]


def _merge_numpy(fine, coarse, weight, shift):
    lateral = np.tensordot(weight.numpy(), fine.numpy(), axes=(1, 0)) + shift.numpy()[:, None, None]
    return lateral + np.kron(coarse.numpy(), np.ones((1, 2, 2), np.float32))


def _merge_smooth(fine, coarse, weight, shift):
    up = F.interpolate(coarse[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    return F.conv2d(fine[None], weight[:, :, None, None], shift)[0] + up


def _merge_stacked(fine, coarse, weight, shift):
    lateral = F.conv2d(fine[None], weight[:, :, None, None], shift)[0]
    return torch.cat((lateral, F.interpolate(coarse[None], scale_factor=2)[0]))


def _merge_in_place(fine, coarse, weight, shift):
    fine *= 1.5
    return _merge_torch(fine / 1.5, coarse, weight, shift)


# ---- count_anchors ----


def _counted(up=lambda side, stride: -(-side // stride), width=1, ratios=True, sizes=False, join=list):
    """A comprehension, with what learners change in it."""

    def answer(strides, picture_size, each):
        rows = [
            up(picture_size[0], s) * up(picture_size[width], s) * (each if ratios else 1)
            for s in strides.tolist()
        ]  # fmt: skip
        return torch.tensor(join(count * (len(rows) if sizes else 1) for count in rows))

    return answer


def _count_torch(strides, picture_size, each):
    height, width = (torch.ceil(side / strides) for side in picture_size)
    return (each * height * width).long()


def _count_one_more(strides, picture_size, each):
    return _counted(up=lambda side, stride: side // stride + 1)(strides, picture_size, each)


def _count_finest(strides, picture_size, each):
    return _counted()(strides[:1].expand(len(strides)), picture_size, each)


def _count_quarter(strides, picture_size, each):
    """A quarter of the level before: wrong where sides are not divisible."""
    first = int(_counted()(strides[:1], picture_size, each))
    return torch.tensor([first // 4**i for i in range(len(strides))])


# ---- read_levels ----


def _reader(middle=lambda a, b: (a + b) / 2, stride=lambda k, low: 2**k, whole=int, swap=False, pick=None, clamp=True):
    """Plain loops, with what learners change in them."""

    def answer(boxes, levels, maps, lowest):
        rows = []
        for box, k in zip(boxes.tolist(), levels.tolist(), strict=True):
            cells = maps[pick(k, lowest, len(maps)) if pick else k - lowest]
            y, x = whole(middle(box[1], box[3]) / stride(k, lowest)), whole(middle(box[0], box[2]) / stride(k, lowest))
            y, x = (x, y) if swap else (y, x)
            if clamp:
                y, x = min(y, cells.shape[1] - 1), min(x, cells.shape[2] - 1)
            rows.append(cells[:, y, x])
        return torch.stack(rows) if rows else torch.zeros(0, len(maps[0]))

    return answer


def _read_level_by_level(boxes, levels, maps, lowest):
    out = torch.zeros(len(boxes), len(maps[0]))
    for i, cells in enumerate(maps):
        mine = levels == lowest + i
        x, y = (((boxes[mine, :2] + boxes[mine, 2:]) / 2) // 2 ** (lowest + i)).long().T
        out[mine] = cells[:, y.clamp(max=cells.shape[1] - 1), x.clamp(max=cells.shape[2] - 1)].T
    return out


def _read_concatenated(boxes, levels, maps, lowest):
    parts = [
        _reader()(boxes[levels == lowest + i], levels[levels == lowest + i], maps, lowest) for i in range(len(maps))
    ]
    return torch.cat(parts)


MUTANTS = [
    ("level_of", "ln", _level(log=math.log), "to base 2"),
    ("level_of", "log10", _level(log=math.log10), ""),
    ("level_of", "area", _level(size=lambda a, b, c, d: (c - a) * (d - b)), "take the root"),
    ("level_of", "rounded", _level(whole=round), "rounds down"),
    ("level_of", "rounded up", _level(whole=math.ceil), "round up"),
    ("level_of", "no clamp", _level(clamp=False), "do not exist"),
    ("level_of", "clamped below only", _level_low_only, ""),
    ("level_of", "upside down", _level(sign=-1), "large boxes to the fine levels"),
    ("level_of", "counted from 0", _level(first=1), "count levels from 0"),
    ("level_of", "longer side", _level(size=lambda a, b, c, d: max(c - a, d - b)), "longer side"),
    ("level_of", "width", _level(size=lambda a, b, c, d: c - a), ""),
    ("level_of", "truncated", _level(whole=int, clamp=False), ""),
    ("level_of", "x2 and y2", _level(size=lambda a, b, c, d: math.sqrt(c * d)), "subtract x1 and y1"),
    ("level_of", "crashes without area", _level(empty=False), "stops with"),
    ("level_of", "floats", _level_floats, "must be integers"),
    ("enlarge_to", "stretched", lambda coarse, size: F.interpolate(coarse[None], size=size)[0], "stretch the map"),
    ("enlarge_to", "bilinear", lambda c, size: F.interpolate(c[None], size=size, mode="bilinear")[0], ""),
    ("enlarge_to", "tiled", _enlarge_tiled, "lay whole copies"),
    ("enlarge_to", "not cut", lambda c, size: F.interpolate(c[None], scale_factor=2)[0], "you only double"),
    ("enlarge_to", "zeros", _enlarge_zeros, "with zeros"),
    ("enlarge_to", "gaps", _enlarge_with_gaps, ""),
    ("enlarge_to", "rows only", _enlarge_rows, ""),
    ("enlarge_to", "size swapped", lambda c, size: _enlarge_loops(c, size, swap=True), "it is (H, W)"),
    ("enlarge_to", "half a cell off", lambda c, s: _enlarge_loops(c, s, lambda y, h: min((y + 1) // 2, h - 1)), ""),
    ("merge", "fine only", _merged(above=False), "leave out what comes from above"),
    ("merge", "above only", _merged(lateral=False, bias=0.0), "the lateral connection"),
    ("merge", "no bias", _merged(bias=0.0), "forget the bias"),
    ("merge", "bias twice", _merged(bias=2.0), "it had its own"),
    ("merge", "mean", _merged(join=lambda a, b: (a + b) / 2), "mean of the two"),
    ("merge", "product", _merged(join=lambda a, b: a * b), "multiply"),
    ("merge", "larger", _merged(join=max), "larger of the two"),
    ("merge", "tiled", _merged(double=lambda y, x, c: (y % c.shape[1], x % c.shape[2])), "whole copies"),
    ("merge", "bilinear", _merge_smooth, ""),
    ("merge", "stacked", _merge_stacked, "shape"),
    ("merge", "weights negated", _merged(weigh=lambda w: -w), ""),
    ("merge", "writes into the map", _merge_in_place, "change"),
    ("count_anchors", "rounded down", _counted(up=lambda side, stride: side // stride), "round up"),
    ("count_anchors", "square", _counted(width=0), "to be square"),
    ("count_anchors", "cells", _counted(ratios=False), "you count cells"),
    ("count_anchors", "all sizes", _counted(sizes=True), "anchors of all sizes"),
    ("count_anchors", "sum", _counted(join=sum), "add the levels up"),
    ("count_anchors", "one more", _count_one_more, ""),
    ("count_anchors", "finest for all", _count_finest, ""),
    ("count_anchors", "a quarter each", _count_quarter, ""),
    ("read_levels", "by level", _read_concatenated, "in their own order"),
    ("read_levels", "next stride", _reader(stride=lambda k, low: 2 ** (k + 1)), "twice as large"),
    ("read_levels", "finest stride", _reader(stride=lambda k, low: 2**low), "each level has its own"),
    ("read_levels", "stride 2 k", _reader(stride=lambda k, low: 2 * k), ""),
    ("read_levels", "x first", _reader(swap=True), "comes first"),
    ("read_levels", "corner", _reader(middle=lambda a, b: a), "the centre is asked for"),
    ("read_levels", "far corner", _reader(middle=lambda a, b: b), ""),
    ("read_levels", "rounded", _reader(whole=round), "round down"),
    ("read_levels", "upside down", _reader(pick=lambda k, low, n: n - 1 - (k - low)), "the coarsest map"),
    ("read_levels", "finest map", _reader(pick=lambda k, low, n: 0), ""),
    ("read_levels", "beyond the border", _reader(clamp=False), "one cell beyond"),
    ("read_levels", "level as index", _reader(pick=lambda k, low, n: k), "stops with"),
]

ENDLESS = []

RIGHT = [
    ("level_of", "plain loops", _level()),
    ("level_of", "numpy", _level_numpy),
    ("level_of", "no logarithm", _level_by_halving),
    ("enlarge_to", "plain loops", _enlarge_loops),
    ("enlarge_to", "pad and cut", _enlarge_padded),
    ("enlarge_to", "numpy", _enlarge_numpy),
    ("merge", "plain loops", _merged()),
    ("merge", "torch", _merge_torch),
    ("merge", "numpy", _merge_numpy),
    ("count_anchors", "comprehension", _counted()),
    ("count_anchors", "torch", _count_torch),
    ("read_levels", "plain loops", _reader()),
    ("read_levels", "level by level", _read_level_by_level),
]
