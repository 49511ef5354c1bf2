"""Warping against a loop over pixels; context exact to the pixel; one-pixel boxes; boxes outside the picture."""

import math

import numpy as np
import pytest
import torch

from rcnn_lite.regions.warp import warp_region, warp_regions


def warp_slowly(image, box, size, context, fill):
    """One warped pixel after another: where does its centre fall, and which four pixel centres surround it there?"""
    _, height, width = image.shape
    x1, y1, x2, y2 = (float(v) for v in box)
    result = torch.empty(3, size, size)
    for i in range(size):
        for j in range(size):
            y = y1 + (i + 0.5 - context) * (y2 - y1) / (size - 2 * context)
            x = x1 + (j + 0.5 - context) * (x2 - x1) / (size - 2 * context)
            if not (0 <= x <= width and 0 <= y <= height):
                result[:, i, j] = fill
                continue
            top, left = math.floor(y - 0.5), math.floor(x - 0.5)
            value = torch.zeros(3)
            for row, wy in ((top, 1 - (y - 0.5 - top)), (top + 1, y - 0.5 - top)):
                for column, wx in ((left, 1 - (x - 0.5 - left)), (left + 1, x - 0.5 - left)):
                    value += wy * wx * image[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            result[:, i, j] = value
    return result


@pytest.fixture
def image(generator):
    return torch.rand(3, 20, 30, generator=generator)


BOXES = [
    [5.0, 4.0, 15.0, 12.0],  # in the middle
    [0.0, 0.0, 12.0, 7.0],  # in a corner: context is missing on two sides
    [21.3, 11.8, 30.0, 20.0],  # in the opposite corner, at a fraction of a pixel
    [0.0, 0.0, 30.0, 20.0],  # everything
    [7.0, 9.0, 8.0, 10.0],  # one pixel
    [-6.0, 3.0, 4.0, 26.0],  # over two borders
    [3.0, 0.0, 4.5, 20.0],  # very tall
]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize(("size", "context"), [(12, 2), (9, 0), (7, 3)])
def test_equals_a_loop_over_pixels(image, box, size, context):
    expected = warp_slowly(image, box, size, context, image.mean(dim=(1, 2)))
    torch.testing.assert_close(warp_region(image, box, size, context), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("size", "context"), [(12, 2), (227, 16)])
def test_many_at_once_equal_one_by_one(image, size, context):
    together = warp_regions(image, torch.tensor(BOXES), size, context)
    alone = torch.stack([warp_region(image, box, size, context) for box in BOXES])
    torch.testing.assert_close(together, alone, atol=0, rtol=0)


def test_context_is_exact_to_the_pixel():
    """A 7 x 7 square marked in a 40 x 40 image fills the middle 195 = 227 - 2 * 16 pixels of the warped one, no more,
    no less.
    """
    image = torch.zeros(3, 40, 40)
    image[:, 10:17, 20:27] = 1.0
    warped = warp_region(image, [20.0, 10.0, 27.0, 17.0])[0]
    middle = warped[113]
    assert middle[16 + 15 : 227 - 16 - 15].min() == 1.0  # interpolation blurs half a pixel, 14 warped ones, of the edge
    assert middle[16 - 15] == 0.0
    # By symmetry the blurred edge passes one half exactly between warped pixels 15 and 16, and 210 and 211.
    assert (middle > 0.5).nonzero().flatten().tolist() == list(range(16, 211))
    assert (warped[:, 113] > 0.5).nonzero().flatten().tolist() == list(range(16, 211))


def test_missing_context_is_filled_exactly_where_the_image_ends():
    """A box over the whole image: just the p outer pixels are fill, and the image reaches up to them."""
    warped = warp_region(
        torch.ones(3, 5, 9), [0.0, 0.0, 9.0, 5.0], size=32, context=4, fill=torch.tensor([0.1, 0.2, 0.3])
    )
    expected = torch.tensor([0.1, 0.2, 0.3])[:, None, None].repeat(1, 32, 32)
    expected[:, 4:28, 4:28] = 1.0
    torch.testing.assert_close(warped, expected, atol=1e-6, rtol=0)


def test_default_fill_is_the_mean_colour_of_the_image(image):
    corner = warp_region(image, [0.0, 0.0, 6.0, 6.0], size=10, context=2)[:, 0, 0]
    torch.testing.assert_close(corner, image.mean(dim=(1, 2)))


def test_without_context_and_scale_a_warp_is_a_crop(image):
    torch.testing.assert_close(
        warp_region(image, [4, 6, 12, 14], size=8, context=0), image[:, 6:14, 4:12], atol=1e-5, rtol=0
    )


def test_the_warp_is_anisotropic():
    """x and y are stretched apart: a ramp along x stays one along x, with the box's own left and right as its ends."""
    ramp = torch.arange(64.0).expand(3, 48, 64)
    warped = warp_region(ramp, [10.0, 5.0, 50.0, 15.0], size=24, context=2)[0]
    assert torch.allclose(warped, warped[:1])  # constant down the columns
    torch.testing.assert_close(warped[0].diff(), torch.full((23,), 40 / 20), atol=1e-3, rtol=0)
    assert float(warped[0, 2:-2].mean()) == pytest.approx(30 - 0.5, abs=1e-3)  # the centre stays the centre


def test_arrays_give_arrays(image):
    array = (image.permute(1, 2, 0) * 255).round().byte().numpy()
    warped = warp_region(array, [2, 3, 9, 11], size=16, context=2)
    assert warped.shape == (16, 16, 3)
    assert warped.dtype == np.uint8
    exact = warp_region(image, [2, 3, 9, 11], size=16, context=2).permute(1, 2, 0).numpy() * 255
    assert np.abs(warped - exact).max() < 1.1


def test_no_boxes(image):
    assert warp_regions(image, torch.zeros(0, 4), size=8, context=1).shape == (0, 3, 8, 8)


@pytest.mark.parametrize(
    "box", [[30.0, 2.0, 40.0, 9.0], [-9.0, 2.0, 0.0, 9.0], [3.0, -8.0, 9.0, -1.0], [3.0, 20.0, 9.0, 22.0]]
)
def test_a_box_outside_the_picture_is_named(image, box):
    boxes = torch.tensor([[1.0, 1.0, 5.0, 5.0], box])
    with pytest.raises(ValueError, match=r"boxes\[1\] lies outside the image of 20 x 30 pixels"):
        warp_regions(image, boxes)


def test_bad_input_is_named(image):
    with pytest.raises(ValueError, match=r"boxes\[0\] has x2 <= x1"):
        warp_region(image, [5.0, 1.0, 5.0, 9.0])
    with pytest.raises(
        ValueError, match="context must be at least 0 and less than half of size, got context=4, size=8"
    ):
        warp_region(image, [1.0, 1.0, 5.0, 9.0], size=8, context=4)
    with pytest.raises(ValueError, match=r"image must be a float tensor \(3, H, W\), got torch.uint8 \(3, 4, 4\)"):
        warp_region(torch.zeros(3, 4, 4, dtype=torch.uint8), [1.0, 1.0, 2.0, 2.0])
