"""Notebook 12's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch
import torch.nn.functional as F

from rcnn_lite import boxes
from rcnn_lite.checks import faster
from rcnn_lite.checks.faster_mistakes import mistake
from rcnn_lite.heads.roi_heads import RoIHeads, RoIHeadSettings
from rcnn_lite.regions import scales
from rcnn_lite.regions.roi_align import crop_pool

BOX = torch.tensor([[-10.0, 20.0, 150.0, 90.0]])


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(80), strict=False)]


def test_theta_is_crop_pools():
    """Sampled with the expected theta and halved, a random map is what `crop_pool` makes of it."""
    generator = torch.Generator().manual_seed(0)
    for case in cases_of(faster.check_theta_of):
        windows, map_size, stride = case.args
        features = torch.randn(1, 2, *map_size, generator=generator)
        rois = torch.cat((torch.zeros(len(windows), 1), windows), dim=1)
        pooled = crop_pool(features, rois, 3, 1 / stride)
        theta = torch.as_tensor(case.expected)
        for one, wanted in zip(theta, pooled, strict=True):
            grid = F.affine_grid(one[None], [1, 2, 6, 6], align_corners=False)
            crop = F.grid_sample(features, grid, padding_mode="border", align_corners=False)
            torch.testing.assert_close(faster.check_halve.reference(crop)[0], wanted, atol=1e-4, rtol=1e-4)


def test_halves_are_max_pooling():
    for case in cases_of(faster.check_halve):
        (crops,) = case.args
        assert torch.equal(F.max_pool2d(crops, 2), torch.as_tensor(case.expected))


def test_targets_are_those_of_the_second_stage():
    """With room for all regions the model's own sample is the cases' positives and background."""
    heads = RoIHeads(1, 6, RoIHeadSettings(bins=1, width=1, rois_per_image=1000, positive_fraction=1.0))
    for case in cases_of(faster.check_proposal_targets):
        proposals, gt_boxes, gt_labels = case.args
        every, labels, deltas = (torch.as_tensor(value) for value in case.expected)
        sample = heads.sample(proposals, {"boxes": gt_boxes, "labels": gt_labels}, torch.Generator().manual_seed(0))
        rows = torch.cat((torch.nonzero(labels > 0).flatten(), torch.nonzero(labels == 0).flatten()))
        assert torch.equal(sample.boxes, every[rows])
        assert sample.labels.tolist() == labels[rows].tolist()
        torch.testing.assert_close(sample.deltas, deltas[rows], atol=1e-4, rtol=1e-4)


def test_nothing_clipped():
    with mistake("nothing_clipped"):
        assert boxes.clip_boxes(BOX, (100, 100)).tolist() == BOX.tolist()
    assert boxes.clip_boxes(BOX, (100, 100)).tolist() == [[0.0, 20.0, 100.0, 90.0]]


@pytest.mark.parametrize(("size", "shows"), [((100, 100), False), ((80, 120), True)])
def test_a_swapped_size_shows_in_pictures_that_are_not_square(size, shows):
    right = boxes.clip_boxes(BOX, size)
    with mistake("size_swapped"):
        assert torch.equal(boxes.clip_boxes(BOX, size), right) != shows


def test_one_factor_for_both_axes():
    box = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    with mistake("one_factor"):
        assert scales.scale_boxes(box, (100, 100), (50, 200)).tolist() == [[5.0, 10.0, 15.0, 20.0]]
    assert scales.scale_boxes(box, (100, 100), (50, 200)).tolist() == [[20.0, 10.0, 60.0, 20.0]]
