"""RoI pooling: the largest value in each bin of a region, bins made of whole feature cells (notebook 09).

Notation: N images, C channels, R RoIs, P x Q bins. Fast R-CNN, section 2.1; its gradient, section 2.3.

It is the pyramid of SPPnet (spp.py) with one level, on a window instead of the whole map: the plain form takes the
maxima along the rows first, then down the columns. On a CPU a compiled loop (kernels.py) does both at once; tests
hold the two equal.
"""

import torch
from torch import Tensor

from rcnn_lite.kernels import roi_pool_backward, roi_pool_forward, start_threads
from rcnn_lite.regions.rois import require_rois
from rcnn_lite.regions.spp import range_maxima


def roi_pool(features: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float) -> Tensor:
    """Max-pool each RoI of ``features`` (N, C, H, W) into (R, C, P, Q).

    Parameters
    ----------
    rois : (R, 5) image index and box in image pixels, of the features' dtype.
    output_size : P and Q, or one number for both.
    spatial_scale : feature cells a pixel, 1 / stride.

    The box is rounded to whole cells, both ends included (at least one cell); bin p of its h rows spans the rows from
    floor(p h / P) to ceil((p + 1) h / P), so neighbours may share a row. A bin outside the map is 0. The gradient
    goes to the cell that held the maximum, the first one in reading order if several did. Equal to
    ``torchvision.ops.roi_pool``. Raises ValueError for RoIs of the wrong shape, dtype or image.
    """
    require_rois(rois, features)
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    image = rois[:, 0].long()
    top, bottom = bins_of_whole_cells(rois[:, 2], rois[:, 4], spatial_scale, rows, features.shape[2])  # (R, P) each
    left, right = bins_of_whole_cells(rois[:, 1], rois[:, 3], spatial_scale, columns, features.shape[3])  # (R, Q) each
    if features.device.type == "cpu":
        return _CompiledRoIPool.apply(features, image, top, bottom, left, right)
    return _pool_columns_then_rows(features, image, top, bottom, left, right)


def bins_of_whole_cells(
    start: Tensor, end: Tensor, spatial_scale: float, count: int, limit: int
) -> tuple[Tensor, Tensor]:
    """Bounds, within [0, limit], of ``count`` bins on one axis for RoIs ``start`` to ``end`` (R,): two (R, count)."""
    first, last = round_half_away(start * spatial_scale), round_half_away(end * spatial_scale)  # (R,) whole cells
    size = (last - first + 1).clamp(min=1) / count  # (R,) cells a bin
    edge = torch.arange(count, dtype=size.dtype, device=size.device)  # (count,)
    low = torch.floor(edge * size[:, None]) + first[:, None]  # (R, count)
    high = torch.ceil((edge + 1) * size[:, None]) + first[:, None]  # (R, count)
    return low.clamp(0, limit).long(), high.clamp(0, limit).long()


def round_half_away(values: Tensor) -> Tensor:
    """The nearest whole number, halves away from zero, as C does; torch.round takes halves to the even number."""
    whole = values.trunc()
    return whole + torch.sign(values) * ((values - whole).abs() >= 0.5)


def _pool_columns_then_rows(
    features: Tensor, image: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    """The plain form, for any device; autograd finds the gradient."""
    pooled = [features.new_empty(0, features.shape[1], top.shape[1], left.shape[1])]
    for roi in range(len(image)):
        strips = range_maxima(features[image[roi]], left[roi], right[roi])  # (C, H, Q)
        bins = range_maxima(strips.transpose(1, 2), top[roi], bottom[roi]).transpose(1, 2)  # (C, P, Q)
        pooled.append(bins.masked_fill(bins.isneginf(), 0)[None])
    return torch.cat(pooled)


class _CompiledRoIPool(torch.autograd.Function):
    """The compiled loop and its gradient along the argmax switches (Fast R-CNN, equation 4)."""

    @staticmethod
    def forward(ctx, features, image, top, bottom, left, right):
        """Maxima (R, C, P, Q); keeps which cells held them."""
        start_threads()
        cells = features.detach().permute(0, 2, 3, 1).contiguous()  # (N, H, W, C): a cell's channels side by side
        bounds = [bound.numpy() for bound in (image, top, bottom, left, right)]
        pooled, switches = roi_pool_forward(cells.numpy(), *bounds)
        ctx.save_for_backward(torch.from_numpy(switches), image)
        ctx.shape = features.shape
        ctx.layout = torch.channels_last if _is_channels_last(features) else torch.contiguous_format
        return torch.from_numpy(pooled)

    @staticmethod
    def backward(ctx, grad):
        """The gradient of the features (N, C, H, W); the bins' places get none."""
        switches, image = ctx.saved_tensors
        count, channels, height, width = ctx.shape
        grad_features = grad.new_zeros(count, channels, height * width)
        roi_pool_backward(grad.contiguous().numpy(), switches.numpy(), image.numpy(), grad_features.numpy())
        grad_features = grad_features.view(ctx.shape).contiguous(
            memory_format=ctx.layout
        )  # as the layer before likes it
        return grad_features, None, None, None, None, None


def _is_channels_last(features: Tensor) -> bool:
    """Whether a map lies in memory cell by cell, all channels of a cell together."""
    return features.is_contiguous(memory_format=torch.channels_last) and not features.is_contiguous()
