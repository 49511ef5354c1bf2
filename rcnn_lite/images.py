"""Pictures in and out: files, greyscale and RGBA, and the two forms that the package works with.

Classical code wants uint8 (H, W, 3) RGB; networks want float32 (3, H, W) in [0, 1]. Nothing else travels between
modules.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture file as uint8 (H, W, 3) RGB, turned upright by its EXIF orientation.

    Raises ValueError naming the file when it is missing, is no picture, or is truncated.
    """
    path = Path(path)
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            return as_rgb(_eight_bits(upright))
    except FileNotFoundError:
        raise ValueError(f"there is no picture file {path}") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error


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
