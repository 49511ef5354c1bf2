"""Windows of a map: which cells look at a box, by hand and by listing their centres; pyramids against cut-out maps."""

import math

import pytest
import torch

from rcnn_lite.regions.spp import spatial_pyramid_pool
from rcnn_lite.regions.windows import pool_windows, project_boxes


def random_boxes(count, generator, size=160.0):
    """From a fraction of a cell to more than the map, some partly or wholly outside."""
    corner = torch.rand(count, 2, generator=generator) * 1.2 * size - 0.1 * size
    sides = size * 10 ** (-3 * torch.rand(count, 2, generator=generator))
    return torch.cat((corner, corner + sides), dim=1)


def test_windows_by_hand():
    """Stride 16, cells that look at their middle: pixels 8, 24, 40, 56, 72."""
    boxes = torch.tensor(
        [
            [0.0, 0.0, 80.0, 80.0],  # the whole map
            [7.0, 9.0, 41.0, 71.0],  # x: 8, 24, 40; y: 24, 40, 56
            [8.0, 0.0, 40.0, 80.0],  # a centre on the side is not inside: only 24
        ]
    )
    assert project_boxes(boxes, 16, (5, 5)).tolist() == [[0, 0, 4, 4], [0, 1, 2, 3], [1, 0, 1, 4]]


def test_the_rule_of_appendix_a():
    """A network whose cell k looks at pixel S k: floor(x / S) + 1 to ceil(x / S) - 1, the paper's formula as it is."""
    boxes = torch.tensor([[33.0, 47.0, 130.0, 97.0], [32.0, 48.0, 128.0, 96.0]])
    expected = [
        [math.floor(a / 16) + 1 for a in b[:2]] + [math.ceil(a / 16) - 1 for a in b[2:]] for b in boxes.tolist()
    ]
    assert expected == [[3, 3, 8, 6], [3, 4, 7, 5]]
    assert project_boxes(boxes, 16, (10, 10), centre=0.0).tolist() == expected


@pytest.mark.parametrize("centre", [0.0, 0.5, 0.65, 1.0])
def test_a_window_has_the_cells_whose_centres_lie_inside(generator, centre):
    boxes = random_boxes(400, generator)
    windows = project_boxes(boxes, 16, (7, 10), centre)
    inside = 0
    for box, window in zip(boxes.tolist(), windows.tolist(), strict=True):
        for axis, count in ((0, 10), (1, 7)):
            cells = [k for k in range(count) if box[axis] < 16 * (k + centre) < box[axis + 2]]
            if cells:
                assert (window[axis], window[axis + 2]) == (cells[0], cells[-1])
                inside += 1
    assert inside > 100


def test_no_window_is_empty_or_outside(generator):
    boxes = torch.cat((random_boxes(400, generator), torch.tensor([[-90.0, -90, -80, -80], [900.0, 0, 990, 9]])))
    windows = project_boxes(boxes, 16, (7, 10))
    assert (windows[:, 2:] >= windows[:, :2]).all()
    assert windows.amin() >= 0
    assert (windows.amax(dim=0) <= torch.tensor([9, 6, 9, 6])).all()
    assert windows[-2:].tolist() == [[0, 0, 0, 0], [9, 0, 9, 0]]


def test_a_box_without_a_centre_gets_the_cell_nearest_to_it():
    boxes = torch.tensor([[9.0, 9.0, 12.0, 14.0], [17.0, 18.0, 23.0, 23.0], [26.0, 26.0, 26.0, 26.0]])
    assert project_boxes(boxes, 16, (5, 5)).tolist() == [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]


def test_pyramids_are_those_of_the_map_cut_out(generator):
    features = torch.randn(1, 5, 9, 13, generator=generator)
    windows = project_boxes(random_boxes(60, generator, 208.0), 16, (9, 13))
    windows = torch.cat((windows, torch.tensor([[0, 0, 12, 8], [12, 8, 12, 8], [0, 0, 0, 0]])))
    levels = (6, 3, 2, 1)
    pooled = pool_windows(features, windows, levels)
    assert pooled.shape == (63, 5 * 50)
    for row, (x1, y1, x2, y2) in zip(pooled, windows.tolist(), strict=True):
        cut = features[:, :, y1 : y2 + 1, x1 : x2 + 1]
        assert torch.equal(row, spatial_pyramid_pool(cut, levels)[0])


def test_no_windows():
    assert project_boxes(torch.zeros(0, 4), 16, (3, 3)).shape == (0, 4)
    assert pool_windows(torch.rand(1, 2, 3, 3), torch.zeros(0, 4, dtype=torch.int64), (2, 1)).shape == (0, 10)
