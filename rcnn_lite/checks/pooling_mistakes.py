"""The mistakes of notebook 09: a region is pooled from cells that are not quite its own, and nothing complains.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("bins_floored"): ...`` switches one on.
"""

import torch
from torch import Tensor

from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.regions.roi_pool import round_half_away

__all__ = ["mistake", "mistakes"]


def _edges(first: Tensor, size: Tensor, count: int, limit: int, end=torch.ceil) -> tuple[Tensor, Tensor]:
    """`count` bins over `size` (R,) cells from `first` (R,) on, as `roi_pool` makes them but for how they ``end``."""
    edge = torch.arange(count, dtype=size.dtype, device=size.device)
    step = size[:, None] / count
    low = torch.floor(edge * step) + first[:, None]
    high = end((edge + 1) * step) + first[:, None]
    return low.clamp(0, limit).long(), high.clamp(0, limit).long()


def bins_floored(start: Tensor, end: Tensor, spatial_scale: float, count: int, limit: int) -> tuple[Tensor, Tensor]:
    """Both ends of a bin are rounded down, so that small windows have empty bins."""
    first, last = round_half_away(start * spatial_scale), round_half_away(end * spatial_scale)
    return _edges(first, (last - first + 1).clamp(min=1), count, limit, torch.floor)


def last_cell_forgotten(start: Tensor, end: Tensor, spatial_scale: float, count: int, limit: int):
    """A window is last - first cells long."""
    first, last = round_half_away(start * spatial_scale), round_half_away(end * spatial_scale)
    return _edges(first, (last - first).clamp(min=1), count, limit)


def scale_nothing(boxes: Tensor, image_size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """The box keeps the coordinates that it had before the picture was enlarged."""
    return boxes.clone()


_BINS, _SCALE = "regions.roi_pool.bins_of_whole_cells", "regions.scales.scale_boxes"
_TABLE = (
    Mistake(
        "bins_floored",
        "Both ends of a bin are rounded down: no cell is shared, and windows smaller than their bins have empty ones.",
        {_BINS: bins_floored},
    ),
    Mistake(
        "last_cell_forgotten",
        "A window from cell 3 to cell 7 is taken to have 7 - 3 cells: its last row and column are missing.",
        {_BINS: last_cell_forgotten},
    ),
    Mistake(
        "scale_forgotten",
        "The picture is enlarged and its boxes are not: they show another place of the map.",
        {_SCALE: scale_nothing},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
