"""The mistakes of notebook 13: features that lie beside what they are taken for, and nothing complains.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("start_rounded"): ...`` switches one on.
"""

import torch
from torch import Tensor

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.regions import roi_align
from rcnn_lite.regions.roi_align import _axis_weights

__all__ = ["mistake", "mistakes"]


def half_cell_missing(start: Tensor, size: Tensor, count: int, sampling_ratio: int, limit: int):
    """The value of a cell is taken to stand at the cell's corner."""
    return _axis_weights(start + 0.5, size, count, sampling_ratio, limit)


def start_rounded(start: Tensor, size: Tensor, count: int, sampling_ratio: int, limit: int):
    """Where a RoI starts is rounded down to a whole cell; how long it is stays exact."""
    return _axis_weights(torch.floor(start + 0.5) - 0.5, size, count, sampling_ratio, limit)


def points_at_edges(start: Tensor, size: Tensor, count: int, sampling_ratio: int, limit: int):
    """Points of a bin at s / S: each bin is read a quarter of itself too far left and above, with S = 2."""
    samples = sampling_ratio if sampling_ratio > 0 else torch.ceil(size / count).clamp(min=1)
    return _axis_weights(start - size / count / samples / 2, size, count, sampling_ratio, limit)


def nearest_cells(start: Tensor, size: Tensor, count: int, sampling_ratio: int, limit: int):
    """Each point reads the nearest cell alone: RoIAlign with the integer kernel."""
    samples = torch.full_like(size, sampling_ratio) if sampling_ratio > 0 else torch.ceil(size / count).clamp(min=1)
    step = torch.arange(max(int(samples.max()) if len(samples) else 1, 1), device=size.device)
    bins = torch.arange(count, device=size.device)
    parts = bins[:, None] + ((step + 0.5) / samples[:, None])[:, None]  # (R, count, S)
    points = start[:, None, None] + parts * (size / count)[:, None, None]
    counts = (step < samples[:, None])[:, None] & (points >= -1) & (points <= limit)
    return points.round().clamp(0, limit - 1).long(), counts / samples[:, None, None]


def axes_swapped(features, image, start, size, output_size, sampling_ratio):
    """The places of the columns are used for the rows and the other way round."""
    return RIGHT_AVERAGE(features, image, start.flip(1), size.flip(1), output_size, sampling_ratio)


RIGHT_AVERAGE = roi_align._average
_WEIGHTS = "regions.roi_align._axis_weights"
_TABLE = (
    Mistake(
        "half_cell_missing",
        "The value of a cell is taken to stand at its corner: everything is read half a cell too far right and below.",
        {_WEIGHTS: half_cell_missing},
    ),
    Mistake(
        "start_rounded",
        "The corner where a region starts is rounded down to a whole cell, its size is not.",
        {_WEIGHTS: start_rounded},
    ),
    Mistake(
        "points_at_edges",
        "The points of a bin begin at its edge, at s / S instead of (s + 1/2) / S.",
        {_WEIGHTS: points_at_edges},
    ),
    Mistake(
        "nearest_cells",
        "Each point reads the nearest cell alone, nothing is interpolated.",
        {_WEIGHTS: nearest_cells},
    ),
    Mistake(
        "axes_swapped",
        "x and y are mixed up where the points are made: squares keep their size, and every region is another.",
        {"regions.roi_align._average": axes_swapped},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
