"""Checks of notebook 02's exercises: measuring detectors.

Known mistakes are in `wrong_measuring`; exercises 3, 4 and 6 are made in `measuring_areas`.
"""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.checks import wrong_measuring as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.measuring_areas import (
    NO_VERDICT,
    check_ap_from_verdicts,
    check_best_and_worst,
    check_coco_ap,
    flags_of,
    random_flags,
)
from rcnn_lite.checks.pictures import Outline, Picture, grids
from rcnn_lite.checks.wrong_areas import curve_of
from rcnn_lite.plotting import GROUND_TRUTH, PROPOSAL

__all__ = [
    "check_ap_from_verdicts",
    "check_best_and_worst",
    "check_coco_ap",
    "check_match_detections",
    "check_precision_recall",
    "check_recall_of_proposals",
]


def _random_scores(rng: np.random.Generator, count: int) -> Tensor:
    """Scores (count,), no two alike, two digits."""
    return torch.from_numpy(rng.permutation(np.arange(1, 100))[:count] / 100).float()


# ---- exercise 1 ----


def _match_detections(overlaps: Tensor, iou_threshold: float) -> Tensor:
    right, free = torch.zeros(len(overlaps), dtype=torch.bool), set(range(overlaps.shape[1]))
    for n, row in enumerate(overlaps.tolist()):
        best = max(free, key=lambda m: row[m], default=None)
        if best is not None and row[best] >= iou_threshold:
            right[n] = True
            free.remove(best)
    return right


def _random_overlaps(rng: np.random.Generator, size: int) -> tuple:
    """Overlaps of ``size`` detections with a few objects, no two alike, and a threshold that none of them equals."""
    objects = int(rng.integers(1, min(size, 5) + 1))
    values = rng.permutation(np.arange(1, 100))[: size * objects] / 100
    return torch.from_numpy(values.reshape(size, objects)).float(), int(rng.integers(3, 8)) / 10 + 0.005


def _overlaps_case(rows: list, right: list, why: str) -> Case:
    return Case((torch.tensor(rows), 0.5), right, why)


check_match_detections = Exercise(
    name="match_detections",
    cases=(
        _overlaps_case([[0.2]], [False], "an IoU of 0.2 is too small"),
        _overlaps_case([[0.8]], [True], "an IoU of 0.8 is enough"),
        _overlaps_case([[0.5]], [True], "exactly the threshold is enough"),
        _overlaps_case([[0.8], [0.9]], [True, False], "the better-scored one comes first; the object is taken then"),
        _overlaps_case([[0.3], [0.7]], [False, True], "the first is too loose and claims nothing"),
        _overlaps_case([[0.6, 0.9], [0.7, 0.2]], [True, True], "the first takes object 1, so object 0 is free"),
        _overlaps_case([[0.6, 0.9], [0.2, 0.8]], [True, False], "both overlap object 1 most; it is taken"),
        _overlaps_case([[0.9, 0.1], [0.8, 0.6]], [True, True], "object 0 is taken; object 1 is free and enough"),
        Case((torch.zeros(2, 0), 0.5), [False, False], "no object in the image: every detection is wrong"),
        Case((torch.zeros(0, 2), 0.5), NO_VERDICT, "no detections"),
    ),
    reference=_match_detections,
    known=known(
        wrong.match_strict,
        wrong.match_without_claims,
        wrong.match_voc,
        wrong.match_first_object,
        wrong.match_claims_below,
        wrong.match_objects_choose,
        wrong.match_indices,
    ),
    draw=_random_overlaps,
    together=((0,),),
    picture=grids((0, "IoU: detections x objects")),
)


# ---- exercise 2 ----


def _precision_recall(right: Tensor, scores: Tensor, objects: int) -> tuple[Tensor, Tensor]:
    return curve_of(right[scores.argsort(descending=True)], objects)


def _curve_case(flags: str, scores: list, objects: int, recall: list, precision: list, why: str) -> Case:
    return Case((flags_of(flags), torch.tensor(scores), objects), (torch.tensor(recall), torch.tensor(precision)), why)


