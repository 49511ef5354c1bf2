"""Wrong and right answers to notebook 17's exercises, as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import itertools
import math

import numpy as np
import torch

# ---- run_lengths ----


def _runs(by_columns=True, leading=True, last=True, always=False):
    """Stretches by `groupby`, with what learners change in them."""

    def answer(mask):
        pixels = (mask.T if by_columns else mask).flatten().tolist()
        runs = [(value, len(list(group))) for value, group in itertools.groupby(pixels)]
        counts = [length for _, length in runs]
        if always or (leading and runs[0][0] == 1):
            counts = [0, *counts]
        return counts if last else counts[:-1]

    return answer


def _runs_numpy(mask):
    pixels = np.concatenate(([0], mask.numpy().T.flatten()))
    edges = np.flatnonzero(np.diff(pixels))
    return np.diff(np.concatenate(([0], edges, [mask.numel()]))).tolist()


def _runs_loop(mask):
    counts, before = [0], 0
    for column in mask.T.tolist():
        for pixel in column:
            if pixel != before:
                counts.append(0)
            counts[-1] += 1
            before = pixel
    return counts


def _runs_ends(mask):
    return np.cumsum(_runs_loop(mask)).tolist()


def _runs_inside(mask):
    return _runs_loop(mask)[1::2]


# ---- anchor_sizes ----


def _sizes(rounding=math.ceil, one=True, grow=lambda low, high, i, n, step: low * (high / low) ** (i / n), more=1):
    """Powers of one factor, with what learners change in them."""

    def answer(objects, step):
        low, high = min(objects.tolist()), max(objects.tolist())
        if one and high == low:
            return [low]
        steps = max(1, rounding(math.log(high / low, step) - 1e-6))
        return [grow(low, high, i, steps, step) for i in range(steps + more)]

    return answer


def _sizes_doubling(objects, step):
    sizes = [objects.min().item()]
    while sizes[-1] < objects.max().item() * 0.999:
        sizes.append(sizes[-1] * step)
    return sizes


def _sizes_numpy(objects, step):
    low, high = objects.numpy().min(), objects.numpy().max()
    steps = int(np.ceil(np.log(high / low) / np.log(step) - 1e-6))
    return np.geomspace(low, high, steps + 1) if steps else np.array([low])


def _sizes_counting(objects, step):
    low, high, steps = objects.min().item(), objects.max().item(), 0
    while low * step**steps < high * (1 - 1e-6):
        steps += 1
    return [low] + [low * (high / low) ** (i / steps) for i in range(1, steps + 1)]


def _sizes_natural(objects, step):
    return _sizes_numpy(objects, 2.0)


def _sizes_ends(objects, step):
    return _sizes_numpy(objects[[0, -1]], step) if objects[0] <= objects[-1] else objects[:1]


# ---- balanced_quantile ----


def _quantile(weight=lambda count: 1 / count, order=True, low=0):
    """A loop over sorted objects, with what learners change in it."""

    def answer(values, labels, q):
        counts = {label: labels.tolist().count(label) for label in labels.tolist()}
        pairs = [(v, weight(counts[label])) for v, label in zip(values.tolist(), labels.tolist(), strict=True)]
        pairs = sorted(pairs) if order else pairs
        total, reached = sum(w for _, w in pairs), 0.0
        for i, (_, w) in enumerate(pairs):
            reached += w
            if reached >= q * total:
                return pairs[max(0, i - low)][0]
        return pairs[-1][0]

    return answer


def _quantile_torch(values, labels, q):
    weights = 1 / (labels[:, None] == labels).sum(dim=1).double()
    ordered, order = values.sort()
    reached = weights[order].cumsum(0) / weights.sum()
    return float(ordered[int((reached < q).sum())])


def _quantile_weights_left(values, labels, q):
    weights = 1 / (labels[:, None] == labels).sum(dim=1).double()
    reached = weights.cumsum(0) / weights.sum()
    return float(values.sort().values[min(int((reached < q).sum()), len(values) - 1)])


def _quantile_plain(values, labels, q):
    return float(torch.quantile(values, q))


def _quantile_classes(values, labels, q):
    each = [_quantile()(values[labels == k], labels[labels == k], q) for k in labels.unique()]
    return sum(each) / len(each)


MUTANTS = [
    ("run_lengths", "by rows", _runs(by_columns=False), "row by row"),
    ("run_lengths", "no leading 0", _runs(leading=False), "begins with 0"),
    ("run_lengths", "last left out", _runs(last=False), "last run is missing"),
    ("run_lengths", "ends", _runs_ends, "where each run ends"),
    ("run_lengths", "inside only", _runs_inside, "inside only"),
    ("run_lengths", "always 0", _runs(always=True), "you put a 0 in front"),
    ("anchor_sizes", "added", _sizes(grow=lambda low, high, i, n, step: low + (high - low) * i / n), "multiply"),
    ("anchor_sizes", "doubling", _sizes_doubling, "miss the upper end"),
    ("anchor_sizes", "rounded down", _sizes(rounding=lambda n: math.floor(n + 2e-6)), "rounded up"),
    ("anchor_sizes", "high left out", _sizes(more=0), "upper end is missing"),
    ("anchor_sizes", "always 2", _sizes_natural, "the factor is an argument"),
    ("anchor_sizes", "one size twice", _sizes(one=False), "10.0"),
    ("anchor_sizes", "first and last", _sizes_ends, "not right yet"),
    ("balanced_quantile", "all alike", _quantile(weight=lambda count: 1), "every object weighs the same"),
    ("balanced_quantile", "by count", _quantile(weight=lambda count: count), "1 over that number"),
    ("balanced_quantile", "unsorted", _quantile(order=False), "sort by value"),
    ("balanced_quantile", "one low", _quantile(low=1), "one value early"),
    ("balanced_quantile", "weights left", _quantile_weights_left, "same order"),
    ("balanced_quantile", "interpolated", _quantile_plain, "not right yet"),
    ("balanced_quantile", "mean of classes", _quantile_classes, "average the quantiles"),
]
ENDLESS = []
RIGHT = [
    ("run_lengths", "groupby", _runs()),
    ("run_lengths", "numpy", _runs_numpy),
    ("run_lengths", "loop", _runs_loop),
    ("anchor_sizes", "powers", _sizes()),
    ("anchor_sizes", "numpy", _sizes_numpy),
    ("anchor_sizes", "counting", _sizes_counting),
    ("balanced_quantile", "loop", _quantile()),
    ("balanced_quantile", "torch", _quantile_torch),
]
