"""Notebook 10's checks, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch

from rcnn_lite import boxes, losses
from rcnn_lite.checks import fast
from rcnn_lite.checks.fast_mistakes import mistake
from rcnn_lite.datasets import transforms
from rcnn_lite.heads.roi_heads import RoIHeads, RoIHeadSettings
from rcnn_lite.matching import match_boxes, sample_labels
from rcnn_lite.regions import rois, scales

BOX = torch.tensor([[10.0, 20.0, 50.0, 100.0]])


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(80), strict=False)]


def boxes_with(overlaps):
    """Boxes (n, 4) and one object so that box i has the IoU ``overlaps[i]`` with it: parts of 100 x 100 pixels."""
    boxes = torch.tensor([[0.0, 0.0, 100.0, 100.0]]).repeat(len(overlaps), 1)
    boxes[:, 2] *= overlaps
    return boxes, torch.tensor([[0.0, 0.0, 100.0, 100.0]])


def test_rois_are_labelled_and_drawn_as_the_package_does():
    for case in cases_of(fast.check_label_rois):
        overlaps, gt_labels, samples = case.args
        best = overlaps.amax(dim=1) if overlaps.shape[1] else torch.full((len(overlaps),), 0.01)
        labels, positives, background = case.expected
        _, kinds = match_boxes(*boxes_with(best), fg_iou=0.5, bg_iou=(0.1, 0.5))
        assert torch.as_tensor(labels).clamp(max=1).tolist() == kinds.tolist()
        drawn = sample_labels(kinds, samples, 0.25, torch.Generator().manual_seed(0))
        assert [len(rows) for rows in drawn] == [positives, background]


@pytest.fixture
def decided():
    """What a head makes of one box that it is sure of, with deltas of (1, 0, 0, 0) in units of their deviation."""
    heads = RoIHeads(1, 2, RoIHeadSettings(bins=1, width=1))
    deltas = torch.tensor([[[0.0] * 4, [1.0, 0.0, 0.0, 0.0]]])
    return lambda: heads.decide(torch.tensor([[0.0, 9.0]]), deltas, BOX, (256, 256))["boxes"]


def test_deltas_that_stay_normalised_move_boxes_ten_times_too_far(decided):
    torch.testing.assert_close(decided(), BOX + torch.tensor([4.0, 0.0, 4.0, 0.0]))  # 0.1 of a width of 40
    with mistake("deltas_stay_normalised"):
        torch.testing.assert_close(decided(), BOX + torch.tensor([40.0, 0.0, 40.0, 0.0]))


def test_rois_with_rows_first():
    with mistake("rois_row_first"):
        assert rois.boxes_to_rois([BOX]).tolist() == [[0.0, 20.0, 10.0, 100.0, 50.0]]
    assert rois.boxes_to_rois([BOX]).tolist() == [[0.0, 10.0, 20.0, 50.0, 100.0]]


def test_boxes_rounded_before_scaling():
    with mistake("rounded_before_scaling"):
        assert scales.scale_boxes(BOX, (256, 256), (512, 512)).tolist() == [[32.0, 32.0, 96.0, 192.0]]
    assert scales.scale_boxes(BOX, (256, 256), (512, 512)).tolist() == [[20.0, 40.0, 100.0, 200.0]]


def test_proposals_that_are_not_flipped():
    target = {"boxes": BOX}
    with mistake("proposals_not_flipped"):
        image, flipped, proposals = transforms.flip_horizontally(torch.arange(100.0).expand(3, 1, 100), target, BOX)
        assert proposals.tolist() == BOX.tolist()
        assert flipped["boxes"].tolist() == [[50.0, 20.0, 90.0, 100.0]]
        assert image[0, 0, 0] == 99
    assert transforms.flip_horizontally(image, target, BOX)[2].tolist() == flipped["boxes"].tolist()


def test_boxes_learnt_one_class_off():
    deltas = torch.zeros(1, 3, 4)
    deltas[0, 1] = 2.0  # smooth L1 of 2: 1.5, four times
    of_class_2 = (torch.zeros(1, 3), deltas, torch.tensor([2]), torch.zeros(1, 4))
    assert losses.detection_loss(*of_class_2)["box_regression"] == 0
    with mistake("boxes_one_class_off"):
        assert losses.detection_loss(*of_class_2)["box_regression"] == 6
    assert boxes.decode_boxes(torch.zeros(1, 4), BOX).tolist() == BOX.tolist()
