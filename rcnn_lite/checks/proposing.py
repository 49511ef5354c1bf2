"""Checks of notebook 11's exercises on what comes out of an RPN: its loss, and proposals.

Known mistakes are in `wrong_proposing`.
"""

import math

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou, clip_boxes, decode_boxes, remove_small_boxes
from rcnn_lite.checks import wrong_proposing as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import right_and_yours
from rcnn_lite.checks.wrong_proposing import MIN_SIZE, NMS_IOU
from rcnn_lite.losses import rpn_loss
from rcnn_lite.nms import nms
from rcnn_lite.plotting import PROPOSAL

__all__ = ["check_propose", "check_rpn_losses"]

# ---- exercise 4 ----


def _rpn_losses(logits: Tensor, deltas: Tensor, labels: Tensor, targets: Tensor, locations: int) -> tuple:
    losses = rpn_loss(logits, deltas, labels, targets, locations, weight=10.0)
    return losses["objectness"], losses["rpn_box_regression"]


def _loss_case(logits: list, deltas: list, labels: list, targets: list, locations: int, right: tuple, why: str) -> Case:
    numbers = (torch.tensor(logits), torch.tensor(deltas), torch.tensor(labels), torch.tensor(targets))
    return Case((*numbers, locations), right, why)


def _random_anchors(rng: np.random.Generator, size: int) -> tuple:
    deltas, targets = (torch.from_numpy(rng.integers(-20, 21, (size, 4)) / 10).float() for _ in range(2))
    logits = torch.from_numpy(rng.integers(-30, 31, size) / 10).float()
    return logits, deltas, torch.from_numpy(rng.integers(-1, 2, size)), targets, int(rng.integers(1, 40))


_STILL, _TWO, _THREE = [0.0] * 4, math.log(2), math.log(3)

check_rpn_losses = Exercise(
    name="rpn_losses",
    cases=(
        _loss_case([0.0], [_STILL], [0], [_STILL], 10, (_TWO, 0.0), "p = 1/2: -ln(1/2), whatever the label; no box"),
        _loss_case([_THREE], [_STILL], [1], [_STILL], 10, (math.log(4 / 3), 0.0), "odds of 3 to 1: p = 3/4, -ln(3/4)"),
        _loss_case([_THREE], [_STILL], [0], [_STILL], 10, (math.log(4), 0.0), "3/4, but it is background: -ln(1/4)"),
        _loss_case(
            [0.0], [[0.5, 0.0, 0.0, 2.0]], [1], [_STILL], 10, (_TWO, 1.625), "10 (0.5^2 / 2 + (2 - 0.5)) / 10 places"
        ),
        _loss_case([0.0], [[3.0] * 4], [0], [_STILL], 10, (_TWO, 0.0), "background: its box counts for nothing"),
        _loss_case([0.0, 9.0], [_STILL] * 2, [0, -1], [_STILL] * 2, 10, (_TWO, 0.0), "the ignored counts for nothing"),
        _loss_case(
            [0.0, 0.0],
            [[1.0, 0.0, 0.0, 0.0], _STILL],
            [1, 0],
            [[0.5, 0.0, 0.0, 0.0], _STILL],
            5,
            (_TWO, 0.25),
            "two drawn: 2 ln 2 / 2; one box: 10 x 0.125 / 5 places",
        ),
        _loss_case([1.0], [_STILL], [-1], [_STILL], 10, (0.0, 0.0), "nothing is drawn: no loss"),
    ),
    reference=_rpn_losses,
    known=known(
        wrong.rpn_ignored_as_background,
        wrong.rpn_all_anchors,
        wrong.rpn_without_switch,
        wrong.rpn_boxes_by_batch,
        wrong.rpn_boxes_by_positives,
        wrong.rpn_without_lambda,
        wrong.rpn_lambda_before_classes,
        wrong.rpn_averaged_over_coordinates,
        wrong.rpn_squared,
        wrong.rpn_summed,
    ),
    draw=_random_anchors,
    together=((0, 1, 2, 3),),
)

# ---- exercise 5 ----


def _propose(
    logits: Tensor, deltas: Tensor, anchors: Tensor, image_size: tuple[int, int], before_nms: int, after_nms: int
) -> Tensor:
    boxes = clip_boxes(decode_boxes(deltas, anchors), image_size)
    large = remove_small_boxes(boxes, MIN_SIZE)
    boxes, logits = boxes[large], logits[large]
    best = logits.argsort(descending=True, stable=True)[:before_nms]
    boxes, logits = boxes[best], logits[best]
    return boxes[nms(boxes, logits, NMS_IOU)[:after_nms]]


def _safe(boxes: Tensor) -> bool:
    """Whether no overlap and no side is so near its threshold that rounding decides."""
    overlaps, sides = box_iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    return bool(((overlaps - NMS_IOU).abs() > 0.01).all() and ((sides - MIN_SIZE).abs() > 0.01).all())


