"""What a bin keeps of its values: their maximum or their average (notebook 13).

Mask R-CNN, table 2c, asks two questions at once: where a region is looked at (RoI pooling, RoIWarp, RoIAlign), and
what is kept of what a bin holds there. RoI pooling as published keeps the maximum, RoIWarp and RoIAlign the average;
here are the other three, so that each question can be asked by itself.

Notation: N images, C channels, R RoIs, P x Q bins, S x S sample points a bin.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_lite.regions.roi_align import roi_align, roi_warp, weighted_bins
from rcnn_lite.regions.roi_pool import bins_of_whole_cells
from rcnn_lite.regions.rois import require_rois


def roi_pool_average(
    features: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float
) -> Tensor:
    """RoI pooling that keeps the mean of each bin's cells instead of the largest: (R, C, P, Q).

    Arguments and bins as in `roi_pool`; a bin outside the map is 0. All cells of a bin have the same share, hence the
    mean of rows of means is the mean: one weight for each row times one for each column.

    >>> features = torch.arange(56.0).view(1, 1, 8, 7)
    >>> roi_pool_average(features, torch.tensor([[0.0, 0.0, 0.0, 6.0, 7.0]]), 2, 1.0)  # columns 0-3 and 3-6
    tensor([[[[12., 15.],
              [40., 43.]]]])
    """
    require_rois(rois, features)
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    y_bins = bins_of_whole_cells(rois[:, 2], rois[:, 4], spatial_scale, rows, features.shape[2])  # (R, P) twice
    x_bins = bins_of_whole_cells(rois[:, 1], rois[:, 3], spatial_scale, columns, features.shape[3])  # (R, Q) twice
    y_shares, x_shares = _equal_shares(*y_bins, features.dtype), _equal_shares(*x_bins, features.dtype)
    return weighted_bins(features, rois[:, 0].long(), y_shares, x_shares)


def roi_warp_max(
    features: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float, sampling_ratio: int = 2
) -> Tensor:
    """RoIWarp that keeps the largest of the S x S points of each bin: (R, C, P, Q). Arguments as in `roi_warp`.

    ValueError for a `sampling_ratio` below 1: how many points a bin has must not depend on the RoI.
    """
    return F.max_pool2d(
        roi_warp(features, rois, _points(output_size, sampling_ratio), spatial_scale, 1), sampling_ratio
    )


def roi_align_max(
    features: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int = 2,
    aligned: bool = True,
) -> Tensor:
    """RoIAlign that keeps the largest of the S x S points of each bin: (R, C, P, Q). Arguments as in `roi_align`.

    The points of P bins with S of them along a side are those of S P bins with one each: these are read, and S x S of
    them compared. The gradient of a bin goes to its largest point, the first of several, and on to that point's four
    cells. With S = 2 it is `crop_pool` but for the border of the map. ValueError for a `sampling_ratio` below 1.
    """
    points = _points(output_size, sampling_ratio)
    return F.max_pool2d(roi_align(features, rois, points, spatial_scale, 1, aligned), sampling_ratio)


def _points(output_size: int | tuple[int, int], sampling_ratio: int) -> tuple[int, int]:
    """How many points all bins have down and across."""
    if sampling_ratio < 1:
        raise ValueError(f"the largest of a bin's points needs a sampling_ratio of 1 or more, got {sampling_ratio}")
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    return sampling_ratio * rows, sampling_ratio * columns


def _equal_shares(low: Tensor, high: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cells of the bins [low, high) of one axis and their weights, (R, count, T), T the length of the longest.

    A shorter bin is padded with cell 0 and weight 0, and one without cells is nothing else.
    """
    length = high - low  # (R, count)
    steps = torch.arange(max(int(length.max()) if length.numel() else 0, 1), device=low.device)  # (T,)
    inside = steps < length[..., None]  # (R, count, T)
    cells = torch.where(inside, low[..., None] + steps, 0)
    return cells, inside.to(dtype) / length.clamp(min=1)[..., None]
