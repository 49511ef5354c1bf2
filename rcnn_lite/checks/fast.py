"""Checks of notebook 10's exercises: the loss of Fast R-CNN and its mini-batches; flip and scales are in `fast_boxes`.

Known mistakes are in `wrong_fast`.
"""

import math

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_fast as wrong
from rcnn_lite.checks.fast_boxes import check_flip, check_scale_of
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.losses import detection_loss, smooth_l1

__all__ = ["check_flip", "check_label_rois", "check_multi_task_loss", "check_scale_of", "check_smooth_l1"]

# ---- exercise 1 ----


def _random_errors(rng: np.random.Generator, size: int) -> tuple:
    return torch.from_numpy(rng.integers(-40, 41, size) / 10).float(), float(rng.choice([0.25, 0.5, 1.0, 2.0]))


check_smooth_l1 = Exercise(
    name="smooth_l1",
    cases=(
        Case((torch.tensor([0.0]), 1.0), [0.0], "no error, no loss"),
        Case((torch.tensor([0.5]), 1.0), [0.125], "0.5 is below beta: 0.5^2 / 2"),
        Case((torch.tensor([3.0, -3.0]), 1.0), [2.5, 2.5], "3 is above beta: 3 - 1/2; the sign does not matter"),
        Case((torch.tensor([1.0]), 1.0), [0.5], "parabola and line meet here: 1/2 = 1 - 1/2"),
        Case((torch.tensor([1.0]), 2.0), [0.25], "1 is below beta = 2: 1^2 / (2 x 2)"),
        Case((torch.tensor([3.0]), 0.5), [2.75], "3 is above beta = 0.5: 3 - 0.5/2"),
        Case((torch.tensor([[0.5, -2.0]]), 1.0), [[0.125, 1.5]], "any shape, a loss for each number"),
        Case((torch.zeros(0), 1.0), torch.zeros(0), "no numbers"),
    ),
    reference=smooth_l1,
    known=known(
        wrong.smooth_whole_square,
        wrong.smooth_step,
        wrong.smooth_kink,
        wrong.smooth_signed,
        wrong.smooth_beta_ignored,
        wrong.smooth_summed,
        wrong.smooth_never_line,
    ),
    draw=_random_errors,
    together=((0,),),
)

# ---- exercise 2 ----


