"""Checks of notebook 14's exercises: mask targets, the loss on the true class's mask, the mask of the class that was
found; pixels of the picture are in `pasting`, points in `keypointing`.

Known mistakes are in `wrong_masking`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.checks import wrong_masking as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, grids
from rcnn_lite.heads.mask_head import own_masks
from rcnn_lite.losses import mask_loss
from rcnn_lite.plotting import POSITIVE
from rcnn_lite.regions.roi_align import roi_align

LN2, P75, P25 = 0.693147, 0.287682, 1.386294  # -ln of 1/2, 3/4 and 1/4
LN3 = 1.0986123  # a logit of ln 3 is a probability of 3/4


def _pixels(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.uint8)


def _box(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32)


def _whole(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


# ---- exercise 1 ----


def _box_target(mask: Tensor, box: Tensor, size: int) -> Tensor:
    rois = torch.cat((box.new_zeros(1), box))[None]
    return roi_align(mask[None, None].to(box), rois, size, 1.0, sampling_ratio=1)[0, 0]


def _random_object(rng: np.random.Generator, size: int) -> tuple:
    """A mask of a few pixels, nowhere square, and a box inside the picture."""
    height = int(rng.integers(2, 3 + size))
    width = height + int(rng.integers(1, 5))
    mask = torch.from_numpy((rng.random((height, width)) < 0.5).astype(np.uint8))
    low = rng.integers(0, [2 * width, 2 * height]) / 4
    high = np.minimum(low + 1 + rng.integers(0, 4 * height, 2) / 4, [width, height])
    return mask, torch.from_numpy(np.concatenate((low, high))).float(), int(rng.integers(1, 5))


def _target_marks(mask: Tensor, box: Tensor, size: int) -> list[Outline]:
    return [Outline("the box", box, POSITIVE)]


_COLUMN, _ROW = _pixels((0, 1), (0, 1)), _pixels((0, 0), (1, 1), (1, 1), (0, 0))
_TWO = _pixels((0, 1, 1, 0), (0, 1, 1, 0))
check_box_target = Exercise(
    name="box_target",
    cases=(
        Case((_COLUMN, _box(0, 0, 2, 2), 2), [[0.0, 1.0], [0.0, 1.0]], "each cell is a pixel"),
        Case((_COLUMN, _box(0, 0, 2, 2), 1), [[0.5]], "the centre of the box lies amid four pixels"),
        Case((_TWO, _box(1, 0, 3, 2), 2), [[1.0, 1.0], [1.0, 1.0]], "the object fills its box"),
        Case(
            (_TWO, _box(0.5, 0, 2.5, 2), 2),
            [[0.5, 1.0], [0.5, 1.0]],
            "centres of cells at x = 1 and 2: between pixels 0 and 1, and between 1 and 2",
        ),
        Case((_ROW, _box(0, 0, 2, 4), 2), [[0.5, 0.5], [0.5, 0.5]], "centres of cells at y = 1 and y = 3"),
        Case((_ROW, _box(0, 1, 2, 3), 2), [[1.0, 1.0], [1.0, 1.0]], "rows 1 and 2"),
        Case(
            (_COLUMN, _box(0.25, 0, 0.75, 2), 2),
            [[0.0, 0.125], [0.0, 0.125]],
            "x = 0.375 lies before the first centre; x = 0.625 an eighth of the way from 0.5 to 1.5",
        ),
    ),
    reference=_box_target,
    known=known(
        wrong.target_half_a_pixel,
        wrong.target_cell_corners,
        wrong.target_ends,
        wrong.target_swapped,
        wrong.target_nearest,
        wrong.target_box_rounded,
        wrong.target_without_box,
    ),
    draw=_random_object,
    picture=grids((0, "mask"), marks=_target_marks),
)

# ---- exercise 2 ----


def _true_mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    return mask_loss(logits, labels, targets)["mask"]


def _random_answers(rng: np.random.Generator, size: int) -> tuple:
    count, classes, cells = size, int(rng.integers(3, 6)), int(rng.integers(1, 4))
    logits = torch.from_numpy(rng.normal(0, 2, (count, classes, cells, cells))).float()
    targets = torch.from_numpy(rng.integers(0, 5, (count, cells, cells)) / 4).float()
    return logits, torch.from_numpy(rng.integers(1, classes, count)), targets


def _cells(*classes: list) -> Tensor:
    """Logits (1, K, 1, n) of one region: a list of n numbers for each class."""
    return torch.tensor([[[row] for row in classes]], dtype=torch.float32)


_TWO_REGIONS = torch.cat((_cells([9.0], [LN3], [0.0]), _cells([9.0], [5.0], [0.0])))
check_true_mask_loss = Exercise(
    name="true_mask_loss",
    cases=(
        Case((_cells([0.0], [0.0]), _whole(1), torch.ones(1, 1, 1)), LN2, "undecided: -ln 1/2"),
        Case((_cells([9.0], [LN3]), _whole(1), torch.ones(1, 1, 1)), P75, "class 1 says 3/4, it is object: -ln 3/4"),
        Case((_cells([9.0], [LN3]), _whole(1), torch.zeros(1, 1, 1)), P25, "it says 3/4, it is not: -ln 1/4"),
        Case(
            (_cells([9.0], [LN3]), _whole(1), torch.full((1, 1, 1), 0.5)),
            (P75 + P25) / 2,
            "a cell that is half object: half of each",
        ),
        Case(
            (_cells([9.0, 9.0], [LN3, 0.0]), _whole(1), torch.tensor([[[1.0, 0.0]]])),
            (P75 + LN2) / 2,
            "the mean of two cells",
        ),
        Case((_TWO_REGIONS, _whole(1, 2), torch.ones(2, 1, 1)), (P75 + LN2) / 2, "each region its own class's mask"),
        Case((torch.zeros(0, 3, 2, 2), _whole(), torch.zeros(0, 2, 2)), 0.0, "no regions"),
    ),
    reference=_true_mask_loss,
    known=known(
        wrong.loss_all_classes,
        wrong.loss_softmax,
        wrong.loss_label_before,
        wrong.loss_sum,
        wrong.loss_sum_of_cells,
        wrong.loss_objects_only,
        wrong.loss_squares,
        wrong.loss_highest_class,
    ),
    draw=_random_answers,
    together=((0, 1, 2),),
)

# ---- exercise 3 ----


def _masks_of_class(logits: Tensor, labels: Tensor) -> Tensor:
    return own_masks(logits, labels)


_THREE = torch.tensor([0.0, LN3, -LN3]).view(1, 3, 1, 1)
check_masks_of_class = Exercise(
    name="masks_of_class",
    cases=(
        Case((_THREE, _whole(1)), [[[0.75]]], "class 1: a logit of ln 3 is 3/4"),
        Case((_THREE, _whole(2)), [[[0.25]]], "class 2, though class 1 is surer of this cell"),
        Case((_THREE.repeat(2, 1, 1, 1), _whole(2, 1)), [[[0.25]], [[0.75]]], "two regions, two classes"),
        Case((torch.cat((_THREE, -_THREE), dim=3), _whole(1)), [[[0.75, 0.25]]], "two cells"),
        Case((torch.zeros(0, 3, 2, 2), _whole()), torch.zeros(0, 2, 2), "nothing found"),
    ),
    reference=_masks_of_class,
    known=known(
        wrong.masks_label_before,
        wrong.masks_softmax,
        wrong.masks_highest,
        wrong.masks_logits,
        wrong.masks_cut,
        wrong.masks_all_pairs,
        wrong.masks_over_cells,
    ),
    draw=lambda rng, size: _random_answers(rng, size)[:2],
    together=((0, 1),),
)
