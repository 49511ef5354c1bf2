"""Notebook 13's checks and mistakes, beyond what test_exercises.py asks of all: right results are torchvision's."""

import pytest
import torch
import torchvision

from rcnn_lite.checks import aligning
from rcnn_lite.checks.aligning_mistakes import _TABLE
from rcnn_lite.checks.mistakes import mistake
from rcnn_lite.regions import roi_align


def cases_of(exercise, count=80):
    return [case for case, _ in zip(exercise.all_cases(), range(count), strict=False)]


def peer(channel, box, bins, scale, ratio, aligned=True):
    rois = torch.cat((torch.zeros(1), box))[None]
    return torchvision.ops.roi_align(channel[None, None], rois, bins, scale, ratio, aligned)[0, 0]


def test_slips_are_where_torchvision_warps_and_pools():
    """A map that counts its cells: RoI pooling with one bin has the last cell, negated the first."""
    counting = torch.arange(3600.0).view(1, 1, 60, 60)
    for case in cases_of(aligning.check_slips):
        boxes, stride = case.args
        rois = torch.cat((torch.zeros(len(boxes), 1), boxes), dim=1)
        last = torchvision.ops.roi_pool(counting, rois, 1, 1 / stride).flatten()
        first = -torchvision.ops.roi_pool(-counting, rois, 1, 1 / stride).flatten()
        x1, y1, x2, y2 = ((torch.as_tensor(case.expected).reshape(-1, 4) + boxes) / stride).T
        assert first.tolist() == (60 * y1 + x1).tolist()
        assert last.tolist() == (60 * (y2 - 1) + x2 - 1).tolist()


def test_points_are_read_as_torchvision_reads_them():
    for case in cases_of(aligning.check_read_at):
        channel, points = case.args
        read = [peer(channel, (point + 0.5).repeat(2), 1, 1.0, 1).item() for point in points]
        assert read == pytest.approx(torch.as_tensor(case.expected).tolist(), abs=1e-4)


def test_sample_points_are_torchvisions():
    """On a map that holds its own columns a point's value is its place."""
    columns = torch.arange(200.0).expand(3, 200)
    for case in cases_of(aligning.check_sample_points):
        start, end, bins, samples = case.args
        for low, high, points in zip(start, end, torch.as_tensor(case.expected), strict=True):
            box = torch.stack((low, torch.tensor(1.0), high, torch.tensor(2.0))) + torch.tensor([20.0, 0, 20, 0])
            read = peer(columns, box, (1, bins * samples), 1.0, 1)[0] + 0.5 - 20
            torch.testing.assert_close(points.flatten(), read, atol=1e-4, rtol=1e-4)


def test_matrices_are_torchvisions():
    """Every cell of a row alone, read by torchvision, is a column of the matrix."""
    for case in cases_of(aligning.check_axis_matrix):
        side, bins, samples, cells = case.args
        box = torch.tensor([side[0], 0.0, side[1], 1.0])
        read = [peer(torch.eye(cells)[i : i + 1], box, (1, bins), 1.0, samples)[0] for i in range(cells)]
        expected = torch.as_tensor(case.expected).float()
        torch.testing.assert_close(expected, torch.stack(read, dim=1), atol=1e-4, rtol=1e-4)


def test_aligned_bins_are_torchvisions():
    for case in cases_of(aligning.check_align):
        channel, box, stride, bins, aligned = case.args
        read = peer(channel, box, bins, 1 / stride, 2, aligned)
        torch.testing.assert_close(torch.as_tensor(case.expected), read, atol=1e-4, rtol=1e-4)


PLANE = (torch.arange(6.0)[None, :] + 10 * torch.arange(6.0)[:, None])[None, None]  # x + 10 y
ROI = torch.tensor([[0.0, 24.0, 40.0, 56.0, 72.0]])  # cells 1.5 to 3.5 and 2.5 to 4.5: middle 2.5, 3.5


def probe(ratio=2):
    return roi_align.roi_align(PLANE, ROI, 1, 1 / 16, ratio).item()


def probe_one_point():
    return probe(1)


def probe_warp():
    return roi_align.roi_warp(PLANE, ROI, 1, 1 / 16).item()


def probe_quarter():  # one point at cells 1.75 and 2.75, in indices 1.25 and 2.25
    box = torch.tensor([[0.0, 26.0, 42.0, 30.0, 46.0]])
    return roi_align.roi_align(PLANE, box, 1, 1 / 16, 1).item()


PROBES = [  # mistake, what is measured, right, wrong
    ("half_cell_missing", probe, 32.0, 32.0 + 5.5),
    ("start_rounded", probe, 32.0, 32.0 - 5.5),
    ("points_at_edges", probe, 32.0, 32.0 - 5.5),  # bins of two cells, points a quarter of it too early
    ("points_at_edges", probe_one_point, 32.0, 32.0 - 11),
    ("points_at_edges", lambda: probe(-1), 32.0, 32.0 - 5.5),
    ("nearest_cells", probe_quarter, 1.25 + 22.5, 1.0 + 20),
    ("axes_swapped", probe, 2 + 30.0, 3 + 20.0),
    ("half_cell_missing", probe_warp, 3 + 40.0, 3.5 + 43.75),  # rows 3.25, 4.75; then 3.75, and 5.25 which reads 5
]


@pytest.mark.parametrize(("name", "measure", "right", "wrong"), PROBES)
def test_a_mistake_acts_and_is_gone_afterwards(name, measure, right, wrong):
    assert measure() == pytest.approx(right)
    with mistake(name):
        assert measure() == pytest.approx(wrong)
    assert measure() == pytest.approx(right)


def test_every_mistake_is_tried():
    assert {name for name, *_ in PROBES} == {each.name for each in _TABLE}


@pytest.mark.parametrize("name", [each.name for each in _TABLE])
def test_no_boxes(name):
    with mistake(name):
        assert roi_align.roi_align(PLANE, torch.zeros(0, 5), 2, 1 / 16).shape == (0, 1, 2, 2)
        assert roi_align.roi_warp(PLANE, torch.zeros(0, 5), 2, 1 / 16, -1).shape == (0, 1, 2, 2)
