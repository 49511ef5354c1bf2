"""Classic mistakes that can be switched on in one line, for the "break it" labs.

``with mistake("plus_one_width"): ...`` puts wrong functions in the place of the package's, wherever a module of
rcnn_lite or the notebook itself has imported them, and puts the right ones back afterwards, whatever happened. Each of
these bugs was once shipped by somebody.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rcnn_lite.checks import wrong_package as wrong


@dataclass(frozen=True)
class Mistake:
    """A mistake: what it is in a sentence, and wrong functions by the names of those that they stand in for."""

    name: str
    sentence: str
    replacements: dict[str, Callable] = field(repr=False)


_TABLE = (
    Mistake(
        "plus_one_width",
        "A box from x1 to x2 is taken to be x2 - x1 + 1 wide: areas, IoU, NMS and evaluation count a pixel too many.",
        {
            "boxes.box_area": wrong.area_plus_one,
            "boxes.box_iou": wrong.iou_plus_one,
            "kernels.nms_greedy": wrong.nms_greedy_plus_one,
            "evaluation.overlaps.box_overlaps": wrong.overlaps_plus_one,
        },
    ),
    Mistake(
        "unclamped_intersection",
        "Negative overlaps are not cut at 0: boxes that are apart in x and in y overlap (minus times minus is plus).",
        {
            "boxes.box_iou": wrong.iou_unclamped,
            "kernels.nms_greedy": wrong.nms_greedy_unclamped,
            "evaluation.overlaps.box_overlaps": wrong.overlaps_unclamped,
        },
    ),
    Mistake(
        "corner_for_centre",
        "The upper left corner is taken for the centre when deltas are decoded (encoding is right).",
        {"boxes.decode_boxes": wrong.decode_from_corner},
    ),
    Mistake(
        "log2_for_ln",
        "Sizes are encoded with the logarithm to base 2 and decoded with exp.",
        {"boxes.encode_boxes": wrong.encode_log2},
    ),
    Mistake(
        "clip_to_last_pixel",
        "Boxes are clipped to W - 1 and H - 1, so an object at the right or lower border loses a pixel.",
        {"boxes.clip_boxes": wrong.clip_to_last_pixel},
    ),
    Mistake(
        "nms_across_classes",
        "NMS forgets the labels, so the best box strikes out boxes of other classes.",
        {"nms.batched_nms": wrong.batched_nms_across_classes},
    ),
)
MISTAKES: dict[str, Mistake] = {each.name: each for each in _TABLE}
MORE = (
    "measuring_mistakes",
    "before_mistakes",
    "searching_mistakes",
    "warping_mistakes",
    "mining_mistakes",
    "regressing_mistakes",
    "pooling_mistakes",
    "fast_mistakes",
    "anchors_mistakes",
    "faster_mistakes",
    "aligning_mistakes",
    "masking_mistakes",
    "pyramids_mistakes",
    "scoring_mistakes",
)
"""Modules beside this one that add theirs when they are imported; that happens when mistakes are first asked for."""


def mistakes() -> dict[str, str]:
    """Every mistake's name and what it is.

    >>> "plus_one_width" in mistakes()
    True
    """
    return {name: each.sentence for name, each in _all_mistakes().items()}


def _all_mistakes() -> dict[str, Mistake]:
    for module in MORE:
        importlib.import_module(f"rcnn_lite.checks.{module}")
    return MISTAKES


@contextmanager
def mistake(name: str) -> Iterator[Mistake]:
    """Make a mistake inside a ``with`` block: ``name`` is one of `mistakes`. Blocks can be nested.

    >>> import torch
    >>> from rcnn_lite import boxes
    >>> with mistake("plus_one_width"):
    ...     boxes.box_area(torch.tensor([[0.0, 0.0, 10.0, 20.0]]))
    tensor([231.])
    """
    known = _all_mistakes()
    if name not in known:
        raise ValueError(f"no mistake is called {name!r}; there are {', '.join(known)}")
    undo = []
    try:
        for path, function in known[name].replacements.items():
            module, attribute = f"rcnn_lite.{path}".rsplit(".", 1)
            right = getattr(importlib.import_module(module), attribute)
            for holder, alias in list(_holders(right)):
                undo.append((holder, alias, right))
                setattr(holder, alias, function)
        yield known[name]
    finally:
        for holder, alias, right in undo:
            setattr(holder, alias, right)


def _holders(function: Callable) -> Iterator[tuple[object, str]]:
    """Where a function is known by some name: the modules of the package but the checks, and the notebook."""
    for name, module in list(sys.modules.items()):
        if name == "__main__" or (name.startswith("rcnn_lite") and not name.startswith("rcnn_lite.checks")):
            yield from ((module, alias) for alias, value in list(vars(module).items()) if value is function)
