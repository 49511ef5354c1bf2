"""The mistakes of notebook 05: each changes what a region looks like, and is gone afterwards."""

import pytest
import torch

from rcnn_lite.checks.mistakes import mistake
from rcnn_lite.checks.warping_mistakes import _TABLE
from rcnn_lite.regions import warp

FILL = torch.tensor([0.5, 0.6, 0.7])
PICTURE = torch.arange(24.0).reshape(1, 4, 6) + torch.tensor([0.0, 100.0, 200.0])[:, None, None]  # 4 rows, 6 columns


def warped(box, context=1):
    """A region of 4 x 4 pixels, each channel as rounded rows."""
    return warp.warp_regions(PICTURE, torch.tensor([box]), size=4, context=context, fill=FILL)[0]


INSIDE = [2.0, 1.0, 4.0, 3.0]  # columns 2, 3 and rows 1, 2; with a pixel of context the whole 4 x 4 is shown
WIDE = [1.0, 1.0, 5.0, 3.0]  # 4 x 2
CORNER = [0.0, 0.0, 2.0, 2.0]  # row and column 0 of the result lie outside

PROBES = [  # mistake, box, channel, row, right, wrong
    ("blue_first", INSIDE, 0, 1, [7.0, 8.0, 9.0, 10.0], [207.0, 208.0, 209.0, 210.0]),
    ("mean_left_in", INSIDE, 1, 1, [107.0, 108.0, 109.0, 110.0], [107.6, 108.6, 109.6, 110.6]),
    ("bytes_for_unit", INSIDE, 0, 0, [1.0, 2.0, 3.0, 4.0], [255.0, 510.0, 765.0, 1020.0]),
    ("context_forgotten", INSIDE, 0, 1, [7.0, 8.0, 9.0, 10.0], [9.25, 9.75, 10.25, 10.75]),
    ("squares_for_warps", WIDE, 0, 1, [6.0, 7.5, 9.5, 11.0], [3.0, 4.5, 6.5, 8.0]),
    ("black_for_mean", CORNER, 2, 0, [0.7, 0.7, 0.7, 0.7], [0.0, 0.0, 0.0, 0.0]),
    ("rows_for_columns", INSIDE, 0, 1, [7.0, 8.0, 9.0, 10.0], [2.0, 8.0, 14.0, 20.0]),
]


@pytest.mark.parametrize(("name", "box", "channel", "row", "right", "wrong"), PROBES)
def test_a_mistake_acts_and_is_gone_afterwards(name, box, channel, row, right, wrong):
    close = pytest.approx(right, abs=1e-3)
    assert warped(box)[channel, row].tolist() == close
    with mistake(name):
        assert warped(box)[channel, row].tolist() == pytest.approx(wrong, abs=1e-3)
    assert warped(box)[channel, row].tolist() == close


def test_every_mistake_is_tried():
    assert {name for name, *_ in PROBES} == {each.name for each in _TABLE}


def test_without_a_fill_the_mean_is_that_of_the_picture():
    box = torch.tensor([INSIDE])
    right = warp.warp_regions(PICTURE, box, size=4, context=1)
    with mistake("mean_left_in"):
        wrong = warp.warp_regions(PICTURE, box, size=4, context=1)
    torch.testing.assert_close(wrong - right, PICTURE.mean(dim=(1, 2))[None, :, None, None].expand(1, 3, 4, 4))


@pytest.mark.parametrize("name", [each.name for each in _TABLE])
def test_no_boxes(name):
    with mistake(name):
        assert warp.warp_regions(PICTURE, torch.zeros(0, 4), size=4, context=1, fill=FILL).shape == (0, 3, 4, 4)
