"""Every check of every notebook: right answers pass, wrong ones are told what is wrong.

The answers are in tests/mutants/, a file for each module of rcnn_lite.checks that holds exercises; `make mutants` lists
them with their messages.
"""

import re
from dataclasses import replace

import answers
import pytest
from answers import ANSWERS, EXERCISES, MODULES

from rcnn_lite.checks import CheckFailed
from rcnn_lite.checks.values import difference


def cases_of(kind):
    """Parameters (exercise, rest...) with readable names."""
    rows = [(name, row) for name in MODULES for row in getattr(ANSWERS[name], kind)]
    return [pytest.param(EXERCISES[name, row[0]], *row[2:], id=f"{row[0]}: {row[1]}") for name, row in rows]


every_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=[name for _, name in EXERCISES])


def message_of(exercise, answer):
    with pytest.raises(CheckFailed) as failure:
        exercise(answer)
    return str(failure.value)


@pytest.mark.parametrize(("exercise", "answer", "words"), cases_of("MUTANTS"))
def test_a_wrong_answer_is_told_what_is_wrong(exercise, answer, words):
    message = message_of(exercise, answer)
    assert words in message
    assert " = " in message, "the message shows no input"
    assert "    right: " in message


@pytest.mark.parametrize(("exercise", "answer"), cases_of("RIGHT"))
def test_a_right_answer_passes(exercise, answer, capsys):
    exercise(answer)
    printed = capsys.readouterr().out
    assert re.fullmatch(rf"{exercise.name}: right on \d+ cases\n", printed)


@pytest.mark.parametrize(("exercise", "answer", "words"), cases_of("ENDLESS"))
def test_an_endless_answer_is_stopped(exercise, answer, words):
    assert words in message_of(replace(exercise, seconds=0.3), answer)


@every_exercise
def test_there_are_enough_answers(exercise):
    for kind, least in (("MUTANTS", 5), ("RIGHT", 2)):
        count = sum(row[0] == exercise.name for module in ANSWERS.values() for row in getattr(module, kind))
        assert count >= least, f"{exercise.name} has {count} {kind}"


@every_exercise
def test_cases_worked_by_hand_agree_with_the_package(exercise):
    for case in exercise.cases:
        assert difference(case.expected, exercise.reference(*case.args)) is None, case


@every_exercise
def test_the_stub_is_not_an_answer(exercise):
    assert message_of(exercise, answers.stub) == f"{exercise.name}: not written yet."
    assert message_of(exercise, None) == f"{exercise.name}: not written yet."
    for nothing in (None, ...):
        assert "not written yet" in message_of(exercise, lambda *args, nothing=nothing: nothing)


@every_exercise
def test_the_first_argument_returned_is_recognised(exercise):
    assert f"`{exercise.parameters()[0]}` is returned as it came" in message_of(exercise, answers.identity)


@every_exercise
def test_a_crash_is_shown_with_its_input(exercise):
    message = message_of(exercise, answers.crash)
    assert "stops with IndexError (list index out of range)" in message
    assert "The line: return [1, 2, 3][7]" in message
    assert f"{exercise.parameters()[0]} = " in message


@every_exercise
def test_an_answer_that_changes_its_arguments_is_told(exercise):
    message = message_of(exercise, answers.mutate(exercise))
    assert f"changes its argument `{exercise.parameters()[0]}`" in message


@every_exercise
def test_an_endless_loop_is_stopped(exercise):
    message = message_of(replace(exercise, seconds=0.2), answers.endless)
    assert "does not come to an end; stopped after 0.2 seconds" in message


@every_exercise
def test_every_known_mistake_is_caught_and_named(exercise):
    for known in exercise.known:
        assert known.words in message_of(exercise, known.wrong)
