"""Checks of notebook 12's exercises: crop pooling, and targets of the second stage; pixels and steps are in
`faster_steps`.

Known mistakes are in `wrong_faster`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou, encode_boxes
from rcnn_lite.checks import wrong_faster as wrong
from rcnn_lite.checks.faster_steps import check_to_image, check_trainable
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, grids
from rcnn_lite.matching import match_boxes
from rcnn_lite.plotting import GROUND_TRUTH, NEGATIVE, POSITIVE, PROPOSAL

__all__ = ["check_halve", "check_proposal_targets", "check_theta_of", "check_to_image", "check_trainable"]


def _floats(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _whole(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


NO_BOX = torch.zeros(0, 4)

# ---- exercise 1 ----


def _theta_of(boxes: Tensor, map_size: tuple[int, int], stride: int) -> Tensor:
    """As `crop_pool` makes it; tests/checks/test_check_faster.py compares the two."""
    limits = boxes.new_tensor([map_size[1], map_size[0]]) * stride  # W, H of the picture
    low, high = boxes[:, :2] / limits, boxes[:, 2:] / limits  # (n, 2) in [0, 1]
    return torch.cat((torch.diag_embed(high - low), (low + high - 1)[:, :, None]), dim=2)


def _random_windows(rng: np.random.Generator, size: int) -> tuple:
    """Boxes inside a picture whose map is nowhere square."""
    stride, rows = int(rng.choice([4, 8, 16])), int(rng.integers(3, 12))
    columns = rows + int(rng.integers(1, 6))
    limit = np.array([columns, rows]) * stride
    corner = rng.integers(0, limit - 3, (size, 2))
    boxes = np.hstack((corner, np.minimum(corner + rng.integers(2, 90, (size, 2)), limit)))
    return torch.from_numpy(boxes).float(), (rows, columns), stride


check_theta_of = Exercise(
    name="theta_of",
    cases=(
        Case(
            (_floats((0, 0, 64, 64)), (4, 4), 16), [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], "the whole map: nothing to do"
        ),
        Case(
            (_floats((0, 0, 32, 64)), (4, 4), 16),
            [[[0.5, 0.0, -0.5], [0.0, 1.0, 0.0]]],
            "the left half: half as wide, centred at -0.5",
        ),
        Case(
            (_floats((32, 32, 64, 64)), (4, 4), 16),
            [[[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]],
            "the lower right quarter: centred at 0.5, 0.5",
        ),
        Case(
            (_floats((16, 0, 48, 32)), (2, 8), 16),
            [[[0.25, 0.0, -0.5], [0.0, 1.0, 0.0]]],
            "2 rows, 8 columns: 32 of 128 pixels wide, 32 of 32 high; x from -0.75 to -0.25",
        ),
        Case(
            (_floats((30, 10, 50, 10)), (5, 10), 8),
            [[[0.25, 0.0, 0.0], [0.0, 0.0, -0.5]]],
            "no height: all rows read y = 10 of 40, which is -0.5",
        ),
        Case((NO_BOX, (4, 4), 16), torch.zeros(0, 2, 3), "no boxes"),
    ),
    reference=_theta_of,
    known=known(
        wrong.theta_rows_first,
        wrong.theta_size_swapped,
        wrong.theta_in_pixels,
        wrong.theta_last_centre,
        wrong.theta_corner,
        wrong.theta_centre_in_0_1,
        wrong.theta_doubled,
        wrong.theta_stride_twice,
    ),
    draw=_random_windows,
    together=((0,),),
)

# ---- exercise 2 ----


def _halve(crops: Tensor) -> Tensor:
    return crops.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).amax(dim=(3, 5))


def _random_crops(rng: np.random.Generator, size: int) -> tuple:
    shape = (int(rng.integers(1, 3)), int(rng.integers(1, 4)), 2 * int(rng.integers(1, size + 1)), 2 * size)
    return (torch.from_numpy(rng.integers(-30, 10, shape)).float(),)


_FOUR = torch.arange(16.0).view(1, 1, 4, 4)
check_halve = Exercise(
    name="halve",
    cases=(
        Case((_floats((1, 2), (3, 0))[None, None],), [[[[3.0]]]], "one square of four"),
        Case((_FOUR,), [[[[5.0, 7.0], [13.0, 15.0]]]], "of each 2 x 2 the last of the four"),
        Case((-_FOUR,), [[[[0.0, -2.0], [-8.0, -10.0]]]], "now the first; a maximum may be negative"),
        Case((_floats((4, 1, 2, 2), (0, 3, 5, 9))[None, None],), [[[[4.0, 9.0]]]], "2 rows and 4 columns: 1 x 2"),
        Case((torch.cat((_FOUR, -_FOUR), dim=1)[:, :, :2, :2],), [[[[5.0]], [[0.0]]]], "each channel by itself"),
        Case((torch.zeros(0, 3, 14, 14),), torch.zeros(0, 3, 7, 7), "no RoIs"),
    ),
    reference=_halve,
    known=known(
        wrong.halve_means,
        wrong.halve_every_second,
        wrong.halve_rows_only,
        wrong.halve_overlapping,
        wrong.halve_quadrants,
        wrong.halve_over_channels,
        wrong.halve_from_zero,
    ),
    draw=_random_crops,
    together=((0,),),
    picture=grids((0, "crop")),
)

# ---- exercise 3 ----


def _proposal_targets(proposals: Tensor, gt_boxes: Tensor, gt_labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    boxes = torch.cat((gt_boxes, proposals))
    matched, sides = match_boxes(boxes, gt_boxes, fg_iou=0.5, bg_iou=(0.1, 0.5))
    rows = torch.nonzero(sides == 1).flatten()
    labels, deltas = sides.clone(), torch.zeros_like(boxes)
    labels[rows] = gt_labels[matched[rows]]
    deltas[rows] = encode_boxes(gt_boxes[matched[rows]], boxes[rows]) / boxes.new_tensor([0.1, 0.1, 0.2, 0.2])
    return boxes, labels, deltas


def _clear(proposals: Tensor, gt_boxes: Tensor) -> bool:
    """No overlap near a threshold, and no two objects that a proposal overlaps alike."""
    iou = torch.cat((box_iou(proposals, gt_boxes), torch.zeros(len(proposals), 2)), dim=1)
    first, second = iou.topk(2, dim=1).values.T
    near = ((first - 0.1).abs() < 1e-3) | ((first - 0.5).abs() < 1e-3) | ((first - second < 1e-3) & (first > 0))
    return not bool(near.any())


def _random_scene(rng: np.random.Generator, size: int) -> tuple:
    """Objects, now and then none, and proposals: most of them moved copies of an object."""
    while True:
        objects = int(rng.integers(0, 4)) if size > 2 else 1
        corner = rng.integers(0, 60, (objects, 2))
        gt_boxes = np.hstack((corner, corner + rng.integers(20, 60, (objects, 2))))
        corner = rng.integers(0, 60, (size, 2))
        boxes = np.hstack((corner, corner + rng.integers(15, 70, (size, 2))))
        near = rng.random(size) < 0.7 if objects else np.zeros(size, bool)
        chosen = gt_boxes[rng.integers(0, max(objects, 1), near.sum())] if objects else np.zeros((0, 4), int)
        boxes[near] = chosen + rng.integers(-7, 8, chosen.shape)
        proposals, gt_boxes = torch.from_numpy(boxes).float(), torch.from_numpy(gt_boxes.reshape(-1, 4)).float()
        if _clear(proposals, gt_boxes):
            return proposals, gt_boxes, torch.from_numpy(rng.integers(1, 6, objects))


def _scene(proposals: Tensor, gt_boxes: Tensor, gt_labels: Tensor, labels: tuple, deltas: dict, why: str) -> Case:
    """``deltas`` holds the rows that are not zero."""
    rows = torch.zeros(len(labels), 4)
    for place, values in deltas.items():
        rows[place] = torch.tensor(values)
    return Case((proposals, gt_boxes, gt_labels), (torch.cat((gt_boxes, proposals)), _whole(*labels), rows), why)


def _targets_picture(case: Case, result: object) -> Picture:
    _, gt_boxes, gt_labels = case.args
    boxes, labels, _ = (torch.as_tensor(each) for each in case.expected)
    sides = (("positive", labels > 0, POSITIVE), ("negative", labels == 0, NEGATIVE), ("ignored", labels < 0, PROPOSAL))
    objects = Outline("objects, and their labels", gt_boxes, GROUND_TRUTH, names=[str(k) for k in gt_labels.tolist()])
    return Picture((objects, *(Outline(what, boxes[rows], color, dashed=True) for what, rows, color in sides)))


_CUP, _CAT = _floats((0, 0, 20, 20)), _floats((40, 0, 60, 40))
check_proposal_targets = Exercise(
    name="proposal_targets",
    cases=(
        _scene(
            _floats((0, 0, 20, 20)), _CUP, _whole(3), (3, 3), {}, "the object itself comes first; both fit: no move"
        ),
        _scene(
            _floats((2, 0, 22, 20)),
            _CUP,
            _whole(3),
            (3, 3),
            {1: [-1.0, 0.0, 0.0, 0.0]},
            "IoU 18/22; it must go left by 2 of its 20 pixels: -0.1, divided by 0.1",
        ),
        _scene(
            _floats((0, 0, 20, 10)),
            _CUP,
            _whole(3),
            (3, 3),
            {1: [0.0, 5.0, 0.0, 3.465736]},
            "IoU exactly 0.5 is positive; down by half its height / 0.1; twice as high: ln 2 / 0.2",
        ),
        _scene(_floats((0, 0, 20, 6)), _CUP, _whole(3), (3, 0), {}, "IoU 0.3: background, which has no deltas"),
        _scene(_floats((0, 0, 20, 1)), _CUP, _whole(3), (3, -1), {}, "IoU 0.05: ignored"),
        _scene(
            _floats((40, 0, 60, 36), (2, 0, 22, 20)),
            torch.cat((_CUP, _CAT)),
            _whole(3, 1),
            (3, 1, 1, 3),
            {2: [0.0, 0.555556, 0.0, 0.526803], 3: [-1.0, 0.0, 0.0, 0.0]},
            "two objects first, then two proposals: each has the class of its own",
        ),
        _scene(NO_BOX, _CAT, _whole(1), (1,), {}, "no proposals: the object is still there"),
        _scene(_CUP, NO_BOX, _whole(), (-1,), {}, "no objects: nothing is positive or in [0.1, 0.5)"),
    ),
    reference=_proposal_targets,
    known=known(
        wrong.targets_without_objects,
        wrong.targets_objects_last,
        wrong.targets_as_rpn,
        wrong.targets_all_background,
        wrong.targets_strict,
        wrong.targets_not_normalised,
        wrong.targets_backwards,
        wrong.targets_of_background,
        wrong.targets_without_class,
    ),
    draw=_random_scene,
    together=((0,), (1, 2)),
    picture=_targets_picture,
)
