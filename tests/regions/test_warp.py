"""Warping and the two squares of appendix A against a loop over pixels; context exact to the pixel; one-pixel boxes;
pictures of 1 x 1 and of 5,000 x 5,000; boxes outside the picture.
"""

import math
import time

import numpy as np
import pytest
import torch

from rcnn_lite.regions.warp import masked_square_regions, square_regions, warp_region, warp_regions

ALL = [warp_regions, square_regions, masked_square_regions]


def cut_slowly(image, box, size, context, fill, shown):
    """One warped pixel after another: where does its centre fall, and which four pixel centres surround it there?

    `box` fills the middle of the result; outside `shown`, another box, and outside the image there is only `fill`.
    """
    _, height, width = image.shape
    (x1, y1, x2, y2), result = (float(v) for v in box), torch.empty(3, size, size)
    for i in range(size):
        for j in range(size):
            y = y1 + (i + 0.5 - context) * (y2 - y1) / (size - 2 * context)
            x = x1 + (j + 0.5 - context) * (x2 - x1) / (size - 2 * context)
            in_image = 0 <= x <= width and 0 <= y <= height
            if not (in_image and shown[0] <= x <= shown[2] and shown[1] <= y <= shown[3]):
                result[:, i, j] = fill
                continue
            top, left = math.floor(y - 0.5), math.floor(x - 0.5)
            value = torch.zeros(3)
            for row, wy in ((top, 1 - (y - 0.5 - top)), (top + 1, y - 0.5 - top)):
                for column, wx in ((left, 1 - (x - 0.5 - left)), (left + 1, x - 0.5 - left)):
                    value += wy * wx * image[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            result[:, i, j] = value
    return result


EVERYTHING = (-math.inf, -math.inf, math.inf, math.inf)


def warp_slowly(image, box, size, context, fill):
    """Appendix A, column D."""
    return cut_slowly(image, box, size, context, fill, EVERYTHING)


def tightest_square(box):
    """The square whose middle is the box's and whose side is the box's longer one."""
    x1, y1, x2, y2 = box
    grow_x, grow_y = max(0, (y2 - y1) - (x2 - x1)) / 2, max(0, (x2 - x1) - (y2 - y1)) / 2
    return x1 - grow_x, y1 - grow_y, x2 + grow_x, y2 + grow_y


def square_slowly(image, box, size, context, fill):
    """Appendix A, column B."""
    return cut_slowly(image, tightest_square(box), size, context, fill, EVERYTHING)


def masked_square_slowly(image, box, size, context, fill):
    """Appendix A, column C: the box may be seen, and `context` pixels of the result on each side of it."""
    x1, y1, x2, y2 = box
    around = context * max(x2 - x1, y2 - y1) / (size - 2 * context)
    shown = (x1 - around, y1 - around, x2 + around, y2 + around)
    return cut_slowly(image, tightest_square(box), size, context, fill, shown)


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


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize(("size", "context"), [(12, 2), (9, 0), (7, 3)])
@pytest.mark.parametrize(
    ("fast", "slow"), [(square_regions, square_slowly), (masked_square_regions, masked_square_slowly)]
)
def test_squares_equal_a_loop_over_pixels(image, box, size, context, fast, slow):
    expected = slow(image, box, size, context, image.mean(dim=(1, 2)))
    torch.testing.assert_close(fast(image, torch.tensor([box]), size, context)[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cut", ALL)
@pytest.mark.parametrize(("size", "context"), [(12, 2), (227, 16)])
def test_many_at_once_equal_one_by_one(image, cut, size, context):
    together = cut(image, torch.tensor(BOXES), size, context)
    alone = torch.cat([cut(image, torch.tensor([box]), size, context) for box in BOXES])
    torch.testing.assert_close(together, alone, atol=0, rtol=0)


@pytest.mark.parametrize("cut", [square_regions, masked_square_regions])
@pytest.mark.parametrize("context", [0, 16])
def test_of_a_square_box_all_three_are_the_same(image, cut, context):
    squares = torch.tensor(
        [[5.0, 4.0, 15.0, 14.0], [0.0, 0.0, 7.0, 7.0], [24.1, 13.1, 30.0, 19.0], [-3.0, 2.0, 5.0, 10.0]]
    )
    assert torch.equal(squares[:, 2] - squares[:, 0], squares[:, 3] - squares[:, 1])
    torch.testing.assert_close(
        cut(image, squares, context=context), warp_regions(image, squares, context=context), atol=0, rtol=0
    )


def test_a_square_by_hand():
    """A box of 2 x 4 in columns 3, 4 and rows 2 .. 5: the square covers columns 2 .. 5, one pixel more on each side."""
    ramp = (10.0 * torch.arange(8)[:, None] + torch.arange(8.0)).expand(
        3, 8, 8
    )  # pixel (y, x) is y x: row 3, column 5 is 35
    box = torch.tensor([[3.0, 2.0, 5.0, 6.0]])
    assert square_regions(ramp, box, size=4, context=0)[0, 0].round().tolist() == [
        [22, 23, 24, 25],
        [32, 33, 34, 35],
        [42, 43, 44, 45],
        [52, 53, 54, 55],
    ]
    mean = torch.full((3,), 7.0)
    assert masked_square_regions(ramp, box, size=4, context=0, fill=mean)[0, 0].round().tolist() == [
        [7, 23, 24, 7],
        [7, 33, 34, 7],
        [7, 43, 44, 7],
        [7, 53, 54, 7],
    ]
    assert masked_square_regions(ramp, box, size=6, context=1, fill=mean)[0, 0].round().tolist() == [
        [7, 12, 13, 14, 15, 7],
        [7, 22, 23, 24, 25, 7],
        [7, 32, 33, 34, 35, 7],
        [7, 42, 43, 44, 45, 7],
        [7, 52, 53, 54, 55, 7],
        [7, 62, 63, 64, 65, 7],
    ]


def test_squares_keep_the_shape_of_the_box_and_the_longer_side_has_exactly_p_pixels_around_it():
    """A 13 x 39 box in 227: the longer side fills 195 = 227 - 2 * 16 pixels, the shorter one a third of that, 65."""
    image = torch.zeros(3, 100, 100)
    image[:, 30:69, 40:53] = 1.0
    box = torch.tensor([[40.0, 30.0, 53.0, 69.0]])
    shown = square_regions(image, box)[0, 0] > 0.5
    assert shown[:, 113].nonzero().flatten().tolist() == list(range(16, 211))
    assert shown[113].nonzero().flatten().tolist() == list(range(81, 146))
    filled = masked_square_regions(image + 1, box, fill=torch.zeros(3))[0, 0] > 0  # 1 and 2 in the image, 0 in the fill
    assert filled[:, 113].nonzero().flatten().tolist() == list(range(227))
    assert filled[113].nonzero().flatten().tolist() == list(range(81 - 16, 146 + 16))
    bare = masked_square_regions(image + 1, box, context=0, fill=torch.zeros(3))[0, 0] > 0
    columns = bare[113].nonzero().flatten().tolist()  # 227 / 3 = 75.67 around the middle, 113.5: 75.67 to 151.33
    assert columns == list(range(76, 151))


@pytest.mark.parametrize("box", BOXES)
def test_the_masked_square_shows_what_the_square_shows_or_nothing(image, box):
    fill = torch.full((3,), 9.0)  # no pixel of the image
    whole, masked = (
        cut(image, torch.tensor([box]), size=40, context=5, fill=fill)[0]
        for cut in (square_regions, masked_square_regions)
    )
    different = (whole != masked).any(dim=0)
    assert (masked[:, different] == 9).all()
    x1, y1, x2, y2 = box
    assert different.any() == (x2 - x1 != y2 - y1 and box != [0.0, 0.0, 30.0, 20.0])  # that one has nothing around it


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


@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 1), (9, 12, 4)])
def test_grey_and_rgba_pictures_are_warped_like_rgb(shape):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, shape, dtype=np.uint8)
    if picture.shape[2:] == (4,):
        picture[..., 3] = 255  # nothing shines through
    rgb = picture[..., :3] if picture.shape[2:] == (4,) else np.repeat(picture.reshape(9, 12, 1), 3, axis=2)
    box = [2.5, 1.0, 11.0, 8.0]
    assert np.array_equal(warp_region(picture, box, size=20, context=3), warp_region(rgb, box, size=20, context=3))


