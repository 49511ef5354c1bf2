"""RoIAlign: each bin averages the map at points read by bilinear interpolation; nothing is rounded (notebook 13).

Notation: N images, C channels, R RoIs, P x Q bins, S x S sample points a bin. Mask R-CNN, section 3.

Bilinear interpolation is separable and so is the average over a bin's grid of points. Both fold into one small matrix
an axis: output = A_y F A_x^T, with A_y (P, H) and A_x (Q, W). That is the plain form. On a CPU most of the matrices'
entries are zero, and a compiled loop (kernels.py) reads only the others; tests hold the two equal.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_lite.kernels import roi_align_backward, roi_align_forward, start_threads
from rcnn_lite.regions.roi_pool import round_half_away
from rcnn_lite.regions.rois import require_rois


def roi_align(
    features: Tensor,
    rois: Tensor,
    output_size: int | tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int = 2,
    aligned: bool = True,
) -> Tensor:
    """Average each RoI of ``features`` (N, C, H, W) at regular points of its bins: (R, C, P, Q).

    Parameters
    ----------
    rois : (R, 5) image index and box in image pixels, of the features' dtype.
    output_size : P and Q, or one number for both.
    spatial_scale : feature cells a pixel, 1 / stride.
    sampling_ratio : S; the paper's four points a bin are S = 2. Not positive: as many as a bin is cells wide (high).
    aligned : the value of a cell belongs to its centre, half a cell from its corner. False leaves that half out, as
        the first implementations did, and stretches RoIs to at least one cell.

    A point within one cell outside the map reads the border; beyond that it is 0. The gradient goes back along the
    same weights. Equal to ``torchvision.ops.roi_align``. Raises ValueError for RoIs of the wrong shape, dtype or image.
    """
    require_rois(rois, features)
    cells = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)  # (R, 4)
    start, size = cells[:, :2], cells[:, 2:] - cells[:, :2]  # (R, 2) each, x before y
    return _average(
        features, rois[:, 0].long(), start, size if aligned else size.clamp(min=1), output_size, sampling_ratio
    )


def roi_warp(
    features: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float, sampling_ratio: int = 2
) -> Tensor:
    """RoIAlign of the box that RoI pooling would take: rounded to whole cells, both ends included. (R, C, P, Q).

    What Mask R-CNN, section 4.2, calls RoIWarp (Dai, He, Sun 2016): bilinear like RoIAlign, quantised like RoI
    pooling. It stands between the two so that one sees which of the two differences matters.
    """
    require_rois(rois, features)
    ends = round_half_away(rois[:, 1:] * spatial_scale)  # (R, 4) first and last cells
    size = (ends[:, 2:] - ends[:, :2] + 1).clamp(min=1)
    return _average(features, rois[:, 0].long(), ends[:, :2] - 0.5, size, output_size, sampling_ratio)


def crop_pool(features: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float) -> Tensor:
    """Resample each RoI to 2P x 2Q by torch's affine_grid and grid_sample, then 2 x 2 max pooling: (R, C, P, Q).

    The pooling of several Faster R-CNN implementations (Jaderberg et al. 2015, "Spatial Transformer Networks", is the
    source of the two functions). The gradient reaches ``rois`` too, since the sampling grid is made from them. Points
    outside the map read its border.
    """
    require_rois(rois, features)
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    if len(rois) == 0:  # affine_grid refuses to make no grid
        return features.new_zeros(0, features.shape[1], rows, columns)
    limits = features.new_tensor([features.shape[3], features.shape[2]])  # W, H
    low, high = rois[:, 1:3] * spatial_scale / limits, rois[:, 3:] * spatial_scale / limits  # (R, 2) in [0, 1]
    affine = torch.diag_embed(high - low)  # (R, 2, 2): half the box's size in units of half the map's
    theta = torch.cat((affine, (low + high - 1)[:, :, None]), dim=2)  # (R, 2, 3)
    # Spatial transformer networks, equation 1
    grid = F.affine_grid(theta, [len(rois), 1, 2 * rows, 2 * columns], align_corners=False)  # (R, 2P, 2Q, 2)
    crops = features.new_zeros(len(rois), features.shape[1], 2 * rows, 2 * columns)
    for index, cells in enumerate(features):
        mine = torch.nonzero(rois[:, 0] == index).squeeze(1)
        stacked = grid[mine].reshape(1, -1, 2 * columns, 2)  # one tall grid: the map need not be copied for each RoI
        # Spatial transformer networks, equations 3 and 5
        sampled = F.grid_sample(cells[None], stacked, padding_mode="border", align_corners=False)[0]  # (C, R 2P, 2Q)
        crops = crops.index_copy(0, mine, sampled.unflatten(1, (len(mine), 2 * rows)).transpose(0, 1))
    return F.max_pool2d(crops, 2)


def _average(
    features: Tensor,
    image: Tensor,
    start: Tensor,
    size: Tensor,
    output_size: int | tuple[int, int],
    sampling_ratio: int,
) -> Tensor:
    """Average the bins of windows that begin at ``start`` and are ``size`` long, (R, 2) of x and y: (R, C, P, Q).

    In cells, where the value of cell i stands at coordinate i.
    """
    rows, columns = (output_size, output_size) if isinstance(output_size, int) else output_size
    y_weights = _axis_weights(start[:, 1], size[:, 1], rows, sampling_ratio, features.shape[2])  # (R, P, T) twice
    x_weights = _axis_weights(start[:, 0], size[:, 0], columns, sampling_ratio, features.shape[3])  # (R, Q, T) twice
    return weighted_bins(features, image, y_weights, x_weights)


def weighted_bins(
    features: Tensor, image: Tensor, y_weights: tuple[Tensor, Tensor], x_weights: tuple[Tensor, Tensor]
) -> Tensor:
    """Weighted sums of cells of each RoI's image (R,), bin by bin: (R, C, P, Q).

    `y_weights` are the cells that the bins of the rows read and their weights, (R, P, T) each, `x_weights` those of the
    columns, (R, Q, T); a cell counts with the product of the two. Compiled on a CPU, two matrix products elsewhere.
    """
    if features.device.type == "cpu":
        return _CompiledRoIAlign.apply(features, image, *y_weights, *x_weights)
    return _two_products(features, image, _dense(*y_weights, features.shape[2]), _dense(*x_weights, features.shape[3]))


def _axis_weights(start: Tensor, size: Tensor, count: int, sampling_ratio: int, limit: int) -> tuple[Tensor, Tensor]:
    """Cells that the bins of one axis read, and their weights, (R, count, T), for RoIs of ``start``, ``size`` (R,).

    Point s of S in bin b lies at start + b size / count + (s + 1/2) / S size / count. Its two neighbours share it by
    distance, and each point counts 1/S. RoIs with fewer points than others are padded with weight 0. T is at most
    2 x the largest S, and at most the axis' cells.
    """
    bin_size = size / count  # (R,)
    samples = torch.full_like(size, sampling_ratio) if sampling_ratio > 0 else torch.ceil(bin_size)
    most = int(samples.max()) if len(samples) else 0
    step = torch.arange(max(most, 1), dtype=size.dtype, device=size.device)  # (S,)
    bins = torch.arange(count, dtype=size.dtype, device=size.device)  # (count,)
    edges = start[:, None] + bins * bin_size[:, None]  # (R, count)
    within = (step + 0.5) * bin_size[:, None] / samples.clamp(min=1)[:, None]  # (R, S)
    points = edges[:, :, None] + within[:, None, :]  # (R, count, S)
    counts = (step < samples[:, None])[:, None, :] & (points >= -1) & (points <= limit)  # (R, count, S)
    points = points.clamp(0, limit - 1)
    low = points.floor().clamp(max=max(limit - 2, 0))
    high_share = points - low  # (R, count, S): 1 at the last cell's centre, where low is the one before
    share = counts / samples.clamp(min=1)[:, None, None]
    cells = torch.cat((low, (low + 1).clamp(max=limit - 1)), dim=2).long()
    return _merged(cells, torch.cat(((1 - high_share) * share, high_share * share), dim=2))


def _merged(cells: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The same sums from a run of neighbouring cells a bin, each once, where that is shorter than the list of them all.

    Points nearer than a cell to each other share cells: of the 2 S that S points read, S + 1 are different.
    """
    if len(cells) == 0:
        return cells, weights
    first = cells.amin(dim=2, keepdim=True)  # (R, count, 1)
    last = int(cells.max())
    length = int((cells - first).max()) + 1
    if length >= cells.shape[2]:
        return cells, weights
    run = (first + torch.arange(length, device=cells.device)).clamp(max=last)  # (R, count, length)
    return run, _dense(cells - first, weights, length)


