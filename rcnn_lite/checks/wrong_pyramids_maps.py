"""Known wrong versions of notebook 15's functions on maps. The docstring of each is what a learner who makes it is
told.
"""

import torch
import torch.nn.functional as F

# ---- enlarge_to ----


def _doubled(coarse):
    return coarse.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)


def _at(coarse, rows, columns):
    return coarse[:, rows.clamp(0, coarse.shape[1] - 1)][:, :, columns.clamp(0, coarse.shape[2] - 1)]


def enlarge_stretched(coarse, size):
    """you stretch the map to the size. Where a column is missing, cells then read their neighbour's value: double it,
    and repeat the last."""
    return F.interpolate(coarse[None], size=size, mode="nearest")[0]


def enlarge_smoothly(coarse, size):
    """you interpolate between cells; here each cell is copied to four (nearest neighbour)."""
    doubled = F.interpolate(coarse[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    return _at(doubled, torch.arange(size[0]), torch.arange(size[1]))


def enlarge_tiled(coarse, size):
    """you lay whole copies of the map side by side (repeat, tile); each cell becomes 2 x 2 (repeat_interleave)."""
    return _at(coarse.repeat(1, 2, 2), torch.arange(size[0]), torch.arange(size[1]))


def enlarge_not_cut(coarse, size):
    """you only double; the result must have the finer map's size."""
    return _doubled(coarse)


def enlarge_cut_in_front(coarse, size):
    """you cut and repeat at the first row and column. Both maps begin at the same pixel, so it is at the end."""
    doubled = _doubled(coarse)
    rows = torch.arange(size[0]) + doubled.shape[1] - size[0]
    return _at(doubled, rows, torch.arange(size[1]) + doubled.shape[2] - size[1])


def enlarge_with_zeros(coarse, size):
    """you fill what is missing with zeros; the last row and column are repeated."""
    doubled = _doubled(coarse)[:, : size[0], : size[1]]
    return F.pad(doubled, (0, size[1] - doubled.shape[2], 0, size[0] - doubled.shape[1]))


def enlarge_size_swapped(coarse, size):
    """you take the size for (W, H); it is (H, W)."""
    return _at(_doubled(coarse), torch.arange(size[1]), torch.arange(size[0]))


# ---- merge ----


def _lateral(fine, weight, bias):
    return torch.einsum("dc,chw->dhw", weight, fine) + bias[:, None, None]


def merge_lateral_only(fine, above, weight, bias):
    """you leave out what comes from above."""
    return _lateral(fine, weight, bias)


def merge_above_only(fine, above, weight, bias):
    """you leave out the finer map: the lateral connection."""
    return _doubled(above)


def merge_without_bias(fine, above, weight, bias):
    """you forget the bias of the 1 x 1 convolution."""
    return _lateral(fine, weight, 0 * bias) + _doubled(above)


def merge_bias_twice(fine, above, weight, bias):
    """you add the bias to the map from above too; it had its own."""
    return _lateral(fine, weight, bias) + _doubled(above + bias[:, None, None])


def merge_mean(fine, above, weight, bias):
    """you take the mean of the two; they are added."""
    return (_lateral(fine, weight, bias) + _doubled(above)) / 2


def merge_product(fine, above, weight, bias):
    """you multiply the two; they are added."""
    return _lateral(fine, weight, bias) * _doubled(above)


def merge_larger(fine, above, weight, bias):
    """you take the larger of the two; they are added."""
    return torch.maximum(_lateral(fine, weight, bias), _doubled(above))


def merge_tiled(fine, above, weight, bias):
    """you lay whole copies of the upper map side by side (repeat, tile); each cell becomes 2 x 2."""
    return _lateral(fine, weight, bias) + above.repeat(1, 2, 2)


def merge_convolved_above(fine, above, weight, bias):
    """you pass the map from above through the 1 x 1 convolution too; it already has the pyramid's channels."""
    mixed = torch.einsum("dc,chw->dhw", weight, above) if weight.shape[0] == weight.shape[1] else above
    return _lateral(fine, weight, bias) + _doubled(mixed)
