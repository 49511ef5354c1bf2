"""Spatial pyramid pooling: maxima over n x n bins of the whole map, for several n (notebook 09).

Notation: N images, C channels; a level n has n x n bins. He et al. 2014, "Spatial Pyramid Pooling in Deep Convolutional
Networks for Visual Recognition", section 2.2 and appendix A.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def spatial_pyramid_pool(features: Tensor, levels: Sequence[int]) -> Tensor:
    """Pool ``features`` (N, C, H, W) of any H and W into (N, C x sum of n x n), level by level.

    Bin (i, j) of level n spans the rows from floor(i h / n) to ceil((i + 1) h / n), i from 0, and likewise the columns
    (SPPnet, appendix A): bins share a row where n does not divide h, and none is empty. Raises ValueError for an empty
    map or a level below 1.

    >>> spatial_pyramid_pool(torch.arange(12.0).view(1, 1, 3, 4), (2, 1))
    tensor([[ 5.,  7.,  9., 11., 11.]])
    """
    if features.ndim != 4 or 0 in features.shape[2:]:
        raise ValueError(f"features must be (N, C, H, W) with at least one cell, got {tuple(features.shape)}")
    if min(levels, default=0) < 1:
        raise ValueError(f"levels must be at least 1 each, got {tuple(levels)}")
    pooled = []
    for n in levels:
        strips = range_maxima(features, *bin_range(features.shape[3], n, features.device))  # (N, C, H, n)
        bins = range_maxima(strips.transpose(2, 3), *bin_range(features.shape[2], n, features.device))  # (N, C, n, n)
        pooled.append(bins.transpose(2, 3).flatten(1))
    return torch.cat(pooled, dim=1)


def bin_range(size: int, count: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """First cell and one past the last of ``count`` bins over ``size`` cells: two (count,) int64.

    >>> bin_range(7, 2)
    (tensor([0, 3]), tensor([4, 7]))
    """
    edges = torch.arange(count, device=device) * size
    return edges // count, (edges + size + count - 1) // count


def range_maxima(values: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Maxima of ``values`` (..., L) over the ranges [start, end), each (B,): (..., B); -inf for an empty range.

    The maximum over a rectangle is the maximum over rows of the maxima along them, so two calls pool a rectangle. Of
    equal values the first is taken, and gets the gradient.
    """
    best = values.new_full((*values.shape[:-1], len(start)), -torch.inf)
    for step in range(int((end - start).max()) if len(start) else 0):
        place = start + step
        candidate = values[..., place.clamp(max=values.shape[-1] - 1)]  # (..., B)
        better = (candidate > best) & (place < end)
        best = torch.where(better, candidate, best)
    return best
