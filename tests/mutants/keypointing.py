"""Wrong and right answers to notebook 14's exercises on keypoints, as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch

# ---- point_cells ----


def _cells(
    index=lambda i, j, m: m * i + j,
    whole=math.floor,
    corner=True,
    height=lambda w, h: h,
    least=1,
    border=True,
    zero=True,
):
    """Plain loops over regions and points, with what learners change in them."""

    def answer(keypoints, boxes, size):
        count = keypoints.shape[1]
        found, valid = torch.zeros(len(boxes), count).long(), torch.zeros(len(boxes), count).bool()
        for r, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
            for k, (x, y, seen) in enumerate(keypoints[r].tolist()):
                left, top = (x1, y1) if corner else (0.0, 0.0)
                j = whole((x - left) * size / (x2 - x1))
                i = whole((y - top) * size / height(x2 - x1, y2 - y1))
                if border:
                    j, i = size - 1 if x == x2 else j, size - 1 if y == y2 else i
                valid[r, k] = seen >= least and 0 <= j < size and 0 <= i < size
                found[r, k] = index(i, j, size) if valid[r, k] or not zero else 0
        return found, valid

    return answer


def _cells_numpy(keypoints, boxes, size):
    points, corners = keypoints.numpy(), boxes.numpy()
    low, high = corners[:, None, :2], corners[:, None, 2:]
    cells = np.where(points[..., :2] == high, size - 1, np.floor((points[..., :2] - low) * size / (high - low)))
    valid = ((cells >= 0) & (cells < size)).all(axis=2) & (points[..., 2] > 0)
    return np.where(valid, cells[..., 1] * size + cells[..., 0], 0).astype(np.int64), valid


def _cells_pair(keypoints, boxes, size):
    return torch.stack([value.long() for value in _cells()(keypoints, boxes, size)], dim=2)


def _cells_clamped(keypoints, boxes, size):
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    cells = ((keypoints[..., :2] - low) * size / (high - low)).long().clamp(0, size - 1)
    valid = keypoints[..., 2] > 0
    return torch.where(valid, size * cells[..., 1] + cells[..., 0], 0), valid


# ---- oks ----


def _oks(width=lambda area, sigma: 2 * area * (2 * sigma) ** 2, least=1, count=lambda seen, all_points: seen, power=2):
    """A loop over points, with what learners change in it."""

    def answer(points, gt_points, area, sigma):
        total, seen = 0.0, 0
        for (x, y), (gx, gy, visible) in zip(points.tolist(), gt_points.tolist(), strict=True):
            if visible >= least:
                total += math.exp(-(math.hypot(x - gx, y - gy) ** power) / width(area, sigma))
                seen += 1
        return total / max(count(seen, len(points)), 1)

    return answer


def _oks_numpy(points, gt_points, area, sigma):
    found, truth = points.numpy().astype(float), gt_points.numpy().astype(float)
    seen = truth[:, 2] > 0
    if not seen.any():
        return 0.0
    off = ((found - truth[:, :2]) ** 2).sum(axis=1)
    return np.exp(-off / (8 * area * sigma**2))[seen].mean()


def _oks_nothing(points, gt_points, area, sigma):
    near = (-(points - gt_points[:, :2]).square().sum(dim=1) / (8 * area * sigma**2)).exp()
    return float(near[gt_points[:, 2] > 0].mean())


MUTANTS = [
    ("point_cells", "columns first", _cells(index=lambda i, j, m: m * j + i), "column by column"),
    ("point_cells", "rounded", _cells(whole=round), "floor"),
    ("point_cells", "corner forgotten", _cells(corner=False), "subtract the corner"),
    ("point_cells", "width for y", _cells(height=lambda w, h: w), "width of the box for y"),
    ("point_cells", "hidden left out", _cells(least=2), "hidden points"),
    ("point_cells", "border left out", _cells(border=False), "last cell"),
    ("point_cells", "clamped", _cells_clamped, "lies outside"),
    ("point_cells", "index kept", _cells(zero=False), "the index is 0"),
    ("point_cells", "one tensor", _cells_pair, "must be 2 things"),
    ("oks", "sigma once", _oks(width=lambda area, sigma: 2 * area * sigma**2), "(2 sigma)^2"),
    ("oks", "no 2", _oks(width=lambda area, sigma: area * (2 * sigma) ** 2), "leave out the 2"),
    ("oks", "area squared", _oks(width=lambda area, sigma: 2 * (area * 2 * sigma) ** 2), "square the area"),
    ("oks", "no area", _oks(width=lambda area, sigma: 2 * (2 * sigma) ** 2), "forget the area"),
    ("oks", "distance", _oks(power=1), "squared in the exponent"),
    ("oks", "over all", _oks(count=lambda seen, all_points: all_points), "number of all points"),
    ("oks", "visible only", _oks(least=2), "hidden points"),
    ("oks", "mean of nothing", _oks_nothing, "nan"),
]
ENDLESS = []
RIGHT = [
    ("point_cells", "loops", _cells()),
    ("point_cells", "numpy", _cells_numpy),
    ("oks", "loop", _oks()),
    ("oks", "numpy", _oks_numpy),
]
