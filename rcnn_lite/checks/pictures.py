"""Small pictures of a failing case, drawn as SVG text: nothing to import, nothing to wait for."""

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

SIDE, MARGIN = 260, 14


class Outline(NamedTuple):
    """Boxes (N, 4) of one colour, and what they are."""

    what: str
    boxes: torch.Tensor
    color: str
    dashed: bool = False


class Picture:
    """Boxes in a common frame. Jupyter shows it; ``repr`` is what it says in words."""

    def __init__(self, outlines: Sequence[Outline]):
        self.outlines = [o for o in outlines if len(o.boxes) and bool(torch.isfinite(o.boxes).all())]

    def __repr__(self) -> str:
        return "picture: " + ", ".join(f"{len(o.boxes)} {o.what}" for o in self.outlines)

    def _repr_svg_(self) -> str:  # asked for by IPython
        boxes = torch.cat([o.boxes for o in self.outlines] or [torch.tensor([[0.0, 0.0, 1.0, 1.0]])]).double()
        low, high = boxes.amin(0)[:2].minimum(boxes.amin(0)[2:]), boxes.amax(0)[2:].maximum(boxes.amax(0)[:2])
        scale = (SIDE - 2 * MARGIN) / max(float((high - low).max()), 1e-6)
        parts, height = [], float((high - low)[1]) * scale + 2 * MARGIN
        for outline in self.outlines:
            dash = ' stroke-dasharray="6 4"' if outline.dashed else ""
            for x1, y1, x2, y2 in ((outline.boxes.double() - low.repeat(2)) * scale + MARGIN).tolist():
                left, top = min(x1, x2), min(y1, y2)
                parts.append(
                    f'<rect x="{left:.1f}" y="{top:.1f}" width="{abs(x2 - x1):.1f}" height="{abs(y2 - y1):.1f}" '
                    f'fill="{outline.color}" fill-opacity="0.12" stroke="{outline.color}" stroke-width="2"{dash}/>'
                )
        for row, outline in enumerate(self.outlines):
            y = height + 14 + 16 * row
            parts.append(f'<rect x="{MARGIN}" y="{y - 9:.1f}" width="10" height="10" fill="{outline.color}"/>')
            style = 'font-family="sans-serif" font-size="12"'
            parts.append(f'<text x="{MARGIN + 16}" y="{y:.1f}" {style}>{outline.what}</text>')
        size = f'width="{SIDE}" height="{height + 16 * len(self.outlines) + 8:.0f}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="background: white">{"".join(parts)}</svg>'


def show_picture(draw: Callable[..., Picture], *args: object) -> None:
    """Show ``draw(*args)`` where somebody sees it: in a notebook. A picture that cannot be drawn is left out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or not hasattr(shell, "kernel"):
        return
    try:
        picture = draw(*args)
    except Exception:  # the answer may be anything; the message in words comes all the same
        return
    sys.modules["IPython.display"].display(picture)
