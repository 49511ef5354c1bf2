"""Notebook 03's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch

from rcnn_lite.checks import before
from rcnn_lite.checks.before_mistakes import mistake
from rcnn_lite.models.hog_detector import HOGDetector
from rcnn_lite.proposals import sliding_window
from rcnn_lite.regions import hog


def test_votes_and_normalisation_are_those_of_hog(generator):
    """A ramp in the middle of 12 x 12 pixels has the same gradient everywhere: a block of four equal histograms."""
    dx, dy = 0.03, -0.02
    ramp = 0.5 + dx * torch.arange(12.0) / 2 + dy * torch.arange(12.0)[:, None] / 2
    blocks = hog.hog_blocks(ramp.expand(3, 12, 12), cell=3)[:, 1, 1]  # cells 1 and 2, none at the border
    one = before.check_direction_histogram.reference(torch.full((9,), dx), torch.full((9,), dy)) / 9
    torch.testing.assert_close(before.check_normalise_block.reference(one.repeat(4)).float(), blocks)


def test_counts_are_those_of_the_package():
    scales = [1.0, 1.3, 2.0, 4.0]
    sizes = torch.tensor([sliding_window.level_size((97, 64), scale) for scale in scales])
    count = before.check_count_windows.reference(sizes, (24, 16), 5)
    assert count == len(sliding_window.sliding_windows((97, 64), (24, 16), 5, scales)) > 100


def probe_box():
    return sliding_window.sliding_windows((8, 8), (4, 4), 4, [2.0]).tolist()


def probe_scales():
    return len(sliding_window.pyramid_scales((64, 64), (16, 16), per_octave=1))


def probe_hog():
    """An edge at 45 degrees, bin 2; with y upwards at 135 degrees, bin 6."""
    image = (torch.arange(8.0)[:, None] + torch.arange(8.0)).expand(3, 8, 8) / 20
    return int(hog.hog_blocks(image, 4).reshape(4, 9).sum(dim=0).argmax())


@pytest.mark.parametrize(
    ("name", "probe", "right", "wrong"),
    [
        ("windows_not_scaled_back", probe_box, [[0, 0, 8, 8]], [[0, 0, 4, 4]]),
        ("window_around_its_corner", probe_box, [[0, 0, 8, 8]], [[-4, -4, 4, 4]]),
        ("one_scale", probe_scales, 3, 1),
        ("gradient_upside_down", probe_hog, 2, 6),
    ],
)
def test_a_mistake_acts_and_is_gone_afterwards(name, probe, right, wrong):
    assert probe() == right
    with mistake(name):
        assert probe() == wrong
    assert probe() == right


@pytest.mark.parametrize("name", ["windows_not_scaled_back", "window_around_its_corner", "one_scale"])
def test_a_detector_makes_the_mistake(name):
    model = HOGDetector(("background", "any"), torch.tensor([[2, 2], [4, 4]]))
    model.bias[1] = 1.0
    image = torch.rand(3, 60, 60, generator=torch.Generator().manual_seed(0))
    (right,) = model.detect([image])
    with mistake(name):
        (wrong,) = model.detect([image])
    assert right["boxes"].tolist() != wrong["boxes"].tolist()


def test_wrong_functions_accept_nothing():
    for name in ("windows_not_scaled_back", "window_around_its_corner", "one_scale", "gradient_upside_down"):
        with mistake(name):
            assert sliding_window.sliding_windows((8, 8), (9, 9), 1, [1]).shape == (0, 4)
            assert sliding_window.sliding_windows((8, 8), (9, 9), 1, []).shape == (0, 4)
            assert sliding_window.pyramid_scales((8, 8), (9, 9)) == []
            assert hog.hog_blocks(torch.zeros(3, 1, 1), 4).shape == (36, 0, 0)
