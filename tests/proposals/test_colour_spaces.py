"""Colour spaces: values worked by hand, and that a shadow changes what it should."""

import numpy as np
import pytest

from rcnn_lite.proposals.colour_spaces import COLOUR_SPACES, to_colour_space


def one_pixel(rgb, space):
    return to_colour_space(np.uint8([[rgb]]), space)[0, 0].tolist()


def test_values_by_hand():
    assert one_pixel([255, 0, 0], "hsv") == [0, 255, 255]
    assert one_pixel([0, 255, 0], "hsv") == [60, 255, 255]  # 120 degrees, in steps of 2
    assert one_pixel([0, 0, 255], "h") == [120]
    assert one_pixel([128, 128, 128], "lab")[1:] == [128, 128]  # grey has a = b = 0
    assert one_pixel([255, 255, 255], "lab") == [255, 128, 128]
    assert one_pixel([10, 20, 70], "rgi") == [26, 51, 23]  # 25.5, 51, 0.299 * 10 + 0.587 * 20 + 0.114 * 70 = 22.71
    assert one_pixel([0, 0, 0], "rgi") == [0, 0, 0]
    assert one_pixel([10, 20, 70], "i") == [23]


def test_half_the_light_keeps_hue_and_rg():
    bright = np.random.default_rng(0).integers(60, 128, (8, 8, 3), dtype=np.uint8) * 2
    dark = bright // 2
    for space, same in (("h", [True]), ("rgi", [True, True, False]), ("hsv", [True, True, False]), ("i", [False])):
        change = np.abs(to_colour_space(bright, space).astype(int) - to_colour_space(dark, space)).max(axis=(0, 1))
        assert (change <= 2).tolist() == same


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_shape_and_dtype(space):
    converted = to_colour_space(np.zeros((5, 7, 3), np.uint8), space)
    assert converted.dtype == np.uint8
    assert converted.shape == (5, 7, 1 if space in ("h", "i") else 3)
    assert converted.flags.c_contiguous


def test_unknown_space_is_named():
    with pytest.raises(ValueError, match="'cmyk'.*hsv, lab, rgi, h, i"):
        to_colour_space(np.zeros((2, 2, 3), np.uint8), "cmyk")
