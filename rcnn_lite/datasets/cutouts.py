"""Objects cut out of photographs, ready to be drawn at any scale: their pixels with the surroundings painted over.

Along a soft edge an object's colour is mixed with the new background. If the pixels just outside the outline still
showed the old background, a thin halo would betray every pasted object; so the object's own colours are first
continued outwards.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import cos, log2, radians, sin

import numpy as np
from PIL import Image

from rcnn_lite.datasets.outlines import Outline, load_distractors, load_outlines, shape_coverage
from rcnn_lite.datasets.photographs import read_photograph

MARGIN = 0.2  # of the longer side: so far are the colours continued around the box, for the edges of small objects


@dataclass(frozen=True)
class Placement:
    """Where a shape goes: mirrored, scaled, turned (degrees, clockwise on the screen), its origin at ``centre``."""

    centre: tuple[float, float]
    scale: float
    angle: float
    mirrored: bool

    def matrix(self) -> np.ndarray:
        """The 2 x 2 part of the affine map from the shape to the scene."""
        c, s = cos(radians(self.angle)), sin(radians(self.angle))
        return self.scale * np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if self.mirrored else 1.0, 1.0])

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points of the shape, (P, 2) relative to its origin, in the scene."""
        return points @ self.matrix().T + self.centre


@dataclass(frozen=True)
class Shape:
    """What can be placed: rings and keypoints relative to an origin in the middle of the box around them."""

    parts: tuple[np.ndarray, ...]
    holes: tuple[np.ndarray, ...]
    area: float
    size: tuple[float, float]  # height and width of the box
    keypoints: np.ndarray  # (K, 2), K = 0 for most


@dataclass(frozen=True)
class Cutout:
    """Something to paste: its shape, and its pixels in halving sizes (``levels[0]`` is the photograph's own).

    ``offset`` is the pixel position of the shape's origin in ``levels[0]``.
    """

    name: str
    class_name: str | None
    keypoint_names: tuple[str, ...]
    shape: Shape
    levels: tuple[Image.Image, ...]
    offset: tuple[float, float]

    def render(self, placement: Placement, corner: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """The colours over a rectangle of the scene, ``size`` (H, W) at ``corner`` (x, y): float32 (H, W, 3)."""
        level = int(min(max(0.0, log2(1 / placement.scale) + 0.3), len(self.levels) - 1))
        back = np.linalg.inv(placement.matrix())  # scene -> shape
        shift = back @ (np.array(corner, dtype=np.float64) - placement.centre) + self.offset
        coefficients = np.column_stack([back, shift]) / 2**level
        affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
        drawn = self.levels[level].transform(size[::-1], affine, coefficients.ravel().tolist(), bilinear)
        return np.asarray(drawn, dtype=np.float32)


def make_shape(
    parts: tuple[np.ndarray, ...], holes: tuple[np.ndarray, ...] = (), keypoints: np.ndarray | None = None
) -> Shape:
    """A shape around the middle of the box of ``parts``."""
    points = np.concatenate(parts)
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    width, height = high - low
    moved = tuple(tuple(ring - low for ring in rings) for rings in (parts, holes))
    area = float(shape_coverage(*moved, (int(height) + 1, int(width) + 1)).sum())
    keypoints = np.zeros((0, 2)) if keypoints is None or not len(keypoints) else keypoints - middle
    return Shape(
        tuple(ring - middle for ring in parts), tuple(ring - middle for ring in holes), area, (height, width), keypoints
    )


def _halve(colour: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted 2 x 2 means: float (H, W, 3) and (H, W) -> half the size, rounded up."""
    height, width = (-(-side // 2) for side in weight.shape)
    padding = ((0, 2 * height - weight.shape[0]), (0, 2 * width - weight.shape[1]))
    weight = np.pad(weight, padding).reshape(height, 2, width, 2)
    weighted = np.pad(colour, (*padding, (0, 0))).reshape(height, 2, width, 2, 3) * weight[..., None]
    total = weight.sum(axis=(1, 3))
    return weighted.sum(axis=(1, 3)) / np.maximum(total, 1e-9)[..., None], total / 4


def continue_colours(colour: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Fill what is not ``inside`` with the colours near it, by pulling means up a pyramid and pushing them down again.

    float (H, W, 3), bool (H, W) -> float (H, W, 3), unchanged inside. The pull-push method of Gortler et al. 1996,
    "The Lumigraph", 3.4.
    """
    if inside.all() or min(inside.shape) <= 1:
        return colour
    coarse, weight = _halve(colour, inside.astype(np.float64))
    filled = continue_colours(coarse, weight > 0)
    height, width = inside.shape
    channels = [Image.fromarray(np.ascontiguousarray(filled[:, :, c], np.float32)) for c in range(3)]
    smooth = np.dstack([np.asarray(c.resize((width, height), Image.Resampling.BILINEAR)) for c in channels])
    return np.where(inside[..., None], colour, smooth)


def _erode(mask: np.ndarray) -> np.ndarray:
    """Without the pixels that touch the outside (4-neighbours); the border of the picture counts as inside."""
    padded = np.pad(mask, 1, constant_values=True)
    return mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def cut_out(outline: Outline) -> Cutout:
    """Cut one object out of its photograph."""
    parts = outline.cut or outline.parts
    points = np.concatenate(parts)
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
    margin = int(MARGIN * (high - low).max()) + 4
    corner = low - margin
    colour = np.zeros((*(high - low + 2 * margin)[::-1], 3))
    box = read_photograph(outline.photograph)[low[1] : high[1], low[0] : high[0]]
    colour[margin : margin + box.shape[0], margin : margin + box.shape[1]] = box
    rings = (tuple(ring - corner for ring in rings) for rings in (parts, outline.holes))
    inside = shape_coverage(*rings, colour.shape[:2]) > 0.99
    colour = continue_colours(colour, _erode(inside))
    levels = [colour]
    while min(levels[-1].shape[:2]) > 12:
        levels.append(_halve(levels[-1], np.ones(levels[-1].shape[:2]))[0])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2 - corner
    return Cutout(
        name=outline.name,
        class_name=outline.class_name,
        keypoint_names=tuple(outline.keypoints),
        shape=make_shape(parts, outline.holes, np.array(list(outline.keypoints.values()), dtype=np.float64)),
        levels=tuple(Image.fromarray(np.round(level).clip(0, 255).astype(np.uint8)) for level in levels),
        offset=(float(middle[0]), float(middle[1])),
    )


@lru_cache(maxsize=4)
def load_cutouts(split: str) -> dict[str, tuple[Cutout, ...]]:
    """The objects that ``split`` pastes, by class name."""
    cutouts: dict[str, list[Cutout]] = {}
    for outline in load_outlines():
        if split in outline.splits:
            cutouts.setdefault(outline.class_name, []).append(cut_out(outline))
    return {name: tuple(cutouts[name]) for name in sorted(cutouts)}


@lru_cache(maxsize=4)
def load_rivals(split: str) -> tuple[Cutout, ...]:
    """Things of no class that ``split`` pastes as distractors."""
    return tuple(cut_out(outline) for outline in load_distractors() if split in outline.splits)
