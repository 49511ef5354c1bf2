"""Where the objects of a scene go: classes, sizes, places, who covers whom. All annotations follow from here.

After Dwibedi, Misra and Hebert 2017, "Cut, Paste and Learn: Surprisingly Easy Synthesis for Instance Detection"
(ICCV): objects under random scale, rotation, occlusion and truncation, among distractors, on real backgrounds, with
edges that are no give-away.

Only ``Generator.random`` is drawn here and only our own polygons are turned into pixels, so that the annotations are
the same with every version of the picture libraries.
"""

from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from rcnn_lite.datasets.cutouts import Cutout, Placement, Shape, load_cutouts, load_rivals, make_shape
from rcnn_lite.datasets.draws import Draws
from rcnn_lite.datasets.outlines import shape_coverage

SIZE = 256  # of a scene, both sides


@dataclass(frozen=True)
class LayoutRules:
    """What a scene may look like; lengths in pixels, ranges are (lowest, highest)."""

    objects: tuple[int, int] = (1, 6)
    size: tuple[float, float] = (18.0, 160.0)  # square root of width times height of the upright box
    longest: float = 200.0  # no side of that box is longer
    thinnest: float = 7.0  # and none is shorter
    largest_scale: float = 1.6  # scene pixels a photograph pixel: beyond it an object is visibly blurred
    turn: float = 15.0  # degrees to either side
    turns: tuple[tuple[str, float], ...] = (("coin", 180.0), ("flower", 180.0))  # classes that lie any way round
    visible: float = 0.35  # of the object's whole area, in the picture and uncovered
    area: int = 48  # visible pixels at least
    tries: int = 30
    distractors_at_full_difficulty: int = 8


RULES = LayoutRules()


@dataclass(frozen=True)
class Layer:
    """One thing that was placed, an object or a distractor.

    Without ``cutout`` it is a piece of a background. ``coverage`` (h, w), in [0, 1], lies at ``corner`` (x, y).
    """

    is_object: bool
    cutout: Cutout | None
    shape: Shape
    placement: Placement
    corner: tuple[int, int]
    coverage: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        """The part of the scene that ``coverage`` speaks of."""
        (x, y), (height, width) = self.corner, self.coverage.shape
        return slice(y, y + height), slice(x, x + width)


@dataclass
class Layout:
    """Layers from back to front, and which object each pixel shows: ``owner`` uint8 (H, W), number or 0 for none."""

    layers: list[Layer]
    owner: np.ndarray

    @property
    def objects(self) -> list[Layer]:
        """The layers that are objects; the first has number 1."""
        return [layer for layer in self.layers if layer.is_object]


def blob(draws: Draws) -> Shape:
    """A random smooth or angular outline of about 100 pixels: r(t) = 1 + sum over k of a_k cos(k t + p_k)."""
    corners = draws.pick((5, 6, 8, 48, 48, 48))
    stretch = draws.uniform(0.5, 1.0)
    waves = [(k, draws.uniform(0, 0.5 / k), draws.uniform(0, 2 * pi)) for k in (2, 3, 4, 5, 7)]
    ring = []
    for step in range(corners):
        t = 2 * pi * step / corners
        radius = 50 * max(0.25, 1 + sum(a * cos(k * t + p) for k, a, p in waves))
        ring.append((radius * cos(t), stretch * radius * sin(t)))
    return make_shape((np.array(ring),))


def _scale(shape: Shape, draws: Draws, rules: LayoutRules, largest: float) -> float:
    """Log-uniform in the object's size, a little more often large than small, within the rules."""
    side = (shape.size[0] * shape.size[1]) ** 0.5
    low = max(rules.size[0] / side, rules.thinnest / min(shape.size))
    high = min(rules.size[1] / side, rules.longest / max(shape.size), largest)
    return low * (high / low) ** (draws.unit() ** 0.6) if high > low else low


def _placement(shape: Shape, draws: Draws, rules: LayoutRules, turn: float, largest: float) -> Placement:
    """A random place: mostly whole inside the picture, else with the middle inside."""
    scale = _scale(shape, draws, rules, largest)
    half_height, half_width = (0.5 * scale * side for side in shape.size)
    whole = draws.chance(0.75)
    margins = (half_width, half_height) if whole else (0.0, 0.0)
    x, y = (draws.uniform(margin, SIZE - margin) for margin in margins)
    return Placement((x, y), scale, draws.uniform(-turn, turn), draws.chance(0.5))


def cover(cutout: Cutout | None, shape: Shape, placement: Placement, is_object: bool) -> Layer:
    """The pixels that the placed shape covers, clipped to the scene."""
    parts, holes = (tuple(placement.apply(ring) for ring in rings) for rings in (shape.parts, shape.holes))
    points = np.concatenate(parts)
    low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, SIZE - 1)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int), low + 1, SIZE)
    moved = (tuple(ring - low for ring in rings) for rings in (parts, holes))
    coverage = shape_coverage(*moved, tuple(high - low)[::-1])
    return Layer(is_object, cutout, shape, placement, (int(low[0]), int(low[1])), coverage)


