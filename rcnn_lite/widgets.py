"""Sliders for the notebooks, with a static first picture for everybody who reads without a kernel."""

import itertools
import os
import sys
import warnings
from collections.abc import Callable, Iterator


def sliders(callback: Callable, live: bool | None = None, **ranges: tuple) -> None:
    """Show ``callback(**values)`` with a slider for each of ``ranges``: ``name=(least, most, start[, step])``.

    Where nobody can move a slider (a page, a test, a batch run) the callback is called once with the starting values,
    so its picture and its printed line are what the notebook stores. ``live`` says which it is; by default `is_live`
    finds out. In tests (``RCNN_LITE_TRY_SLIDERS=1``) the ends of the sliders are tried too. Bounds without order raise
    ValueError.

    >>> sliders(lambda x: print("x =", x), live=False, x=(0, 10, 5))
    x = 5
    """
    for name, bounds in ranges.items():
        if len(bounds) not in (3, 4) or not bounds[0] <= bounds[2] <= bounds[1]:
            raise ValueError(f"{name} must be (least, most, start[, step]) with least <= start <= most, got {bounds}")
    if not (is_live() if live is None else live):
        callback(**{name: bounds[2] for name, bounds in ranges.items()})
        if os.environ.get("RCNN_LITE_TRY_SLIDERS") == "1":
            try_out(callback, ranges)
        return
    from ipywidgets import FloatSlider, IntSlider, interact  # slow to import, and needed only here

    made = {}
    for name, (least, most, start, *step) in ranges.items():
        kind = IntSlider if all(isinstance(value, int) for value in (least, most, start, *step)) else FloatSlider
        options = {"step": step[0]} if step else {}
        made[name] = kind(min=least, max=most, value=start, continuous_update=False, **options)
    interact(callback, **made)


def try_out(callback: Callable, ranges: dict[str, tuple]) -> None:
    """Call ``callback`` with every combination of the sliders' ends; what it shows is thrown away.

    What it raises, warnings included, comes with a note that says where the sliders stood.
    """
    from IPython.utils.capture import capture_output  # needed only here

    for values in corners(ranges):
        with capture_output(), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)  # between libraries; a reader never sees them
            try:
                callback(**values)
            except Exception as error:
                error.add_note("with the sliders at " + ", ".join(f"{name} = {v}" for name, v in values.items()))
                raise


def corners(ranges: dict[str, tuple]) -> Iterator[dict[str, float]]:
    """Every combination of the ends of the ranges.

    >>> list(corners({"x": (0, 9, 5), "t": (0.0, 1.0, 0.5, 0.1)}))[1:3]
    [{'x': 0, 't': 1.0}, {'x': 9, 't': 0.0}]
    """
    for values in itertools.product(*(bounds[:2] for bounds in ranges.values())):
        yield dict(zip(ranges, values, strict=True))


def is_live() -> bool:
    """Whether a person sits before this kernel: JupyterLab or Notebook, VS Code, or Colab started it."""
    notebook = vars(sys.modules["__main__"])
    return "JPY_SESSION_NAME" in os.environ or "__vsc_ipynb_file__" in notebook or "google.colab" in sys.modules
