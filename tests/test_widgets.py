"""Sliders: a static first picture without a person, widgets with one."""

import sys

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
