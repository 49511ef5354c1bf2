"""Warping: any box becomes a square of fixed size, as a CNN with fully connected layers demands (notebook 05).

R-CNN, section 2.1 and appendix A, case "warp": stretch the box, whatever its shape, with some context around it. The
context is counted at the *warped* size: `context` = p pixels on each side belong to the surroundings and the box itself
fills the middle, size - 2 p pixels. So one warped pixel is as wide as w / (size - 2 p) pixels of the image, and warped
pixel i, whose centre lies at i + 1/2, shows the image at

    x = x1 + (i + 1/2 - p) w / (size - 2 p)        and likewise for y.

Where that point lies outside the image there is nothing to show: "the missing data is replaced with the image mean".
Inside, the value is interpolated between the four nearest pixel centres, and nothing more: as in the authors' code
there is no smoothing before large boxes are shrunk (fine detail may alias), and unlike there the box is never rounded
to whole pixels. Image mean: in the paper that of the training images, which becomes zero when the network subtracts it.

Appendix A weighs two alternatives that keep the shape of the box, `square_regions` and `masked_square_regions`. Both
put the tightest square around it, of side max(w, h) and with the box in its middle; p counts at the square's scale.

Notation: N boxes, an image (3, H, W), S = size.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_lite.boxes import require_positive_area
from rcnn_lite.images import image_to_tensor, tensor_to_image


def warp_regions(
    image: Tensor, boxes: Tensor, size: int = 227, context: int = 16, fill: Tensor | None = None
) -> Tensor:
    """Warp N boxes of one image to squares: (3, H, W), (N, 4) -> (N, 3, S, S), on the image's device.

    Parameters
    ----------
    image : float (3, H, W).
    boxes : float (N, 4) in pixels. They may reach over the border, but each must share some area with the image.
    size : S, the side of the result in pixels.
    context : p, how many of these pixels on each side lie around the box.
    fill : (3,) colour of what lies outside the image; default: the mean colour of this image.

    Raises
    ------
    ValueError : a box without area or outside the image, context that leaves no room for the box, another shape.

    >>> ramp = torch.arange(8.0).expand(3, 8, 8)  # pixel (y, x) has value x
    >>> warp_regions(ramp, torch.tensor([[2.0, 2.0, 6.0, 6.0]]), size=6, context=1)[0, 0, 0]
    tensor([1., 2., 3., 4., 5., 6.])
    """
    corners = _require_regions(image, boxes, size, context)  # (N, 4)
    x = _source_coordinates(corners[:, 0], corners[:, 2], size, context)  # (N, S)
    y = _source_coordinates(corners[:, 1], corners[:, 3], size, context)  # (N, S)
    return _cut_out(image, x, y, _inside(y, 0, image.shape[1]), _inside(x, 0, image.shape[2]), fill)


def square_regions(
    image: Tensor, boxes: Tensor, size: int = 227, context: int = 16, fill: Tensor | None = None
) -> Tensor:
    """The tightest square around each box, scaled the same in x and y: (3, H, W), (N, 4) -> (N, 3, S, S).

    R-CNN, appendix A, "tightest square with context": what the image shows beside a narrow box is shown too. The longer
    side of the box fills S - 2 p pixels. Parameters and errors are those of `warp_regions`, and for square boxes so is
    the result.

    >>> ramp = torch.arange(8.0).expand(3, 8, 8)  # pixel (y, x) has value x
    >>> square_regions(ramp, torch.tensor([[3.0, 2.0, 5.0, 6.0]]), size=6, context=1)[0, 0, 0]
    tensor([1., 2., 3., 4., 5., 6.])
    """
    corners = _require_regions(image, boxes, size, context)
    x, y, _ = _square_coordinates(corners, size, context)
    return _cut_out(image, x, y, _inside(y, 0, image.shape[1]), _inside(x, 0, image.shape[2]), fill)


def masked_square_regions(
    image: Tensor, boxes: Tensor, size: int = 227, context: int = 16, fill: Tensor | None = None
) -> Tensor:
    """`square_regions` where only the box, and p pixels around it, show the image; the rest of the square is `fill`.

    R-CNN, appendix A, "tightest square without context". Parameters and errors are those of `warp_regions`.

    >>> ramp = torch.arange(8.0).expand(3, 8, 8)  # pixel (y, x) has value x
    >>> black = torch.zeros(3)
    >>> masked_square_regions(ramp, torch.tensor([[3.0, 2.0, 5.0, 6.0]]), size=6, context=1, fill=black)[0, 0, 1]
    tensor([0., 2., 3., 4., 5., 0.])
    """
    corners = _require_regions(image, boxes, size, context)
    x, y, step = _square_coordinates(corners, size, context)
    x1, y1, x2, y2 = (corners + context * step[:, None] * corners.new_tensor([-1, -1, 1, 1])).split(1, dim=1)
    rows = _inside(y, 0, image.shape[1]) & _inside(y, y1, y2)  # (N, S)
    columns = _inside(x, 0, image.shape[2]) & _inside(x, x1, x2)  # (N, S)
    return _cut_out(image, x, y, rows, columns, fill)


def warp_region(image: Tensor | np.ndarray, box, size: int = 227, context: int = 16, fill: Tensor | None = None):
    """Warp one box: a float (3, H, W) tensor gives (3, S, S), a uint8 (H, W, 3) array gives uint8 (S, S, 3) to look at.

    `box` is four numbers x1 y1 x2 y2; everything else is as in `warp_regions`.
    """
    boxes = torch.as_tensor(box, dtype=torch.float32).reshape(1, -1)
    if isinstance(image, np.ndarray):
        return tensor_to_image(warp_regions(image_to_tensor(image), boxes, size, context, fill)[0])
    return warp_regions(image, boxes, size, context, fill)[0]


def _source_coordinates(low: Tensor, high: Tensor, size: int, context: int) -> Tensor:
    """Where along one axis the warped pixels look: edges (N,), (N,) -> (N, S), in pixels of the image."""
    step = (high - low) / (size - 2 * context)  # (N,) image pixels to a warped pixel
    return low[:, None] + (torch.arange(size) + 0.5 - context) * step[:, None]  # (N, S)


def _square_coordinates(corners: Tensor, size: int, context: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same for the tightest squares around boxes (N, 4): x (N, S), y (N, S), image pixels to a pixel (N,)."""
    centre = (corners[:, :2] + corners[:, 2:]) / 2  # (N, 2)
    side = (corners[:, 2:] - corners[:, :2]).amax(dim=1)  # (N,)
    low, high = (centre - side[:, None] / 2), (centre + side[:, None] / 2)  # (N, 2) each
    x, y = (_source_coordinates(low[:, axis], high[:, axis], size, context) for axis in (0, 1))
    return x, y, side / (size - 2 * context)


