"""evaluate_voc, precision_recall: images worked out by hand, a slow oracle, scikit-learn's curve, real VOC images."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import voc_average_precision
from sklearn.metrics import precision_recall_curve

from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.evaluation import evaluate_voc, precision_recall


def box(x, y=0, width=10, height=10):
    return [x, y, x + width, y + height]


def detection(*items):
    """From (box, label, score)."""
    boxes, labels, scores = zip(*items, strict=True) if items else ((), (), ())
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "scores": torch.tensor(scores, dtype=torch.float32),
    }


def target(*items):
    """From (box, label) or (box, label, difficult)."""
    return {
        "boxes": torch.tensor([item[0] for item in items], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([item[1] for item in items], dtype=torch.int64),
        "difficult": torch.tensor([item[2] if len(item) > 2 else False for item in items], dtype=torch.bool),
    }


def test_scores_of_all_images_are_sorted_together():
    # image 0: right (0.3); image 1: wrong (0.9), right (0.6). Together wrong, right, right: envelope 2/3 everywhere.
    # Who sorts image by image sees right, wrong, right instead and gets 5/6.
    targets = [target((box(0), 1)), target((box(0), 1))]
    detections = [detection((box(0), 1, 0.3)), detection((box(50), 1, 0.9), (box(0), 1, 0.6))]
    assert evaluate_voc(detections, targets)["mAP"] == pytest.approx(2 / 3)
    recall, precision, scores = precision_recall(detections, targets, label=1)
    assert recall.tolist() == [0, 0.5, 1]
    assert precision.tolist() == pytest.approx([0, 1 / 2, 2 / 3])
    assert scores.tolist() == pytest.approx([0.9, 0.6, 0.3])


def test_the_second_detection_of_an_object_is_wrong():
    targets = [target((box(0), 1), (box(100), 1))]
    detections = [detection((box(0), 1, 0.9), (box(1), 1, 0.8), (box(100), 1, 0.7))]
    assert evaluate_voc(detections, targets)["AP"][1] == pytest.approx((1 + 2 / 3) / 2)


def test_a_detection_belongs_to_its_best_object_even_if_that_is_taken():
    # Both overlap object 0 most; the second also overlaps object 1 enough (IoU 0.6), but VOC does not pass it on.
    targets = [target((box(0, width=10), 1), (box(3.5, width=10), 1))]
    detections = [detection((box(0), 1, 0.9), (box(1.0), 1, 0.8))]
    assert precision_recall(detections, targets, 1)[0].tolist() == [0.5, 0.5]


def test_iou_equal_to_the_threshold_is_enough():
    targets = [target((box(0, width=10, height=10), 1))]
    half = detection((box(0, width=10, height=5), 1, 0.9))
    less = detection((box(0, width=10, height=4.99), 1, 0.9))
    assert evaluate_voc([half], targets)["mAP"] == 1
    assert evaluate_voc([less], targets)["mAP"] == 0
    assert evaluate_voc([half], targets, iou_threshold=0.6)["mAP"] == 0
    for threshold in (0, -0.5, 1.1, math.nan):
        with pytest.raises(ValueError, match="iou_threshold must lie in"):
            evaluate_voc([half], targets, iou_threshold=threshold)


def test_difficult_objects_are_neither_counted_nor_punished():
    targets = [target((box(0), 1), (box(100), 1, True))]
    detections = [detection((box(100), 1, 0.9), (box(101), 1, 0.8), (box(0), 1, 0.7))]
    assert evaluate_voc(detections, targets)["mAP"] == 1  # two detections on the difficult one leave no trace
    assert evaluate_voc([detection((box(0), 1, 0.7))], targets)["mAP"] == 1  # and it need not be found
    crowd = {**target((box(0), 1), (box(100), 1)), "iscrowd": torch.tensor([0, 1])}
    assert evaluate_voc(detections, [crowd])["mAP"] == 1


def test_a_crowd_around_an_object_does_not_take_its_detection():
    # COCO's overlap with a crowd (shared area / own area) would be 1 here and win against the object's IoU of 0.8
    around = {**target((box(0), 1), (box(0, width=100, height=100), 1)), "iscrowd": torch.tensor([0, 1])}
    assert evaluate_voc([detection((box(0, height=8), 1, 0.9))], [around])["mAP"] == 1


def test_labels_matter():
    result = evaluate_voc([detection((box(0), 2, 0.9))], [target((box(0), 1), (box(50), 2))])
    assert result["AP"] == {1: 0.0, 2: 0.0}


def test_equal_scores_keep_the_order_of_images_and_detections():
    targets = [target((box(0), 1)), target((box(0), 1))]
    right, wrong = (box(0), 1, 0.5), (box(50), 1, 0.5)
    first = evaluate_voc([detection(right), detection(wrong, right)], targets)["mAP"]  # right, wrong, right
    second = evaluate_voc([detection(wrong, right), detection(right)], targets)["mAP"]  # wrong, right, right
    assert (first, second) == (pytest.approx((1 + 2 / 3) / 2), pytest.approx(2 / 3))


def test_classes_without_objects_are_nan_and_left_out_of_the_mean():
    targets = [target((box(0), 1), (box(50), 3, True))]
    result = evaluate_voc([detection((box(0), 1, 0.9), (box(0), 2, 0.8))], targets)
    assert result["mAP"] == 1
    assert result["AP"][1] == 1
    assert math.isnan(result["AP"][2])  # detected, not there
    result = evaluate_voc([detection((box(0), 1, 0.9), (box(50), 3, 0.8))], targets, num_classes=5)
    assert set(result["AP"]) == {1, 2, 3, 4}
    assert all(math.isnan(result["AP"][label]) for label in (2, 3, 4))  # 3 has a difficult object only
    assert result["mAP"] == 1


def test_nothing_at_all():
    assert evaluate_voc([], [])["AP"] == {}
    assert math.isnan(evaluate_voc([], [])["mAP"])
    assert math.isnan(evaluate_voc([detection()], [target()])["mAP"])
    assert evaluate_voc([detection()], [target((box(0), 1))])["mAP"] == 0
    assert [len(values) for values in precision_recall([detection()], [target()], 1)] == [0, 0, 0]
    recall, precision, _ = precision_recall([detection((box(0), 1, 0.9))], [target()], 1)
    assert recall.isnan().all()
    assert precision.tolist() == [0]


grid_boxes = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3), st.integers(1, 3))
corners = grid_boxes.map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
labels = st.integers(1, 2)
detected = st.lists(st.tuples(corners, labels, st.sampled_from([0.1, 0.5, 0.9])), max_size=6)
objects = st.lists(st.tuples(corners, labels, st.booleans()), max_size=4)


@given(st.lists(st.tuples(detected, objects), max_size=4), st.sampled_from([0.3, 0.5, 0.75]), st.booleans())
def test_equal_to_the_slow_oracle(images, threshold, metric):
    detections = [detection(*found) for found, _ in images]
    targets = [target(*truth) for _, truth in images]
    result = evaluate_voc(detections, targets, threshold, metric, num_classes=3)
    expected = {}
    for label in (1, 2):
        flat = [(i, b, s) for i, (found, _) in enumerate(images) for b, k, s in found if k == label]
        truth = [(i, b, d) for i, (_, truth) in enumerate(images) for b, k, d in truth if k == label]
        expected[label] = voc_average_precision(flat, truth, threshold, metric)
    assert result["AP"] == pytest.approx({k: math.nan if v is None else v for k, v in expected.items()}, nan_ok=True)
    known = [v for v in expected.values() if v is not None]
    assert result["mAP"] == pytest.approx(sum(known) / len(known) if known else math.nan, nan_ok=True)


def test_the_curve_is_scikit_learns_when_scores_differ():
    rng = np.random.default_rng(0)
    positions = np.arange(40) * 20.0
    right = rng.random(40) < 0.6
    scores = rng.permutation(40) / 40 + 0.01
    targets = [target(*((box(x), 1) for x in positions))]
    detections = [
        detection(*((box(x if hit else x + 9), 1, s) for x, hit, s in zip(positions, right, scores, strict=True)))
    ]
    recall, precision, _ = precision_recall(detections, targets, 1)
    # objects that nobody found are positives below every score
    truth, values = np.append(right, np.ones((~right).sum())), np.append(scores, np.zeros((~right).sum()))
    their_precision, their_recall, thresholds = precision_recall_curve(truth, values)
    shown = thresholds > 0
    np.testing.assert_allclose(recall.numpy()[::-1], their_recall[:-1][shown])
    np.testing.assert_allclose(precision.numpy()[::-1], their_precision[:-1][shown])


@pytest.mark.parametrize("metric", [False, True])
def test_real_voc_images(real_data, metric):
    dataset = VOCDataset(real_data / "voc100")
    targets = [dataset.target(index) for index in range(len(dataset))]
    generator = torch.Generator().manual_seed(0)
    detections = []
    for truth in targets:
        boxes = truth["boxes"].repeat(3, 1)
        boxes[:, :2] *= 1 + 0.1 * torch.randn(len(boxes), 2, generator=generator).abs()
        boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        scores = (torch.rand(len(boxes), generator=generator) * 20).round() / 20  # many ties
        detections.append({"boxes": boxes, "labels": truth["labels"].repeat(3), "scores": scores})
    result = evaluate_voc(detections, targets, use_07_metric=metric, num_classes=21)
    aps = []
    for label in range(1, 21):
        found, truth = [], []
        for i, (d, t) in enumerate(zip(detections, targets, strict=True)):
            mine, own = d["labels"] == label, t["labels"] == label
            found += [(i, b, s) for b, s in zip(d["boxes"][mine].tolist(), d["scores"][mine].tolist(), strict=True)]
            truth += [(i, b, h) for b, h in zip(t["boxes"][own].tolist(), t["difficult"][own].tolist(), strict=True)]
        aps.append(voc_average_precision(found, truth, 0.5, metric))
        assert result["AP"][label] == pytest.approx(aps[-1], abs=1e-9)
    assert result["mAP"] == pytest.approx(sum(aps) / len(aps), abs=1e-9)
    assert 0.2 < result["mAP"] < 0.9
    without = [{k: v for k, v in t.items() if k != "difficult"} for t in targets]
    assert evaluate_voc(detections, without, use_07_metric=metric)["mAP"] != result["mAP"]
