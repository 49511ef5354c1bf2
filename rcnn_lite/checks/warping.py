"""Checks of notebook 05's exercises: warping and fine-tuning. Known mistakes are in `wrong_warping`."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.checks import wrong_warping as wrong
from rcnn_lite.checks.harness import Case, Exercise, known
from rcnn_lite.checks.pictures import Dots, Outline, Picture
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, POSITIVE, PROPOSAL

NO_BOX = torch.zeros(0, 4)


def _rows(*rows: tuple) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def _whole(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


def _random_boxes(rng: np.random.Generator, count: int) -> Tensor:
    """Boxes (count, 4) with whole coordinates in 0 .. 12 and sides of at least 1, so that many overlap."""
    corner = rng.integers(0, 6, (count, 2))
    return torch.from_numpy(np.hstack((corner, corner + rng.integers(1, 7, (count, 2))))).float()


# ---- exercise 1 ----


def _source_coordinates(edges: Tensor, size: int, context: int) -> Tensor:
    step = (edges[:, 1:] - edges[:, :1]) / (size - 2 * context)
    return edges[:, :1] + (torch.arange(size) + 0.5 - context) * step


def _random_edges(rng: np.random.Generator, size: int) -> tuple:
    low, context = rng.integers(-4, 20, size), int(rng.integers(0, 4))
    edges = np.stack((low, low + rng.integers(1, 30, size)), axis=1)
    return torch.from_numpy(edges).float(), 2 * context + int(rng.integers(1, 7)), context


def _places_picture(case: Case, result: object) -> Picture:
    sides = [[a, row, b, row + 0.8] for row, (a, b) in enumerate(case.args[0].tolist())]
    right, yours = (
        [[x, row + at] for row, places in enumerate(torch.as_tensor(rows).tolist()) for x in places]
        for rows, at in ((case.expected, 0.25), (result, 0.55))
    )
    marks = (Outline("the sides of the boxes, one a row", sides, POSITIVE), Dots("right", right, GROUND_TRUTH))
    return Picture((*marks, Dots("yours", yours, DETECTION)))


check_source_coordinates = Exercise(
    name="source_coordinates",
    cases=(
        Case((_rows((10, 14)), 4, 0), [[10.5, 11.5, 12.5, 13.5]], "4 pixels become 4: the centres of the pixels"),
        Case((_rows((0, 8)), 4, 0), [[1.0, 3.0, 5.0, 7.0]], "8 pixels become 4, each 2 wide"),
        Case((_rows((10, 14)), 6, 1), [[9.5, 10.5, 11.5, 12.5, 13.5, 14.5]], "the same with a pixel on each side"),
        Case((_rows((10, 14)), 4, 1), [[9.0, 11.0, 13.0, 15.0]], "the box fills 4 - 2 = 2 pixels, each 2 wide"),
        Case((_rows((0, 3)), 5, 2), [[-4.5, -1.5, 1.5, 4.5, 7.5]], "the box fills one pixel of 5, which is 3 wide"),
        Case((_rows((0, 4), (1, 2)), 2, 0), [[1.0, 3.0], [1.25, 1.75]], "two boxes: a row each"),
        Case((torch.zeros(0, 2), 4, 1), torch.zeros(0, 4), "no boxes"),
    ),
    reference=_source_coordinates,
    known=known(  # fmt: skip
        wrong.points_at_corners,
        wrong.points_without_context,
        wrong.points_context_once,
        wrong.points_box_first,
        wrong.points_context_of_image,
        wrong.points_end_to_end,
        wrong.points_full_step,
    ),
    draw=_random_edges,
    together=((0,),),
    picture=_places_picture,
)


# ---- exercise 2 ----


def _tightest_squares(boxes: Tensor) -> Tensor:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1, keepdim=True) / 2
    return torch.cat((centre - half, centre + half), dim=1)


def _squares_picture(case: Case, result: object) -> Picture:
    yours = torch.as_tensor(result).float().reshape(-1, 4)
    right = Outline("right", torch.as_tensor(case.expected), GROUND_TRUTH)
    return Picture((Outline("boxes", case.args[0], PROPOSAL), right, Outline("yours", yours, DETECTION)))


check_tightest_squares = Exercise(
    name="tightest_squares",
    cases=(
        Case((_rows((10, 20, 14, 28)),), _rows((8, 20, 16, 28)), "4 wide, 8 high: 2 more on the left and on the right"),
        Case((_rows((10, 20, 18, 24)),), _rows((10, 18, 18, 26)), "8 wide, 4 high: 2 more above and below"),
        Case((_rows((3, 4, 8, 9)),), _rows((3, 4, 8, 9)), "a square already"),
        Case((_rows((0, 0, 1, 6)),), _rows((-2.5, 0, 3.5, 6)), "1 wide, 6 high: it reaches over the border, and may"),
        Case((_rows((0, 0, 2, 4), (5, 5, 7, 6)),), _rows((-1, 0, 3, 4), (5, 4.5, 7, 6.5)), "sides 4 and 2"),
        Case((NO_BOX,), NO_BOX, "no boxes"),
    ),
    reference=_tightest_squares,
    known=known(  # fmt: skip
        wrong.squares_shorter,
        wrong.squares_from_corner,
        wrong.squares_same_area,
        wrong.squares_side_for_half,
        wrong.squares_widest_of_all,
        wrong.squares_clipped,
        wrong.squares_centre_form,
    ),
    draw=lambda rng, size: (_random_boxes(rng, size),),
    together=((0,),),
    picture=_squares_picture,
)


# ---- exercise 3 ----


def _region_labels(boxes: Tensor, gt_boxes: Tensor, gt_labels: Tensor) -> Tensor:
    if not len(gt_boxes):
        return torch.zeros(len(boxes), dtype=torch.int64)
    overlap, nearest = box_iou(boxes, gt_boxes).max(dim=1)
    return torch.where(overlap >= 0.5, gt_labels[nearest], 0)


def _random_regions(rng: np.random.Generator, size: int) -> tuple:
    """Regions near objects. Where a region overlaps two objects equally, all objects have one label."""
    gt_boxes = _random_boxes(rng, int(rng.integers(0, 4)))
    near = gt_boxes[torch.from_numpy(rng.integers(0, max(1, len(gt_boxes)), size if len(gt_boxes) else 0))]
    near = near + torch.from_numpy(rng.integers(0, 2, near.shape)) * torch.tensor([0, 0, 1, 1])
    boxes = torch.cat((near, _random_boxes(rng, size)))
    labels = torch.from_numpy(rng.integers(2, 10, len(gt_boxes)))
    if len(gt_boxes) > 1:
        best = box_iou(boxes, gt_boxes).topk(2, dim=1).values
        if ((best[:, 0] - best[:, 1] < 1e-4) & (best[:, 0] > 0)).any():
            labels[:] = labels[0]
    return boxes, gt_boxes, labels


def _regions_picture(case: Case, result: object) -> Picture:
    return Picture((Outline("gt_boxes", case.args[1], GROUND_TRUTH), Outline("boxes", case.args[0], PROPOSAL)))


_OBJECT = _rows((0, 0, 4, 4))
check_region_labels = Exercise(
    name="region_labels",
    cases=(
        Case((_OBJECT, _OBJECT, _whole(7)), _whole(7), "the object itself: IoU 1"),
        Case((_rows((0, 0, 4, 2)), _OBJECT, _whole(7)), _whole(7), "its upper half: 8 / 16 = 0.5, just enough"),
        Case(
            (_rows((0, 0, 4, 1), (0, 0, 4, 3)), _OBJECT, _whole(7)),
            _whole(0, 7),
            "its upper quarter, 4 / 16, is background; three quarters, 12 / 16, are positive",
        ),
        Case((_rows((2, 0, 6, 4)), _OBJECT, _whole(7)), _whole(0), "shifted by half: 8 / 24 is background"),
        Case((_rows((9, 9, 12, 12)), _OBJECT, _whole(7)), _whole(0), "far away"),
        Case(
            (_rows((0, 0, 4, 4)), _rows((0, 0, 4, 3), (0, 0, 4, 4), (0, 1, 4, 4)), _whole(2, 5, 3)),
            _whole(5),
            "three objects overlap it by 0.75, 1 and 0.75: the second wins",
        ),
        Case((_rows((0, 0, 4, 4), (5, 5, 6, 6)), NO_BOX, _whole()), _whole(0, 0), "a picture without objects"),
        Case((NO_BOX, _OBJECT, _whole(7)), _whole(), "no regions"),
    ),
    reference=_region_labels,
    known=known(  # fmt: skip
        wrong.labels_above,
        wrong.labels_any_overlap,
        wrong.labels_by_number,
        wrong.labels_first_object,
        wrong.labels_last_object,
        wrong.labels_ignore_band,
        wrong.labels_yes_or_no,
    ),
    draw=_random_regions,
    together=((0,), (1, 2)),
    picture=_regions_picture,
)


# ---- exercise 4 ----


def _draw_batch(labels: Tensor, positive_chance: Tensor, background_chance: Tensor) -> Tensor:
    drawn = []
    for pool, chance in ((labels > 0, positive_chance), (labels == 0, background_chance)):
        rows = torch.nonzero(pool).flatten()
        drawn.append(rows[(chance * len(rows)).long()] if len(rows) else rows)
    return torch.cat(drawn)


def _random_chances(rng: np.random.Generator, size: int) -> tuple:
    """Up to 12 regions, so that no chance falls on the border between two."""
    labels = torch.from_numpy(rng.integers(0, 4, int(rng.integers(1, 13))))
    positive, background = ((rng.integers(0, 1000, count) + 0.5) / 1000 for count in (size, 2 * size))
    return labels, torch.from_numpy(positive).float(), torch.from_numpy(background).float()


_LABELS = _whole(0, 3, 0, 0, 1, 0)  # regions 1 and 4 are positive
check_draw_batch = Exercise(
    name="draw_batch",
    cases=(
        Case(
            (_LABELS, torch.tensor([0.1]), torch.tensor([0.1])), _whole(1, 0), "the first of the 2, the first of the 4"
        ),
        Case((_LABELS, torch.tensor([0.9]), torch.tensor([0.9])), _whole(4, 5), "the last of the 2, the last of the 4"),
        Case((_LABELS, torch.tensor([0.4, 0.6]), torch.zeros(0)), _whole(1, 4), "0.4 x 2 is below 1, 0.6 x 2 above"),
        Case((_LABELS, torch.zeros(0), torch.tensor([0.3, 0.6])), _whole(2, 3), "0.3 x 4 = 1.2 and 0.6 x 4 = 2.4"),
        Case(
            (_LABELS, torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.1])),
            _whole(1, 1, 1, 0),
            "a region may be drawn again",
        ),
        Case((_whole(0, 0), torch.tensor([0.5]), torch.tensor([0.7])), _whole(1), "no positives: backgrounds alone"),
        Case((_whole(2, 2), torch.tensor([0.7]), torch.tensor([0.5])), _whole(1), "no backgrounds: positives alone"),
    ),
    reference=_draw_batch,
    known=known(  # fmt: skip
        wrong.batch_places_in_pool,
        wrong.batch_backgrounds_first,
        wrong.batch_rounded,
        wrong.batch_from_all,
        wrong.batch_first_class,
        wrong.batch_labels,
        wrong.batch_without_repeats,
    ),
    draw=_random_chances,
    together=((1,), (2,)),
)