def _multi_task_loss(class_logits: Tensor, deltas: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    losses = detection_loss(class_logits, deltas, labels, targets)
    return losses["classification"], losses["box_regression"]


def _loss_case(logits: list, deltas: dict, labels: list, targets: list, expected: tuple, why: str) -> Case:
    """``deltas`` holds the rows (roi, class) that are not zero."""
    class_logits = torch.tensor(logits)
    rows = torch.zeros(*class_logits.shape, 4)
    for place, values in deltas.items():
        rows[place] = torch.tensor(values)
    return Case((class_logits, rows, torch.tensor(labels), torch.tensor(targets)), expected, why)


def _random_batch(rng: np.random.Generator, size: int) -> tuple:
    classes = int(rng.integers(2, 5))
    logits, deltas = rng.integers(-20, 21, (size, classes)) / 10, rng.integers(-20, 21, (size, classes, 4)) / 10
    targets = torch.from_numpy(rng.integers(-10, 11, (size, 4)) / 10).float()
    labels = torch.from_numpy(rng.integers(0, classes, size))
    return torch.from_numpy(logits).float(), torch.from_numpy(deltas).float(), labels, targets


_TWO, _THREE, _STILL = math.log(2), math.log(3), [0.0, 0.0, 0.0, 0.0]
_LIKELY = [0.0, _THREE]  # odds of 1 to 3: probabilities 1/4 and 3/4

check_multi_task_loss = Exercise(
    name="multi_task_loss",
    cases=(
        _loss_case([[0.0, 0.0]], {}, [0], [_STILL], (_TWO, 0.0), "two classes, equal logits: -ln(1/2); no box"),
        _loss_case([_LIKELY], {}, [1], [_STILL], (math.log(4 / 3), 0.0), "p = 3/4: -ln(3/4); the box is right"),
        _loss_case([[0.0, 0.0]], {(0, 1): [0.5, 0.0, 0.0, 2.0]}, [1], [_STILL], (_TWO, 1.625), "0.5^2 / 2 + (2 - 0.5)"),
        _loss_case([[0.0, 0.0]], {(0, 0): [3.0] * 4}, [0], [[99.0] * 4], (_TWO, 0.0), "background: no box is judged"),
        _loss_case(
            [[0.0, 0.0, 0.0]],
            {(0, 1): [9.0] * 4, (0, 2): [1.0, 0.0, 0.0, 0.0]},
            [2],
            [[0.5, 0.0, 0.0, 0.0]],
            (_THREE, 0.125),
            "only the box of class 2 counts: (1 - 0.5)^2 / 2",
        ),
        _loss_case(
            [[0.0, 0.0], [0.0, 0.0]],
            {(1, 1): [2.0, 0.0, 0.0, 0.0]},
            [0, 1],
            [_STILL, _STILL],
            (_TWO, 0.75),
            "one positive of two RoIs: (2 - 0.5) / 2",
        ),
    ),
    reference=_multi_task_loss,
    known=known(
        wrong.loss_of_background_boxes,
        wrong.loss_by_positives,
        wrong.loss_averaged_over_coordinates,
        wrong.loss_of_best_class,
        wrong.loss_one_class_off,
        wrong.loss_without_softmax,
        wrong.loss_summed,
        wrong.loss_squared,
    ),
    draw=_random_batch,
    together=(),
)

# ---- exercise 3 ----


def _label_rois(overlaps: Tensor, gt_labels: Tensor, samples: int) -> tuple[Tensor, int, int]:
    labels = torch.full((len(overlaps),), -1)
    if overlaps.shape[1]:
        best, matched = overlaps.max(dim=1)  # (n,), (n,)
        labels[(best >= 0.1) & (best < 0.5)] = 0
        labels = torch.where(best >= 0.5, gt_labels[matched], labels)
    positives = min(int((labels > 0).sum()), samples // 4)
    return labels, positives, min(int((labels == 0).sum()), samples - positives)


def _random_overlaps(rng: np.random.Generator, size: int) -> tuple:
    """Overlaps of ``size`` boxes with one to three objects: no two alike, none at a threshold."""
    objects = int(rng.integers(1, 4))
    values = rng.permutation(np.arange(1, 100, 2))[: size * objects] / 100
    overlaps = torch.from_numpy(values.reshape(size, objects)).float()
    return overlaps, torch.from_numpy(rng.integers(1, 5, objects)), int(rng.integers(1, 4)) * 4


def _roi_case(overlaps: list, gt_labels: list, samples: int, expected: tuple, why: str) -> Case:
    return Case((torch.tensor(overlaps), torch.tensor(gt_labels, dtype=torch.int64), samples), expected, why)


check_label_rois = Exercise(
    name="label_rois",
    cases=(
        _roi_case([[0.8]], [3], 4, (torch.tensor([3]), 1, 0), "0.8 is enough: class 3, and one positive is allowed"),
        _roi_case([[0.3]], [3], 4, (torch.tensor([0]), 0, 1), "0.3 lies in [0.1, 0.5): background"),
        _roi_case([[0.05]], [3], 4, (torch.tensor([-1]), 0, 0), "below 0.1: ignored, and never drawn"),
        _roi_case([[0.5], [0.1]], [1], 4, (torch.tensor([1, 0]), 1, 1), "0.5 is positive, 0.1 background"),
        _roi_case([[0.6, 0.7]], [4, 2], 4, (torch.tensor([2]), 1, 0), "it overlaps object 1 most: class 2"),
        _roi_case(
            [[0.8], [0.7], [0.3]], [1], 4, (torch.tensor([1, 1, 0]), 1, 1), "at most a quarter of 4 may be positive"
        ),
        _roi_case([[0.3], [0.2], [0.4], [0.3]], [1], 4, (torch.tensor([0] * 4), 0, 4), "no positives: all background"),
        Case(
            (torch.zeros(2, 0), torch.zeros(0, dtype=torch.int64), 4),
            (torch.tensor([-1, -1]), 0, 0),
            "no objects: every overlap is below 0.1",
        ),
    ),
    reference=_label_rois,
    known=known(
        wrong.rois_all_background,
        wrong.rois_strict,
        wrong.rois_without_class,
        wrong.rois_by_index,
        wrong.rois_without_limit,
        wrong.rois_not_filled,
        wrong.rois_ignored_drawn,
    ),
    draw=_random_overlaps,
    together=((0,),),
)