def _random_predictions(rng: np.random.Generator, size: int) -> tuple:
    """Anchors crowded in a small picture, with moves; logits that differ."""
    image_size = (int(rng.integers(40, 60)), int(rng.integers(60, 90)))
    while True:
        corner = rng.integers(-8, 40, (max(size // 3, 1), 2))[rng.integers(0, max(size // 3, 1), size)]
        corner = corner + rng.integers(0, 4, (size, 2))
        sides = rng.choice([10.0, 16.0, 24.0, 32.0], (size, 2))
        anchors = torch.from_numpy(np.concatenate((corner, corner + sides), axis=1)).float()
        moves = torch.from_numpy(rng.choice([-0.25, 0.0, 0.0, 0.125], (size, 2))).float()
        growth = torch.from_numpy(rng.choice([-1.0, 0.0, 0.0, 1.0], (size, 2))).float() * math.log(1.5)
        deltas = torch.cat((moves, growth), dim=1)
        logits = torch.from_numpy(rng.permutation(2 * size)[:size] - size / 2).float()
        if _safe(clip_boxes(decode_boxes(deltas, anchors), image_size)):
            return logits, deltas, anchors, image_size, max(size - 2, 1), int(rng.integers(1, 4))


def _propose_case(rows: list, image_size: tuple, counts: tuple, expected: list, why: str) -> Case:
    """``rows`` are logit, then the four deltas if there are any, then x1 y1 x2 y2."""
    logits, anchors = (torch.tensor(values) for values in zip(*[(row[0], row[-4:]) for row in rows], strict=True))
    deltas = torch.tensor([row[1:-4] or _STILL for row in rows])
    return Case((logits, deltas, anchors, image_size, *counts), torch.tensor(expected).reshape(-1, 4), why)


_FAR = [40.0, 0.0, 60.0, 20.0]
_HERE = [0.0, 0.0, 20.0, 20.0]
_LOW = [0.0, 30.0, 20.0, 50.0]

check_propose = Exercise(
    name="propose",
    cases=(
        _propose_case(
            [[1.0, *_HERE], [3.0, *_FAR], [2.0, *_LOW]],
            (50, 80),
            (9, 9),
            [_FAR, _LOW, _HERE],
            "higher logits come first",
        ),
        _propose_case(
            [[1.0, *_STILL, *_FAR], [2.0, 0.5, 0.0, 0.0, math.log(2), *_HERE]],
            (50, 80),
            (9, 9),
            [[10.0, 0.0, 30.0, 30.0], _FAR],
            "right by half of 20; its height of 20 doubles around y = 10, from -10 to 30, and is clipped to 0",
        ),
        _propose_case(
            [[1.0, 60.0, 0.0, 100.0, 20.0]], (50, 80), (9, 9), [[60.0, 0.0, 80.0, 20.0]], "clipped to W = 80"
        ),
        _propose_case([[1.0, 0.0, 40.0, 20.0, 70.0]], (50, 80), (9, 9), [[0.0, 40.0, 20.0, 50.0]], "clipped to H = 50"),
        _propose_case(
            [[1.0, 75.0, 0.0, 95.0, 20.0]], (50, 80), (9, 9), [], "only 5 pixels wide in the picture: dropped"
        ),
        _propose_case(
            [[2.0, 75.0, 0.0, 95.0, 20.0], [1.0, *_HERE]], (50, 80), (1, 9), [_HERE], "the small one takes no place"
        ),
        _propose_case(
            [[1.0, *_HERE], [2.0, 0.0, 0.0, 20.0, 16.0]], (50, 80), (9, 9), [[0.0, 0.0, 20.0, 16.0]], "IoU 0.8"
        ),
        _propose_case(
            [[1.0, *_HERE], [2.0, 0.0, 0.0, 20.0, 10.0]],
            (50, 80),
            (9, 9),
            [[0.0, 0.0, 20.0, 10.0], _HERE],
            "IoU 0.5 is not above 0.7: both stay",
        ),
        _propose_case(
            [[3.0, *_HERE], [2.0, 0.0, 0.0, 20.0, 16.0], [1.0, *_FAR]],
            (50, 80),
            (9, 2),
            [_HERE, _FAR],
            "the second of three is struck out by NMS, and the third moves up",
        ),
        _propose_case(
            [[3.0, *_HERE], [2.0, 0.0, 0.0, 20.0, 16.0], [1.0, *_FAR]],
            (50, 80),
            (2, 2),
            [_HERE],
            "only two go into NMS, which strikes out one",
        ),
        _propose_case(
            [[1.0, 0.0, 0.0, 8.0, 20.0]], (50, 80), (9, 9), [[0.0, 0.0, 8.0, 20.0]], "8 pixels are enough: it stays"
        ),
        _propose_case([[1.0, *_HERE], [2.0, *_FAR]], (50, 80), (9, 1), [_FAR], "one is wanted"),
    ),
    reference=_propose,
    known=known(
        wrong.propose_anchors,
        wrong.propose_unclipped,
        wrong.propose_sides_swapped,
        wrong.propose_small_first,
        wrong.propose_small_kept,
        wrong.propose_small_takes_places,
        wrong.propose_without_nms,
        wrong.propose_limit_before,
        wrong.propose_all_into_nms,
        wrong.propose_all_out_of_nms,
        wrong.propose_worst_first,
    ),
    draw=_random_predictions,
    together=((0, 1, 2),),
    picture=right_and_yours((2, "anchors", PROPOSAL), frame=3),
)
