"""Sliders: a static first picture without a person, widgets with one."""

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest

from rcnn_lite.widgets import is_live, sliders


@pytest.fixture(autouse=True)
def no_session(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


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
