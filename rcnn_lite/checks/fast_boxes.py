"""Checks of notebook 10's exercises on geometry: the flip, and the scale at which a RoI is pooled.

Known mistakes are in `wrong_fast`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import flip_boxes
from rcnn_lite.checks import wrong_fast as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, Row
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, PROPOSAL
from rcnn_lite.regions.scales import nearest_scale

__all__ = ["check_flip", "check_scale_of"]

# ---- exercise 4 ----


def _flip(boxes: Tensor, masks: Tensor, width: int) -> tuple[Tensor, Tensor]:
    return flip_boxes(boxes, width), masks.flip(-1)


def _random_objects(rng: np.random.Generator, size: int) -> tuple:
    width, height = int(rng.integers(3, 7)), int(rng.integers(2, 5))
    masks = rng.integers(0, 2, (size, height, width)).astype(np.uint8)
    left, top = rng.integers(0, width - 1, size), rng.integers(0, height - 1, size)
    boxes = np.stack((left, top, left + rng.integers(1, width - left + 1), top + 1), axis=1)
    return torch.from_numpy(boxes).float(), torch.from_numpy(masks), width


def _mask(*rows: list) -> Tensor:
    return torch.tensor([rows], dtype=torch.uint8)


def _flip_picture(case: Case, result: object) -> Row:
    before, right, yours = case.args[:2], case.expected, result
    three = ((before, "before", PROPOSAL), (right, "right", GROUND_TRUTH), (yours, "yours", DETECTION))
    return Row([Picture([Outline("boxes", boxes, color)], masks, title) for (boxes, masks), title, color in three])


_NO_BOXES, _NO_MASKS = torch.zeros(0, 4), torch.zeros(0, 2, 4, dtype=torch.uint8)

check_flip = Exercise(
    name="flip",
    cases=(
        Case(
            (torch.tensor([[0.0, 0.0, 1.0, 2.0]]), _mask([1, 0, 0, 0], [1, 0, 0, 0]), 4),
            (torch.tensor([[3.0, 0.0, 4.0, 2.0]]), _mask([0, 0, 0, 1], [0, 0, 0, 1])),
            "the left column becomes the right one: x from 4 - 1 to 4 - 0",
        ),
        Case(
            (torch.tensor([[0.0, 0.0, 3.0, 1.0]]), _mask([1, 1, 1, 0], [0, 0, 0, 0]), 4),
            (torch.tensor([[1.0, 0.0, 4.0, 1.0]]), _mask([0, 1, 1, 1], [0, 0, 0, 0])),
            "x from 4 - 3 to 4 - 0; y stays",
        ),
        Case(
            (torch.tensor([[0.5, 0.0, 1.25, 2.0]]), _mask([1, 1], [0, 1]), 2),
            (torch.tensor([[0.75, 0.0, 1.5, 2.0]]), _mask([1, 1], [1, 0])),
            "coordinates need not be whole: 2 - 1.25 to 2 - 0.5",
        ),
        Case((_NO_BOXES, _NO_MASKS, 4), (_NO_BOXES, _NO_MASKS), "no objects"),
    ),
    reference=_flip,
    known=known(
        wrong.flip_not_swapped, wrong.flip_last_pixel, wrong.flip_rows, wrong.flip_order, wrong.flip_boxes_only
    ),
    draw=_random_objects,
    together=((0, 1),),
    picture=_flip_picture,
)

# ---- exercise 5 ----


def _random_scales(rng: np.random.Generator, size: int) -> tuple:
    """Boxes and two to four factors. No two scales are nearly equally good."""
    while True:
        corners, sides = rng.integers(0, 100, (size, 2)), rng.integers(10, 200, (size, 2))
        factors = np.sort(rng.choice([0.5, 0.75, 1.0, 1.5, 2.0, 3.0], int(rng.integers(2, 5)), replace=False))
        off = np.abs(sides.prod(axis=1)[:, None] * factors**2 - 96.0**2)
        if (np.diff(np.sort(off, axis=1), axis=1)[:, 0] > 1).all():
            boxes = torch.from_numpy(np.concatenate((corners, corners + sides), axis=1)).float()
            return boxes, tuple(factors.tolist()), 96.0


def _scale_case(sides: list, factors: tuple, side: float, expected: list, why: str) -> Case:
    boxes = torch.tensor([[5.0, 7.0, 5.0 + w, 7.0 + h] for w, h in sides]).reshape(-1, 4)
    return Case((boxes, factors, side), torch.tensor(expected, dtype=torch.int64), why)


check_scale_of = Exercise(
    name="scale_of",
    cases=(
        _scale_case([(100, 100)], (1.0, 2.0), 100.0, [0], "100 x 100 at scale 1 is just right"),
        _scale_case([(50, 50)], (1.0, 2.0), 100.0, [1], "at scale 2 it is 100 x 100"),
        _scale_case([(25, 100)], (1.0, 2.0), 100.0, [1], "the area counts: 50 x 200 = 10,000"),
        _scale_case(
            [(65, 65)], (1.0, 2.0), 100.0, [0], "4,225 and 16,900: 5,775 below 10,000 is nearer than 6,900 above"
        ),
        _scale_case([(160, 40), (20, 30)], (0.5, 1.0, 2.0), 80.0, [1, 2], "160 x 40 = 80^2; the small one is enlarged"),
        _scale_case([], (1.0, 2.0), 100.0, [], "no boxes"),
    ),
    reference=nearest_scale,
    known=known(
        wrong.scale_by_sides,
        wrong.scale_area_once,
        wrong.scale_by_width,
        wrong.scale_side_unsquared,
        wrong.scale_factors,
        wrong.scale_of_largest,
    ),
    draw=_random_scales,
    together=((0,),),
)
