"""Checks of notebook 01's exercises: boxes, IoU, NMS. Known mistakes are in `wrong_boxes` and `wrong_nms`."""

import math

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou, clip_boxes, decode_boxes
from rcnn_lite.checks import wrong_boxes as wrong
from rcnn_lite.checks import wrong_nms
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Outline, Picture, right_and_yours
from rcnn_lite.nms import batched_nms
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, POSITIVE, PROPOSAL

LN2 = math.log(2.0)
NO_BOX = torch.zeros(0, 4)


def _boxes(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _random_boxes(rng: np.random.Generator, count: int, span: int = 12) -> Tensor:
    """Boxes (count, 4) with whole coordinates in 0 .. span and sides of at least 1, so that many overlap."""
    corner = rng.integers(0, span // 2, (count, 2))
    return torch.from_numpy(np.hstack((corner, corner + rng.integers(1, span // 2 + 1, (count, 2))))).float()


def _random_threshold(rng: np.random.Generator) -> float:
    """0.113 .. 0.713: no IoU of the random boxes equals it, so rounding decides nothing."""
    return int(rng.integers(1, 8)) / 10 + 0.013


def _random_scores(rng: np.random.Generator, count: int) -> Tensor:
    """Scores (count,), no two alike, two digits."""
    return torch.from_numpy(rng.permutation(np.arange(1, 100))[:count] / 100).float()


def _yours(result: object) -> Outline:
    return Outline("yours", torch.as_tensor(result).float().reshape(-1, 4), DETECTION)


# ---- exercise 1 ----


def _voc_to_boxes(corners: Tensor) -> Tensor:
    return torch.stack((corners[:, 0] - 1, corners[:, 1] - 1, corners[:, 2], corners[:, 3]), dim=1)


check_voc_to_boxes = Exercise(
    name="voc_to_boxes",
    cases=(
        Case((_boxes((1, 1, 1, 1)),), _boxes((0, 0, 1, 1)), "the picture's first pixel, 1 wide and 1 high"),
        Case((_boxes((3, 1, 4, 1)),), _boxes((2, 0, 4, 1)), "columns 3 and 4 of row 1: 2 wide, 1 high"),
        Case((_boxes((1, 1, 500, 375)),), _boxes((0, 0, 500, 375)), "a whole picture of 500 x 375"),
        Case((_boxes((8, 12, 352, 498), (5, 7, 6, 9)),), _boxes((7, 11, 352, 498), (4, 6, 6, 9))),
        Case((NO_BOX,), NO_BOX, "a picture without objects"),
    ),
    reference=_voc_to_boxes,
    known=known(wrong.voc_all_minus_one, wrong.voc_plus_one, wrong.voc_only_x, wrong.voc_two_too_wide),
    draw=lambda rng, size: (_random_boxes(rng, size) + 1,),
    together=((0,),),
    picture=right_and_yours((0, "the numbers as VOC has them", PROPOSAL)),
)


# ---- exercise 2 ----


def _overlap_picture(case: Case, result: object) -> Picture:
    boxes, gt_boxes = case.args
    return Picture((Outline("gt_boxes", gt_boxes, GROUND_TRUTH), Outline("boxes", boxes, POSITIVE)))


check_box_iou = Exercise(
    name="box_iou",
    cases=(
        Case((_boxes((0, 0, 2, 2)), _boxes((1, 0, 3, 2))), [[1 / 3]], "they share 1 x 2 = 2; 2 / (4 + 4 - 2)"),
        Case((_boxes((0, 0, 3, 2)), _boxes((0, 0, 3, 2))), [[1.0]], "the same box twice: 6 / (6 + 6 - 6)"),
        Case((_boxes((0, 0, 2, 2)), _boxes((2, 0, 4, 2))), [[0.0]], "they touch along an edge and share no area"),
        Case((_boxes((0, 0, 1, 1)), _boxes((2, 2, 3, 3))), [[0.0]], "they are apart along both axes"),
        Case((_boxes((0, 0, 1, 4)), _boxes((3, 1, 5, 3))), [[0.0]], "they are apart along x"),
        Case((_boxes((0, 0, 4, 4)), _boxes((1, 1, 3, 3))), [[0.25]], "one inside the other: 4 / (16 + 4 - 4)"),
        Case((_boxes((0, 0, 1, 4)), _boxes((0, 0, 4, 1))), [[1 / 7]], "they share 1 x 1; 1 / (4 + 4 - 1)"),
        Case(
            (_boxes((0, 0, 2, 2), (0, 0, 4, 4)), _boxes((1, 0, 3, 2), (0, 0, 2, 2), (9, 9, 10, 10))),
            [[1 / 3, 1.0, 0.0], [0.25, 0.25, 0.0]],
            "one row for each of the 2 boxes, one column for each of the 3 ground truths",
        ),
        Case((_boxes((1, 1, 1, 1)), _boxes((1, 1, 1, 1))), [[0.0]], "no area at all: we call 0 / 0 no overlap"),
        Case((NO_BOX, _boxes((0, 0, 2, 2))), torch.zeros(0, 1), "no boxes, one ground truth: 0 rows, 1 column"),
        Case((_boxes((0, 0, 2, 2)), NO_BOX), torch.zeros(1, 0), "one box, no ground truth: 1 row, 0 columns"),
    ),
    reference=box_iou,
    known=known(  # fmt: skip
        wrong.iou_plus_one, wrong.iou_unclamped, wrong.iou_clamped_late, wrong.iou_absolute, wrong.iou_sum_of_areas,
        wrong.iou_over_smaller, wrong.iou_over_boxes, wrong.iou_over_gt, wrong.iou_transposed,
        wrong.iou_swapped_corners, wrong.iou_centre_form, wrong.iou_zero_over_zero, wrong.iou_pairs_only,
        wrong.iou_bounding_box,
    ),
    draw=lambda rng, size: (_random_boxes(rng, size), _random_boxes(rng, int(rng.integers(1, size + 1)))),
    together=((0,), (1,)),
    picture=_overlap_picture,
)


# ---- exercise 3 ----


def _clip_picture(case: Case, result: object) -> Picture:
    height, width = case.args[1]
    frame = Outline("the picture", _boxes((0, 0, width, height)), "#333333")
    return Picture((frame, Outline("boxes", case.args[0], PROPOSAL), _yours(result)))


check_clip_boxes = Exercise(
    name="clip_boxes",
    cases=(
        Case((_boxes((-5, 3, 120, 90)), (80, 100)), _boxes((0, 3, 100, 80)), "80 high and 100 wide"),
        Case((_boxes((0, 0, 100, 80)), (80, 100)), _boxes((0, 0, 100, 80)), "it fills the picture and stays as it is"),
        Case((_boxes((10, 20, 30, 40)), (80, 100)), _boxes((10, 20, 30, 40)), "it lies inside"),
        Case((_boxes((-20, -10, -5, -2)), (80, 100)), _boxes((0, 0, 0, 0)), "wholly outside: nothing is left"),
        Case((_boxes((110, 85, 120, 95)), (80, 100)), _boxes((100, 80, 100, 80)), "beyond the lower right corner"),
        Case((NO_BOX, (80, 100)), NO_BOX, "no boxes"),
    ),
    reference=clip_boxes,
    known=known(  # fmt: skip
        wrong.clip_last_pixel, wrong.clip_swapped, wrong.clip_below_only, wrong.clip_above_only, wrong.clip_half,
    ),
    draw=lambda rng, size: (_random_boxes(rng, size, span=30) - 6, tuple(int(s) for s in rng.integers(5, 20, 2))),
    together=((0,),),
    picture=_clip_picture,
)


# ---- exercise 4 ----


def _decode_picture(case: Case, result: object) -> Picture:
    right = Outline("right", torch.as_tensor(case.expected), GROUND_TRUTH)
    return Picture((Outline("reference", case.args[1], PROPOSAL), right, _yours(result)))


_TALL = _boxes((0, 0, 10, 20))
check_decode_boxes = Exercise(
    name="decode_boxes",
    cases=(
        Case((_boxes((0, 0, 0, 0)), _TALL), _TALL, "four zeros leave the reference where it is"),
        Case((_boxes((0.5, 0, 0, 0)), _TALL), _boxes((5, 0, 15, 20)), "half a width of 10 to the right"),
        Case((_boxes((0, 0.5, 0, 0)), _TALL), _boxes((0, 10, 10, 30)), "half a height of 20 down"),
        Case((_boxes((0, 0, LN2, 0)), _TALL), _boxes((-5, 0, 15, 20)), "exp(ln 2) = 2: twice as wide, same centre"),
        Case((_boxes((0, 0, 0, -LN2)), _TALL), _boxes((0, 5, 10, 15)), "half as high, same centre"),
        Case((_boxes((1, -0.25, LN2, LN2)), _TALL), _boxes((5, -15, 25, 25)), "centre (15, 5), 20 wide, 40 high"),
        Case((NO_BOX, NO_BOX), NO_BOX, "no boxes"),
    ),
    reference=decode_boxes,
    known=known(  # fmt: skip
        wrong.decode_without_size, wrong.decode_two_to_the, wrong.decode_without_exp, wrong.decode_new_size,
        wrong.decode_from_corner, wrong.decode_stays_centre, wrong.decode_swapped, wrong.decode_plus_one,
        wrong.decode_full_size,
    ),
    draw=lambda rng, size: (torch.from_numpy(rng.integers(-8, 9, (size, 4)) / 10).float(), _random_boxes(rng, size)),
    together=((0, 1),),
    picture=_decode_picture,
)


# ---- exercises 5 and 6 ----


def _suppressed_by(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    by = torch.full((len(boxes),), -1)
    overlaps = box_iou(boxes, boxes)
    for i in torch.argsort(scores, descending=True, stable=True).tolist():
        if by[i] < 0:
            by[(by < 0) & (overlaps[i] > iou_threshold)] = i
            by[i] = i  # a box without area does not overlap itself
    return by


def _scored_picture(case: Case, result: object) -> Picture:
    boxes, scores = case.args[:2]
    labels = [f"class {k}, " for k in case.args[2].tolist()] if len(case.args) == 4 else [""] * len(boxes)
    names = [f"{label}{score:.2f}" for label, score in zip(labels, scores.tolist(), strict=True)]
    return Picture([Outline("boxes, and their scores", boxes, DETECTION, names=names)])


_CHAIN = _boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))  # neighbours 6 / 14, the ends 2 / 18
_TWINS = _boxes((0, 0, 4, 4), (0, 0, 4, 4))
check_suppressed_by = Exercise(
    name="suppressed_by",
    cases=(
        Case((_boxes((0, 0, 4, 4)), torch.tensor([0.5]), 0.5), [0], "one box is kept: it names itself"),
        Case((_TWINS, torch.tensor([0.9, 0.8]), 0.5), [0, 0], "box 0 is better and strikes out box 1"),
        Case((_TWINS, torch.tensor([0.8, 0.9]), 0.5), [1, 1], "box 1 is better and strikes out box 0"),
        Case((_boxes((0, 0, 2, 2), (0, 0, 2, 1)), torch.tensor([0.9, 0.8]), 0.5), [0, 1], "IoU 0.5 is not above 0.5"),
        Case((_CHAIN, torch.tensor([0.9, 0.8, 0.7]), 0.4), [0, 0, 2], "box 1 is out, so it cannot strike out box 2"),
        Case((_CHAIN, torch.tensor([0.9, 0.7, 0.8]), 0.4), [0, 0, 2], "boxes 0 and 2 overlap box 1; 0 comes first"),
        Case((_CHAIN, torch.tensor([0.7, 0.9, 0.8]), 0.4), [1, 1, 1], "box 1 is best and strikes out both"),
        Case((_TWINS, torch.tensor([0.5, 0.5]), 0.5), [0, 0], "of equal scores the earlier box comes first"),
        Case((NO_BOX, torch.zeros(0), 0.5), torch.zeros(0, dtype=torch.int64), "no boxes"),
    ),
    reference=_suppressed_by,
    known=known(  # fmt: skip
        wrong_nms.by_any_better, wrong_nms.by_last_kept, wrong_nms.by_at_threshold, wrong_nms.by_worst_first,
        wrong_nms.by_rank, wrong_nms.by_most_overlap, wrong_nms.by_minus_one, wrong_nms.by_unsorted,
    ),
    draw=lambda rng, size: (_random_boxes(rng, size), _random_scores(rng, size), _random_threshold(rng)),
    together=((0, 1),),
    picture=_scored_picture,
)

check_batched_nms = Exercise(
    name="batched_nms",
    cases=(
        Case((_boxes((0, 0, 4, 4)), torch.tensor([0.5]), torch.tensor([1]), 0.5), [0], "one box is kept"),
        Case((_TWINS, torch.tensor([0.9, 0.8]), torch.tensor([1, 1]), 0.5), [0], "one class: the better of two stays"),
        Case((_TWINS, torch.tensor([0.9, 0.8]), torch.tensor([1, 2]), 0.5), [0, 1], "a cat on a chair: both stay"),
        Case((_TWINS, torch.tensor([0.8, 0.9]), torch.tensor([1, 2]), 0.5), [1, 0], "best score first, whatever class"),
        Case(
            (torch.cat((_TWINS, _boxes((0, 0, 4, 3)))), torch.tensor([0.6, 0.9, 0.7]), torch.tensor([7, 2, 7]), 0.5),
            [1, 2],
            "box 2 strikes out box 0, which is of class 7 too (IoU 12 / 16)",
        ),
        Case((NO_BOX, torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5), torch.zeros(0, dtype=torch.int64)),
    ),
    reference=batched_nms,
    known=known(  # fmt: skip
        wrong_nms.batched_forgets_labels, wrong_nms.batched_grouped, wrong_nms.batched_local_indices,
        wrong_nms.batched_by_index, wrong_nms.batched_worst_first, wrong_nms.batched_small_shift,
        wrong_nms.batched_mask,
    ),
    draw=lambda rng, size: (
        _random_boxes(rng, size),
        _random_scores(rng, size),
        torch.from_numpy(rng.integers(1, 4, size)),
        _random_threshold(rng),
    ),
    together=((0, 1, 2),),
    picture=_scored_picture,
)
