"""Known wrong versions of slips and points, for notebook 13. The docstring of each is what the learner is told."""

import torch

from rcnn_lite.regions.roi_pool import round_half_away

# ---- slips ----


def _slips(boxes, stride, rounded=round_half_away, more=1):
    first, last = rounded(boxes / stride).split(2, dim=1)
    return torch.cat((first, first + (last - first + more).clamp(min=1)), dim=1) * stride - boxes


def slips_in_cells(boxes, stride):
    """your slips are in cells; in pixels of the picture they are stride times as large."""
    return _slips(boxes, stride) / stride


def slips_last_edge(boxes, stride):
    """you take the last cell's number for the window's end. The window includes the cell, up to its far edge."""
    return _slips(boxes, stride, more=0)


def slips_other_sign(boxes, stride):
    """your sign is the other: window minus box, so that a window further right has a positive slip."""
    return -_slips(boxes, stride)


def slips_floored(boxes, stride):
    """you round down. RoI pooling takes the nearest cell number."""
    return _slips(boxes, stride, torch.floor)


def slips_half_to_even(boxes, stride):
    """torch.round takes halves to the even number: 2.5 becomes 2. RoI pooling rounds them up, away from zero."""
    return _slips(boxes, stride, torch.round)


def slips_outwards(boxes, stride):
    """you round outwards, low edges down and high ones up. RoI pooling rounds all four corners to the nearest."""
    low, high = torch.floor(boxes[:, :2] / stride), torch.ceil(boxes[:, 2:] / stride)
    return torch.cat((low, high), dim=1) * stride - boxes


def slips_without_sign(boxes, stride):
    """you give the size of each slip; give its sign too, window minus box."""
    return _slips(boxes, stride).abs()


# ---- read_at ----


def _read(channel, points, inside=lambda x, limit: (x >= -1) & (x <= limit), share=lambda d: d):
    """Bilinear reading with what learners change in it; ``points`` (n, 2), x before y."""
    (height, width), (x, y) = channel.shape, points.T
    counts = inside(x, width) & inside(y, height)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, top = x.floor().long(), y.floor().long()
    right, below = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    across, down = share(x - left), share(y - top)
    upper = (1 - across) * channel[top, left] + across * channel[top, right]
    lower = (1 - across) * channel[below, left] + across * channel[below, right]
    return ((1 - down) * upper + down * lower) * counts


def read_nearest(channel, points):
    """you read the nearest cell alone, the integer kernel. Four neighbours share the point by their distance."""
    return _read(channel, points, share=torch.round)


def read_floor(channel, points):
    """you read the cell above and left of the point alone. Four neighbours share it by their distance."""
    return _read(channel, points, share=torch.zeros_like)


def read_row_first(channel, points):
    """you take a point's first number for the row. It is x, the column; channel[row, column]."""
    return _read(channel, points.flip(1))


def read_shares_swapped(channel, points):
    """your shares are the wrong way round: the nearer cell counts more, the left one 1 minus the distance to it."""
    return _read(channel, points, share=lambda d: 1 - d)


def read_centres_at_half(channel, points):
    """you take half a cell off. Here the value of cell i stands at i, so nothing is to be taken off."""
    return _read(channel, points - 0.5)


def read_border_everywhere(channel, points):
    """you read the border however far outside a point is. Further than one cell, below -1 or above W or H, it is 0."""
    return _read(channel, points, lambda x, limit: x == x)


def read_zero_outside(channel, points):
    """you give 0 to all points outside. Up to one cell outside, a point reads the border."""
    return _read(channel, points, lambda x, limit: (x >= 0) & (x <= limit - 1))


def read_zero_beyond_any(channel, points):
    """you take cells outside the map for 0, so that points near the border fade. Up to a cell outside it is copied."""
    padded = torch.nn.functional.pad(channel, (2, 2, 2, 2))
    counts = ((points >= -1) & (points <= points.new_tensor(channel.shape[::-1]))).all(dim=1)
    return _read(padded, points + 2) * counts


# ---- sample_points ----


def _points(start, end, bins, parts):
    """``parts``: where in a bin its points lie, from 0 to 1."""
    size = (end - start)[:, None, None] / bins
    return start[:, None, None] + (torch.arange(bins)[:, None] + parts) * size


def points_at_edges(start, end, bins, samples):
    """your points begin at each bin's edge, s / S. They lie in the middles of its parts, (s + 1/2) / S."""
    return _points(start, end, bins, torch.arange(samples) / samples)


def points_spread(start, end, bins, samples):
    """your points reach from edge to edge of a bin. They lie in the middles of S equal parts, so none is at an edge."""
    return _points(start, end, bins, torch.linspace(0, 1, samples) if samples > 1 else torch.tensor([0.5]))


def points_from_zero(start, end, bins, samples):
    """your points begin at 0: add where the RoI starts."""
    return _points(torch.zeros_like(start), end - start, bins, (torch.arange(samples) + 0.5) / samples)


def points_bin_centres(start, end, bins, samples):
    """you give the middle of the bin S times: its S points are spread over it."""
    return _points(start, end, bins, torch.full((samples,), 0.5))


def points_thirds(start, end, bins, samples):
    """you cut a bin at s / (S + 1), thirds for two points. The middles of halves are at 1/4 and 3/4."""
    return _points(start, end, bins, torch.arange(1, samples + 1) / (samples + 1))


def points_bins_last(start, end, bins, samples):
    """your last two axes are the wrong way round: bins come before the points of a bin."""
    return _points(start, end, bins, (torch.arange(samples) + 0.5) / samples).transpose(1, 2)


def points_rounded(start, end, bins, samples):
    """you round. Nothing is rounded in RoIAlign: neither the RoI, nor its bins, nor their points."""
    return _points(start, end, bins, (torch.arange(samples) + 0.5) / samples).floor()
