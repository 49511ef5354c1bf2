"""Bad input: each mistake gives a sentence that names the image and the key."""

import math

import pytest
import torch

from rcnn_lite.evaluation import evaluate_coco, evaluate_voc, precision_recall

GOOD_DETECTION = {
    "boxes": torch.tensor([[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 3.0, 3.0]]),
    "labels": torch.tensor([1, 2]),
    "scores": torch.tensor([0.9, 0.8]),
    "masks": torch.ones(2, 1, 6, 6),
}
GOOD_TARGET = {
    "boxes": torch.tensor([[0.0, 0.0, 4.0, 4.0]]),
    "labels": torch.tensor([1]),
    "masks": torch.ones(1, 6, 6, dtype=torch.uint8),
}

boxes = GOOD_DETECTION["boxes"]
IN_DETECTIONS = [
    ({"scores": torch.tensor([0.9])}, r"detections\[1\]\['scores'\] has length 1 but .*'labels'\] has length 2"),
    ({"boxes": boxes[:1]}, r"detections\[1\]\['boxes'\] has length 1"),
    ({"scores": torch.tensor([0.9, math.nan])}, r"detections\[1\]\['scores'\]\[1\] is NaN"),
    ({"scores": [0.9, 0.8]}, r"detections\[1\]\['scores'\] must be a torch.Tensor, got list"),
    ({"scores": torch.tensor([[0.9, 0.8]])}, r"detections\[1\]\['scores'\] must have shape \(N,\)"),
    ({"labels": torch.tensor([1, 0])}, r"detections\[1\]\['labels'\]\[1\] is 0; .*background"),
    ({"labels": torch.tensor([-1, 1])}, r"detections\[1\]\['labels'\]\[0\] is -1"),
    ({"labels": torch.tensor([1.0, 2.0])}, r"detections\[1\]\['labels'\] must be integers"),
    ({"boxes": boxes * math.nan}, r"detections\[1\]\['boxes'\]\[0\]"),
    ({"boxes": boxes[:, [2, 1, 0, 3]]}, r"detections\[1\]\['boxes'\]\[0\] has x2 < x1"),
    ({"boxes": boxes.int()}, r"detections\[1\]\['boxes'\] must be floating"),
    ({"boxes": boxes[:, :3]}, r"detections\[1\]\['boxes'\] must have shape"),
    ({"boxes": boxes[None]}, r"detections\[1\]\['boxes'\] must have shape \(N, 4\)"),
]
IN_TARGETS = [
    ({"boxes": torch.tensor([[4.0, 0.0, 4.0, 4.0]])}, r"targets\[1\]\['boxes'\]\[0\] has x2 <= x1: \[4.0"),
    ({"boxes": torch.tensor([[0.0, 4.0, 4.0, 4.0]])}, r"targets\[1\]\['boxes'\]\[0\] has y2 <= y1"),
    ({"labels": torch.tensor([0])}, r"targets\[1\]\['labels'\]\[0\] is 0"),
    ({"iscrowd": torch.tensor([0, 1])}, r"targets\[1\]\['iscrowd'\] has length 2"),
    ({"area": torch.tensor([1.0, 2.0])}, r"targets\[1\]\['area'\] has length 2"),
    ({"difficult": torch.zeros(0)}, r"targets\[1\]\['difficult'\] has length 0"),
]
MEASURES = [evaluate_voc, evaluate_coco, lambda d, t: precision_recall(d, t, label=1)]


@pytest.mark.parametrize("measure", MEASURES, ids=["voc", "coco", "curve"])
@pytest.mark.parametrize(("change", "sentence"), IN_DETECTIONS)
def test_bad_detections(measure, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        measure([GOOD_DETECTION, {**GOOD_DETECTION, **change}], [GOOD_TARGET] * 2)


@pytest.mark.parametrize("measure", MEASURES, ids=["voc", "coco", "curve"])
@pytest.mark.parametrize(("change", "sentence"), IN_TARGETS)
def test_bad_targets(measure, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        measure([GOOD_DETECTION] * 2, [GOOD_TARGET, {**GOOD_TARGET, **change}])


@pytest.mark.parametrize("measure", MEASURES, ids=["voc", "coco", "curve"])
def test_missing_keys_and_images(measure):
    with pytest.raises(ValueError, match="detections has 1 images but targets has 2"):
        measure([GOOD_DETECTION], [GOOD_TARGET] * 2)
    for key in ("boxes", "labels", "scores"):
        with pytest.raises(ValueError, match=rf"detections\[0\] has no key '{key}'"):
            measure([{k: v for k, v in GOOD_DETECTION.items() if k != key}], [GOOD_TARGET])
    for key in ("boxes", "labels"):
        with pytest.raises(ValueError, match=rf"targets\[0\] has no key '{key}'"):
            measure([GOOD_DETECTION], [{k: v for k, v in GOOD_TARGET.items() if k != key}])


@pytest.mark.parametrize("measure", [evaluate_voc, evaluate_coco])
def test_unknown_labels_are_an_error_only_when_the_classes_are_known(measure):
    stray = {**GOOD_DETECTION, "labels": torch.tensor([1, 7])}
    measure([stray], [GOOD_TARGET])
    measure([stray], [GOOD_TARGET], num_classes=8)
    with pytest.raises(ValueError, match=r"detections\[0\]\['labels'\]\[1\] is 7; known labels are 1 to 6"):
        measure([stray], [GOOD_TARGET], num_classes=7)


def test_masks():
    def segm(detection=None, target=None):
        return evaluate_coco([{**GOOD_DETECTION, **(detection or {})}], [{**GOOD_TARGET, **(target or {})}], "segm")

    assert segm()["AP50"] == 1
    with pytest.raises(ValueError, match="image 0: the masks of the detections are 5 x 6, of the target 6 x 6"):
        segm({"masks": torch.ones(2, 1, 5, 6)})
    with pytest.raises(ValueError, match=r"detections\[0\]\['masks'\] has length 1"):
        segm({"masks": torch.ones(1, 1, 6, 6)})
    with pytest.raises(ValueError, match=r"targets\[0\]\['masks'\] must have shape"):
        segm(target={"masks": torch.ones(6, 6)})
    with pytest.raises(ValueError, match=r"detections\[0\] has no key 'masks'"):
        evaluate_coco([{k: v for k, v in GOOD_DETECTION.items() if k != "masks"}], [GOOD_TARGET], "segm")
    without_boxes = {k: v for k, v in GOOD_TARGET.items() if k != "boxes"}
    assert evaluate_coco([GOOD_DETECTION], [without_boxes], "segm")["AP50"] == 1  # boxes are not looked at


def test_unknown_iou_type():
    with pytest.raises(ValueError, match=r"\['bbox', 'segm'\], got 'keypoints'"):
        evaluate_coco([], [], "keypoints")


def test_inputs_are_not_changed_and_any_device_dtype_works():
    double = {
        **GOOD_DETECTION,
        "boxes": boxes.double().requires_grad_(),
        "labels": torch.tensor([1, 2], dtype=torch.int32),
    }
    before = GOOD_TARGET["boxes"].clone()
    assert evaluate_coco([double], [GOOD_TARGET])["AP"] == 1
    assert torch.equal(GOOD_TARGET["boxes"], before)
