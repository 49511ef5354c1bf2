"""Anchors: golden values worked out by hand, torchvision's generator, translation invariance."""

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from rcnn_lite.boxes import box_area
from rcnn_lite.proposals.anchors import make_cell_anchors, shift_anchors


def test_aspect_ratio_is_height_over_width():
    """Size 128 at 1:2, 1:1, 2:1: 181.02 x 90.51, 128 x 128 and 90.51 x 181.02 (w x h)."""
    anchors = make_cell_anchors([128], [0.5, 1, 2])
    sides = anchors[:, 2:] - anchors[:, :2]
    torch.testing.assert_close(sides, torch.tensor([[181.0193, 90.5097], [128.0, 128.0], [90.5097, 181.0193]]))
    torch.testing.assert_close(anchors[:, :2], -anchors[:, 2:])


def test_the_nine_anchors_of_the_paper_have_its_three_areas():
    areas = box_area(make_cell_anchors([128, 256, 512], [0.5, 1, 2])).reshape(3, 3)  # a row for each ratio
    torch.testing.assert_close(areas, torch.tensor([128.0**2, 256.0**2, 512.0**2]).expand(3, 3))


def test_the_grid_by_hand():
    """A 2 x 3 map of stride 10: the last two anchors belong to cell (1, 2), centred on (20, 10), or on (25, 15)."""
    cell = make_cell_anchors([4, 8], [1])
    assert shift_anchors(cell, (2, 3), 10)[10:].tolist() == [[18, 8, 22, 12], [16, 6, 24, 14]]
    assert shift_anchors(cell, (2, 3), 10, offset=0.5)[10:].tolist() == [[23, 13, 27, 17], [21, 11, 29, 19]]
    assert shift_anchors(cell, (2, 3), (10, 100))[10:].tolist() == [[198, 8, 202, 12], [196, 6, 204, 14]]


def test_equals_torchvision():
    """Its generator rounds cell anchors to whole pixels; where nothing needs rounding the two are equal."""
    sizes, ratios = (16, 32), (0.25, 1.0, 4.0)
    pictures = ImageList(torch.zeros(1, 3, 96, 160), [(96, 160)])
    peer = AnchorGenerator((sizes,), (ratios,))(pictures, [torch.zeros(1, 1, 6, 10)])
    torch.testing.assert_close(shift_anchors(make_cell_anchors(sizes, ratios), (6, 10), 16), peer[0], rtol=0, atol=0)


def test_one_cell_further_is_one_stride_further():
    grid = shift_anchors(make_cell_anchors([20, 50], [0.5, 2]), (4, 5), 16, 0.5).reshape(4, 5, 4, 4)
    torch.testing.assert_close(grid[:, 1:] - grid[:, :-1], torch.tensor([16.0, 0, 16, 0]).expand(4, 4, 4, 4))
    torch.testing.assert_close(grid[1:] - grid[:-1], torch.tensor([0.0, 16, 0, 16]).expand(3, 5, 4, 4))


def test_an_empty_map_has_no_anchors_and_bad_numbers_are_named():
    cell = make_cell_anchors([8], [1])
    assert shift_anchors(cell, (0, 7), 16).shape == (0, 4)
    with pytest.raises(ValueError, match=r"sizes must be one or more positive numbers, got \[\]"):
        make_cell_anchors([], [1])
    with pytest.raises(ValueError, match=r"aspect_ratios must be one or more positive numbers, got \[1, -2\]"):
        make_cell_anchors([8], [1, -2])
    with pytest.raises(ValueError, match="cell_anchors"):
        shift_anchors(torch.zeros(1, 4), (2, 2), 16)
