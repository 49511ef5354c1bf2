"""Sliding windows: positions by hand and by trying every pixel, and levels that show what the boxes say they show."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import window_positions

from rcnn_lite.proposals.sliding_window import (
    count_windows,
    level_size,
    pyramid,
    pyramid_scales,
    sliding_windows,
    window_grid,
)


def test_two_scales_by_hand():
    """5 x 7 pixels, window 2 high and 3 wide, stride 2: corners x 0, 2, 4 and y 0, 2. At half size the level has 2 x 3
    pixels, and the window fits once, at the corner.
    """
    boxes = sliding_windows((5, 7), window=(2, 3), stride=2, scales=[1, 2])
    expected = [[x, y, x + 3, y + 2] for y in (0, 2) for x in (0, 2, 4)] + [[0, 0, 6, 4]]
    assert boxes.tolist() == expected
    assert boxes.dtype == torch.float32


def test_scales_keep_their_order_and_need_not_be_whole():
    boxes = sliding_windows((10, 10), window=(4, 4), stride=4, scales=[2.5, 0.5])
    assert boxes[0].tolist() == [0.0, 0.0, 10.0, 10.0]  # the level has 4 x 4 pixels
    assert len(boxes) == 1 + 25  # 20 x 20 pixels: corners 0, 4, ..., 16
    assert boxes[2].tolist() == [2.0, 0.0, 4.0, 2.0]
    assert boxes[-1].tolist() == [8.0, 8.0, 10.0, 10.0]


@given(
    st.integers(0, 12), st.integers(0, 12), st.tuples(st.integers(1, 6), st.integers(1, 6)), st.integers(1, 4),
    st.lists(st.integers(1, 4), max_size=3),
)  # fmt: skip
def test_as_trying_every_pixel_does(height, width, window, stride, scales):
    boxes = sliding_windows((height, width), window, stride, scales)
    assert boxes.tolist() == window_positions(height, width, window, stride, scales)
    assert count_windows((height, width), window, stride, scales) == len(boxes)


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.3, 20))
def test_windows_stay_inside_the_picture_and_have_the_size_that_was_asked(height, width, scale):
    boxes = sliding_windows((height, width), window=(16, 8), stride=4, scales=[scale])
    assert bool((boxes >= 0).all())
    assert bool((boxes <= torch.tensor([width, height] * 2)).all())
    sides = boxes[:, 2:] - boxes[:, :2]
    torch.testing.assert_close(sides, torch.tensor([8.0, 16.0]).mul(scale).expand_as(sides), rtol=1e-4, atol=1e-4)


def test_a_window_as_large_as_the_picture_fits_once_and_a_larger_one_never():
    assert sliding_windows((9, 9), (9, 9), 1, [1]).tolist() == [[0, 0, 9, 9]]
    for size in ((8, 9), (9, 8), (0, 0)):
        boxes = sliding_windows(size, (9, 9), 1, [1])
        assert boxes.shape == (0, 4)
    assert sliding_windows((9, 9), (9, 9), 1, []).shape == (0, 4)


@pytest.mark.parametrize("side", [49, 98, 103, 107, 161])
def test_division_that_comes_out_a_hair_too_small(side):
    """49 * (1 / 49) is 0.9999999999999999 in floating point; the level has one pixel all the same."""
    assert level_size((side, side), side) == (1, 1)
    assert len(sliding_windows((side, side), (1, 1), 1, [side])) == 1
    assert pyramid(torch.rand(3, side, side), [side])[0].shape == (3, 1, 1)
    assert window_grid((3 * side + side, side), (side, side), side) == (4, 1)


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (((9, 9), (0, 3), 1, [1]), "window must be positive and finite, got 0"),
        (((9, 9), (3, 3, 3), 1, [1]), "window must be .height, width."),
        (((9, 9), (3, 3), 0, [1]), "stride must be positive and finite, got 0"),
        (((9, 9), (3, 3), 1, [1, -2]), "scales must be positive and finite, got -2"),
        (((9, 9), (3, 3), 1, [float("inf")]), "scales must be positive and finite, got inf"),
        (((9, 9), (3, 3), 1, [float("nan")]), "scales must be positive and finite, got nan"),
    ],
)
def test_bad_numbers_are_named(arguments, culprit):
    for function in (sliding_windows, count_windows):
        with pytest.raises(ValueError, match=culprit):
            function(*arguments)


def test_scales_go_on_while_the_window_fits():
    scales = pyramid_scales((256, 256), (32, 32), per_octave=2)
    assert scales == pytest.approx([2 ** (i / 2) for i in range(7)])  # 1 .. 8: at 8 the level has 32 pixels
    assert pyramid_scales((256, 31), (32, 32)) == []
    assert pyramid_scales((256, 31), (32, 32), per_octave=1, first=0.5) == [0.5]


def test_levels_have_the_size_that_the_windows_count_on():
    image, scales = torch.rand(3, 100, 77), [0.7, 1.0, 1.26, 2.0, 3.3, 50.0, 80.0]
    levels = pyramid(image, scales)
    assert levels[1] is image
    for level, scale in zip(levels[:-1], scales, strict=False):
        assert tuple(level.shape[1:]) == level_size((100, 77), scale)
    assert level_size((100, 77), 80.0) == (1, 0)
    assert levels[-1].numel() == 0


@pytest.mark.parametrize("scale", [0.7, 1.5, 2.0, 3.3])
def test_a_pixel_of_a_level_shows_the_point_that_its_box_says(scale):
    """On a ramp the value is the position. Pixel i of the level covers i .. i + 1, so its middle is (i + 0.5) scale in
    the picture. A level made to fit a rounded size would be off by a pixel and more at the far end.
    """
    ramp = (torch.arange(101) + 0.5).expand(3, 67, 101)
    level = pyramid(ramp, [scale])[0]
    middle = (torch.arange(level.shape[2]) + 0.5) * scale
    assert float((level[0, 0] - middle)[2:-2].abs().max()) < 0.11
    ramp = (torch.arange(101) + 0.5)[:, None].expand(3, 101, 67)
    level = pyramid(ramp, [scale])[0]
    assert float((level[0, :, 0] - (torch.arange(level.shape[1]) + 0.5) * scale)[2:-2].abs().max()) < 0.11


def test_shrinking_smooths():
    """Stripes of one pixel become grey, not the stripes of another width."""
    stripes = (torch.arange(96) % 2).float().expand(3, 96, 96)
    level = pyramid(stripes, [3.0])[0]
    assert float((level - 0.5).abs()[:, 2:-2, 2:-2].max()) < 0.1


def test_a_flat_picture_stays_flat():
    for value in (0.3, 77 / 255, 1.0):
        for level in pyramid(torch.full((3, 64, 64), value), [0.7, 1.26, 3.3]):
            assert len(level.unique()) == 1
            assert float(level[0, 0, 0]) == pytest.approx(value, abs=1e-5)
