"""Checks of notebook 16's exercises: who is beaten, how sure a gain is, what a claim is worth, how fast the whole is.

Known mistakes are in `wrong_scoring`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_scoring as wrong
from rcnn_lite.checks.harness import Case, Exercise, known

__all__ = ["check_gains_in_recall", "check_judge", "check_not_beaten", "check_times_as_fast"]


# ---- exercise 1 ----


def _not_beaten(seconds: Tensor, scores: Tensor) -> Tensor:
    """As `pareto_front` has it; tests/checks/test_check_scoring.py compares the two."""
    front, board = [], list(zip(seconds.tolist(), scores.tolist(), strict=True))
    for time, score in board:
        rivals = [(t, s) for t, s in board if t <= time and s >= score]
        front.append(all(rival == (time, score) for rival in rivals))
    return torch.tensor(front, dtype=torch.bool)


def _random_board(rng: np.random.Generator, size: int) -> tuple:
    """Few different values, so that ties are common."""
    return tuple(torch.from_numpy(rng.integers(*ends, size) / 10) for ends in ((1, 6), (4, 9)))


def _board(seconds: list, scores: list, front: list, why: str) -> Case:
    return Case((torch.tensor(seconds), torch.tensor(scores)), torch.tensor(front, dtype=torch.bool), why)


check_not_beaten = Exercise(
    name="not_beaten",
    cases=(
        _board([0.1], [0.5], [True], "one alone is not beaten"),
        _board([0.1, 0.2], [0.5, 0.6], [True, True], "one is faster, the other is better: neither is beaten"),
        _board([0.1, 0.2], [0.6, 0.5], [True, False], "the second is slower and worse"),
        _board([0.1, 0.2], [0.5, 0.5], [True, False], "as good, but slower: beaten"),
        _board([0.1, 0.1], [0.5, 0.6], [False, True], "as fast, but worse: beaten"),
        _board([0.1, 0.1], [0.5, 0.5], [True, True], "equal in both: neither beats the other"),
        _board([0.3, 0.1, 0.2], [0.9, 0.5, 0.4], [True, True, False], "not in order of speed; the third is beaten"),
        _board([], [], [], "no detectors"),
    ),
    reference=_not_beaten,
    known=known(
        wrong.front_strictly_better,
        wrong.front_loses_ties,
        wrong.front_in_one_only,
        wrong.front_most_seconds,
        wrong.front_beaten_ones,
        wrong.front_by_ratio,
        wrong.front_neighbours_only,
    ),
    draw=_random_board,
    together=((0, 1),),
)

# ---- exercise 2 ----


def _gains_in_recall(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """As `resampled_gains` has it."""
    gains = []
    for drawn in draws.tolist():
        more = sum(int(hits[i]) - int(other_hits[i]) for i in drawn)
        gains.append(more / sum(int(objects[i]) for i in drawn))
    return torch.tensor(gains)


def _random_hits(rng: np.random.Generator, size: int) -> tuple:
    objects = rng.integers(1, 6, size)
    hits, other = (rng.integers(0, objects + 1) for _ in range(2))
    draws = rng.integers(0, size, (int(rng.integers(1, 4)), size))
    return tuple(torch.from_numpy(each) for each in (hits, other, objects, draws))


def _recall_case(hits: list, other: list, objects: list, draws: list, gains: list, why: str) -> Case:
    return Case(tuple(torch.tensor(each) for each in (hits, other, objects, draws)), torch.tensor(gains), why)


check_gains_in_recall = Exercise(
    name="gains_in_recall",
    cases=(
        _recall_case([1], [0], [2], [[0]], [0.5], "one image: 1 of 2 found against 0 of 2"),
        _recall_case([0], [1], [2], [[0]], [-0.5], "the other one finds more: the gain is negative"),
        _recall_case([1, 3], [0, 3], [1, 3], [[0, 1]], [0.25], "4 of 4 objects against 3 of 4, not the mean of images"),
        _recall_case([1, 3], [0, 3], [1, 3], [[0, 0]], [1.0], "image 0 twice: 2 of 2 against 0 of 2"),
        _recall_case([1, 3], [0, 3], [1, 3], [[1, 1]], [0.0], "image 1 twice: 6 of 6 each"),
        _recall_case([1, 2], [0, 1], [2, 2], [[0, 1], [1, 0]], [0.5, 0.5], "two sets, the same images: 2 more of 4"),
    ),
    reference=_gains_in_recall,
    known=known(
        wrong.gains_mean_of_images,
        wrong.gains_all_objects,
        wrong.gains_each_image_once,
        wrong.gains_turned_round,
        wrong.gains_not_paired,
        wrong.gains_of_the_first,
        wrong.gains_relative,
    ),
    draw=_random_hits,
)

# ---- exercise 3 ----


def _judge(gain: Tensor, margin: float) -> str:
    """As `better` and `alike` have it."""
    low, high = gain.tolist()
    if margin > 0:
        inside, outside = -margin <= low and high <= margin, low > margin or high < -margin
    else:
        inside, outside = low > 0, high < 0
    return "reproduced" if inside else "not reproduced" if outside else "cannot tell"


def _random_interval(rng: np.random.Generator, size: int) -> tuple:
    """No end hits 0 or a margin: ends are odd numbers of half points, margins whole ones."""
    ends = np.sort(rng.integers(-2 * size, 2 * size, 2)) * 2 + 1
    return torch.from_numpy(ends / 2), float(rng.integers(0, 4))


def _interval(low: float, high: float, margin: float, said: str, why: str) -> Case:
    return Case((torch.tensor([low, high]), margin), said, why)


check_judge = Exercise(
    name="judge",
    cases=(
        _interval(1.0, 4.0, 0.0, "reproduced", "margin 0, A is better: all of 1 .. 4 lies above 0"),
        _interval(-4.0, -1.0, 0.0, "not reproduced", "all of it lies below 0"),
        _interval(-1.0, 4.0, 0.0, "cannot tell", "0 lies within"),
        _interval(0.0, 4.0, 0.0, "cannot tell", "0 is the end: no difference is among what may be"),
        _interval(-1.0, 2.0, 3.0, "reproduced", "as good within 3 points: -1 .. 2 lies inside -3 .. 3"),
        _interval(-1.0, 5.0, 3.0, "cannot tell", "a difference of 5 may be"),
        _interval(4.0, 9.0, 3.0, "not reproduced", "all of it is farther away than 3: better, and not alike"),
        _interval(-9.0, -4.0, 3.0, "not reproduced", "farther away on the other side"),
        _interval(-3.0, 3.0, 3.0, "reproduced", "just inside: the margin counts as within"),
        _interval(-8.0, 8.0, 3.0, "cannot tell", "an interval across 0 is no proof that two are alike"),
    ),
    reference=_judge,
    known=known(
        wrong.judge_by_the_middle,
        wrong.judge_never_open,
        wrong.judge_zero_inside_is_alike,
        wrong.judge_margin_forgotten,
        wrong.judge_better_is_alike,
        wrong.judge_one_end,
    ),
    draw=_random_interval,
)

# ---- exercise 4 ----


def _times_as_fast(stages: dict[str, float], name: str, factor: float) -> float:
    """As `speed_up` has it, for one stage."""
    return sum(stages.values()) / (sum(stages.values()) - stages[name] + stages[name] / factor)


NAMES = ("convolutions", "proposals", "pooling", "heads", "NMS", "masks", "pasting", "SVM")


def _random_stages(rng: np.random.Generator, size: int) -> tuple:
    stages = {name: float(rng.integers(1, 40)) / 4 for name in NAMES[:size]}
    return stages, NAMES[int(rng.integers(size))], float(rng.integers(2, 9))


check_times_as_fast = Exercise(
    name="times_as_fast",
    cases=(
        Case(({"heads": 8.0}, "heads", 4.0), 4.0, "nothing else: the whole is 4 times as fast"),
        Case(({"heads": 8.0, "NMS": 8.0}, "heads", 4.0), 1.6, "16 before, 2 + 8 after"),
        Case(({"heads": 8.0, "NMS": 8.0}, "heads", 8.0), 16 / 9, "however fast the heads become, NMS still takes 8"),
        Case(({"heads": 1.0, "NMS": 9.0}, "heads", 2.0), 10 / 9.5, "a tenth of the time, halved: 5 % are saved"),
        Case(({"heads": 3.0, "NMS": 1.0}, "NMS", 1.0), 1.0, "once as fast is as before"),
    ),
    reference=_times_as_fast,
    known=known(
        wrong.times_turned_round,
        wrong.times_share_saved,
        wrong.times_seconds,
        wrong.times_mean,
        wrong.times_stage_gone,
    ),
    draw=_random_stages,
)
