"""The pictures of failing cases: which exercises have one, that they can be drawn, what they say in words."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from answers import EXERCISES, rows_of

from rcnn_lite.checks import Case, CheckFailed
from rcnn_lite.checks.pictures import Dots, Outline, Picture, Row, grids, right_and_yours
from rcnn_lite.checks.values import as_array

SHOWN = {"anchors", "box", "boxes", "cell_anchors", "channel", "coarse", "fine", "mask", "masks", "proposals"}
"""Arguments that one would draw on paper."""
IN_NUMBERS = {  # exercises with such arguments whose mistakes no picture shows
    "pixels_through": "counts of proposals",
    "run_lengths": "numbers of pixels one after another",
    "scale_of": "one size of each box counts",
    "theta_of": "a matrix for each box",
}
PICTURED = [pytest.param(*key, id=key[1]) for key, exercise in EXERCISES.items() if exercise.picture]


def svg(picture):
    return ElementTree.fromstring(picture._repr_svg_())


def texts(picture):
    return [element.text for element in svg(picture).iter("{http://www.w3.org/2000/svg}text")]


def count(picture, shape):
    return len(list(svg(picture).iter(f"{{http://www.w3.org/2000/svg}}{shape}")))


def has_nothing(value):
    values = value.values() if isinstance(value, dict) else [value]
    return any(array is not None and array.size == 0 for array in map(as_array, values))


def test_who_gets_boxes_or_maps_gets_a_picture():
    without = {name for (_, name), e in EXERCISES.items() if not e.picture and set(e.parameters()) & SHOWN}
    assert without == set(IN_NUMBERS)


@pytest.mark.parametrize(("module", "name"), PICTURED)
def test_the_cases_worked_by_hand_can_be_drawn(module, name):
    exercise = EXERCISES[module, name]
    full = [case for case in exercise.cases if not any(map(has_nothing, case.args))]
    assert len(full) >= 3
    for case in full:
        picture = exercise.picture(case, case.expected)
        assert len(repr(picture)) > len("picture: ")
        assert count(picture, "rect") + count(picture, "circle") > 0
        assert "nan" not in picture._repr_svg_()


@pytest.mark.parametrize(("module", "name"), PICTURED)
def test_a_wrong_answer_is_drawn(module, name, monkeypatch):
    """The first wrong answer that gives something of the right shape."""
    shown, exercise = [], EXERCISES[module, name]
    monkeypatch.setattr("rcnn_lite.checks.harness.show_picture", lambda *args: shown.append(args))
    for _, wrong, _ in rows_of("MUTANTS", module, name):
        with pytest.raises(CheckFailed) as failure:
            exercise(wrong)
        if shown and "shape" not in str(failure.value):
            break
    draw, case, result = shown[-1]
    picture = draw(case, result)
    assert "nan" not in picture._repr_svg_()
    assert len(repr(picture)) > len("picture: ")


# ---- the parts of a picture ----


def test_boxes_points_and_names_are_drawn_at_their_places():
    """Two marks from 0 to 4 and 0 to 2: 260 - 28 pixels are 4 units, so a unit is 58."""
    box = Outline("box", torch.tensor([[0.0, 0.0, 4.0, 2.0]]), "#ff0000", dashed=True, names=["A & B"])
    picture = Picture([box, Dots("point", torch.tensor([[1.0, 2.0]]), "#0000ff")])
    assert repr(picture) == "picture: 1 box, 1 point"
    text = picture._repr_svg_()
    assert 'x="14.0" y="14.0" width="232.0" height="116.0"' in text
    assert 'cx="72.0" cy="130.0"' in text
    assert "stroke-dasharray" in text
    assert texts(picture) == ["A & B", "box", "point"]


def test_a_grid_shows_its_numbers_and_large_grids_their_shades_only():
    small = Picture((), torch.tensor([[0.0, 1.0], [2.0, 0.333]]), "map")
    assert texts(small) == ["map", "0", "1", "2", "0.33"]
    assert repr(small) == "picture: map, 2 x 2 cells"
    large = Picture((), np.eye(20), "large")
    assert texts(large) == ["large"]
    assert count(large, "rect") == 400


def test_equal_numbers_have_equal_shades_side_by_side():
    text = Row([Picture((), [[0.0, 2.0]], "a"), Picture((), [[1.0, 2.0]], "b")])._repr_svg_()
    assert text.count('fill="#7d7d7d"') == 2, "2 is the largest"
    assert text.count('fill="#ffffff"') == 1
    assert text.count('fill="#bebebe"') == 1


def test_answers_that_cannot_be_drawn_are_left_out():
    case = Case((torch.tensor([[0.0, 0.0, 2.0, 2.0]]),), torch.tensor([[1.0, 1.0, 2.0, 2.0]]))
    for answer in (None, "half", torch.zeros(3), torch.full((1, 4), float("inf"))):
        assert repr(right_and_yours()(case, answer)) == "picture: 1 right"
    grid = Case((torch.eye(3),), torch.eye(2))
    assert repr(grids((0, "input"))(grid, None)) == "picture: input, 3 x 3 cells; right, 2 x 2 cells"
    assert repr(grids()(grid, torch.eye(2))) == "picture: right, 2 x 2 cells; yours, 2 x 2 cells"


def test_a_frame_and_inputs_are_drawn_first():
    case = Case((torch.zeros(1, 4), (4, 6)), (torch.ones(1, 4), 3))
    picture = right_and_yours((0, "boxes", "#000000"), part=0, frame=1)(case, (torch.ones(2, 4), 3))
    assert repr(picture) == "picture: 1 the picture, 1 boxes, 1 right, 2 yours"
    assert picture.marks[0].places.tolist() == [[0, 0, 6, 4]]


def test_a_grid_without_cells_is_refused():
    with pytest.raises(ValueError, match="a grid must have rows and columns"):
        Picture((), torch.zeros(0, 3))
