"""Notebook 15's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch

from rcnn_lite.checks import pyramids
from rcnn_lite.checks.pyramids_mistakes import mistake
from rcnn_lite.models import fpn
from rcnn_lite.models.fpn import FeaturePyramid, FPNSettings
from rcnn_lite.proposals import anchors
from rcnn_lite.proposals.pyramid_rpn import PyramidRPN
from rcnn_lite.proposals.rpn import RPNSettings
from rcnn_lite.regions import levels
from rcnn_lite.regions.poolings import POOLINGS
from rcnn_lite.regions.rois import boxes_to_rois

STRIDES = (4, 8, 16, 32)
SIDES = torch.tensor([30.0, 60.0, 120.0, 300.0])
SQUARES = torch.stack((torch.zeros(4), torch.zeros(4), SIDES, SIDES), dim=1)  # one of each level with canonical 112


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(80), strict=False)]


def test_levels_are_the_packages():
    for case in cases_of(pyramids.check_level_of):
        boxes, k0, canonical, lowest, highest = case.args
        assert levels.assign_levels(boxes, k0, canonical, lowest, highest).tolist() == list(case.expected)


def test_enlarged_maps_are_the_packages():
    for case in cases_of(pyramids.check_enlarge_to):
        coarse, size = case.args
        assert torch.equal(fpn.enlarge(coarse[None], size)[0], torch.as_tensor(case.expected))


def test_merged_levels_are_those_of_a_pyramid_whose_last_convolution_does_nothing():
    for case in cases_of(pyramids.check_merge):
        fine, above, weight, bias = case.args
        wide = len(weight)
        pyramid = FeaturePyramid((len(fine), wide), FPNSettings(wide, extra_level=False))
        with torch.no_grad():
            pyramid.inner_blocks[0][0].weight.copy_(weight[:, :, None, None])
            pyramid.inner_blocks[0][0].bias.copy_(bias)
            pyramid.inner_blocks[1][0].weight.copy_(torch.eye(wide)[:, :, None, None])
            for (layer,) in pyramid.layer_blocks:
                layer.weight.zero_()
                layer.weight[:, :, 1, 1] = torch.eye(wide)
            found = pyramid([fine[None], above[None]])[0][0]
        torch.testing.assert_close(found, torch.as_tensor(case.expected))


def test_counts_are_those_of_a_pyramids_rpn():
    for case in cases_of(pyramids.check_count_anchors):
        strides, (height, width), ratios = case.args
        settings = RPNSettings(anchor_sizes=(8.0,) * len(strides), aspect_ratios=tuple(range(1, ratios + 1)))
        rpn = PyramidRPN(1, tuple(strides.tolist()), settings)
        maps = [torch.zeros(1, 1, -(-height // s), -(-width // s)) for s in strides.tolist()]
        assert [len(level.anchors) for level in rpn(maps)] == list(case.expected)


def test_read_cells_are_pooled_points():
    """RoIAlign of a box without area at the centre of the cell that was read, as `pool_from_levels` orders its maps."""
    for case in cases_of(pyramids.check_read_levels):
        boxes, own, maps, lowest = case.args
        for box, level, expected in zip(boxes, own.tolist(), case.expected, strict=True):
            cells, stride = maps[level - lowest], 2**level
            last = torch.tensor([cells.shape[2], cells.shape[1]]) - 1
            centre = (((box[:2] + box[2:]) / 2 // stride).minimum(last) + 0.5) * stride
            tiny = boxes_to_rois([torch.cat((centre, centre))[None]])
            pooled = POOLINGS["roi_align"](cells[None], tiny, 1, 1 / stride)[0, :, 0, 0]
            torch.testing.assert_close(pooled, torch.as_tensor(expected))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("levels_upside_down", [5, 4, 3, 2]), ("levels_by_ln", [2, 3, 4, 4]), ("levels_by_area", [5, 5, 5, 5])],
)
def test_wrong_levels(name, wrong):
    assert levels.assign_levels(SQUARES, canonical=112).tolist() == [2, 3, 4, 5]
    with mistake(name):
        assert levels.assign_levels(SQUARES, canonical=112).tolist() == wrong
        assert levels.assign_levels(SQUARES[:0]).tolist() == []


def pooled(order):
    """The level from which each of SQUARES is pooled: maps hold their level."""
    maps = [torch.full((1, 1, 512 // s, 512 // s), float(i)) for i, s in enumerate(STRIDES)]
    rois = boxes_to_rois([SQUARES[order]])
    return levels.pool_from_levels(maps, STRIDES, rois, POOLINGS["roi_align"], 1, canonical=112).flatten().tolist()


def test_features_in_the_order_of_the_levels():
    assert pooled([2, 0, 3, 1]) == [2, 0, 3, 1]
    with mistake("sorted_by_level"):
        assert pooled([2, 0, 3, 1]) == [0, 1, 2, 3]


def test_the_stride_of_the_next_level():
    """A map that holds its own x: it is read at half of it."""
    across = (torch.arange(128.0) + 0.5).mul(4).expand(1, 1, 128, 128)  # x of each cell's centre
    rois = boxes_to_rois([torch.tensor([[80.0, 80.0, 120.0, 120.0]])])
    read = lambda: levels.pool_from_levels([across], (4,), rois, POOLINGS["roi_align"], 1).item()  # noqa: E731
    assert read() == pytest.approx(100)
    with mistake("stride_of_next_level"):
        assert read() == pytest.approx(50)


def test_nothing_from_above():
    with mistake("nothing_from_above"):
        assert fpn.enlarge(torch.ones(1, 2, 3, 4), (6, 8)).tolist() == torch.zeros(1, 2, 6, 8).tolist()
    assert fpn.enlarge(torch.ones(1, 2, 3, 4), (6, 8)).sum() == 96


def test_anchors_of_one_stride():
    cell = torch.tensor([[-1.0, -1.0, 1.0, 1.0]])
    assert anchors.shift_anchors(cell, (1, 2), 4)[1].tolist() == [3.0, -1.0, 5.0, 1.0]
    with mistake("anchors_of_one_stride"):
        assert anchors.shift_anchors(cell, (1, 2), 4)[1].tolist() == [15.0, -1.0, 17.0, 1.0]
