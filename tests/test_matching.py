"""Matching and sampling: small cases by hand, torchvision's matcher and sampler as peers, empty inputs."""

import pytest
import torch
from test_boxes import as_boxes, random_boxes
from torchvision.models.detection._utils import Matcher

from rcnn_lite.boxes import box_iou
from rcnn_lite.matching import match_boxes, sample_labels

GT = as_boxes([[0, 0, 10, 10], [40, 40, 60, 60]])


def test_thresholds_by_hand():
    # IoU with the first object: 1, 0.71, 0.4, 0.2, 0
    boxes = as_boxes([[0, 0, 10, 10], [0, 0, 10, 14], [0, 0, 10, 25], [0, 0, 10, 50], [90, 90, 99, 99]])
    matched, labels = match_boxes(boxes, GT, fg_iou=0.7, bg_iou=0.3)
    assert labels.tolist() == [1, 1, -1, 0, 0]
    assert matched[:4].tolist() == [0, 0, 0, 0]
    assert match_boxes(boxes, GT, fg_iou=0.5, bg_iou=(0.1, 0.5))[1].tolist() == [1, 1, 0, 0, -1]


def test_limits_belong_to_the_side_the_papers_put_them_on():
    """IoU exactly 0.5: positive at fg_iou 0.5 ("at least"), not background below 0.5."""
    half = as_boxes([[0, 0, 10, 20]])
    assert match_boxes(half, GT, fg_iou=0.5, bg_iou=0.5)[1].tolist() == [1]
    assert match_boxes(half, GT, fg_iou=0.7, bg_iou=0.5)[1].tolist() == [-1]
    assert match_boxes(half, GT, fg_iou=0.7, bg_iou=(0.5, 0.7))[1].tolist() == [0]


def test_the_best_box_of_each_ground_truth_is_positive_with_ties():
    boxes = as_boxes([[0, 0, 10, 50], [0, -40, 10, 10], [50, 50, 55, 55], [0, 0, 10, 60]])  # the first two tie for GT 0
    assert match_boxes(boxes, GT, 0.7, 0.3)[1].tolist() == [0, 0, 0, 0]
    matched, labels = match_boxes(boxes, GT, 0.7, 0.3, keep_best=True)
    assert labels.tolist() == [1, 1, 1, 0]
    assert matched.tolist()[:3] == [0, 0, 1]


def test_an_object_that_no_box_touches_makes_nothing_positive():
    far = as_boxes([[70, 70, 80, 80], [80, 0, 90, 10]])
    assert match_boxes(far, GT, 0.7, 0.3, keep_best=True)[1].tolist() == [0, 0]


@pytest.mark.parametrize("keep_best", [False, True])
def test_equals_torchvision(keep_best, generator):
    boxes, gt_boxes = random_boxes(400, generator), random_boxes(9, generator)
    matched, labels = match_boxes(boxes, gt_boxes, 0.5, 0.3, keep_best)
    peer = Matcher(0.5, 0.3, allow_low_quality_matches=keep_best)(box_iou(gt_boxes, boxes))
    assert torch.equal(labels, torch.where(peer >= 0, 1, torch.where(peer == Matcher.BELOW_LOW_THRESHOLD, 0, -1)))
    assert torch.equal(matched[labels == 1], peer[labels == 1])


def test_no_ground_truth_means_background_everywhere_unless_background_must_overlap():
    boxes = as_boxes([[0, 0, 1, 1], [2, 2, 3, 3]])
    matched, labels = match_boxes(boxes, torch.empty(0, 4), 0.7, 0.3, keep_best=True)
    assert matched.tolist() == [-1, -1]
    assert labels.tolist() == [0, 0]
    assert match_boxes(boxes, torch.empty(0, 4), 0.5, (0.1, 0.5))[1].tolist() == [-1, -1]


def test_no_boxes():
    matched, labels = match_boxes(torch.empty(0, 4), GT, 0.7, 0.3, keep_best=True)
    assert matched.shape == labels.shape == (0,)


def test_bad_thresholds_and_boxes_are_named():
    with pytest.raises(ValueError, match="bg_iou=0.7, fg_iou=0.5"):
        match_boxes(GT, GT, 0.5, 0.7)
    with pytest.raises(ValueError, match=r"gt_boxes\[0\] has x2 <= x1"):
        match_boxes(GT, as_boxes([[1, 0, 1, 5]]), 0.5, 0.5)


def test_sampling_takes_no_more_positives_than_allowed_and_fills_with_negatives(generator):
    labels = torch.tensor([1] * 50 + [0] * 200 + [-1] * 30)
    positives, negatives = sample_labels(labels, 128, 0.25, generator)
    assert len(positives) == 32
    assert len(negatives) == 96
    assert (labels[positives] == 1).all()
    assert (labels[negatives] == 0).all()
    assert len(set(positives.tolist())) == 32
    assert len(set(negatives.tolist())) == 96


def test_sampling_with_too_few_of_a_kind(generator):
    few = torch.tensor([1] * 3 + [0] * 10 + [-1] * 5)
    positives, negatives = sample_labels(few, 256, 0.5, generator)
    assert positives.tolist() == [0, 1, 2]
    assert negatives.tolist() == list(range(3, 13))
    positives, negatives = sample_labels(torch.tensor([0, 0, -1]), 2, 0.5, generator)
    assert positives.tolist() == []
    assert negatives.tolist() == [0, 1]
    assert [len(part) for part in sample_labels(torch.empty(0, dtype=torch.int64), 8, 0.5, generator)] == [0, 0]


def test_sampling_depends_on_the_generator_alone():
    labels = torch.tensor([0] * 100 + [1] * 100)
    draw = [sample_labels(labels, 20, 0.5, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draw[0][0], draw[1][0])
    assert torch.equal(draw[0][1], draw[1][1])
    assert not torch.equal(draw[0][0], draw[2][0])


def test_every_member_is_drawn_equally_often():
    """4 of 8 positives, 4,000 times: each about 2,000 times; five standard deviations are 158."""
    labels, generator, counts = torch.ones(8, dtype=torch.int64), torch.Generator().manual_seed(3), torch.zeros(8)
    for _ in range(4000):
        counts[sample_labels(labels, 4, 1.0, generator)[0]] += 1
    assert ((counts - 2000).abs() < 158).all(), counts


def test_bad_sample_sizes_are_named(generator):
    with pytest.raises(ValueError, match="num_samples"):
        sample_labels(torch.tensor([1]), -1, 0.5, generator)
    with pytest.raises(ValueError, match=r"labels must have shape \(N,\)"):
        sample_labels(torch.ones(2, 2), 4, 0.5, generator)
