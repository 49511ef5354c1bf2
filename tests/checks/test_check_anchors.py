"""Notebook 11's checks, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch

from rcnn_lite import matching
from rcnn_lite.boxes import box_iou
from rcnn_lite.checks import anchors as checks
from rcnn_lite.checks import proposing
from rcnn_lite.checks.anchors_mistakes import mistake
from rcnn_lite.proposals import anchors, rpn
from rcnn_lite.proposals.rpn import ProposalCounts, RegionProposalNetwork, RPNPredictions, RPNSettings


def cases_of(exercise, count=100):
    return [case for case, _ in zip(exercise.all_cases(), range(count), strict=False)]


def test_the_grid_is_the_packages():
    for case in cases_of(checks.check_all_anchors):
        cell_anchors, feature_size, stride = case.args
        expected = anchors.shift_anchors(cell_anchors, feature_size, stride, offset=0.5)
        torch.testing.assert_close(torch.as_tensor(case.expected), expected)


def test_labels_are_the_packages():
    """Random objects, some out of reach, on a grid whose border anchors reach out of the picture."""
    generator, drawn = torch.Generator().manual_seed(0), set()
    net = RegionProposalNetwork(3, 16, RPNSettings(anchor_sizes=(16.0, 24.0, 40.0)), generator)
    grid = net(torch.zeros(1, 3, 5, 6)).anchors
    size = torch.tensor([96.0, 80.0])  # W, H
    inside = (grid[:, :2] >= 0).all(dim=1) & (grid[:, 2:] <= size).all(dim=1)
    for count in (0, 1, 2, 3) * 10:
        corner = 100 * torch.rand(count, 2, generator=generator) - 10
        objects = torch.cat((corner, corner + 4 + 40 * torch.rand(count, 2, generator=generator)), dim=1)
        expected = net.assign(grid, (80, 96), {"boxes": objects}).labels
        got = checks.check_label_anchors.reference(box_iou(grid, objects), inside)
        assert torch.equal(got, expected)
        drawn |= set(expected.tolist())
    assert drawn == {-1, 0, 1}


def test_proposals_are_the_packages():
    settings = RPNSettings(min_size=proposing.MIN_SIZE, nms_iou=proposing.NMS_IOU)
    net = RegionProposalNetwork(3, 16, settings)
    for case in cases_of(proposing.check_propose):
        logits, deltas, boxes, image_size, before, after = case.args
        got, _ = net.propose(RPNPredictions(logits, deltas, boxes), image_size, ProposalCounts(before, after))
        torch.testing.assert_close(got, torch.as_tensor(case.expected))


def test_random_predictions_are_clipped_dropped_and_suppressed():
    """Every step of the proposal layer has something to do in many of the random cases."""
    clipped = dropped = suppressed = limited = 0
    for case in cases_of(proposing.check_propose, 200)[len(proposing.check_propose.cases) :]:
        logits, deltas, boxes, image_size, before, after = case.args
        everything = proposing.check_propose.reference(logits, deltas, boxes, (10**4, 10**4), 99, 99)
        whole = proposing.check_propose.reference(logits, deltas, boxes, image_size, 99, 99)
        clipped += not torch.equal(whole, everything)
        suppressed += len(whole) < len(boxes)
        dropped += len(boxes) - len(whole) > 1
        limited += len(case.expected) < len(whole)
    assert min(clipped, suppressed, dropped, limited) > 20, (clipped, dropped, suppressed, limited)


@pytest.fixture
def net():
    return lambda: RegionProposalNetwork(
        3, 16, RPNSettings(anchor_sizes=(16.0,), aspect_ratios=(0.25,)), torch.Generator().manual_seed(0)
    )


def test_anchors_at_the_corner(net):
    shape = torch.zeros(1, 3, 1, 1)
    assert net()(shape).anchors.tolist() == [[-8.0, 4.0, 24.0, 12.0]]
    with mistake("anchors_at_the_corner"):
        assert net()(shape).anchors.tolist() == [[-16.0, -4.0, 16.0, 4.0]]


def test_anchor_sides_swapped(net):
    shape = torch.zeros(1, 3, 1, 1)
    with mistake("anchor_sides_swapped"):
        assert net()(shape).anchors.tolist() == [[4.0, -8.0, 12.0, 24.0]]
    assert net()(shape).anchors.tolist() == [[-8.0, 4.0, 24.0, 12.0]]


def test_one_kind_of_positives(net):
    flat = net()(torch.zeros(1, 3, 2, 2)).anchors
    target = {"boxes": torch.tensor([[0.0, 0.0, 16.0, 16.0]])}
    label = lambda: net().assign(flat + torch.tensor([8.0, 0, 8, 0]), (40, 60), target).labels.tolist()  # noqa: E731
    assert label() == [1, 0, 0, 0]
    with mistake("one_kind_of_positives"):
        assert rpn.match_boxes is matching.match_boxes
        assert label() == [-1, 0, 0, 0]  # IoU 128 / 384
    assert label() == [1, 0, 0, 0]
