"""Kinds of wrong detections, each by hand."""

import pytest
import torch

from rcnn_lite.evaluation import KINDS, kinds_of_detections
from rcnn_lite.evaluation.voc import evaluate_voc


def found(boxes, labels, scores=None):
    scores = scores or [1 - 0.1 * n for n in range(len(boxes))]
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "scores": torch.tensor(scores, dtype=torch.float32),
    }


def truth(boxes, labels, **more):
    target = found(boxes, labels, [1.0] * len(boxes))
    del target["scores"]
    return target | more


def names(*args, **kwargs):
    return [[KINDS[k] for k in image] for image in kinds_of_detections(*args, **kwargs)]


A, B = [0.0, 0, 10, 10], [40.0, 0, 50, 10]


def test_every_kind_by_hand():
    shifted = [5.0, 0, 15, 10]  # IoU with A: 50 / 150 = 1/3
    barely = [8.5, 0, 18.5, 10]  # 15 / 185 = 0.08: does not touch
    detections = [found([A, A, shifted, B, B, barely], [1, 1, 1, 1, 3, 1])]
    targets = [truth([A, B], [1, 2])]
    kinds = names(detections, targets, similar=[{1, 2}])
    assert kinds == [["right", "localisation", "localisation", "similar", "other", "background"]]


def test_the_better_score_claims_the_object_whatever_the_order():
    detections = [found([A, A], [1, 1], [0.2, 0.7])]
    assert names(detections, [truth([A], [1])]) == [["localisation", "right"]]


def test_its_own_class_goes_before_a_similar_one():
    """It overlaps both objects: that of its own class decides."""
    both = [5.0, 0, 15, 10]
    assert names([found([both], [1])], [truth([A, [10.0, 0, 20, 10]], [1, 2])], similar=[(1, 2)]) == [["localisation"]]


def test_thresholds_count_as_reached():
    half = [0.0, 0, 10, 5]  # IoU 1/2 exactly
    tenth = [0.0, 0, 10, 1]  # 1/10 exactly
    target = [truth([A], [1])]
    assert names([found([half], [1])], target) == [["right"]]
    assert names([found([tenth], [1])], target, touching=0.1) == [["localisation"]]
    assert names([found([tenth], [1])], target, touching=0.11) == [["background"]]


def test_difficult_objects_are_ignored_and_empty_images_legal():
    difficult = truth([A], [1], difficult=torch.tensor([True]))
    empty = found([], [])
    kinds = names([found([A], [1]), empty, found([A], [1])], [difficult, truth([A], [1]), truth([], [])])
    assert kinds == [["ignored"], [], ["background"]]


def test_as_many_right_ones_as_the_average_precision_saw(generator):
    """Recall of a detector whose wrong detections are left out: it has no false positive, so AP is its recall."""
    boxes = torch.rand(40, 4, generator=generator) * 30
    boxes[:, 2:] += boxes[:, :2] + 5
    detection = {"boxes": boxes, "labels": torch.randint(1, 3, (40,), generator=generator)}
    detection["scores"] = torch.rand(40, generator=generator)
    target = {"boxes": boxes[::4].clone() + 1.0, "labels": detection["labels"][::4]}
    (kinds,) = kinds_of_detections([detection], [target])
    right = {key: value[kinds == 0] for key, value in detection.items()}
    aps = evaluate_voc([right], [target])["AP"]
    for label in (1, 2):
        share = (right["labels"] == label).sum() / (target["labels"] == label).sum()
        assert aps[label] == pytest.approx(float(share))
    assert (kinds == 0).sum() > 3


def test_thresholds_that_make_no_sense():
    with pytest.raises(ValueError, match="0 < touching <= iou_threshold <= 1 must hold, got 0.6 and 0.5"):
        kinds_of_detections([], [], touching=0.6)
