"""Small pictures of a failing case, drawn as SVG text: there is nothing to wait for.

A `Picture` has boxes and points in a common frame, over the cells of a grid if it has one. A `Row` has several beside
each other. `right_and_yours` and `grids` make the pictures of most exercises: the right result and the learner's.
"""

import html
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from rcnn_lite.checks.values import as_array, number
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH

SIDE, MARGIN, LINE = 260, 14, 16
"""Pixels: the longer side of a picture, the room around what is drawn, a line of text."""
CELL = 40
"""The largest side of a cell; from `READABLE` on its number is written into it."""
READABLE = 26
FONT = 'font-family="sans-serif" font-size="12"'


class Outline(NamedTuple):
    """Boxes (N, 4) of one colour, and what they are; ``names``, one for each box, stand at their upper left."""

    what: str
    boxes: torch.Tensor
    color: str
    dashed: bool = False
    names: Sequence[str] = ()

    @property
    def places(self) -> np.ndarray:
        """Boxes (N, 4) as they are, corners in any order."""
        return _numbers(self.boxes, 4)

    def svg(self, boxes: np.ndarray) -> list[str]:
        """The shapes, with ``boxes`` already in pixels."""
        dash, parts = ' stroke-dasharray="6 4"' if self.dashed else "", []
        for x1, y1, x2, y2 in boxes.tolist():
            parts.append(
                f'<rect x="{min(x1, x2):.1f}" y="{min(y1, y2):.1f}" width="{abs(x2 - x1):.1f}" '
                f'height="{abs(y2 - y1):.1f}" fill="{self.color}" fill-opacity="0.12" stroke="{self.color}" '
                f'stroke-width="2"{dash}/>'
            )
        for name, (x1, y1, x2, y2) in zip(self.names, boxes.tolist(), strict=False):
            parts.append(_text(min(x1, x2) + 3, min(y1, y2) + 13, name))
        return parts


class Dots(NamedTuple):
    """Points (N, 2) as x and y, of one colour, and what they are."""

    what: str
    points: torch.Tensor
    color: str

    @property
    def places(self) -> np.ndarray:
        """The points as boxes (N, 4) without size."""
        points = _numbers(self.points, 2)
        return np.hstack((points, points))

    def svg(self, boxes: np.ndarray) -> list[str]:
        """The shapes, with ``boxes`` already in pixels."""
        ring = 'stroke="white" stroke-width="1.5"'
        return [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{self.color}" {ring}/>' for x, y, _, _ in boxes.tolist()
        ]


class Picture:
    """Marks (`Outline`, `Dots`) in a common frame, over the cells of a grid ``values`` (h, w) if there is one.

    Cell (0, 0) covers the square from 0 to 1. Jupyter shows a picture; ``repr`` is what it says in words.
    """

    def __init__(self, marks: Sequence[Outline | Dots] = (), values: object = None, title: str = ""):
        self.marks = [mark for mark in marks if len(mark.places) and np.isfinite(mark.places).all()]
        self.values = None if values is None else _grid(values)
        self.title = title

    def __repr__(self) -> str:
        return "picture: " + self.words()

    def words(self) -> str:
        """What is drawn, without a picture."""
        h, w = (0, 0) if self.values is None else self.values.shape
        grid = [f"{self.title}, {h} x {w} cells"] if h else []
        return ", ".join([*grid, *(f"{len(mark.places)} {mark.what}" for mark in self.marks)])

    def _repr_svg_(self) -> str:  # asked for by IPython
        return Row([self])._repr_svg_()

    def drawn(self, shade: Callable[[float], str]) -> tuple[list[str], float, float]:
        """The shapes, and the width and height that they take."""
        corners = [mark.places for mark in self.marks]
        if self.values is not None:
            corners.append(np.array([[0.0, 0.0, *self.values.shape[::-1]]]))
        ends = np.vstack(corners or [np.array([[0.0, 0.0, 1.0, 1.0]])]).reshape(-1, 2)
        low, span = ends.min(axis=0), np.maximum(np.ptp(ends, axis=0), 1e-6)
        scale = (SIDE - 2 * MARGIN) / span.max()
        scale = scale if self.values is None else min(scale, CELL)
        top = LINE if self.title else 0
        shift = np.array([MARGIN, MARGIN + top]) - low * scale
        parts = [_text(MARGIN, LINE - 2, self.title)] if self.title else []
        parts += [] if self.values is None else _cells(self.values, scale, shift, shade)
        for mark in self.marks:
            parts += mark.svg(mark.places * scale + np.tile(shift, 2))
        height = span[1] * scale + 2 * MARGIN + top
        for row, mark in enumerate(self.marks, start=1):
            y = height + LINE * row - 2
            parts.append(f'<rect x="{MARGIN}" y="{y - 9:.1f}" width="10" height="10" fill="{mark.color}"/>')
            parts.append(_text(MARGIN + 16, y, mark.what))
        words = [len(self.title), *(len(mark.what) + 2 for mark in self.marks)]
        return parts, max(span[0] * scale, 7.0 * max(words)) + 2 * MARGIN, height + LINE * len(self.marks) + 8


