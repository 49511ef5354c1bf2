"""Checks of notebook 17's exercises: a mask as run lengths, sizes of anchors, quantiles in which classes count alike.

Known mistakes are in `wrong_photographing`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_photographing as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.datasets.coco_masks import unpack_counts
from rcnn_lite.models.defaults import balanced_quantiles, geometric
from rcnn_lite.regions.run_lengths import encode_runs

# ---- exercise 1 ----


def _run_lengths(mask: Tensor) -> list[int]:
    return unpack_counts(encode_runs(mask.numpy())["counts"])


def _random_mask(rng: np.random.Generator, size: int) -> tuple:
    height, width = rng.integers(1, size + 1, 2)
    return (torch.from_numpy((rng.random((height, width)) < rng.random()).astype(np.uint8)),)


def _mask(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.uint8)


check_run_lengths = Exercise(
    name="run_lengths",
    cases=(
        Case((_mask((0,)),), [1], "one pixel outside"),
        Case((_mask((1,)),), [0, 1], "no pixel outside, then one inside"),
        Case((_mask((1, 0), (1, 0)),), [0, 2, 2], "the first column is inside, the second outside"),
        Case((_mask((0, 1, 0), (1, 0, 0)),), [1, 2, 3], "columns 0 1, 1 0, 0 0: one outside, two in, three out"),
        Case((_mask((0, 0), (0, 1)),), [3, 1], "it ends inside"),
        Case((_mask((1, 1, 0), (0, 0, 1)),), [0, 1, 1, 1, 2, 1], "columns 1 0, 1 0, 0 1"),
        Case((_mask((0, 0, 0), (0, 0, 0)),), [6], "nothing inside: one run"),
    ),
    reference=_run_lengths,
    known=known(
        wrong.runs_by_rows,
        wrong.runs_begin_inside,
        wrong.runs_without_last,
        wrong.runs_as_ends,
        wrong.runs_inside_only,
        wrong.runs_always_zero,
    ),
    draw=_random_mask,
)

# ---- exercise 2 ----


def _anchor_sizes(objects: Tensor, step: float) -> list[float]:
    return geometric(float(objects.min()), float(objects.max()), step)


def _random_span(rng: np.random.Generator, size: int) -> tuple:
    """No number of steps is near a whole one."""
    low, step = round(float(rng.uniform(8, 40)), 1), float(rng.choice([1.5, 2.0, 3.0]))
    parts = np.append(rng.uniform(0, 1, size - 1), (0.0, 1.0))  # of the way from the smallest to the largest
    factors = step ** (parts * (int(rng.integers(0, 4)) + 0.413))
    return torch.from_numpy(rng.permutation(low * factors)).float(), step


def _objects(*sizes: float) -> Tensor:
    return torch.tensor(sizes)


check_anchor_sizes = Exercise(
    name="anchor_sizes",
    cases=(
        Case((_objects(10.0, 80.0), 2.0), [10.0, 20.0, 40.0, 80.0], "80 / 10 = 2^3: three steps of 2"),
        Case((_objects(10.0, 10.0), 2.0), [10.0], "all objects have one size"),
        Case((_objects(40.0, 12.0, 10.0), 4.0), [10.0, 40.0], "from the smallest to the largest: one step of 4"),
        Case((_objects(21.0, 45.0, 20.0), 2.0), [20.0, 30.0, 45.0], "2.25 needs more than one step of 2: two of 1.5"),
        Case((_objects(25.0, 16.0), 2.0), [16.0, 25.0], "one step, of 25 / 16, is less than 2"),
        Case((_objects(8.0, 9.0, 216.0), 3.0), [8.0, 24.0, 72.0, 216.0], "27 = 3^3"),
    ),
    reference=_anchor_sizes,
    known=known(
        wrong.sizes_arithmetic,
        wrong.sizes_overshoot,
        wrong.sizes_too_few,
        wrong.sizes_off_by_one,
        wrong.sizes_ignore_step,
        wrong.sizes_without_high,
        wrong.sizes_of_first_and_last,
    ),
    draw=_random_span,
)

# ---- exercise 3 ----


def _balanced_quantile(values: Tensor, labels: Tensor, q: float) -> float:
    return balanced_quantiles(values, labels, (q,))[0]


def _random_objects(rng: np.random.Generator, size: int) -> tuple:
    """Of up to four classes, some rare; q is no sum of weights."""
    count = size + 3
    values = torch.from_numpy(rng.permutation(40)[:count].astype(np.float32))
    labels = torch.from_numpy(rng.choice(4, count, p=(0.6, 0.2, 0.1, 0.1)) + 1)
    return values, labels, round(float(rng.choice([0.0517, 0.2913, 0.4137, 0.7119, 0.9531])), 4)


_RARE = torch.tensor([1.0, 1.0, 1.0, 9.0]), torch.tensor([1, 1, 1, 2])
_THREE = torch.tensor([10.0, 20.0, 30.0, 40.0]), torch.tensor([1, 2, 2, 3])
check_balanced_quantile = Exercise(
    name="balanced_quantile",
    cases=(
        Case((torch.tensor([5.0]), torch.tensor([1]), 0.5), 5.0, "the only object"),
        Case((torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1, 1, 1]), 0.4), 2.0, "1, 2, 3 add up to 1/3, 2/3, 1"),
        Case((*_RARE, 0.4), 1.0, "three of class 1 weigh 1/6 each, one of class 2 weighs 1/2: 1/2 lies at 1"),
        Case((*_RARE, 0.6), 9.0, "only 1/2 lies at 1, so it is the 9"),
        Case((torch.tensor([4.0, 8.0, 1.0]), torch.tensor([1, 1, 2]), 0.6), 4.0, "1, 4, 8 add up to 1/2, 3/4, 1"),
        Case((*_THREE, 0.4), 20.0, "1/3, 1/6, 1/6, 1/3 add up to 0.33, 0.5, 0.67, 1"),
        Case((*_THREE, 0.9), 40.0, "the last third"),
    ),
    reference=_balanced_quantile,
    known=known(
        wrong.quantile_unbalanced,
        wrong.quantile_of_counts,
        wrong.quantile_unsorted,
        wrong.quantile_weights_unsorted,
        wrong.quantile_one_low,
        wrong.quantile_mean_of_classes,
        wrong.quantile_interpolated,
    ),
    draw=_random_objects,
    together=((0, 1),),
)
