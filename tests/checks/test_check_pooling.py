"""Notebook 09's checks and mistakes, beyond what test_exercises.py asks of all: results are torchvision's."""

import pytest
import torch
import torch.nn.functional as F
import torchvision

from rcnn_lite.checks import pooling
from rcnn_lite.checks.mistakes import mistake
from rcnn_lite.checks.pooling_mistakes import _TABLE
from rcnn_lite.regions import roi_pool, scales, windows


def cases_of(exercise, count=80):
    return [case for case, _ in zip(exercise.all_cases(), range(count), strict=False)]


def test_bins_are_those_of_adaptive_pooling():
    """Ascending values show the last cell of each bin, negated ones the first."""
    for case in cases_of(pooling.check_pyramid_bins):
        sizes, n = case.args
        for size, bins in zip(sizes.tolist(), torch.as_tensor(case.expected), strict=True):
            ascending = torch.arange(float(size)).view(1, 1, size)
            assert (F.adaptive_max_pool1d(ascending, n)[0, 0] + 1).tolist() == bins[:, 1].tolist()
            assert (-F.adaptive_max_pool1d(-ascending, n)[0, 0]).tolist() == bins[:, 0].tolist()


def test_windows_hold_the_cells_that_torchvision_pools():
    """A map that counts its cells: with one bin the maximum is the last cell; of the negated map, the first."""
    counting = torch.arange(3600.0).view(1, 1, 60, 60)
    for case in cases_of(pooling.check_windows):
        boxes, scale = case.args
        rois = torch.cat((torch.zeros(len(boxes), 1), boxes), dim=1)
        last = torchvision.ops.roi_pool(counting, rois, 1, scale).flatten()
        first = -torchvision.ops.roi_pool(-counting, rois, 1, scale).flatten()
        r, c, h, w = torch.as_tensor(case.expected).reshape(-1, 4).T
        assert first.tolist() == (60 * r + c).tolist()
        assert last.tolist() == (60 * (r + h - 1) + c + w - 1).tolist()


def test_pooled_windows_are_torchvisions():
    for case in cases_of(pooling.check_pool_window):
        channel, (r, c, h, w), n = case.args
        roi = torch.stack((torch.tensor(0), c, r, c + w - 1, r + h - 1)).float()[None]
        peer = torchvision.ops.roi_pool(channel[None, None], roi, n, 1.0)[0, 0]
        assert peer.tolist() == torch.as_tensor(case.expected).tolist()


def test_gradients_are_torchvisions():
    for case in cases_of(pooling.check_pool_gradient):
        channel, bins, grad = case.args
        filled = (bins[:, 2] > bins[:, 0]) & (bins[:, 3] > bins[:, 1])
        top, left, bottom, right = bins[filled].T.float()
        rois = torch.stack((torch.zeros_like(top), left, top, right - 1, bottom - 1), dim=1)
        leaf = channel[None, None].clone().requires_grad_()
        torchvision.ops.roi_pool(leaf, rois, 1, 1.0).backward(grad[filled].view(-1, 1, 1, 1))
        torch.testing.assert_close(leaf.grad[0, 0], torch.as_tensor(case.expected))


COUNTING = torch.arange(1.0, 101.0).view(1, 1, 10, 10)
ROI = torch.tensor([[0.0, 48.0, 32.0, 80.0, 48.0]])  # columns 3 to 5, rows 2 and 3
BOX = torch.tensor([[20.0, 8.0, 60.0, 39.0]])  # in cells 1.25, 0.5, 3.75, 2.4375


def probe_pool():
    return roi_pool.roi_pool(COUNTING, ROI, 2, 1 / 16).flatten().tolist()


def probe_small():  # 2 x 3 cells into 4 x 4 bins
    return int((roi_pool.roi_pool(COUNTING, ROI, 4, 1 / 16) == 0).sum())


def probe_windows():
    return windows.pool_windows(COUNTING, torch.tensor([[3, 2, 5, 3]]), (2,)).flatten().tolist()


def probe_scale():
    return scales.scale_boxes(BOX, (100, 100), (200, 200)).tolist()


PROBES = [  # mistake, what is measured, right, wrong
    ("bins_floored", probe_pool, [25.0, 26.0, 35.0, 36.0], [24.0, 26.0, 34.0, 36.0]),
    ("bins_floored", probe_small, 0, 10),
    ("bins_floored", probe_windows, [25.0, 26.0, 35.0, 36.0], [24.0, 26.0, 34.0, 36.0]),
    ("last_cell_forgotten", probe_pool, [25.0, 26.0, 35.0, 36.0], [24.0, 25.0, 24.0, 25.0]),
    ("scale_forgotten", probe_scale, [[40.0, 16.0, 120.0, 78.0]], BOX.tolist()),
]


@pytest.mark.parametrize(("name", "probe", "right", "wrong"), PROBES)
def test_a_mistake_acts_and_is_gone_afterwards(name, probe, right, wrong):
    assert probe() == right
    with mistake(name):
        assert probe() == wrong
    assert probe() == right


def test_every_mistake_is_tried():
    assert {name for name, *_ in PROBES} == {each.name for each in _TABLE}


@pytest.mark.parametrize("name", [each.name for each in _TABLE])
def test_no_boxes(name):
    with mistake(name):
        assert roi_pool.roi_pool(COUNTING, torch.zeros(0, 5), 2, 1 / 16).shape == (0, 1, 2, 2)
        assert scales.scale_boxes(torch.zeros(0, 4), (3, 3), (6, 6)).shape == (0, 4)
