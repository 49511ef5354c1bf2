"""Sliders: a static first picture without a person, widgets with one, and every position tried in tests.

The conftest.py of the repository switches that trial on for the kernels of nbval, so each callback of each notebook is
called at all ends of its sliders whenever the notebooks are tested.
"""

import ast
import os
import sys
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest

from rcnn_lite.widgets import is_live, sliders

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
TOPICS = {  # where a slider teaches more than a sentence: (notebook, the sliders' names)
    "IoU of two boxes": ("01", {"dx", "dy", "grow"}),
    "NMS threshold": ("01", {"threshold"}),
    "score threshold against precision and recall": ("02", {"threshold", "scene"}),
    "merging step by step": ("04", {"left"}),
    "context of a warped region": ("05", {"p"}),
    "rounding of a RoI": ("09", {"x", "width"}),
    "anchor scales": ("11", {"scale", "ratio"}),
    "RoI pool against align under a sub-pixel shift": ("13", {"pixels"}),
    "target of a mask under a sub-pixel shift": ("14", {"shift", "width"}),
    "mask threshold": ("14", {"threshold"}),
    "which level a box is pooled from": ("15", {"side", "height_over_width"}),
}


@pytest.fixture(autouse=True)
def no_session(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("RCNN_LITE_TRY_SLIDERS", raising=False)


def test_without_a_person_the_callback_is_called_once_with_the_starting_values():
    calls = []
    sliders(lambda **values: calls.append(values), x=(0, 10, 4), t=(0.0, 1.0, 0.5, 0.1))
    assert calls == [{"x": 4, "t": 0.5}]


def test_with_a_person_there_is_a_slider_for_each_value(monkeypatch):
    import ipywidgets

    calls, made = [], {}
    monkeypatch.setattr(ipywidgets, "interact", lambda callback, **widgets: made.update(widgets))
    sliders(lambda **values: calls.append(values), live=True, x=(0, 10, 4), t=(0.0, 1.0, 0.5, 0.1))
    assert calls == []
    assert (made["x"].min, made["x"].max, made["x"].value) == (0, 10, 4)
    assert isinstance(made["x"], ipywidgets.IntSlider)
    assert isinstance(made["t"], ipywidgets.FloatSlider)
    assert made["t"].step == 0.1


def test_a_session_of_jupyter_is_live(monkeypatch):
    assert not is_live()
    monkeypatch.setenv("JPY_SESSION_NAME", "01_boxes_iou_nms.ipynb")
    assert is_live()


def test_a_session_of_vs_code_is_live(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__vsc_ipynb_file__", "x.ipynb", raising=False)
    assert is_live()


@pytest.mark.parametrize("bounds", [(0, 10), (0, 10, 11), (5, 0, 3)])
def test_a_start_outside_its_range_is_refused(bounds):
    with pytest.raises(ValueError, match="x must be"):
        sliders(print, x=bounds)


# ---- every position tried ----


def test_tests_try_the_sliders_of_the_notebooks():
    """Said by the conftest.py of the repository, before this test's fixture took it away: its source says so."""
    source = (NOTEBOOKS[0].parents[1] / "conftest.py").read_text(encoding="utf-8")
    space = {}
    exec(source, space)
    assert os.environ.pop("RCNN_LITE_TRY_SLIDERS") == "1"


def test_in_tests_the_ends_are_tried_and_what_they_show_is_thrown_away(monkeypatch, capsys):
    monkeypatch.setenv("RCNN_LITE_TRY_SLIDERS", "1")
    calls = []

    def look(**values):
        calls.append(values)
        print(values)

    sliders(look, x=(0, 10, 4), t=(0.0, 1.0, 0.5, 0.1))
    ends = [{"x": x, "t": t} for x in (0, 10) for t in (0.0, 1.0)]
    assert calls == [{"x": 4, "t": 0.5}, *ends]
    assert capsys.readouterr().out == "{'x': 4, 't': 0.5}\n"


def test_a_callback_that_fails_at_an_end_is_told_where(monkeypatch):
    monkeypatch.setenv("RCNN_LITE_TRY_SLIDERS", "1")
    with pytest.raises(ZeroDivisionError) as failure:
        sliders(lambda x, y: print(1 / (x - 10)), x=(0, 10, 4), y=(0, 1, 0))
    assert failure.value.__notes__ == ["with the sliders at x = 10, y = 0"]


def test_a_callback_that_warns_at_an_end_fails(monkeypatch):
    monkeypatch.setenv("RCNN_LITE_TRY_SLIDERS", "1")
    with pytest.raises(UserWarning, match="too small"):
        sliders(lambda x: x or warnings.warn("too small", stacklevel=1), x=(0, 10, 4))


def test_what_one_library_says_to_another_is_no_failure(monkeypatch):
    monkeypatch.setenv("RCNN_LITE_TRY_SLIDERS", "1")
    sliders(lambda x: x == 4 or warnings.warn("old", DeprecationWarning, stacklevel=1), x=(0, 10, 4))


# ---- the notebooks' sliders ----


def calls_of_sliders(path):
    """(cell, names of the sliders) of each call of ``sliders`` in a notebook."""
    for cell in nbformat.read(path, as_version=4).cells:
        for node in ast.walk(ast.parse(cell.source)) if cell.cell_type == "code" else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "sliders":
                yield cell, {keyword.arg for keyword in node.keywords}


def test_the_sliders_of_the_course():
    found = sorted((path.name[:2], tuple(sorted(names))) for path in NOTEBOOKS for _, names in calls_of_sliders(path))
    assert found == sorted((notebook, tuple(sorted(names))) for notebook, names in TOPICS.values())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_sliders_have_a_static_first_picture_and_a_line_under_it(path):
    for cell, _ in calls_of_sliders(path):
        picture, line = cell.outputs
        assert any(kind.startswith("image/") for kind in picture.data), cell.source
        assert line.text.strip(), cell.source


def test_the_callbacks_of_notebook_01_draw_at_both_ends_of_their_sliders(capsys, monkeypatch):
    matplotlib.use("agg")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    path = Path(__file__).resolve().parents[1] / "notebooks" / "01_boxes_iou_nms.ipynb"
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    needed = ("import matplotlib", "def imitate_detector", "coins_image, coins =", "dark =", "sliders(")
    calls = []
    space = {"keep": lambda callback, **ranges: calls.append((callback, ranges))}
    with plt.rc_context():
        for source in sources:
            if any(words in source for words in needed):
                exec(source.replace("sliders(", "keep("), space)
        for callback, ranges in calls:
            for end in (0, 1):
                callback(**{name: bounds[end] for name, bounds in ranges.items()})
    printed = capsys.readouterr().out
    assert len(calls) == 2
    assert "| IoU 0.0" in printed
    assert "threshold 0.00: 24 of 144" in printed
    assert "threshold 1.00: 144 of 144" in printed