check_precision_recall = Exercise(
    name="precision_recall",
    cases=(
        _curve_case("-", [0.9], 2, [0.0], [0.0], "one wrong detection: 0 of 2 found, 0 of 1 right"),
        _curve_case("+", [0.9], 2, [0.5], [1.0], "1 of 2 found, 1 of 1 right"),
        _curve_case("+-", [0.9, 0.4], 2, [0.5, 0.5], [1.0, 0.5], "then 1 of 2 right"),
        _curve_case("+-", [0.4, 0.9], 2, [0.0, 0.5], [0.0, 0.5], "the wrong one has the better score"),
        _curve_case("+-+", [0.9, 0.4, 0.7], 4, [0.25, 0.5, 0.5], [1.0, 1.0, 2 / 3], "by score: right, right, wrong"),
        _curve_case("", [], 3, [], [], "no detections: no points"),
    ),
    reference=_precision_recall,
    known=known(
        wrong.pr_unsorted,
        wrong.pr_worst_first,
        wrong.pr_swapped,
        wrong.pr_recall_of_found,
        wrong.pr_recall_of_detections,
        wrong.pr_not_cumulated,
        wrong.pr_counts_from_two,
    ),
    draw=lambda rng, size: (random_flags(rng, size), _random_scores(rng, size), size + int(rng.integers(0, 4))),
    together=((0, 1),),
)


# ---- exercise 5 ----


def _recall_of_proposals(
    proposals: Tensor, image: Tensor, gt_boxes: Tensor, gt_image: Tensor, iou_threshold: float
) -> float:
    covers = (box_iou(proposals, gt_boxes) >= iou_threshold) & (image[:, None] == gt_image)
    return float(covers.any(dim=0).double().mean())


def _case(rows: tuple, image: tuple, gt_rows: tuple, gt_image: tuple, right: float, why: str) -> Case:
    boxes, gt_boxes = (torch.tensor(r, dtype=torch.float32).reshape(-1, 4) for r in (rows, gt_rows))
    images, gt_images = (torch.tensor(i, dtype=torch.int64) for i in (image, gt_image))
    return Case((boxes, images, gt_boxes, gt_images, 0.5), right, why)


def _random_images(rng: np.random.Generator, size: int) -> tuple:
    """Proposals of some images and a few objects; the threshold equals no IoU."""
    gt_boxes, gt_image = _grid_boxes(rng, 1 + size // 2), torch.from_numpy(rng.integers(0, 3, 1 + size // 2))
    return _grid_boxes(rng, size), torch.from_numpy(rng.integers(0, 3, size)), gt_boxes, gt_image, 0.313


def _grid_boxes(rng: np.random.Generator, count: int) -> Tensor:
    corner = rng.integers(0, 3, (count, 2))
    return torch.from_numpy(np.hstack((corner, corner + rng.integers(2, 6, (count, 2))))).float()


_A, _HALF, _FAR = (0, 0, 4, 4), (0, 0, 4, 2), (6, 6, 9, 9)
check_recall_of_proposals = Exercise(
    name="recall_of_proposals",
    cases=(
        _case((_A,), (0,), (_A,), (0,), 1.0, "one object, covered"),
        _case((_A,), (0,), (_FAR,), (0,), 0.0, "one object, missed"),
        _case((_A,), (0,), (_A,), (1,), 0.0, "the proposal lies in another image"),
        _case((_HALF,), (0,), (_A,), (0,), 1.0, "IoU 8 / 16 is exactly the threshold: enough"),
        _case((_A, _A), (0, 0), (_A,), (0,), 1.0, "covered twice is covered once"),
        _case((_A,), (0,), (_A, _FAR), (0, 0), 0.5, "one of two objects"),
        _case((_A, _FAR), (0, 0), (_A,), (0,), 1.0, "the useless proposal costs nothing"),
        _case((_A,), (0,), (_A, _FAR, _FAR, _FAR), (0, 0, 0, 1), 1 / 4, "1 of 4 objects; one image has no proposals"),
        _case((), (), (_A,), (0,), 0.0, "no proposals"),
    ),
    reference=_recall_of_proposals,
    known=known(
        wrong.recall_across_images,
        wrong.recall_of_boxes,
        wrong.recall_hits,
        wrong.recall_by_image,
        wrong.recall_seen_images,
        wrong.recall_strict,
    ),
    draw=_random_images,
    together=((0, 1),),
    picture=lambda case, result: Picture(
        (Outline("gt_boxes", case.args[2], GROUND_TRUTH), Outline("proposals", case.args[0], PROPOSAL))
    ),
)