@pytest.mark.parametrize("cut", ALL)
def test_a_picture_of_one_colour_stays_one(cut):
    colour = torch.tensor([0.2, 0.4, 0.8])
    crops = cut(colour[:, None, None].expand(3, 20, 30), torch.tensor(BOXES), size=24, context=3)
    torch.testing.assert_close(crops, colour[:, None, None].expand_as(crops), atol=1e-6, rtol=0)


@pytest.mark.parametrize("cut", ALL)
def test_no_boxes(image, cut):
    assert cut(image, torch.zeros(0, 4), size=8, context=1).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("cut", ALL)
def test_a_picture_of_one_pixel(cut):
    """All of the box shows that pixel, and around it there is only fill."""
    pixel, fill = torch.tensor([0.25, 0.5, 0.75])[:, None, None], torch.zeros(3)
    expected = torch.zeros(3, 227, 227)
    expected[:, 16:211, 16:211] = pixel
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    torch.testing.assert_close(cut(pixel, whole, fill=fill)[0], expected, atol=0, rtol=0)
    torch.testing.assert_close(cut(pixel, whole)[0], pixel.expand(3, 227, 227), atol=0, rtol=0)  # its mean is itself


@pytest.mark.parametrize("cut", ALL)
def test_the_corners_of_a_huge_picture(cut):
    """5,000 x 5,000 pixels: the last box is as exact as the first, and boxes do not copy the picture."""
    picture = torch.zeros(3, 5000, 5000)
    block = torch.arange(300.0).reshape(3, 10, 10) / 300
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [4990.0, 4990.0, 5000.0, 5000.0]])
    picture[:, :10, :10] = picture[:, 4990:, 4990:] = block
    start = time.perf_counter()
    crops = cut(picture, boxes.repeat(20, 1), size=10, context=0)
    assert time.perf_counter() - start < 5
    torch.testing.assert_close(crops, block.expand(40, 3, 10, 10), atol=1e-3, rtol=0)
    (all_of_it,) = cut(picture, torch.tensor([[0.0, 0.0, 5000.0, 5000.0]]), size=50, context=0)
    assert (all_of_it == 0).all()  # nothing is averaged: the samples lie between the blocks


