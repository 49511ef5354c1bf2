"""Descriptions of segments: by hand on ramps and steps, and against loops over pixels."""

import math

import numpy as np
import pytest

from rcnn_lite.proposals.region_features import STEEPEST, describe_regions, texture_codes


def loop_histograms(labels, image, codes, region):
    """Size, box, colour and texture of one region, counted pixel by pixel, all eight orientations of it."""
    channels = image.shape[2]
    colour, texture = np.zeros((channels, 25)), np.zeros((channels, 8, 10))
    pixels = list(zip(*np.nonzero(labels == region), strict=True))
    for y, x in pixels:
        for c in range(channels):
            colour[c, math.floor(image[y, x, c] / 256 * 25)] += 1
            orientation_of = {code // 10: code % 10 for code in codes[y, x, c].tolist()}
            for orientation in range(8):
                texture[c, orientation, orientation_of.get(orientation, 0)] += 1
    ys, xs = [p[0] for p in pixels], [p[1] for p in pixels]
    box = [min(xs), min(ys), max(xs) + 1, max(ys) + 1]
    return len(pixels), box, colour.ravel() / colour.sum(), texture.ravel() / texture.sum()


@pytest.mark.parametrize("channels", [1, 3])
def test_equal_to_loops_over_pixels(channels):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 11, channels), dtype=np.uint8)
    labels = rng.integers(0, 4, (9, 11), dtype=np.int32)
    regions = describe_regions(labels, image)
    assert regions.colour.dtype == regions.texture.dtype == np.float32
    assert regions.texture.shape == (4, 80 * channels)
    for i in range(4):
        size, box, colour, texture = loop_histograms(labels, image, texture_codes(image), i)
        region = regions.region(i)
        assert region.size == size
        assert region.box.tolist() == box
        np.testing.assert_allclose(region.colour, colour, atol=1e-6)
        np.testing.assert_allclose(region.texture, texture, atol=1e-6)


def test_two_regions_by_hand():
    image = np.zeros((2, 3, 1), np.uint8)
    image[:, 2] = 255
    labels = np.int32([[0, 0, 1], [0, 0, 1]])
    regions = describe_regions(labels, image)
    assert regions.size.tolist() == [4, 2]
    assert regions.box.tolist() == [[0, 0, 2, 2], [2, 0, 3, 2]]
    assert regions.colour[0].tolist() == [1] + 24 * [0]
    assert regions.colour[1].tolist() == 24 * [0] + [1]


def test_colour_bins_are_of_equal_width():
    """256 levels in 25 bins of 10.24: bin k starts at the first level that is at least 10.24 k."""
    image = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    regions = describe_regions(np.arange(256, dtype=np.int32).reshape(1, 256), image)
    first = [int(np.flatnonzero(regions.colour[:, k])[0]) for k in range(25)]
    assert first == [math.ceil(10.24 * k) for k in range(25)]


@pytest.mark.parametrize(
    ("slope_x", "slope_y", "strongest"),
    [(60, 0, 0), (40, 40, 1), (0, 60, 2), (-40, 40, 3), (-60, 0, 4), (-40, -40, 5), (0, -60, 6), (40, -40, 7)],
)
def test_the_derivative_of_a_ramp(slope_x, slope_y, strongest):
    """The derivative of a plane along orientation j is slope . (cos 45 j, sin 45 j), whatever the smoothing."""
    y, x = np.mgrid[-2:3, -2:3]
    image = np.uint8(np.clip(128 + (slope_x * x + slope_y * y) / 2, 0, 255))[:, :, None]
    codes = texture_codes(np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect", reflect_type="odd"))[3, 3, 0]
    expected = {}
    for j in range(8):
        derivative = (slope_x * math.cos(math.pi * j / 4) + slope_y * math.sin(math.pi * j / 4)) / 2
        if derivative >= 1:
            expected[j] = math.floor(derivative * 10 / STEEPEST)
    found = {int(code) // 10: int(code) % 10 for code in codes}
    assert expected[strongest] == max(expected.values())
    assert expected.items() <= found.items()
    assert sum(found.values()) == sum(expected.values())


def test_the_steepest_step_fills_the_last_bin():
    """The middle of the highest edge has the largest derivative there is; an edge half as high has half of it."""
    image = np.zeros((9, 20, 2), np.uint8)
    image[:, 10:, 0] = 255
    image[:, 10:, 1] = 128
    assert abs(STEEPEST - 101.73) < 0.01
    codes = texture_codes(image)[4]
    assert [int(codes[x, 0, 0]) for x in (0, 9, 10, 19)] == [0, 8, 8, 0]  # a central difference flattens the peak
    assert [int(codes[x, 1, 0]) for x in (9, 10)] == [4, 4]
    assert texture_codes(255 - image)[4, 10, 0, 0] == 48  # orientation 4, the other way


def test_no_texture_is_bin_0_of_every_orientation():
    regions = describe_regions(np.zeros((4, 4), np.int32), np.full((4, 4, 3), 90, np.uint8))
    texture = regions.texture[0].reshape(3, 8, 10)
    assert np.allclose(texture[:, :, 0], 1 / 24)
    assert texture[:, :, 1:].sum() == 0


def test_one_pixel():
    regions = describe_regions(np.zeros((1, 1), np.int32), np.uint8([[[255, 0, 9]]]))
    assert regions.size.tolist() == [1]
    assert regions.box.tolist() == [[0, 0, 1, 1]]
    assert np.flatnonzero(regions.colour[0]).tolist() == [24, 25, 50]
