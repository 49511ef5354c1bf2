"""Checks of notebook 14's exercises: a mask pasted into the picture, and IoU of masks.

Known mistakes are in `wrong_pasting`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_pasting as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, Row, grids
from rcnn_lite.evaluation.overlaps import mask_overlaps
from rcnn_lite.plotting import POSITIVE
from rcnn_lite.regions.masks import paste_masks

# ---- exercise 4 ----


def _paste_one(mask: Tensor, box: Tensor, image_size: tuple[int, int]) -> Tensor:
    return paste_masks(mask[None], box[None], image_size)[0, 0]


def _random_place(rng: np.random.Generator, size: int) -> tuple:
    """A mask of few cells, and a box that may reach out of its picture, which is nowhere square."""
    cells, height = int(rng.integers(1, 5)), int(rng.integers(2, 4 + size))
    width = height + int(rng.integers(1, 5))
    mask = torch.from_numpy(rng.integers(0, 5, (cells, cells)) / 4).float()
    low = rng.integers(-4, [4 * width - 3, 4 * height - 3]) / 4
    high = low + rng.integers(2, 4 * height, 2) / 4
    return mask, torch.from_numpy(np.concatenate((low, high))).float(), (height, width)


def _box(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32)


def _paste_picture(case: Case, result: object) -> Row:
    mask, box, _ = case.args
    three = ((mask, "mask", ()), (case.expected, "right", [box]), (result, "yours", [box]))
    return Row([Picture([Outline("the box", b, POSITIVE) for b in boxes], v, title) for v, title, boxes in three])


_ONE, _FULL = torch.ones(1, 1), torch.ones(2, 2)
_CORNER = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
_TENT = torch.tensor([0.25, 0.75, 0.75, 0.25])
check_paste_one = Exercise(
    name="paste_one",
    cases=(
        Case((_FULL, _box(0, 0, 2, 2), (2, 2)), [[1.0, 1.0], [1.0, 1.0]], "each cell is a pixel"),
        Case(
            (_FULL, _box(1, 0, 3, 2), (2, 4)),
            [[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]],
            "the box begins at x = 1; outside there is nothing",
        ),
        Case(
            (_FULL, _box(0.5, 0, 2.5, 2), (2, 4)),
            [[0.5, 1.0, 0.5, 0.0], [0.5, 1.0, 0.5, 0.0]],
            "x = 0.5 lies halfway between the first cell's centre, 1, and a cell of zero at 0",
        ),
        Case(
            (_CORNER, _box(0, 1, 4, 3), (3, 5)),
            [[0.0] * 5, [0.75, 0.75, 0.25, 0.0, 0.0], [0.0] * 5],
            "cells are 2 pixels wide and 1 high; the first one's centre is x = 1, y = 1.5",
        ),
        Case(
            (_ONE, _box(1, 1, 3, 3), (4, 4)),
            torch.outer(_TENT, _TENT),
            "one cell of 2 x 2 pixels: the centres of pixels lie 3/4, 1/4, 1/4, 3/4 of a cell from its centre",
        ),
        Case((_FULL, _box(-1, 0, 1, 2), (2, 3)), [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], "half of it lies outside"),
        Case((_FULL, _box(7, 7, 9, 9), (2, 3)), torch.zeros(2, 3), "all of it is"),
    ),
    reference=_paste_one,
    known=known(
        wrong.paste_half_a_pixel,
        wrong.paste_rounded,
        wrong.paste_nearest,
        wrong.paste_border_continued,
        wrong.paste_cut_at_box,
        wrong.paste_transposed,
        wrong.paste_ends,
        wrong.paste_cut,
    ),
    draw=_random_place,
    picture=_paste_picture,
)

# ---- exercise 5 ----


def _mask_iou(masks: Tensor, gt_masks: Tensor) -> Tensor:
    found, truth = masks.bool().numpy(), gt_masks.bool().numpy()
    return torch.from_numpy(mask_overlaps(found, truth, np.zeros(len(truth), dtype=bool))).float()


def _random_masks(rng: np.random.Generator, size: int) -> tuple:
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    draw = lambda count: torch.from_numpy((rng.random((count, *shape)) < rng.random()).astype(np.uint8))  # noqa: E731
    return draw(int(rng.integers(1, size + 1))), draw(int(rng.integers(0, 4)))


def _masks(*pictures: tuple) -> Tensor:
    return torch.tensor(pictures, dtype=torch.uint8)


_LEFT, _RIGHT = ((1, 1, 0), (1, 1, 0)), ((0, 1, 1), (0, 1, 1))
_DIAGONAL, _OTHER = ((1, 0), (0, 1)), ((0, 1), (1, 0))
_LARGE = torch.ones(1, 20, 20, dtype=torch.uint8)
_HALF = torch.cat((_LARGE[:, :10], 0 * _LARGE[:, :10]), dim=1)
check_mask_iou = Exercise(
    name="mask_iou",
    cases=(
        Case((_masks(_LEFT), _masks(_LEFT)), [[1.0]], "the same pixels"),
        Case((_masks(_LEFT), _masks(_RIGHT)), [[1 / 3]], "2 pixels in common, 6 in all"),
        Case((_masks(_DIAGONAL), _masks(_OTHER)), [[0.0]], "the same box, no pixel in common"),
        Case(
            (_masks(_LEFT, _RIGHT), _masks(_RIGHT, _LEFT, ((0, 0, 0), (0, 0, 1)))),
            [[1 / 3, 1.0, 0.0], [1.0, 1 / 3, 0.25]],
            "each with each: a row for each mask found, a column for each object",
        ),
        Case((torch.zeros(1, 2, 2, dtype=torch.uint8),) * 2, [[0.0]], "nothing and nothing: 0, not 0 / 0"),
        Case((_LARGE, torch.cat((_LARGE, _HALF))), [[1.0, 0.5]], "400 pixels, more than a uint8 can count"),
        Case((_masks(_LEFT), _masks(_LEFT)[:0]), torch.zeros(1, 0), "no objects"),
    ),
    reference=_mask_iou,
    known=known(
        wrong.iou_union_twice,
        wrong.iou_of_first,
        wrong.iou_of_smaller,
        wrong.iou_transposed,
        wrong.iou_of_boxes,
        wrong.iou_dice,
        wrong.iou_in_bytes,
        wrong.iou_nan,
    ),
    draw=_random_masks,
    together=((0,), (1,)),
    picture=grids((0, "masks[0]"), (1, "gt_masks[0]")),
)
