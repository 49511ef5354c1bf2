"""Known wrong versions of notebook 17's functions. The docstring of each is what a learner who makes it is told."""

import math

import numpy as np

# ---- run_lengths ----


def _runs(pixels) -> list[int]:
    """Lengths of equal stretches, the first of pixels outside."""
    lengths, inside = [0], 0
    for pixel in pixels.tolist():
        if pixel != inside:
            lengths.append(0)
            inside = pixel
        lengths[-1] += 1
    return lengths


def runs_by_rows(mask):
    """you go row by row; COCO counts column by column, from top to bottom."""
    return _runs(mask.flatten())


def runs_begin_inside(mask):
    """the first number counts pixels outside, also where there are none: a mask that begins inside begins with 0."""
    lengths = _runs(mask.T.flatten())
    return lengths[1:] if lengths[0] == 0 else lengths


def runs_without_last(mask):
    """the last run is missing: all numbers together are H x W pixels."""
    return _runs(mask.T.flatten())[:-1]


def runs_as_ends(mask):
    """you say where each run ends; say how long it is, the difference to the end before."""
    return np.cumsum(_runs(mask.T.flatten())).tolist()


def runs_inside_only(mask):
    """you count the runs inside only; outside and inside take turns."""
    return _runs(mask.T.flatten())[1::2]


def runs_always_zero(mask):
    """you put a 0 in front of a mask that begins outside; its first number is the length of that run."""
    return [0, *[length for length in _runs(mask.T.flatten()) if length]]


# ---- anchor_sizes ----


def _span(objects, step, rounding=math.ceil) -> tuple:
    """The smallest, the largest, and how many steps."""
    low, high = float(objects.min()), float(objects.max())
    return low, high, rounding(math.log(high / low) / math.log(step))


def _up(steps: float) -> int:
    return math.ceil(steps - 1e-6)


def sizes_arithmetic(objects, step):
    """you add the same number each time; multiply by the same factor, as overlap depends on the ratio of two sizes."""
    low, high, steps = _span(objects, step, _up)
    return np.linspace(low, high, steps + 1).tolist()


def sizes_overshoot(objects, step):
    """you take steps of exactly that factor and miss the upper end; make all steps a little smaller to end there."""
    low, _, steps = _span(objects, step, _up)
    return [low * step**i for i in range(steps + 1)]


def sizes_too_few(objects, step):
    """a step is larger than allowed: the number of steps is rounded up."""
    low, high, steps = _span(objects, step, lambda steps: math.floor(steps + 1e-6))
    return np.geomspace(low, high, max(1, steps) + 1).tolist() if high > low else [low]


def sizes_off_by_one(objects, step):
    """n steps lead over n + 1 sizes, with both ends."""
    low, high, steps = _span(objects, step, _up)
    return [low * (high / low) ** (i / max(steps - 1, 1)) for i in range(steps)] or [low]


def sizes_ignore_step(objects, step):
    """you always take steps of up to 2; the factor is an argument."""
    low, high, steps = _span(objects, 2.0, _up)
    return np.geomspace(low, high, steps + 1).tolist()


def sizes_without_high(objects, step):
    """the upper end is missing."""
    low, high, steps = _span(objects, step, _up)
    return [low * (high / low) ** (i / max(steps, 1)) for i in range(max(steps, 1))]


def sizes_of_first_and_last(objects, step):
    """you go from the first object to the last; it is from the smallest to the largest."""
    low, high = float(objects[0]), float(objects[-1])
    steps = max(0, _up(math.log(high / low) / math.log(step)))
    return np.geomspace(low, high, steps + 1).tolist()


# ---- balanced_quantile ----


def _weighted(values, weights, q, order=None) -> float:
    """The first value at which the weights add up to q of all."""
    order = np.argsort(values) if order is None else order
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(np.searchsorted(reached, q), len(values) - 1)])


def _parts(values, labels):
    """As arrays, with the weights that make classes count alike."""
    values, labels = values.double().numpy(), labels.numpy()
    return values, labels, 1 / np.array([(labels == label).sum() for label in labels])


def quantile_unbalanced(values, labels, q):
    """every object weighs the same; each class shall, so an object weighs 1 over the number of its class."""
    values, labels, _ = _parts(values, labels)
    return _weighted(values, np.ones(len(values)), q)


def quantile_of_counts(values, labels, q):
    """you weigh an object by the number of its class; it is 1 over that number."""
    values, labels, weights = _parts(values, labels)
    return _weighted(values, 1 / weights, q)


def quantile_unsorted(values, labels, q):
    """you add the weights up in the order given; sort by value first."""
    values, labels, weights = _parts(values, labels)
    return _weighted(values, weights, q, np.arange(len(values)))


def quantile_weights_unsorted(values, labels, q):
    """you sort the values and leave the weights where they were; both in the same order."""
    values, labels, weights = _parts(values, labels)
    return _weighted(np.sort(values), weights, q, np.arange(len(values)))


def quantile_one_low(values, labels, q):
    """you stop one value early: at the answer the weights have reached q."""
    values, labels, weights = _parts(values, labels)
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][max(np.searchsorted(reached, q) - 1, 0)])


def quantile_mean_of_classes(values, labels, q):
    """you average the quantiles of the classes; put all objects into one list, with weights."""
    values, labels, _ = _parts(values, labels)
    each = [_weighted(values[labels == k], np.ones((labels == k).sum()), q) for k in np.unique(labels)]
    return float(np.mean(each))


def quantile_interpolated(values, labels, q):
    """you go between two objects; the answer is the value of one of them."""
    values, labels, weights = _parts(values, labels)
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(np.interp(q, reached, values[order]))
