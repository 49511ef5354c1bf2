"""Known wrong versions of notebook 14's functions: cells of keypoints, and their similarity. The docstring of each is
what a learner who makes it is told."""

import torch

# ---- point_cells ----


def _cells(keypoints, boxes, size, whole=torch.floor):
    """Columns and rows (R, K), and which points are annotated; what lies on a border is in the last cell."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    cells = whole((keypoints[..., :2] - low) * (size / (high - low))).long()
    cells = torch.where(keypoints[..., :2] == high, size - 1, cells)
    return cells[..., 0], cells[..., 1], keypoints[..., 2] > 0


def _answer(x, y, annotated, size, width=None):
    valid = annotated & (x >= 0) & (x < size) & (y >= 0) & (y < size)
    return torch.where(valid, (width or size) * y + x, 0), valid


def cells_columns_first(keypoints, boxes, size):
    """you count column by column; cell (i, j) has the index m i + j, with the row i from y."""
    x, y, annotated = _cells(keypoints, boxes, size)
    return _answer(y, x, annotated, size)


def cells_rounded(keypoints, boxes, size):
    """you round to the nearest whole number; cell j reaches from j to j + 1, so cut off (floor)."""
    return _answer(*_cells(keypoints, boxes, size, torch.round), size)


def cells_of_picture(keypoints, boxes, size):
    """you forget to subtract the corner of the box: cells are counted from there."""
    zero = torch.cat((torch.zeros_like(boxes[:, :2]), boxes[:, 2:] - boxes[:, :2]), dim=1)
    return _answer(*_cells(keypoints, zero, size), size)


def cells_one_size(keypoints, boxes, size):
    """you use the width of the box for y as well; cells are as many in each direction, so not square."""
    square = torch.cat((boxes[:, :2], boxes[:, :2] + (boxes[:, 2] - boxes[:, 0])[:, None]), dim=1)
    return _answer(*_cells(keypoints, square, size), size)


def cells_hidden_left_out(keypoints, boxes, size):
    """you leave out hidden points (visibility 1); somebody annotated where they are, so they are learned from."""
    x, y, _ = _cells(keypoints, boxes, size)
    return _answer(x, y, keypoints[..., 2] == 2, size)


def cells_border_left_out(keypoints, boxes, size):
    """you leave out what lies on the right or lower border; it belongs to the last cell."""
    inside = (keypoints[..., :2] < boxes[:, None, 2:]).all(dim=2)
    x, y, annotated = _cells(keypoints, boxes, size)
    return _answer(x, y, annotated & inside, size)


def cells_clamped(keypoints, boxes, size):
    """you move what lies outside into the nearest cell; a region is not asked for what it does not hold."""
    x, y, annotated = _cells(keypoints, boxes, size)
    return _answer(x.clamp(0, size - 1), y.clamp(0, size - 1), annotated, size)


def cells_index_kept(keypoints, boxes, size):
    """where a point is not valid, the index is 0."""
    x, y, annotated = _cells(keypoints, boxes, size)
    return size * y + x, _answer(x, y, annotated, size)[1]


# ---- oks ----


def _similar(points, gt_points, spread, counted=None, power=2):
    """exp(-d^2 / spread) for each point, and its mean over those that count."""
    counted = gt_points[:, 2] > 0 if counted is None else counted
    distances = (points[:, :2] - gt_points[:, :2]).norm(dim=1)
    near = (-(distances**power) / spread).exp()
    return float((near * counted).sum() / counted.sum()) if counted.any() else 0.0


def oks_one_sigma(points, gt_points, area, sigma):
    """you have sigma^2 where COCO has (2 sigma)^2."""
    return _similar(points, gt_points, 2 * area * sigma**2)


def oks_without_half(points, gt_points, area, sigma):
    """you leave out the 2 in front of the area: exp(-d^2 / (2 area (2 sigma)^2))."""
    return _similar(points, gt_points, area * (2 * sigma) ** 2)


def oks_area_squared(points, gt_points, area, sigma):
    """you square the area; the area is a length squared already."""
    return _similar(points, gt_points, 2 * area**2 * (2 * sigma) ** 2)


def oks_without_size(points, gt_points, area, sigma):
    """you forget the area: two pixels off in a large object is less than in a small one."""
    return _similar(points, gt_points, 2 * (2 * sigma) ** 2)


def oks_distance(points, gt_points, area, sigma):
    """you take the distance; it is squared in the exponent."""
    return _similar(points, gt_points, 2 * area * (2 * sigma) ** 2, power=1)


def oks_over_all(points, gt_points, area, sigma):
    """you divide by the number of all points; only annotated ones count."""
    share = (gt_points[:, 2] > 0).double().mean().item()
    return share * _similar(points, gt_points, 2 * area * (2 * sigma) ** 2)


def oks_visible_only(points, gt_points, area, sigma):
    """you leave out hidden points (visibility 1); they are annotated, so they count."""
    return _similar(points, gt_points, 2 * area * (2 * sigma) ** 2, gt_points[:, 2] == 2)


def oks_of_mean(points, gt_points, area, sigma):
    """you average the squared distances before the exponential; each point is judged by itself, then averaged."""
    counted = gt_points[:, 2] > 0
    if not counted.any():
        return 0.0
    squares = (points[:, :2] - gt_points[:, :2]).square().sum(dim=1)[counted]
    return float((-squares.mean() / (2 * area * (2 * sigma) ** 2)).exp())
