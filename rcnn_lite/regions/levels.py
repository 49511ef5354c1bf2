"""Which level of a feature pyramid a region is pooled from (notebook 15).

Lin et al. 2017, section 4.2. Notation: R RoIs, L levels, the finest first; level k has a stride of 2^k pixels.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rcnn_lite.boxes import box_area
from rcnn_lite.regions.rois import require_rois

ROUNDING = 1e-6  # of the logarithm: a box of exactly half the canonical size is one level lower, not two


def assign_levels(
    boxes: Tensor, k0: float = 4.0, canonical: float = 224.0, lowest: int = 2, highest: int = 5
) -> Tensor:
    """The level of each box (R, 4): (R,) int64 of `lowest` to `highest`.

        k = floor(k0 + log2(sqrt(w h) / canonical))                                                     (equation 1)

    A box as large as the pictures that the backbone was pre-trained on, 224 x 224, is looked at where a detector
    without a pyramid looks, at stride 2^4 = 16: C4. There it is 14 x 14 cells. One of half the size goes one level
    down, where cells are half as large, so that it is 14 x 14 cells again: every box is between 14 and 28 cells long,
    but for those beyond the ends. Other `k0` and `canonical` suit other sizes of pictures and objects: only
    k0 - log2(canonical) matters.

    Equal to torchvision's ``LevelMapper``, which counts from `lowest`. A box without area is of the lowest level.
    ValueError for a canonical size that is not positive, and for levels in the wrong order.

    >>> sides = torch.tensor([20.0, 111.0, 112.0, 224.0, 448.0, 1000.0])
    >>> assign_levels(torch.stack((0 * sides, 0 * sides, sides, sides), dim=1))
    tensor([2, 2, 3, 4, 5, 5])
    """
    if not canonical > 0:
        raise ValueError(f"canonical must be positive, got {canonical}")
    if not lowest <= highest:
        raise ValueError(f"lowest must not be above highest, got {lowest} and {highest}")
    octaves = torch.log2(box_area(boxes).sqrt() / canonical)  # (R,), -inf without area
    return (k0 + octaves + ROUNDING).floor().clamp(lowest, highest).long()  # Lin et al. 2017, equation 1


def pool_from_levels(
    maps: Sequence[Tensor],
    strides: Sequence[int],
    rois: Tensor,
    pooling: Callable[..., Tensor],
    bins: int | tuple[int, int],
    k0: float = 4.0,
    canonical: float = 224.0,
) -> Tensor:
    """Pool each RoI from the map of its level: (R, d, P, Q), in the order of the RoIs.

    Parameters
    ----------
    maps : L tensors (N, d, h_i, w_i), the finest first.
    strides : pixels a cell of each, powers of 2 one after another, such as 4, 8, 16, 32.
    rois : (R, 5) image index and box in pixels.
    pooling : one of `regions.poolings.POOLINGS`, called with (map, RoIs, bins, 1 / stride).
    bins : P and Q, or one number for both.
    k0, canonical : of `assign_levels`.

    With ``roi_align_unaligned`` equal to torchvision's ``MultiScaleRoIAlign``. An extra level for the RPN is not pooled
    from: leave it out. ValueError for strides that are no such powers, one more or less than maps, and bad RoIs.
    """
    if len(maps) != len(strides) or len(maps) == 0:
        raise ValueError(f"there must be a stride for each map, got {len(maps)} maps and {len(strides)} strides")
    lowest = math.log2(strides[0])
    if lowest % 1 or any(stride != strides[0] * 2**i for i, stride in enumerate(strides)):
        raise ValueError(f"strides must be powers of 2, each twice the one before, got {tuple(strides)}")
    require_rois(rois, maps[0])
    levels = assign_levels(rois[:, 1:], k0, canonical, int(lowest), int(lowest) + len(maps) - 1) - int(lowest)
    order = levels.argsort(stable=True)  # all of the finest level first
    parts = rois[order].split(levels.bincount(minlength=len(maps)).tolist())
    pooled = [pooling(m, part, bins, 1 / stride) for m, part, stride in zip(maps, parts, strides, strict=True)]
    return torch.cat(pooled)[order.argsort()]