@pytest.mark.parametrize("cut", ALL)
@pytest.mark.parametrize(
    "box", [[30.0, 2.0, 40.0, 9.0], [-9.0, 2.0, 0.0, 9.0], [3.0, -8.0, 9.0, -1.0], [3.0, 20.0, 9.0, 22.0]]
)
def test_a_box_outside_the_picture_is_named(image, box, cut):
    boxes = torch.tensor([[1.0, 1.0, 5.0, 5.0], box])
    with pytest.raises(ValueError, match=r"boxes\[1\] lies outside the image of 20 x 30 pixels"):
        cut(image, boxes)


@pytest.mark.parametrize("cut", ALL)
def test_bad_input_is_named(image, cut):
    with pytest.raises(ValueError, match=r"boxes\[0\] has x2 <= x1"):
        cut(image, torch.tensor([[5.0, 1.0, 5.0, 9.0]]))
    box = torch.tensor([[1.0, 1.0, 5.0, 9.0]])
    for context in (4, -1):
        sentence = f"context must be at least 0 and less than half of size, got context={context}, size=8"
        with pytest.raises(ValueError, match=sentence):
            cut(image, box, size=8, context=context)
    with pytest.raises(ValueError, match=r"image must be a float tensor \(3, H, W\), got torch.uint8 \(3, 4, 4\)"):
        cut(torch.zeros(3, 4, 4, dtype=torch.uint8), box)
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\), got \(4,\)"):
        cut(image, box[0])
