"""Checks of notebook 06's exercises: hinge loss, labels of regions, hard negatives. Known mistakes: `wrong_mining`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.checks import wrong_mining as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture
from rcnn_lite.plotting import GROUND_TRUTH, NEGATIVE, POSITIVE, PROPOSAL

NO_BOX, NO_NUMBER, NO_ROW = torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64)


def _floats(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _rows(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _boxes(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _random_scores(rng: np.random.Generator, count: int) -> Tensor:
    """Scores (count,) in -3 .. 3, no two alike and none at -1.2, -1, 0 or 1."""
    return torch.from_numpy(rng.permutation(np.arange(-300, 300, 7))[:count] / 100 + 0.013).float()


# ---- exercise 1 ----


def _hinge_loss(scores: Tensor, signs: Tensor) -> Tensor:
    return (1 - signs * scores).clamp(min=0)


check_hinge_loss = Exercise(
    name="hinge_loss",
    cases=(
        Case((_floats(1.5), _floats(1)), [0.0], "a positive beyond the margin costs nothing"),
        Case((_floats(1.0), _floats(1)), [0.0], "on the margin: 1 - 1 = 0"),
        Case((_floats(0.25), _floats(1)), [0.75], "on the right side, but inside the margin: 1 - 0.25"),
        Case((_floats(-2.0), _floats(1)), [3.0], "a positive on the wrong side: 1 + 2"),
        Case((_floats(-2.0), _floats(-1)), [0.0], "an easy negative costs nothing: 1 - 2 is below 0"),
        Case((_floats(-0.5, 0.5), _floats(-1, -1)), [0.5, 1.5], "negatives: 1 - 0.5 and 1 + 0.5"),
        Case((_floats(0.0, 0.0), _floats(1, -1)), [1.0, 1.0], "a score of 0 costs both sides 1"),
        Case((NO_NUMBER, NO_NUMBER), NO_NUMBER, "no examples"),
    ),
    reference=_hinge_loss,
    known=known(  # fmt: skip
        wrong.hinge_unclamped,
        wrong.hinge_without_margin,
        wrong.hinge_without_sign,
        wrong.hinge_absolute,
        wrong.hinge_zero_one,
    ),
    draw=lambda rng, size: (_random_scores(rng, size), torch.from_numpy(rng.choice([-1.0, 1.0], size)).float()),
    together=((0, 1),),
)


# ---- exercise 2 ----


def _label_regions(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> Tensor:
    best = box_iou(boxes, gt_boxes).amax(dim=1) if len(gt_boxes) else torch.zeros(len(boxes))
    return (best == 1).long() - (best < threshold).long()


def _labels_picture(case: Case, result: object) -> Picture:
    boxes, gt_boxes, _ = case.args
    colours = {1: POSITIVE, -1: NEGATIVE, 0: PROPOSAL}
    right = [Outline(f"{label:+d}", boxes[case.expected == label], colours[label]) for label in colours]
    return Picture((Outline("gt_boxes", gt_boxes, GROUND_TRUTH), *right))


def _draw_regions(rng: np.random.Generator, size: int) -> tuple:
    """Boxes with whole coordinates, of which about a third are ground truth; no IoU equals the threshold."""
    corner = rng.integers(0, 5, (size + 2, 2))
    rows = torch.from_numpy(np.hstack((corner, corner + rng.integers(2, 7, (size + 2, 2))))).float()
    return rows[:size], rows[size - size // 3 :], int(rng.integers(1, 6)) / 10 + 0.013


_SQUARE = _boxes((0, 0, 10, 10))
check_label_regions = Exercise(
    name="label_regions",
    cases=(
        Case((_SQUARE, _SQUARE, 0.3), _rows(1), "the ground truth itself is positive"),
        Case((_boxes((20, 20, 30, 30)), _SQUARE, 0.3), _rows(-1), "IoU 0 with the only object"),
        Case((_boxes((0, 0, 10, 9)), _SQUARE, 0.3), _rows(0), "IoU 90 / 100: no ground truth, no negative, ignored"),
        Case((_boxes((0, 0, 10, 2)), _SQUARE, 0.3), _rows(-1), "IoU 20 / 100 is below 0.3"),
        Case((_boxes((0, 0, 5, 5)), _SQUARE, 0.25), _rows(0), "IoU 25 / 100 is not below 0.25: ignored"),
        Case(
            (torch.cat((_SQUARE, _boxes((0, 0, 10, 6), (40, 0, 50, 10)))), torch.cat((_SQUARE, _SQUARE + 40)), 0.3),
            _rows(1, 0, -1),
            "two objects, at 0 0 and at 40 40; the last region is near neither",
        ),
        Case((_SQUARE, NO_BOX, 0.3), _rows(-1), "no object of this class in the image: all regions are negative"),
        Case((NO_BOX, _SQUARE, 0.3), NO_ROW, "no regions"),
    ),
    reference=_label_regions,
    known=known(  # fmt: skip
        wrong.labels_as_in_finetuning,
        wrong.labels_without_band,
        wrong.labels_band_positive,
        wrong.labels_at_threshold,
        wrong.labels_any_object,
        wrong.labels_swapped,
    ),
    draw=_draw_regions,
    together=((0,), (1,)),
    picture=_labels_picture,
)


# ---- exercise 3 ----


def _hard_negatives(scores: Tensor, overlaps: Tensor, limit: int) -> Tensor:
    rows = torch.nonzero((overlaps < 0.3) & (scores > -1)).flatten()
    return rows[scores[rows].argsort(descending=True, stable=True)][:limit]


check_hard_negatives = Exercise(
    name="hard_negatives",
    cases=(
        Case((_floats(0.5), _floats(0.0), 5), _rows(0), "it overlaps nothing and scores above 0: as wrong as can be"),
        Case((_floats(-0.5), _floats(0.1), 5), _rows(0), "below 0 but inside the margin: it still costs 0.5"),
        Case((_floats(-1.0), _floats(0.1), 5), NO_ROW, "at -1 it costs nothing"),
        Case((_floats(0.9), _floats(0.7), 5), NO_ROW, "it shows most of an object: in the ignored band"),
        Case((_floats(0.9), _floats(0.3), 5), NO_ROW, "0.3 is not below 0.3"),
        Case((_floats(-0.2, 0.8, -3.0, 0.1), _floats(0, 0.2, 0, 0), 5), _rows(1, 3, 0), "hardest first; row 2 is easy"),
        Case((_floats(-0.2, 0.8, -3.0, 0.1), _floats(0, 0.2, 0, 0), 2), _rows(1, 3), "only the 2 hardest"),
        Case((_floats(0.4, 0.4), _floats(0, 0), 5), _rows(0, 1), "of equal scores the earlier row comes first"),
        Case((NO_NUMBER, NO_NUMBER, 5), NO_ROW, "no regions in this image"),
    ),
    reference=_hard_negatives,
    known=known(  # fmt: skip
        wrong.hard_above_zero,
        wrong.hard_with_band,
        wrong.hard_all_negatives,
        wrong.hard_in_order,
        wrong.hard_easiest_first,
        wrong.hard_positions,
    ),
    draw=lambda rng, size: (
        _random_scores(rng, size),
        torch.from_numpy(rng.integers(0, 10, size) / 10 + 0.013).float(),
        int(rng.integers(1, size + 2)),
    ),
    together=((0, 1),),
)


# ---- exercise 4 ----


def _next_negatives(held: Tensor, scores: Tensor, found: Tensor) -> Tensor:
    return torch.cat((held[scores >= -1.2], found[~torch.isin(found, held)]))


def _draw_negatives(rng: np.random.Generator, size: int) -> tuple:
    """Rows held, some of which are found again. What is found scores above -1, so no row is both found and easy."""
    held, scores = torch.from_numpy(rng.permutation(20)[:size]), _random_scores(rng, size)
    again = held[scores > -1][: int(rng.integers(0, 3))]
    new = torch.from_numpy(20 + rng.permutation(10)[: int(rng.integers(0, 4))])
    return held, scores, torch.cat((again, new))


check_next_negatives = Exercise(
    name="next_negatives",
    cases=(
        Case((_rows(7, 4), _floats(-2.0, 0.5), _rows(4, 5)), _rows(4, 5), "7 has become easy, 4 is held, 5 is new"),
        Case((_rows(7, 4, 6), _floats(-1.1, -1.3, 0), _rows(9)), _rows(7, 6, 9), "-1.1 is not easier than -1.2"),
        Case((NO_ROW, NO_NUMBER, _rows(5, 2)), _rows(5, 2), "nothing held: all is new, in the order found"),
        Case((_rows(7), _floats(-2.0), NO_ROW), NO_ROW, "the only one has become easy"),
        Case((_rows(8, 3, 6), _floats(-5, 0.2, -0.9), _rows(1, 3)), _rows(3, 6, 1), "8 goes, 3 and 6 stay, 1 is new"),
        Case((NO_ROW, NO_NUMBER, NO_ROW), NO_ROW, "nothing held, nothing found"),
    ),
    reference=_next_negatives,
    known=known(  # fmt: skip
        wrong.next_keeps_all,
        wrong.next_only_new,
        wrong.next_twice,
        wrong.next_throws_hard,
        wrong.next_at_margin,
        wrong.next_found_first,
    ),
    draw=_draw_negatives,
    together=((0, 1), (2,)),
)
