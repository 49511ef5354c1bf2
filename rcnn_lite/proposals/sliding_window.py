"""Sliding windows: look everywhere, in every size (notebook 03).

A window of fixed size slides over the picture, then over smaller and smaller copies of it: the *pyramid*. In a copy
that is s times smaller, the window covers s times as much of the scene. Nothing is learned and nothing is skipped.
Rowley, Baluja and Kanade 1998, section 2; Dalal and Triggs 2005, section 3.

Notation: a picture of H x W pixels, a window of h x w, L scales. Level s of the pyramid is the picture shrunk s times
and has ``level_size`` pixels: what does not fill a pixel at the right and lower border is left out. Scales below 1
enlarge.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

ALMOST = 1 + 1e-9
"""49 / 49 may come out as 0.99...: sizes are rounded down only after a nudge of this factor."""


def sliding_windows(
    image_size: tuple[int, int], window: tuple[float, float], stride: float, scales: Sequence[float]
) -> Tensor:
    """All positions of a window in a pyramid: float32 boxes (N, 4) in the picture's pixels.

    At scale s the window's corner visits every multiple of ``stride`` in level s at which the window still fits inside.
    So in the picture the windows of that scale measure (h s, w s), and neighbours are ``stride`` s pixels apart.

    Parameters
    ----------
    image_size : (H, W) of the picture.
    window : (h, w) in pixels of the level.
    stride : pixels of the level from one window to the next, in both directions.
    scales : how many times each level is shrunk, in any order; 1 is the picture itself.

    Returns
    -------
    Scale after scale in the order given, each row by row from the upper left. (0, 4) if the window fits nowhere, or
    there are no scales.

    Raises
    ------
    ValueError unless all numbers are positive and finite (H and W may be 0).

    >>> sliding_windows((4, 6), window=(2, 3), stride=2, scales=[1])
    tensor([[0., 0., 3., 2.],
            [2., 0., 5., 2.],
            [0., 2., 3., 4.],
            [2., 2., 5., 4.]])
    >>> sliding_windows((4, 6), window=(2, 3), stride=2, scales=[2])
    tensor([[0., 0., 6., 4.]])
    """
    _require_positive(window, stride, scales)
    parts = [torch.zeros(0, 4)]
    for scale in scales:
        rows, columns = window_grid(level_size(image_size, scale), window, stride)
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")  # (rows, columns)
        corner = torch.stack((x, y), dim=-1).reshape(-1, 2).double() * stride  # (n, 2), pixels of the level
        size = torch.tensor([window[1], window[0]], dtype=torch.float64)  # x, y
        border = torch.tensor([image_size[1], image_size[0]] * 2)  # rounding must not push a box across it
        parts.append((torch.cat((corner, corner + size), dim=1) * scale).float().minimum(border))
    return torch.cat(parts)


def count_windows(
    image_size: tuple[int, int], window: tuple[float, float], stride: float, scales: Sequence[float]
) -> int:
    """How many boxes `sliding_windows` gives, without making them.

    >>> count_windows((4, 6), window=(2, 3), stride=2, scales=[1, 2])
    5
    """
    _require_positive(window, stride, scales)
    grids = [window_grid(level_size(image_size, scale), window, stride) for scale in scales]
    return sum(rows * columns for rows, columns in grids)


def level_size(image_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Pixels (rows, columns) of the level that is ``scale`` times smaller than a picture (H, W), rounded down.

    >>> level_size((256, 100), scale=1.5)
    (170, 66)
    """
    height, width = (int(side * (ALMOST / scale)) for side in image_size)
    return height, width


def window_grid(size: tuple[int, int], window: tuple[float, float], stride: float) -> tuple[int, int]:
    """Rows and columns of positions of a window (h, w) inside a level of (rows, columns) pixels; (0, 0) if it does not
    fit.

    >>> window_grid((170, 66), window=(64, 32), stride=8)
    (14, 5)
    """
    rows, columns = (
        int((side - extent) * (ALMOST / stride)) + 1 if side >= extent else 0
        for side, extent in zip(size, window, strict=True)
    )
    return (rows, columns) if rows and columns else (0, 0)


def pyramid_scales(
    image_size: tuple[int, int], window: tuple[float, float], per_octave: int = 3, first: float = 1.0
) -> list[float]:
    """The scales at which a window (h, w) still fits: first, first 2^(1/n), first 2^(2/n), ... for n ``per_octave``.

    Empty if it does not even fit into the first level.

    >>> pyramid_scales((256, 100), window=(32, 32), per_octave=1)
    [1.0, 2.0]
    """
    _require_positive(window, per_octave, [first])
    scales, scale = [], float(first)
    while all(side >= extent for side, extent in zip(level_size(image_size, scale), window, strict=True)):
        scales.append(scale)
        scale = first * 2 ** (len(scales) / per_octave)
    return scales


def pyramid(image: Tensor, scales: Sequence[float]) -> list[Tensor]:
    """The picture shrunk by each scale: (3, H, W) -> L tensors (3, *level_size).

    Bilinear, smoothed before it is shrunk (a triangle s pixels wide to either side), so that fine texture does not turn
    into coarse texture. The point (x, y) of a level is the point (s x, s y) of the picture, exactly, which is why the
    boxes need no rounding. A level without pixels has shape (3, 0, 0).
    """
    levels = []
    for scale in scales:
        if min(level_size(image.shape[1:], scale)) == 0:
            levels.append(image[:, :0, :0])
        elif scale == 1:
            levels.append(image)
        else:
            # The factor, not the size, is given: the size is rounded, the factor must not be.
            factor = ALMOST / scale
            level = F.interpolate(
                image[None], scale_factor=factor, mode="bilinear", antialias=True, recompute_scale_factor=False
            )
            levels.append(settle(level[0]))
    return levels


def settle(image: Tensor) -> Tensor:
    """Values in [0, 1] rounded to 1/256 of an 8-bit step: what was of one colour before it was resized is so again.

    Resizing leaves differences of 1e-8 in a flat area, and features that look at directions only, whatever the
    contrast, see edges there.
    """
    return (image * (255 * 256)).round() / (255 * 256)


def _require_positive(window: Sequence[float], stride: float, scales: Sequence[float]) -> None:
    if len(window) != 2:
        raise ValueError(f"window must be (height, width), got {window}")
    named = [("window", value) for value in window] + [("stride", stride)] + [("scales", value) for value in scales]
    for name, value in named:
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive and finite, got {value}")