def _dense(cells: Tensor, weights: Tensor, limit: int) -> Tensor:
    """The matrix A of one axis, (R, bins, limit), from its non-zero entries (R, bins, T)."""
    return weights.new_zeros(*weights.shape[:2], limit).scatter_add_(2, cells, weights)


def _two_products(features: Tensor, image: Tensor, a_y: Tensor, a_x: Tensor) -> Tensor:
    """A_y F A_x^T for every RoI, by image: the plain form, for any device; autograd finds the gradient."""
    pooled = features.new_zeros(len(image), features.shape[1], a_y.shape[1], a_x.shape[1])
    for index, cells in enumerate(features):
        mine = torch.nonzero(image == index).squeeze(1)
        rows = torch.einsum("rph,chw->rpcw", a_y[mine], cells)
        pooled = pooled.index_copy(0, mine, torch.einsum("rpcw,rqw->rcpq", rows, a_x[mine]))
    return pooled


class _CompiledRoIAlign(torch.autograd.Function):
    """The compiled loop and its gradient, which is the same sum read backwards."""

    @staticmethod
    def forward(ctx, features, image, y_cells, y_weights, x_cells, x_weights):
        """Weighted sums (R, C, P, Q); keeps the weights for the way back."""
        start_threads()
        cells = features.detach().permute(0, 2, 3, 1).contiguous()  # (N, H, W, C): a cell's channels side by side
        points = (image, y_cells, y_weights, x_cells, x_weights)
        ctx.save_for_backward(*points)
        ctx.shape = features.shape
        return torch.from_numpy(roi_align_forward(cells.numpy(), *(values.numpy() for values in points)))

    @staticmethod
    def backward(ctx, grad):
        """The gradient of the features (N, C, H, W); the bins' places get none."""
        count, channels, height, width = ctx.shape
        grad_cells = grad.new_zeros(count, height, width, channels)
        points = [values.numpy() for values in ctx.saved_tensors]
        bands = min(channels, 2 * torch.get_num_threads())
        roi_align_backward(grad.contiguous().numpy(), *points, grad_cells.numpy(), bands)
        return grad_cells.permute(0, 3, 1, 2), None, None, None, None, None
