"""Pictures in and out: files, greyscale and RGBA, and the two forms that the package works with.

Classical code wants uint8 (H, W, 3) RGB; networks want float32 (3, H, W) in [0, 1]. Nothing else travels between
modules.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")
"""What is tried; JPEG includes the MPO of telephones. For some of the others Pillow would start another program."""

ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held: 1 (upright) to 8."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns the stored pixels upright, by EXIF orientation."""


class Header(NamedTuple):
    """What the first bytes of a picture file say: the stored (H, W), EXIF's orientation 1 to 8, and Pillow's mode."""

    stored: tuple[int, int]
    orientation: int
    mode: str

    @property
    def displayed(self) -> tuple[int, int]:
        """(H, W) as `read_image` gives it, upright."""
        return self.stored if self.orientation < 5 else self.stored[::-1]


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture file as uint8 (H, W, 3) RGB, turned upright by its EXIF orientation.

    Raises ValueError naming the file when it is missing, is no picture, or is truncated.
    """
    with _opened(path) as picture:
        method = UPRIGHT.get(_orientation(picture))
        return as_rgb(_eight_bits(picture if method is None else picture.transpose(method)))


def read_header(path: str | Path) -> Header:
    """Size, orientation and mode of a picture file, without its pixels. ValueError as `read_image`."""
    with _opened(path) as picture:
        mode = "RGBA" if "transparency" in picture.info else picture.mode
        return Header((picture.height, picture.width), _orientation(picture), mode)


def read_numbers(path: str | Path) -> np.ndarray:
    """The numbers that a mask file holds, uint8 or int32 (H, W) as stored: grey values, or places in a palette.

    Where a file has colours, they are turned into grey. ValueError as `read_image`.
    """
    with _opened(path) as picture:
        plain = picture.mode in ("1", "L", "P", "I") or picture.mode.startswith("I;16")
        numbers = np.asarray(picture if plain else picture.convert("L"))
        return numbers if numbers.dtype == np.uint8 else numbers.astype(np.int32)


def check_pixels(path: str | Path) -> None:
    """Decode a picture file as cheaply as its format allows. ValueError as `read_image`, for a truncated one too."""
    with _opened(path) as picture:
        picture.draft(None, (1, 1))  # of a JPEG every byte is decoded, but only every eighth pixel is made
        picture.load()


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """The picture file; whatever goes wrong while it is open becomes a ValueError that names it."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            yield picture
    except FileNotFoundError:
        raise ValueError(f"there is no picture file {path}") from None
    except Exception as error:  # broken bytes make Pillow's decoders raise errors of every kind
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error


def _orientation(picture: Image.Image) -> int:
    """EXIF's orientation, 1 where there is none, or none that can be read."""
    try:
        value = Image.Image.getexif(picture).get(
            ORIENTATION, 1
        )  # the method of a PNG would decode all its pixels first
    except Exception:  # a broken note about a picture is no broken picture
        return 1
    return value if value in range(1, 9) else 1


def _eight_bits(picture: Image.Image) -> np.ndarray:
    """A PIL picture of any mode as uint8 (H, W) or (H, W, 3): 16 bits are scaled down, transparency goes on white."""
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, dtype=np.float64)
        top = 65535.0 if picture.mode.startswith("I") else max(float(values.max(initial=0.0)), 1e-12)
        return np.round(values.clip(0, top) * (255.0 / top)).astype(np.uint8)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))
    return np.asarray(picture.convert("RGB"))


def as_rgb(image: np.ndarray) -> np.ndarray:
    """A uint8 picture as (H, W, 3) RGB: grey (H, W) or (H, W, 1) is repeated, the alpha of RGBA is dropped.

    Raises ValueError for another dtype, another shape, or a picture without pixels.

    >>> as_rgb(np.zeros((4, 6), np.uint8)).shape
    (4, 6, 3)
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(f"image must be a uint8 numpy array, got {getattr(image, 'dtype', type(image).__name__)}")
    if image.size == 0:
        raise ValueError(f"image has no pixels: shape {image.shape}")
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(f"image must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {image.shape}")
    channels = [0, 0, 0] if image.shape[2] == 1 else [0, 1, 2]
    return np.ascontiguousarray(image[:, :, channels])


def image_to_tensor(image: np.ndarray) -> Tensor:
    """uint8 (H, W, 3), or what `as_rgb` makes of it -> float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(as_rgb(image)).permute(2, 0, 1).contiguous().float().div_(255)


def tensor_to_image(image: Tensor) -> np.ndarray:
    """float (3, H, W) in [0, 1] -> uint8 (H, W, 3), rounded. The inverse of `image_to_tensor`.

    >>> tensor_to_image(image_to_tensor(np.full((2, 2, 3), 37, np.uint8)))[0, 0]
    array([37, 37, 37], dtype=uint8)
    """
    if not isinstance(image, Tensor) or not image.is_floating_point() or image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image must be a float tensor (3, H, W), got {getattr(image, 'shape', type(image).__name__)}")
    return (image.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()


def resize(image: Tensor, short_side: int, long_side: int | None = None) -> Tensor:
    """Enlarge or shrink a picture (3, H, W) in [0, 1] so that its shorter side has ``short_side`` pixels.

    If its longer side would then have more than ``long_side``, it is that side that fits (Fast R-CNN, section 5: 600
    and 1,000). Bilinear, with smoothing where it shrinks; both sides are rounded to whole pixels, so the two factors
    may differ a little. A picture that has the size already comes back as it is.

    >>> resize(torch.zeros(3, 100, 300), 50).shape, resize(torch.zeros(3, 100, 300), 50, 100).shape
    (torch.Size([3, 50, 150]), torch.Size([3, 33, 100]))
    """
    height, width = image.shape[1:]
    factor = short_side / min(height, width)
    if long_side is not None:
        factor = min(factor, long_side / max(height, width))
    size = [max(1, round(side * factor)) for side in (height, width)]
    if size == [height, width]:
        return image
    return F.interpolate(image[None], size, mode="bilinear", antialias=factor < 1)[0].clamp(0, 1)
