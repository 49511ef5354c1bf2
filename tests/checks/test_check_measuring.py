"""Notebook 02's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from rcnn_lite.checks import measuring
from rcnn_lite.checks.measuring_mistakes import mistake, mistakes
from rcnn_lite.evaluation import average_precision, coco_curves, evaluate_coco, evaluate_voc, precision_recall
from rcnn_lite.evaluation import proposal_recall as package_recall

FAR = torch.tensor([500.0, 500.0, 510.0, 510.0])


def a_list(verdicts, objects):
    """Detections of class 1, best score first, and a target of which they are right (1), wrong (0), in a crowd (2)."""
    places = torch.tensor([[20.0 * k, 0.0, 20.0 * k + 10, 10.0] for k in range(max(objects, 1))])[:objects]
    crowd = torch.tensor([[0.0, 100.0, 90.0, 110.0]])
    boxes, used = [], 0
    for n, verdict in enumerate(verdicts):
        boxes.append(
            {0: FAR + 20 * n, 1: places[min(used, objects - 1)], 2: crowd[0] + torch.tensor([0, 2, -80.0, -2])}[verdict]
        )
        used += verdict == 1
    found = {
        "boxes": torch.stack(boxes) if boxes else torch.zeros(0, 4),
        "labels": torch.ones(len(boxes), dtype=torch.int64),
        "scores": torch.linspace(1, 0.1, len(boxes)),
    }
    truth = {
        "boxes": torch.cat((places, crowd)),
        "labels": torch.ones(objects + 1, dtype=torch.int64),
        "iscrowd": torch.tensor([0] * objects + [1]),
    }
    return found, truth


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(60), strict=False)]


def test_coco_ap_is_that_of_evaluate_coco():
    for case in cases_of(measuring.check_coco_ap):
        verdicts, objects = case.args
        found, truth = a_list(verdicts.tolist(), objects)
        assert evaluate_coco([found], [truth])["AP50"] == pytest.approx(case.expected, abs=1e-9), case


def test_curves_and_areas_are_those_of_evaluate_voc():
    for case in cases_of(measuring.check_ap_from_verdicts):
        right, objects, eleven_points = case.args
        found, truth = a_list(right.long().tolist(), objects)
        result = evaluate_voc([found], [truth], use_07_metric=eleven_points)
        assert result["mAP"] == pytest.approx(case.expected, abs=1e-9), case
        recall, precision, _ = precision_recall([found], [truth], 1)
        ours = measuring.check_precision_recall.reference(right, found["scores"], objects)
        assert torch.equal(torch.stack(ours), torch.stack((recall, precision)))


def test_matches_are_those_of_evaluate_coco():
    """Overlaps as they are cannot be handed to evaluate_coco; boxes that have them can."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        corner = torch.from_numpy(rng.integers(0, 12, (9, 2))).float()
        boxes = torch.cat((corner, corner + torch.from_numpy(rng.integers(4, 12, (9, 2)))), dim=1)
        ones = torch.ones(9, dtype=torch.int64)
        found = {"boxes": boxes[:5], "labels": ones[:5], "scores": torch.linspace(1, 0.5, 5)}
        truth = {"boxes": boxes[5:], "labels": ones[5:]}
        overlaps = measuring.box_iou(found["boxes"], truth["boxes"])
        if len(overlaps.unique()) < (overlaps > 0).sum():
            continue  # of equal overlaps COCO takes the last
        right = measuring.check_match_detections.reference(overlaps, 0.5)
        recall = coco_curves([found], [truth]).recall[0, 0, 0, 2]
        assert recall == pytest.approx(right.sum().item() / 4)


def test_recall_is_proposal_recall():
    for case in cases_of(measuring.check_recall_of_proposals):
        proposals, image, gt_boxes, gt_image, threshold = case.args
        images = sorted({*image.tolist(), *gt_image.tolist()})
        targets = [{"boxes": gt_boxes[gt_image == i], "labels": (gt_image[gt_image == i] + 1)} for i in images]
        result = package_recall([proposals[image == i] for i in images], targets, [threshold])
        assert result.item() == pytest.approx(case.expected)


def test_best_and_worst_are_those_of_all_orders():
    for case in measuring.check_best_and_worst.cases:
        right, objects = case.args
        orders = set(itertools.permutations(right.tolist()))
        aps = []
        for order in orders:
            hits = np.cumsum(order)
            aps.append(average_precision(hits / objects, hits / np.arange(1, len(order) + 1)))
        assert (max(aps), min(aps)) == pytest.approx(case.expected)


# ---- the mistakes ----


def two_images():
    """Image 0: a hit at 0.9 and a wrong one at 0.2; image 1: a hit at 0.8, its duplicate at 0.7, a difficult object."""
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [40.0, 40.0, 50.0, 50.0]])
    targets = [
        {"boxes": boxes[:1], "labels": torch.tensor([1])},
        {"boxes": boxes, "labels": torch.tensor([1, 1]), "difficult": torch.tensor([False, True])},
    ]
    detections = [
        {"boxes": torch.stack((boxes[0], FAR)), "labels": torch.tensor([1, 1]), "scores": torch.tensor([0.9, 0.2])},
        {"boxes": boxes[[0, 0]], "labels": torch.tensor([1, 1]), "scores": torch.tensor([0.8, 0.7])},
    ]
    return detections, targets


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sorted_per_image", (1 + 2 / 3) / 2),  # hit, wrong, hit, duplicate
        ("difficult_counted", 2 / 3),  # two of three found
        ("claims_forgotten", 1.5),  # three right of two
        ("eleven_points", 1.0),
        ("envelope_forgotten", 1.0),
        ("labels_shifted", 0.0),
        ("plus_one_width", 1.0),
    ],
)
def test_each_mistake_by_hand(name, expected):
    detections, targets = two_images()
    assert evaluate_voc(detections, targets)["mAP"] == 1
    with mistake(name):
        assert evaluate_voc(detections, targets)["mAP"] == pytest.approx(expected)
    assert evaluate_voc(detections, targets)["mAP"] == 1


def test_the_envelope_and_the_eleven_points_change_a_curve_that_rises():
    found, truth = a_list([0, 1, 1], 4)
    assert evaluate_voc([found], [truth])["mAP"] == pytest.approx(0.5 * 2 / 3)
    with mistake("envelope_forgotten"):
        assert evaluate_voc([found], [truth])["mAP"] == pytest.approx((1 / 2 + 2 / 3) / 4)
    with mistake("eleven_points"):
        assert evaluate_voc([found], [truth])["mAP"] == pytest.approx(6 / 11 * 2 / 3)


def test_sorted_per_image_on_nothing():
    with mistake("sorted_per_image"):
        assert np.isnan(evaluate_voc([], [])["mAP"])


def test_the_notebook_names_mistakes_that_exist():
    text = (Path(__file__).parents[2] / "notebooks" / "02_measuring_detectors.ipynb").read_text(encoding="utf-8")
    used = set(re.findall(r'mistake\(\\"(\w+)\\"\)', text))
    assert used
    assert used <= set(mistakes())
