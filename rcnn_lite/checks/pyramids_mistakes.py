"""The mistakes of notebook 15: each leaves a detector on a pyramid that runs without complaint.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("levels_upside_down"): ...`` switches
one on.
"""

import math

import torch

from rcnn_lite.boxes import box_area
from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.proposals.anchors import shift_anchors
from rcnn_lite.regions.levels import assign_levels, pool_from_levels

__all__ = ["mistake", "mistakes"]


def upside_down(boxes, k0=4.0, canonical=224.0, lowest=2, highest=5):
    """Large boxes on the fine levels, small ones on the coarse."""
    return lowest + highest - assign_levels(boxes, k0, canonical, lowest, highest)


def by_ln(boxes, k0=4.0, canonical=224.0, lowest=2, highest=5):
    """The natural logarithm where the one to base 2 belongs: levels are too near to k0."""
    octaves = torch.log(box_area(boxes).sqrt() / canonical)
    return (k0 + octaves).floor().clamp(lowest, highest).long()


def by_area(boxes, k0=4.0, canonical=224.0, lowest=2, highest=5):
    """The area where its root belongs: nearly everything is on the coarsest level."""
    octaves = torch.log2(box_area(boxes) / canonical)
    return (k0 + octaves).floor().clamp(lowest, highest).long()


def of_next_stride(maps, strides, rois, pooling, bins, k0=4.0, canonical=224.0):
    """Each level is read with the stride of the next: at half of every coordinate."""

    def misread(features, some, bins, scale):
        return pooling(features, some, bins, scale / 2)

    return pool_from_levels(maps, strides, rois, misread, bins, k0, canonical)


def by_level(maps, strides, rois, pooling, bins, k0=4.0, canonical=224.0):
    """What was pooled stays sorted by level, while boxes are in their own order."""
    lowest = int(math.log2(strides[0]))
    levels = assign_levels(rois[:, 1:], k0, canonical, lowest, lowest + len(maps) - 1)
    return pool_from_levels(maps, strides, rois[levels.argsort(stable=True)], pooling, bins, k0, canonical)


def nothing_from_above(coarse, size):
    """The coarser level is not added: zeros in its place."""
    return coarse.new_zeros(*coarse.shape[:2], *size)


def at_stride_16(cell_anchors, feature_size, stride, offset=0.0):
    """Anchors of every level lie 16 pixels apart."""
    return shift_anchors(cell_anchors, feature_size, 16, offset)


_TABLE = (
    Mistake(
        "levels_upside_down",
        "Large regions are pooled from the fine levels and small ones from the coarse.",
        {"regions.levels.assign_levels": upside_down},
    ),
    Mistake(
        "levels_by_ln",
        "The level of a region is found with the natural logarithm instead of the one to base 2.",
        {"regions.levels.assign_levels": by_ln},
    ),
    Mistake(
        "levels_by_area",
        "The level of a region is found from its area instead of the area's root.",
        {"regions.levels.assign_levels": by_area},
    ),
    Mistake(
        "stride_of_next_level",
        "Regions are pooled from the right level with the stride of the next coarser one.",
        {"regions.levels.pool_from_levels": of_next_stride},
    ),
    Mistake(
        "sorted_by_level",
        "Pooled features stay sorted by level and are given to boxes that are not.",
        {"regions.levels.pool_from_levels": by_level},
    ),
    Mistake(
        "nothing_from_above",
        "The coarser level is not added to the finer one: the top-down pathway is missing.",
        {"models.fpn.enlarge": nothing_from_above},
    ),
    Mistake(
        "anchors_of_one_stride",
        "The anchors of all levels are laid out with a stride of 16 pixels.",
        {"proposals.anchors.shift_anchors": at_stride_16},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