def _paint_owner(owner: np.ndarray, layer: Layer, number: int) -> np.ndarray:
    """A copy of ``owner`` in which ``layer`` shows ``number`` where it covers at least half of a pixel."""
    painted = owner.copy()
    painted[layer.window][layer.coverage >= 0.5] = number
    return painted


def _acceptable(owner: np.ndarray, objects: list[Layer], rules: LayoutRules) -> bool:
    """Is enough of every object to be seen?"""
    pixels = np.bincount(owner.ravel(), minlength=len(objects) + 1)[1:]
    whole = np.array([layer.shape.area * layer.placement.scale**2 for layer in objects])
    return bool(np.all(pixels >= np.maximum(rules.visible * whole, rules.area)))


def lay_out(split: str, rng: np.random.Generator, difficulty: float, rules: LayoutRules = RULES) -> Layout:
    """Place the objects and distractors of one scene.

    The layers are placed from back to front. One that would leave too little to be seen of itself or of an object
    below it is tried elsewhere, `LayoutRules.tries` times, then left out; a scene without any object is begun again.
    """
    draws = Draws(rng)
    layout = Layout([], np.zeros((SIZE, SIZE), dtype=np.uint8))
    kinds = [True] * draws.integer(*rules.objects)
    kinds += [False] * draws.integer(0, round(rules.distractors_at_full_difficulty * difficulty))
    while kinds:
        is_object = kinds.pop(draws.integer(0, len(kinds) - 1))
        for _ in range(rules.tries):
            layer = _draw_layer(split, is_object, draws, rules)
            objects = layout.objects + [layer] * is_object
            owner = _paint_owner(layout.owner, layer, len(objects) if is_object else 0)
            if _acceptable(owner, objects, rules):
                layout = Layout([*layout.layers, layer], owner)
                break
    return layout if layout.objects else lay_out(split, rng, difficulty, rules)


def _draw_layer(split: str, is_object: bool, draws: Draws, rules: LayoutRules) -> Layer:
    """One object or one distractor at a random place.

    A distractor is a real thing of no class, or a piece of a background with the outline of an object or of a blob.
    """
    cutouts = load_cutouts(split)
    cutout = draws.pick(cutouts[draws.pick(tuple(cutouts))])
    turn = dict(rules.turns).get(cutout.class_name, rules.turn)
    shape = cutout.shape
    if not is_object:
        kind = draws.integer(0, 2)
        cutout = draws.pick(load_rivals(split)) if kind == 0 else None
        shape = cutout.shape if kind == 0 else shape if kind == 1 else blob(draws)
    largest = np.inf if cutout is None else rules.largest_scale
    return cover(cutout, shape, _placement(shape, draws, rules, turn, largest), is_object)


def measure(owner: np.ndarray, count: int) -> tuple[list[list[int]], list[int]]:
    """Boxes and areas of what is to be seen of objects 1 to ``count`` in ``owner`` (H, W).

    A box encloses the visible pixels: x2 is the last column + 1. An area is the number of visible pixels.

    >>> measure(np.array([[0, 1, 1], [0, 2, 1]], dtype=np.uint8), 2)
    ([[1, 0, 3, 2], [1, 1, 2, 2]], [3, 1])
    """
    boxes, areas = [], []
    for number in range(1, count + 1):
        mask = owner == number
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        boxes.append([int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1])
        areas.append(int(mask.sum()))
    return boxes, areas


def see_point(owner: np.ndarray, number: int, point: tuple[float, float]) -> list[float]:
    """[x, y, visibility] of a keypoint of object ``number``.

    Visibility is 2 if the object shows within one pixel of the point, 1 if something covers it, 0 (and x = y = 0)
    outside of the picture.
    """
    x, y = point
    if not (0 <= x < owner.shape[1] and 0 <= y < owner.shape[0]):
        return [0.0, 0.0, 0]
    near = owner[max(int(y) - 1, 0) : int(y) + 2, max(int(x) - 1, 0) : int(x) + 2] == number
    return [round(float(x), 2), round(float(y), 2), 2 if near.any() else 1]


def annotate(
    layout: Layout, classes: tuple[str, ...], keypoint_names: tuple[str, ...], mirror: tuple[int, ...]
) -> dict:
    """Labels, boxes, areas and keypoints of a layout as plain lists, in the order of the object numbers.

    K = len(keypoint_names); keypoint k of a mirrored object is stored as ``mirror[k]``, because the animal's left has
    become its right.
    """
    boxes, areas = measure(layout.owner, len(layout.objects))
    keypoints = []
    for number, layer in enumerate(layout.objects, start=1):
        points = [[0.0, 0.0, 0] for _ in keypoint_names]
        placed = layer.placement.apply(layer.shape.keypoints)
        for name, point in zip(layer.cutout.keypoint_names, placed, strict=True):
            k = keypoint_names.index(name)
            points[mirror[k] if layer.placement.mirrored else k] = see_point(layout.owner, number, point)
        keypoints.append(points)
    labels = [classes.index(layer.cutout.class_name) for layer in layout.objects]
    return {"labels": labels, "boxes": boxes, "area": areas, "keypoints": keypoints}
