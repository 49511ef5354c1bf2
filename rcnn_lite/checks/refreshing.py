"""Checks of the refresher's exercises (notebook 00a). Known mistakes are in `wrong_refreshing`."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rcnn_lite.checks import wrong_refreshing as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import grids


def _whole(*values) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _floats(*rows) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


# ---- exercise 1 ----


def _own_scores(scores: Tensor, labels: Tensor) -> Tensor:
    rows = torch.nonzero(labels >= 0).flatten()
    return scores[rows, labels[rows]]


def _random_scores(rng: np.random.Generator, size: int) -> tuple:
    """Scores, no two alike, and labels of which about a third are -1."""
    classes = int(rng.integers(2, 5))
    scores = rng.permutation(size * classes).reshape(size, classes) / 4
    labels = np.where(rng.random(size) < 0.3, -1, rng.integers(0, classes, size))
    return torch.from_numpy(scores).float(), torch.from_numpy(labels)


_SCORES = _floats((0.5, 2.0, 1.0), (3.0, 0.0, 4.0))
check_own_scores = Exercise(
    name="own_scores",
    cases=(
        Case((_SCORES[:1], _whole(1)), [2.0], "row 0, column 1"),
        Case((_SCORES[:1], _whole(0)), [0.5], "row 0, column 0: labels count from 0"),
        Case((_SCORES, _whole(1, 0)), [2.0, 3.0], "row 0, column 1; row 1, column 0"),
        Case((_SCORES, _whole(-1, 2)), [4.0], "row 0 has no label, so only row 1 is left"),
        Case((_SCORES, _whole(-1, -1)), torch.zeros(0), "no row has a label"),
        Case((torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)), torch.zeros(0), "no rows"),
    ),
    reference=_own_scores,
    known=known(
        wrong.own_all_pairs,
        wrong.own_last_for_none,
        wrong.own_best,
        wrong.own_from_one,
        wrong.own_zero_for_none,
        wrong.own_column_of_first,
    ),
    draw=_random_scores,
    together=((0, 1),),
    picture=grids((0, "scores: rows x classes"), (1, "labels")),
)


# ---- exercise 2 ----


def _output_sizes(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    return (sizes + 2 * padding - kernel) // stride + 1


def _random_layer(rng: np.random.Generator, size: int) -> tuple:
    kernel, stride, padding = int(rng.integers(1, 8)), int(rng.integers(1, 5)), int(rng.integers(0, 4))
    return torch.from_numpy(rng.integers(7, 50, size)), kernel, stride, padding


check_output_sizes = Exercise(
    name="output_sizes",
    cases=(
        Case((_whole(8), 3, 2, 0), _whole(3), "places from 0, 2 and 4; from 6 the window would end at 9"),
        Case((_whole(5), 3, 1, 0), _whole(3), "a window of 3 has 3 places in 5 cells: from 0, 1 and 2"),
        Case((_whole(5), 3, 1, 1), _whole(5), "5 cells and one of padding on each side: 7, so 5 places"),
        Case((_whole(7), 3, 2, 0), _whole(3), "places from 0, 2 and 4"),
        Case((_whole(8), 3, 2, 1), _whole(4), "10 cells with padding: places from 0, 2, 4 and 6"),
        Case((_whole(3), 3, 2, 0), _whole(1), "it fits exactly once"),
        Case((_whole(6, 9), 1, 1, 0), _whole(6, 9), "a 1 x 1 convolution changes no size"),
        Case((_whole(224, 112), 7, 2, 3), _whole(112, 56), "the first layer of a ResNet halves the picture"),
        Case((torch.zeros(0, dtype=torch.int64), 3, 1, 1), torch.zeros(0, dtype=torch.int64), "no sizes"),
    ),
    reference=_output_sizes,
    known=known(
        wrong.sizes_without_one,
        wrong.sizes_padding_once,
        wrong.sizes_rounded_up,
        wrong.sizes_only_stride,
        wrong.sizes_fraction,
        wrong.sizes_kernel_less_one,
        wrong.sizes_one_inside,
    ),
    draw=_random_layer,
    together=((0,),),
)


# ---- exercise 3 ----


def _cross_entropy(logits: Tensor, labels: Tensor) -> float:
    return float(F.cross_entropy(logits, labels))


def _random_logits(rng: np.random.Generator, size: int) -> tuple:
    classes = int(rng.integers(2, 5))
    logits = torch.from_numpy(rng.integers(-6, 7, (size, classes)) / 2).float()
    return logits, torch.from_numpy(rng.integers(0, classes, size))


_LN2, _LN3, _LN6 = (math.log(value) for value in (2, 3, 6))
check_cross_entropy = Exercise(
    name="cross_entropy",
    cases=(
        Case((_floats((0, 0)), _whole(1)), _LN2, "both classes have 1/2: -ln 1/2"),
        Case((_floats((_LN6, _LN3, 0)), _whole(0)), math.log(10 / 6), "6, 3 and 1 of 10: -ln 0.6"),
        Case((_floats((_LN6, _LN3, 0)), _whole(2)), math.log(10), "6, 3 and 1 of 10: -ln 0.1"),
        Case((_floats((0, 0), (_LN3, 0)), _whole(1, 0)), (_LN2 + math.log(4 / 3)) / 2, "mean of ln 2 and ln 4/3"),
        Case((_floats((5, 5 + _LN3)), _whole(1)), math.log(4 / 3), "a constant on all logits changes nothing"),
        Case((_floats((1000, 0)), _whole(0)), 0.0, "sure and right"),
        Case((_floats((1000, 0)), _whole(1)), 1000.0, "sure and wrong; e to the 1000 has no float"),
    ),
    reference=_cross_entropy,
    known=known(
        wrong.entropy_sum,
        wrong.entropy_log2,
        wrong.entropy_sign,
        wrong.entropy_without_log,
        wrong.entropy_over_rows,
        wrong.entropy_overflow,
        wrong.entropy_of_best,
        wrong.entropy_twice,
        wrong.entropy_all_classes,
    ),
    draw=_random_logits,
    together=((0, 1),),
)
