"""Checks of notebook 12's exercises: proposals in the pixels of the image, and what learns in which step.

Known mistakes are in `wrong_faster_steps`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import clip_boxes
from rcnn_lite.checks import wrong_faster_steps as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import right_and_yours
from rcnn_lite.regions.scales import scale_boxes


def _floats(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


NO_BOX = torch.zeros(0, 4)

# ---- exercise 4 ----


def _to_image(boxes: Tensor, picture_size: tuple[int, int], image_size: tuple[int, int]) -> Tensor:
    return clip_boxes(scale_boxes(boxes, picture_size, image_size), image_size)


def _random_picture(rng: np.random.Generator, size: int) -> tuple:
    """Boxes in a resized picture, some of them beyond its border; the two axes have different factors."""
    picture = rng.integers(60, 160, 2) * 4
    image = (picture // 4 * rng.integers(1, 12, 2)).tolist()
    corner = rng.integers(-40, picture[::-1] - 10, (size, 2))
    boxes = np.hstack((corner, corner + rng.integers(50, 400, (size, 2))))
    return torch.from_numpy(boxes).float(), tuple(picture.tolist()), tuple(image)


check_to_image = Exercise(
    name="to_image",
    cases=(
        Case(
            (_floats((20, 40, 60, 80)), (200, 200), (100, 100)),
            _floats((10, 20, 30, 40)),
            "the picture is twice as large",
        ),
        Case((_floats((20, 20, 60, 40)), (50, 200), (100, 100)), _floats((10, 40, 30, 80)), "x 1/2, y 2"),
        Case((_floats((20, 40, 30, 80)), (200, 50), (100, 100)), _floats((40, 20, 60, 40)), "x 2, y 1/2"),
        Case((_floats((20, 40, 60, 80)), (100, 100), (200, 300)), _floats((60, 80, 180, 160)), "x 3, y 2"),
        Case((_floats((-10, 5, 250, 210)), (200, 240), (100, 120)), _floats((0, 2.5, 120, 100)), "cut at 0, W and H"),
        Case((_floats((5, 6, 8, 9)), (20, 20), (10, 10)), _floats((2.5, 3, 4, 4.5)), "nothing is rounded"),
        Case((NO_BOX, (20, 20), (10, 10)), NO_BOX, "no boxes"),
    ),
    reference=_to_image,
    known=known(
        wrong.image_inverse,
        wrong.image_one_factor,
        wrong.image_swapped,
        wrong.image_not_clipped,
        wrong.image_clipped_before,
        wrong.image_last_pixel,
        wrong.image_rounded,
    ),
    draw=_random_picture,
    together=((0,),),
    picture=right_and_yours(frame=2),
)

# ---- exercise 5 ----

FIRST_STAGES, SHARED, RPN, DETECTOR = 0, 1, 2, 3
JOINT = 0
LEARNS = {1: (SHARED, RPN), 2: (SHARED, DETECTOR), 3: (RPN,), 4: (DETECTOR,), JOINT: (SHARED, RPN, DETECTOR)}


def _trainable(parts: Tensor, step: int) -> Tensor:
    return torch.isin(parts, torch.tensor(LEARNS[step]))


def _step(step: int, expected: list, why: str) -> Case:
    return Case((torch.arange(4), step), torch.tensor(expected), why)


check_trainable = Exercise(
    name="trainable",
    cases=(
        _step(1, [False, True, True, False], "step 1 trains an RPN end to end: its layers and the convolutions"),
        _step(2, [False, True, False, True], "step 2 starts from ImageNet again: its own convolutions and detector"),
        _step(3, [False, False, True, False], "step 3 takes step 2's convolutions as they are: the RPN's layers only"),
        _step(4, [False, False, False, True], "step 4 keeps them too: the detector's layers only"),
        _step(0, [False, True, True, True], "joint: everything but the first stages, at once"),
        Case((torch.tensor([3, 1, 1]), 1), torch.tensor([False, True, True]), "in any order"),
        Case((torch.zeros(0, dtype=torch.int64), 2), torch.zeros(0, dtype=torch.bool), "nothing"),
    ),
    reference=_trainable,
    known=known(
        wrong.train_shared_always,
        wrong.train_first_stages,
        wrong.train_shared_once,
        wrong.train_shared_never,
        wrong.train_both_heads_last,
        wrong.train_steps_swapped,
        wrong.train_joint_heads_only,
    ),
    draw=lambda rng, size: (torch.from_numpy(rng.integers(0, 4, size)), int(rng.integers(0, 5))),
    together=((0,),),
)
