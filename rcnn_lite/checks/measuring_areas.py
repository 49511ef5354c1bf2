"""Checks of notebook 02's exercises 3, 4 and 6: from verdicts to average precision.

Known mistakes are in `wrong_areas`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_areas as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.evaluation import average_precision

NO_VERDICT = torch.zeros(0, dtype=torch.bool)


def flags_of(text: str) -> Tensor:
    """Verdicts from a word: "+-+" is right, wrong, right."""
    return torch.tensor([letter == "+" for letter in text], dtype=torch.bool)


def random_flags(rng: np.random.Generator, count: int) -> Tensor:
    return torch.from_numpy(rng.random(count) < 0.6)


# ---- exercise 3 ----


def _ap_from_verdicts(right: Tensor, objects: int, eleven_points: bool) -> float:
    return average_precision(*wrong.curve_of(right, objects), use_07_metric=eleven_points)


check_ap_from_verdicts = Exercise(
    name="ap_from_verdicts",
    cases=(
        Case((flags_of("-+"), 1, False), 0.5, "recall jumps from 0 to 1 at the second detection: precision 1/2"),
        Case((flags_of("+-"), 1, False), 1.0, "everything is found before the first mistake"),
        Case((flags_of("+-+"), 2, False), 5 / 6, "recall 0 to 1/2 at precision 1, then to 1 at 2/3: (1 + 2/3) / 2"),
        Case((flags_of("+-+"), 2, True), 28 / 33, "six levels (0 to 0.5) at 1, five at 2/3: (6 + 10/3) / 11"),
        Case((flags_of("-++"), 2, False), 2 / 3, "precision 0, 1/2, 2/3 rises; the envelope is 2/3 all along"),
        Case((flags_of("-++"), 2, True), 2 / 3, "the envelope is 2/3 at all eleven levels"),
        Case((flags_of("+"), 2, False), 0.5, "half of the objects are never found: precision 0 there"),
        Case((flags_of("+"), 2, True), 6 / 11, "the levels 0 to 0.5 are reached: 6 of 11"),
        Case((flags_of("+++"), 10, True), 4 / 11, "recall 0.3 reaches the levels 0, 0.1, 0.2 and 0.3"),
        Case((NO_VERDICT, 3, False), 0.0, "nothing detected, nothing found"),
        Case((NO_VERDICT, 3, True), 0.0, "nothing detected, nothing found"),
    ),
    reference=_ap_from_verdicts,
    known=known(
        wrong.ap_without_envelope,
        wrong.ap_swapped,
        wrong.ap_ten_levels,
        wrong.ap_float_levels,
        wrong.ap_above_levels,
        wrong.ap_reached_levels,
        wrong.ap_of_found,
        wrong.ap_point_before,
    ),
    draw=lambda rng, size: (random_flags(rng, size), size + int(rng.integers(0, 4)), bool(rng.integers(2))),
    together=((0,),),
)


# ---- exercise 4 ----

OBJECTS = (1, 2, 3, 4, 6, 7, 8, 9, 11)
"""Counts of which no share comes within rounding of a recall level, but those that are met exactly."""


def _coco_ap(verdicts: Tensor, objects: int) -> float:
    recall, precision = wrong.curve_of(verdicts[verdicts != 2] == 1, objects)
    return wrong.sampled(recall, wrong.envelope_of(precision), wrong.PERCENTS)


def _random_verdicts(rng: np.random.Generator, size: int) -> tuple[Tensor, int]:
    verdicts = torch.from_numpy(rng.choice(3, size, p=[0.3, 0.5, 0.2]))
    enough = [count for count in OBJECTS if count >= int((verdicts == 1).sum())]
    return verdicts, int(rng.choice(enough))


check_coco_ap = Exercise(
    name="coco_ap",
    cases=(
        Case((torch.tensor([0, 1]), 1), 0.5, "precision 1/2 at all 101 levels"),
        Case((torch.tensor([1]), 1), 1.0, "all levels are reached with precision 1"),
        Case((torch.tensor([2, 1]), 1), 1.0, "the ignored one is as if it had never been made"),
        Case((torch.tensor([1]), 2), 51 / 101, "the levels 0, 0.01, ..., 0.5 are reached: 51 of 101"),
        Case((torch.tensor([1, 0, 1]), 2), (51 + 50 * 2 / 3) / 101, "51 levels at 1, 50 at 2/3"),
        Case((torch.tensor([0, 1, 1]), 2), 2 / 3, "precision 0, 1/2, 2/3 rises; the envelope is 2/3 all along"),
        Case((torch.tensor([2, 2]), 3), 0.0, "only ignored ones: nothing is found"),
        Case((torch.zeros(0, dtype=torch.int64), 3), 0.0, "nothing detected, nothing found"),
    ),
    reference=_coco_ap,
    known=known(
        wrong.coco_ignored_wrong,
        wrong.coco_ignored_right,
        wrong.coco_without_envelope,
        wrong.coco_eleven,
        wrong.coco_area,
        wrong.coco_hundred,
    ),
    draw=_random_verdicts,
    together=((0,),),
)


# ---- exercise 6 ----


def _best_and_worst(right: Tensor, objects: int) -> tuple[float, float]:
    in_order, reversed_order = right.sort(descending=True).values, right.sort().values
    return _ap_from_verdicts(in_order, objects, False), _ap_from_verdicts(reversed_order, objects, False)


check_best_and_worst = Exercise(
    name="best_and_worst",
    cases=(
        Case((flags_of("-+"), 1), (1.0, 0.5), "right, wrong: 1. Wrong, right: 1/2"),
        Case((flags_of("+"), 1), (1.0, 1.0), "one detection has one order"),
        Case((flags_of("++"), 4), (0.5, 0.5), "nothing wrong: recall 1/2 at precision 1 in any order"),
        Case((flags_of("--"), 2), (0.0, 0.0), "nothing right"),
        Case(
            (flags_of("++-"), 2),
            (1.0, 2 / 3),
            "wrong, right, right: precision ends at 2/3, the envelope is 2/3 all along",
        ),
        Case((flags_of("+-+-"), 4), (0.5, 0.25), "recall ends at 1/2; in the worst order at precision 1/2"),
        Case((NO_VERDICT, 3), (0.0, 0.0), "nothing detected"),
    ),
    reference=_best_and_worst,
    known=known(
        wrong.order_swapped,
        wrong.order_best_is_one,
        wrong.order_worst_is_zero,
        wrong.order_worst_precision,
        wrong.order_without_envelope,
        wrong.order_as_given,
    ),
    draw=lambda rng, size: (random_flags(rng, size), size + int(rng.integers(0, 4))),
    together=((0,),),
)
