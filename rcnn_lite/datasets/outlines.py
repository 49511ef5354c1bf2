"""Outlines of the objects in the photographs, drawn by hand as polygons (``data/outlines.json``), and polygons as
pixels.

A *ring* is a closed polygon, float64 (V, 2), in continuous pixels of its photograph (pixel (0, 0) covers [0, 1) x [0,
1)). An object is the union of its ``parts`` without its ``holes``, all of them rings.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rcnn_lite.paths import data_path

SUBROWS = 4  # scan lines a pixel row; along a scan line the coverage is exact


@dataclass(frozen=True)
class Outline:
    """One annotated object: where it is in its photograph, and which splits paste it. A distractor has the class None.

    ``parts`` and ``holes`` follow what is visible in the photograph. ``cut`` replaces the parts where a piece is
    pasted that looks better by itself than everything visible (the cat's head without the neck that the picture's
    border cuts off).
    """

    name: str
    class_name: str | None
    photograph: str
    parts: tuple[np.ndarray, ...]
    holes: tuple[np.ndarray, ...]
    cut: tuple[np.ndarray, ...]
    keypoints: dict[str, tuple[float, float]]
    splits: tuple[str, ...]


def _rings(polygons: list[list[list[float]]]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(polygon, dtype=np.float64) for polygon in polygons)


@lru_cache(maxsize=1)
def read_annotations() -> dict:
    """``data/outlines.json`` as it stands: classes, the names and the mirror order of the keypoints, the outlines."""
    return json.loads(data_path("outlines.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def load_outlines() -> tuple[Outline, ...]:
    """Every annotated object; those of one photograph from back to front."""
    return _outlines("photographs")


@lru_cache(maxsize=1)
def load_distractors() -> tuple[Outline, ...]:
    """Outlined things that belong to no class."""
    return _outlines("distractors")


def _outlines(section: str) -> tuple[Outline, ...]:
    return tuple(
        Outline(
            name=item["name"],
            class_name=item.get("class"),
            photograph=photograph,
            parts=_rings(item["parts"]),
            holes=_rings(item.get("holes", [])),
            cut=_rings(item.get("cut", [])),
            keypoints={name: tuple(point) for name, point in item.get("keypoints", {}).items()},
            splits=tuple(item.get("splits", [])),
        )
        for photograph, items in read_annotations()[section].items()
        for item in items
    )


def ring_coverage(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How much of each pixel lies inside a polygon.

    V vertices, H x W pixels, S = `SUBROWS` scan lines a row.

    An edge that crosses a scan line at x covers, with the sign of its direction, everything to the right of x: of the
    pixel it falls into the share right of x, of every later pixel all. Those steps are added up from left to right;
    inside the ring they cancel to +1 or -1, outside to 0. The ring must not cross itself.

    Parameters
    ----------
    ring : float (V, 2), x and y in continuous pixels; may leave the picture.
    size : (H, W)

    Returns
    -------
    float64 (H, W) in [0, 1].

    Examples
    --------
    >>> ring_coverage(np.array([[1, 0], [2.5, 0], [2.5, 1], [1, 1]]), (1, 4))
    array([[0. , 1. , 0.5, 0. ]])
    """
    height, width = size
    start, end = ring, np.roll(ring, -1, axis=0)  # (V, 2) each: edge v runs from start[v] to end[v]
    lines = (np.arange(height * SUBROWS) + 0.5) / SUBROWS  # (H*S,)
    above = start[:, 1:] <= lines  # (V, H*S)
    edge, line = np.nonzero(above != (end[:, 1:] <= lines))  # (C,) crossings
    sign = np.where(above[edge, line], 1.0, -1.0)
    along = (lines[line] - start[edge, 1]) / (end[edge, 1] - start[edge, 1])
    x = np.clip(start[edge, 0] + along * (end[edge, 0] - start[edge, 0]), 0, width)
    column = np.floor(x).astype(np.int64)
    step = line * (width + 2) + column
    steps = np.bincount(step, sign * (column + 1 - x), height * SUBROWS * (width + 2))
    steps += np.bincount(step + 1, sign * (x - column), height * SUBROWS * (width + 2))
    inside = np.abs(steps.reshape(height, SUBROWS, width + 2).cumsum(axis=2))[:, :, :width]  # (H, S, W)
    return np.clip(inside.mean(axis=1), 0, 1)


def shape_coverage(parts: tuple[np.ndarray, ...], holes: tuple[np.ndarray, ...], size: tuple[int, int]) -> np.ndarray:
    """How much of each pixel lies in the union of ``parts`` without ``holes``: float64 (H, W) in [0, 1]."""
    coverage = np.zeros(size)
    for ring in parts:
        coverage += ring_coverage(ring, size)
    coverage = np.minimum(coverage, 1)
    for ring in holes:
        coverage -= ring_coverage(ring, size)
    return np.maximum(coverage, 0)
