"""Pictures of every mode and size, files that are broken, and the way to tensors and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_lite.images import as_rgb, image_to_tensor, read_image, resize, tensor_to_image

RAMP = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


def saved(tmp_path, array, mode=None, name="picture.png", **options):
    path = tmp_path / name
    Image.fromarray(array, mode).save(path, **options) if mode else Image.fromarray(array).save(path, **options)
    return path


def test_png_comes_back_as_it_was(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path, RAMP)), RAMP)


def test_grey_16_bit_rgba_cmyk_and_palette_become_rgb(tmp_path):
    grey = read_image(saved(tmp_path, RAMP[:, :, 0], name="grey.png"))
    np.testing.assert_array_equal(grey, np.repeat(RAMP[:, :, :1], 3, axis=2))
    deep = read_image(saved(tmp_path, np.array([[0, 32768, 65535]], dtype=np.uint16), name="deep.png"))
    assert deep[0, :, 0].tolist() == [0, 128, 255]
    clear = np.dstack((RAMP, np.zeros((4, 5), np.uint8)))
    assert (read_image(saved(tmp_path, clear, name="clear.png")) == 255).all()  # wholly transparent: white
    Image.fromarray(np.zeros((4, 5, 4), np.uint8), "CMYK").save(tmp_path / "cmyk.jpg")
    assert (read_image(tmp_path / "cmyk.jpg") == 255).all()  # no ink: white
    Image.fromarray(RAMP).convert("P").save(tmp_path / "palette.gif")
    assert read_image(tmp_path / "palette.gif").shape == (4, 5, 3)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the stored rows are columns, from right to left
    path = saved(tmp_path, RAMP, name="turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(RAMP, k=-1))


def test_broken_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no picture file .*missing.png"):
        read_image(tmp_path / "missing.png")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"text.jpg cannot be read as a picture"):
        read_image(tmp_path / "text.jpg")
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty.jpg cannot be read"):
        read_image(tmp_path / "empty.jpg")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = saved(tmp_path, noise, name="cut.jpg")
    whole.write_bytes(whole.read_bytes()[:1500])
    with pytest.raises(ValueError, match=r"cut.jpg cannot be read as a picture: .*truncated"):
        read_image(whole)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_as_rgb_keeps_colours(shape):
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    rgb = as_rgb(image)
    assert rgb.shape == (4, 5, 3)
    grey = len(shape) == 2 or shape[2] == 1
    np.testing.assert_array_equal(rgb[..., 2].ravel(), image.ravel() if grey else image[..., 2].ravel())


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (RAMP.astype(np.float32), "must be a uint8 numpy array, got float32"),
        ([[0]], "must be a uint8 numpy array, got list"),
        (np.zeros((0, 5, 3), np.uint8), "image has no pixels"),
        (np.zeros((4, 5, 2), np.uint8), r"got \(4, 5, 2\)"),
    ],
)
def test_what_is_no_picture_is_refused(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        as_rgb(image)


def test_tensor_and_back():
    tensor = image_to_tensor(RAMP)
    assert tensor.shape == (3, 4, 5)
    assert tensor.dtype == torch.float32
    assert tensor[1, 0, 0] == pytest.approx(1 / 255)
    np.testing.assert_array_equal(tensor_to_image(tensor), RAMP)
    assert tensor_to_image(torch.full((3, 1, 1), 1.7)).tolist() == [[[255] * 3]]
    with pytest.raises(ValueError, match="must be a float tensor"):
        tensor_to_image(torch.zeros(4, 5, 3))


@pytest.mark.parametrize(
    ("size", "short", "long", "expected"),
    [
        ((100, 300), 50, None, (50, 150)),
        ((100, 300), 200, None, (200, 600)),
        ((100, 300), 200, 450, (150, 450)),  # the longer side decides
        ((300, 100), 200, 450, (450, 150)),
        ((5, 1000), 100, 200, (1, 200)),  # at least one pixel
        ((100, 300), 100, None, (100, 300)),
    ],
)
def test_sizes_of_resized_pictures(size, short, long, expected):
    assert resize(torch.rand(3, *size), short, long).shape == (3, *expected)


def test_resized_pixels_by_hand():
    """A step in the middle: bilinear enlargement puts a quarter and three quarters beside it; shrinking averages."""
    image = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(3, 4, 4)
    assert resize(image, 8)[0, 0].tolist() == [0, 0, 0, 0.25, 0.75, 1, 1, 1]
    torch.testing.assert_close(resize(image, 1), torch.full((3, 1, 1), 0.5))
    assert resize(image, 4) is image