def _inside(points: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Which coordinates (N, S) lie between two edges: bool (N, S)."""
    return (points >= low) & (points <= high)


def _cut_out(image: Tensor, x: Tensor, y: Tensor, rows: Tensor, columns: Tensor, fill: Tensor | None) -> Tensor:
    """The image at all (x[n, j], y[n, i]) whose row i and column j are true, else `fill`: (N, 3, S, S)."""
    shown = (rows[:, :, None] & columns[:, None, :]).to(image.device)  # (N, S, S)
    fill = image.mean(dim=(1, 2)) if fill is None else fill.to(image)
    return torch.where(shown[:, None], _sample(image, x, y), fill.reshape(3, 1, 1))


def _sample(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear values at all (x[n, j], y[n, i]): (3, H, W), (N, S), (N, S) -> (N, 3, S, S). Border pixels extend
    outwards.

    The N squares are sampled as one tall picture of N S rows, so that the image is not repeated N times.
    """
    (height, width), (number, size) = image.shape[1:], x.shape
    grid_x = (2 * x / width - 1)[:, None, :].expand(-1, size, -1)  # grid_sample's borders are -1 and 1
    grid_y = (2 * y / height - 1)[:, :, None].expand(-1, -1, size)
    grid = torch.stack((grid_x, grid_y), dim=-1).reshape(1, number * size, size, 2).to(image)
    tall = F.grid_sample(image[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return tall.reshape(3, number, size, size).transpose(0, 1)


def _require_regions(image: Tensor, boxes: Tensor, size: int, context: int) -> Tensor:
    """The boxes (N, 4) in double precision on the CPU; ValueError if there is nothing to cut out.

    Whether a point lies inside must not hang on rounding.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point() or image.ndim != 3 or image.shape[0] != 3:
        found = f"{image.dtype} {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"image must be a float tensor (3, H, W), got {found}")
    require_positive_area(boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes must have shape (N, 4), got {tuple(boxes.shape)}")
    height, width = image.shape[1:]
    x1, y1, x2, y2 = boxes.unbind(1)
    outside = (x2 <= 0) | (y2 <= 0) | (x1 >= width) | (y1 >= height)
    if outside.any():
        index = int(torch.nonzero(outside)[0, 0])
        raise ValueError(f"boxes[{index}] lies outside the image of {height} x {width} pixels: {boxes[index].tolist()}")
    if not 0 <= 2 * context < size:
        raise ValueError(f"context must be at least 0 and less than half of size, got context={context}, size={size}")
    return boxes.detach().to("cpu", torch.float64)
