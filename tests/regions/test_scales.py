"""Boxes in resized pictures, and which scale of a pyramid each is looked at: by hand."""

import pytest
import torch

from rcnn_lite.regions.scales import nearest_scale, scale_boxes


def test_each_axis_has_its_own_factor():
    boxes = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    assert scale_boxes(boxes, (100, 200), (50, 400)).tolist() == [[20, 10, 60, 20]]
    assert scale_boxes(torch.empty(0, 4), (100, 200), (50, 400)).shape == (0, 4)


def test_small_boxes_are_looked_at_enlarged_and_large_ones_are_not():
    """Side 112, factors 1, 2, 4. 28 pixels: 28, 56, 112. 56 by 56: 56, 112, 224. 300: nearest at factor 1."""
    boxes = torch.tensor([[0.0, 0, 28, 28], [0, 0, 56, 56], [0, 0, 300, 300], [0, 0, 14, 56]])
    assert nearest_scale(boxes, (1.0, 2.0, 4.0), 112).tolist() == [2, 1, 0, 2]


def test_nearness_is_counted_in_pixels_squared():
    """A side of 80 at factors 1 and 2: 6,400 and 25,600 pixels, 6,144 below and 13,056 above 112^2; in logarithms too
    the first. A side of 75: 5,625 and 22,500, 6,919 below and 9,956 above: the first, though 150 / 112 < 112 / 75.
    """
    assert nearest_scale(torch.tensor([[0.0, 0, 80, 80], [0, 0, 75, 75]]), (1.0, 2.0), 112).tolist() == [0, 0]


def test_ties_no_boxes_no_scales():
    assert nearest_scale(torch.tensor([[0.0, 0, 10, 10]]), (1.0, 1.0), 10).tolist() == [0]
    assert nearest_scale(torch.empty(0, 4), (1.0, 2.0), 10).tolist() == []
    with pytest.raises(ValueError, match="at least one"):
        nearest_scale(torch.empty(0, 4), (), 10)
