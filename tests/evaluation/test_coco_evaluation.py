"""evaluate_coco: equal to pycocotools on random and on real images, and a few images worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluate_coco import NAMES, pycocotools_numbers, synthetic, to_records
from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.evaluation import coco_curves, evaluate_coco

NUM_CLASSES = 4


def assert_equal_to_pycocotools(detections, targets, iou_type, num_classes=NUM_CLASSES):
    ours = evaluate_coco(detections, targets, iou_type)
    theirs = pycocotools_numbers(*to_records(detections, targets, iou_type), num_classes, iou_type)
    assert list(ours) == list(NAMES)
    assert ours == pytest.approx(theirs, abs=1e-9)
    return ours


# Boxes on a grid of 16 pixels: sides of 32 and 96 put areas on the borders 32^2 and 96^2, and IoUs tie often.
sides = st.sampled_from([1, 2, 3, 6, 8])
corners = st.tuples(st.integers(0, 3), st.integers(0, 3), sides, sides)
few_scores = st.sampled_from([0.1, 0.25, 0.5, 0.9])


@st.composite
def an_image(draw):
    found = draw(st.lists(st.tuples(corners, st.integers(1, NUM_CLASSES - 1), few_scores), max_size=8))
    # class 3 is never in the ground truth
    truth = draw(st.lists(st.tuples(corners, st.integers(1, NUM_CLASSES - 2), st.booleans()), max_size=5))
    target = {**_shapes([item[0] for item in truth]), "labels": _ints([item[1] for item in truth])}
    if draw(st.booleans()):
        target["iscrowd"] = _ints([item[2] for item in truth])
    if draw(st.booleans()):
        areas = draw(
            st.lists(st.sampled_from([0, 1024, 1025, 9216, 9217, 10**9]), min_size=len(truth), max_size=len(truth))
        )
        target["area"] = torch.tensor(areas, dtype=torch.float32)
    detection = {**_shapes([item[0] for item in found]), "labels": _ints([item[1] for item in found])}
    detection["scores"] = torch.tensor([item[2] for item in found], dtype=torch.float32)
    return detection, target


def _ints(values):
    return torch.tensor([int(value) for value in values], dtype=torch.int64)


def _shapes(grid):
    """Boxes, and masks that are the boxes without their lower right quarter: (N, 4), (N, 176, 176)."""
    boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in grid], dtype=torch.float32).reshape(-1, 4) * 16
    masks = torch.zeros(len(grid), 176, 176, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
        mask[(y1 + y2) // 2 : y2, (x1 + x2) // 2 : x2] = 0
    return {"boxes": boxes, "masks": masks}


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
@settings(max_examples=150)
@given(images=st.lists(an_image(), min_size=1, max_size=4))
def test_equal_to_pycocotools_on_random_images(iou_type, images):
    detections, targets = zip(*images, strict=True)
    detections = [{**d, "masks": d["masks"][:, None].float()} for d in detections]
    assert_equal_to_pycocotools(detections, targets, iou_type)


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pycocotools_on_many_objects(seed):
    detections, targets = synthetic(60, seed=seed)
    detections = [{**d, "scores": (d["scores"] * 50).round() / 50} for d in detections]  # ties within and across images
    numbers = assert_equal_to_pycocotools(detections, targets, "bbox", num_classes=81)
    assert all(0 < value < 1 for value in numbers.values())


def test_more_than_a_hundred_detections_of_a_class():
    generator = torch.Generator().manual_seed(0)
    detections, targets = [], []
    for _ in range(3):
        boxes = torch.rand(130, 4, generator=generator) * 200
        boxes[:, 2:] = boxes[:, :2] + 8 + boxes[:, 2:] / 2
        moved = boxes + torch.randn(130, 4, generator=generator)
        labels = torch.ones(130, dtype=torch.int64)
        scores = torch.rand(130, generator=generator)
        detections.append(
            {"boxes": torch.cat((moved, boxes + 300)), "labels": labels.repeat(2), "scores": scores.repeat(2)}
        )
        targets.append({"boxes": boxes, "labels": labels})
    numbers = assert_equal_to_pycocotools(detections, targets, "bbox")
    assert numbers["AR1"] < numbers["AR10"] < numbers["AR100"] < 100 / 130


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_real_coco_images(real_data, iou_type):
    folder = real_data / "coco_free"
    dataset = COCODataset(folder / "images", folder / "annotations" / "instances_coco128_free.json")
    targets = [dataset.target(index) for index in range(len(dataset))]
    assert sum(int(target["iscrowd"].sum()) for target in targets) == 3
    generator = torch.Generator().manual_seed(0)
    detections = [shaken(target, generator) for target in targets]
    numbers = assert_equal_to_pycocotools(detections, targets, iou_type, num_classes=len(dataset.classes))
    assert all(0.05 < value < 0.95 for value in numbers.values())


def test_real_voc_images(real_data):
    dataset = VOCDataset(real_data / "voc100")
    targets = [dataset.target(index) for index in range(len(dataset))]
    generator = torch.Generator().manual_seed(0)
    detections = [shaken(target, generator) for target in targets]
    numbers = assert_equal_to_pycocotools(detections, targets, "bbox", num_classes=21)
    assert all(0.05 < value < 0.95 for value in numbers.values())


def shaken(target, generator):
    """The objects of a target three times, moved a little, with scores that tie; one in eight has a wrong label."""
    n = 3 * len(target["boxes"])
    size = (target["boxes"][:, 2:] - target["boxes"][:, :2]).repeat(3, 2)
    boxes = target["boxes"].repeat(3, 1) + 0.08 * size * torch.randn(n, 4, generator=generator)
    boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    labels = target["labels"].repeat(3)
    wrong = torch.rand(n, generator=generator) < 1 / 8
    detection = {
        "boxes": boxes,
        "labels": torch.where(wrong, 1, labels),
        "scores": (torch.rand(n, generator=generator) * 30).round() / 30,
    }
    if "masks" in target:
        shifts = torch.randint(-6, 7, (n, 2), generator=generator).tolist()
        masks = [m.roll(shift, (0, 1)) for m, shift in zip(target["masks"].repeat(3, 1, 1), shifts, strict=True)]
        detection["masks"] = torch.stack(masks)[:, None].float() if masks else torch.zeros(0, 1, 4, 4)
    return detection


def one_box(*boxes, **rest):
    return {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), **rest}


def test_one_object_by_hand():
    # IoU 80 / 100: right at the seven thresholds 0.5 ... 0.8, wrong at 0.85, 0.9, 0.95. 10 x 10 pixels is small.
    target = one_box([0, 0, 10, 10], labels=_ints([1]))
    detection = one_box([0, 0, 10, 8], labels=_ints([1]), scores=torch.tensor([0.9]))
    numbers = evaluate_coco([detection], [target])
    expected = dict.fromkeys(NAMES, 0.7) | {"AP50": 1, "AP75": 1} | dict.fromkeys(("APm", "APl", "ARm", "ARl"), -1)
    assert numbers == pytest.approx(expected)


def test_average_over_101_recalls_by_hand():
    # two objects; right, wrong, right: precision 1 at recall 0 ... 0.5 (51 levels), 2/3 at 0.51 ... 1 (50 levels)
    target = one_box([0, 0, 10, 10], [50, 0, 60, 10], labels=_ints([1, 1]))
    boxes = [0, 0, 10, 10], [200, 0, 210, 10], [50, 0, 60, 10]
    detection = one_box(*boxes, labels=_ints([1, 1, 1]), scores=torch.tensor([0.9, 0.8, 0.7]))
    numbers = evaluate_coco([detection], [target])
    assert numbers["AP"] == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert (numbers["AR1"], numbers["AR10"]) == (0.5, 1)


def test_crowds_swallow_detections_and_need_not_be_found():
    target = one_box([0, 0, 10, 10], [100, 0, 200, 100], labels=_ints([1, 1]), iscrowd=torch.tensor([False, True]))
    boxes = [110, 10, 120, 20], [150, 10, 160, 20], [0, 0, 10, 10]
    detection = one_box(*boxes, labels=_ints([1, 1, 1]), scores=torch.tensor([0.9, 0.8, 0.7]))
    assert evaluate_coco([detection], [target])["AP"] == 1
    assert evaluate_coco([detection], [{**target, "iscrowd": torch.zeros(2)}])["AP"] < 0.2


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
def test_nothing_to_find_is_minus_one(iou_type):
    empty = {**_shapes([]), "labels": _ints([])}
    no_detection = {**empty, "scores": torch.zeros(0)}
    some = {**_shapes([(0, 0, 2, 2)]), "labels": _ints([1])}
    detected = {**some, "scores": torch.tensor([0.5])}
    undefined = dict.fromkeys(NAMES, -1)
    assert evaluate_coco([], [], iou_type) == undefined
    assert evaluate_coco([no_detection], [empty], iou_type) == undefined
    assert evaluate_coco([detected], [empty], iou_type) == undefined
    assert evaluate_coco([detected], [{**some, "iscrowd": _ints([1])}], iou_type) == undefined
    assert evaluate_coco([no_detection], [some], iou_type)["AP"] == 0
    for detection, target in ((no_detection, empty), (detected, empty), (no_detection, some)):
        assert_equal_to_pycocotools([detection], [target], iou_type)


def test_mask_threshold_is_one_half():
    target = {**_shapes([(0, 0, 4, 4)]), "labels": _ints([1])}
    masks = torch.where(target["masks"][:, None] == 1, 0.51, 0.5)
    detection = {"masks": masks, "labels": _ints([1]), "scores": torch.ones(1)}
    assert evaluate_coco([detection], [target], "segm")["AP"] == 1  # 0.5 itself is outside
    assert evaluate_coco([{**detection, "masks": masks - 0.02}], [target], "segm")["AP"] == 0


def test_class_ap():
    detections, targets = synthetic(40, seed=7)
    curves = coco_curves(detections, targets)
    per_class = curves.class_ap()
    assert list(per_class) == sorted({int(label) for target in targets for label in target["labels"]})
    defined = [ap for ap in per_class.values() if ap > -1]
    assert np.mean(defined) == pytest.approx(curves.numbers()["AP"])
    label = next(iter(per_class))
    only = [{**t, **{k: t[k][t["labels"] == label] for k in ("boxes", "labels", "iscrowd")}} for t in targets]
    assert evaluate_coco(detections, only)["AP"] == pytest.approx(per_class[label])