class Row:
    """Pictures beside each other; equal numbers have equal shades in all of them."""

    def __init__(self, pictures: Sequence[Picture]):
        self.pictures = list(pictures)

    def __repr__(self) -> str:
        return "picture: " + "; ".join(picture.words() for picture in self.pictures)

    def _repr_svg_(self) -> str:  # asked for by IPython
        numbers = [picture.values.ravel() for picture in self.pictures if picture.values is not None]
        finite = [values[np.isfinite(values)] for values in numbers]
        low, high = (f(np.concatenate([*finite, [0.0]])) for f in (np.min, np.max))

        def shade(value: float) -> str:
            part = (value - low) / max(high - low, 1e-9) if np.isfinite(value) else 0.0
            return f"#{3 * f'{round(255 - 130 * part):02x}'}"  # light enough for black digits

        left, tallest, parts = 0.0, 0.0, []
        for picture in self.pictures:
            shapes, width, height = picture.drawn(shade)
            parts.append(f'<g transform="translate({left:.1f} 0)">{"".join(shapes)}</g>')
            left, tallest = left + width, max(tallest, height)
        size = f'width="{left:.0f}" height="{tallest:.0f}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="background: white">{"".join(parts)}</svg>'


def right_and_yours(
    *inputs: tuple[int, str, str], part: int | None = None, frame: int | None = None
) -> Callable[..., Picture]:
    """The picture of an exercise whose result is boxes: the right ones green, the learner's red and dashed.

    ``inputs`` are arguments that are boxes too: (position, what, colour). ``part`` says which part of a result of
    several things has the boxes; ``frame`` which argument is the size (H, W) of the picture around them.
    """

    def picture(case, result: object) -> Picture:
        right, yours = (case.expected, result) if part is None else (case.expected[part], result[part])
        height, width = (0, 0) if frame is None else case.args[frame]
        marks = [Outline("the picture", [[0, 0, width, height]], "#333333")] if frame is not None else []
        marks += [Outline(what, case.args[position], color) for position, what, color in inputs]
        return Picture([*marks, Outline("right", right, GROUND_TRUTH), Outline("yours", yours, DETECTION, dashed=True)])

    return picture


def grids(*inputs: tuple[int, str], marks: Callable | None = None, part: int | None = None) -> Callable[..., Row]:
    """The picture of an exercise whose result is a grid: the inputs that are grids, the right one, the learner's.

    ``inputs`` are arguments: (position, what). ``marks(*args)`` may give boxes and points to draw over the first of
    them. Of what has more axes than two, the first entry is drawn; a list is a column.
    """

    def picture(case, result: object) -> Row:
        over = [marks(*case.args) if marks and number == 0 else () for number in range(len(inputs))]
        given = [Picture(m, case.args[place], what) for m, (place, what) in zip(over, inputs, strict=True)]
        right, yours = (case.expected, result) if part is None else (case.expected[part], result[part])
        results = (("right", right), ("yours", yours))
        return Row([*given, *(Picture((), value, what) for what, value in results if _is_grid(value))])

    return picture


def show_picture(draw: Callable[..., Picture | Row], *args: object) -> None:
    """Show ``draw(*args)`` where somebody sees it: in a notebook. A picture that cannot be drawn is left out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return
    try:
        picture = draw(*args)
        picture._repr_svg_()
    except Exception:  # the answer may be anything; the message in words comes all the same
        return
    sys.modules["IPython.display"].display(picture)


def _numbers(value: object, columns: int) -> np.ndarray:
    """Rows of so many numbers; none where ``value`` is something else, as a wrong answer may be."""
    array = as_array(value)
    if array is None or array.size % columns or (array.ndim and array.shape[-1] != columns):
        return np.zeros((0, columns))
    return array.reshape(-1, columns).astype(float)


def _is_grid(value: object) -> bool:
    array = as_array(value)
    return array is not None and array.ndim >= 1 and array.size > 0


def _grid(value: object) -> np.ndarray:
    """The first two-dimensional part of an array, a column for a list; ValueError where there is none."""
    if not _is_grid(value):
        raise ValueError(f"a grid must have rows and columns, got {value!r}")
    array = as_array(value).astype(float)
    return array.reshape(-1, *array.shape[-2:])[0] if array.ndim > 1 else array[:, None]


def _cells(values: np.ndarray, scale: float, shift: np.ndarray, shade: Callable[[float], str]) -> list[str]:
    parts = []
    for (row, column), value in np.ndenumerate(values):
        x, y = np.array([column, row]) * scale + shift
        size = f'width="{scale:.1f}" height="{scale:.1f}"'
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{shade(value)}" stroke="#999999" stroke-width="0.5"/>'
        )
        if scale >= READABLE:
            parts.append(_text(x + scale / 2, y + scale / 2 + 4, number(round(value, 2)), "middle"))
    return parts


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {FONT} text-anchor="{anchor}">{html.escape(str(words))}</text>'
