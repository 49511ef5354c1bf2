"""The listing of `make mutants`, and the machine that makes wrong answers from right ones."""

import numpy as np
from mutants_listing import main, message_of
from mutation import can_be_changed, mutants_of

from rcnn_lite.checks import Case, Exercise


def area(boxes, least=0):
    """Of boxes (n, 4), at least ``least``."""
    w, h = boxes[:, 2] - boxes[:, 0], np.clip(boxes[:, 3], 0, None)
    return (w * h).clip(least) if len(boxes) > 1 else w * h


def changes(function):
    return {mutant.change.split(": ")[1]: mutant.function for mutant in mutants_of(function)}


def test_every_place_of_a_function_is_changed_once():
    made = changes(area)
    assert set(made) == {
        "`0` became `1`",  # the default, a column, a limit
        "`(w, h)` became `(h, w)`",
        "`boxes[:, 2] - boxes[:, 0]` became `boxes[:, 2] + boxes[:, 0]`",
        "`2` became `3`",
        "`3` became `4`",
        "`w * h` became `w / h`",
        "`(w * h).clip(least)` became `w * h`",
        "`len(boxes) > 1` became `len(boxes) >= 1`",
        "`1` became `0`",
    }
    assert len(list(mutants_of(area))) == 12


def test_a_changed_function_does_what_its_words_say():
    boxes = np.array([[1.0, 0.0, 3.0, 5.0]])
    made = changes(area)
    assert area(boxes).tolist() == [10]
    assert made["`w * h` became `w / h`"](boxes).tolist() == [0.4]
    assert made["`boxes[:, 2] - boxes[:, 0]` became `boxes[:, 2] + boxes[:, 0]`"](boxes).tolist() == [20]
    assert area(boxes).tolist() == [10], "the right one stays as it is"


def test_what_has_no_source_of_its_own_is_left_alone():
    assert can_be_changed(area)
    assert not can_be_changed(lambda x: x)
    assert not can_be_changed(max)

    def closure():
        return boxes_of

    boxes_of = None
    assert not can_be_changed(closure)


def test_what_passes_has_no_message():
    exercise = Exercise(name="double", cases=(Case((np.array([2]),), 4),), reference=lambda x: int(2 * x[0]))
    assert message_of(exercise, lambda x: int(x[0] ** 2)) is None
    assert "it gives 3 where 4 is right" in message_of(exercise, lambda x: 3)


def test_the_listing_has_every_wrong_answer_with_its_message(tmp_path, capsys):
    page = tmp_path / "deep" / "mutants.md"
    assert main(["family", "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    assert "learners   42 of 42 (100.0 %)" in printed
    assert "general    15 of 15 (100.0 %)" in printed
    assert "| mistakes of learners | 42 of 42 (100.0 %) |" in text
    for exercise in ("pixels_through", "boxes_of", "speedup"):
        assert f"## family: `{exercise}`" in text
    for mistake in ("untouched stub", "returns its input", "crashes", "changes its arguments", "never ends"):
        assert text.count(f"**{mistake}**") == 3
    unnoticed = [line.split(": ", 2)[2] for line in text.splitlines() if "passed unnoticed" in line]
    assert set(unnoticed) <= {  # the answer stays right: both start at 0; height times width
        "`(regions, pictures)` became `(pictures, regions)`",
        "`(height, width)` became `(width, height)`",
    }
    assert text.count("is not right yet: ") == text.count("```text") - 3, "a stub is told that it is not written yet"


def test_too_many_unnoticed_mistakes_are_a_failure(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mutants_listing.message_of", lambda exercise, answer: None)
    assert main(["family", "--by-hand", "--out", str(tmp_path / "mutants.md")]) == 1
    assert "**passed unnoticed** (learners)" in (tmp_path / "mutants.md").read_text(encoding="utf-8")
