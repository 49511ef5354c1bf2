"""The harness itself: how it stops, shrinks, shows, compares and recognises."""

import threading
import time

import numpy as np
import pytest
import torch

from rcnn_lite.checks import Case, CheckFailed, Exercise, Known
from rcnn_lite.checks.deadline import call_with_deadline
from rcnn_lite.checks.pictures import Outline, Picture, show_picture
from rcnn_lite.checks.values import code, difference, show, unchanged


def total(values):
    return sum(values.tolist())


def draw(rng, size):
    return (torch.from_numpy(rng.integers(1, 9, size)),)


ADD = Exercise(
    name="total",
    cases=(Case((torch.tensor([2]),), 2, "one number"), Case((torch.tensor([2, 3]),), 5, "2 + 3")),
    reference=total,
    known=(Known("you leave out the last number.", lambda values: total(values[:-1])),),
    draw=draw,
    together=((0,),),
    seconds=1.0,
)


def message_of(exercise, answer):
    with pytest.raises(CheckFailed) as failure:
        exercise(answer)
    return str(failure.value)


# ---- stopping ----


def forever():
    while True:
        pass


def forever_catching_everything():
    while True:
        try:  # noqa: SIM105
            sum(range(1000))
        except:  # noqa: E722
            pass


def forever_in_finally():
    try:
        while True:
            pass
    finally:
        sum(range(100))


@pytest.mark.parametrize("answer", [forever, forever_catching_everything, forever_in_finally])
def test_an_endless_loop_is_stopped_and_burns_nothing_afterwards(answer):
    outcome = call_with_deadline(answer, (), seconds=0.2)
    assert not outcome.finished
    assert outcome.stopped
    assert outcome.seconds < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "answer"]


def test_a_call_that_cannot_be_stopped_is_left_behind(monkeypatch):
    monkeypatch.setattr("rcnn_lite.checks.deadline.GRACE", 0.1)
    outcome = call_with_deadline(time.sleep, (1.0,), seconds=0.1)
    assert not outcome.finished
    assert not outcome.stopped
    assert outcome.seconds < 0.9


def test_an_exit_is_an_error_like_another():
    assert isinstance(call_with_deadline(exit, (), seconds=1.0).error, SystemExit)


def test_what_an_answer_prints_is_kept_for_the_message(capsys):
    def chatty(values):
        print("here")
        return total(values) + 1

    assert "It printed: here" in message_of(ADD, chatty)
    assert capsys.readouterr().out == ""


def test_a_slow_answer_is_checked_on_fewer_cases(capsys):
    def slow(values):
        time.sleep(0.02)
        return total(values)

    Exercise(name="total", cases=ADD.cases, reference=total, draw=draw, total_seconds=0.1)(slow)
    printed = capsys.readouterr().out
    assert "took longer than 0 seconds" in printed
    assert int(printed.split()[3]) <= 6


# ---- the smallest case, and the mistake ----


def test_the_failing_case_is_made_smaller_row_by_row():
    wrong_with_a_seven = Exercise(name="total", cases=ADD.cases, reference=total, draw=draw, together=((0,),))
    message = message_of(wrong_with_a_seven, lambda values: total(values) + (7 in values.tolist() and len(values) > 1))
    numbers = eval(message.split("values = ")[1].splitlines()[0], {"torch": torch})
    assert len(numbers) == 2
    assert 7 in numbers.tolist()


def test_rows_that_belong_together_are_left_out_together():
    exercise = Exercise(
        name="dot",
        cases=(Case((torch.tensor([1]), torch.tensor([1])), 1),),
        reference=lambda a, b: int((a * b).sum()),
        draw=lambda rng, size: (*draw(rng, 6), *draw(rng, 6)),
        together=((0, 1),),
    )
    message = message_of(exercise, lambda a, b: int((a * b).sum()) + (len(a) > 3))
    a, b = (eval(message.split(f"{name} = ")[1].splitlines()[0], {"torch": torch}) for name in "ab")
    assert len(a) == len(b) == 4


def test_a_case_worked_by_hand_is_shown_as_it_is():
    message = message_of(ADD, lambda values: total(values) - (len(values) == 2))
    assert "values = torch.tensor([2, 3])" in message
    assert "right: 5    (2 + 3)" in message
    assert "yours: 4" in message


def test_a_mistake_is_sure_only_if_it_explains_every_case():
    assert "Likely mistake: you leave out the last number." in message_of(ADD, lambda values: total(values[:-1]))
    partly = message_of(ADD, lambda values: total(values[:-1]) if len(values) < 2 else -1)
    assert "Perhaps: you leave out the last number." in partly
    assert "you leave out" not in message_of(ADD, lambda values: -1)


def test_a_crash_after_the_first_cases_is_shrunk_to_the_same_crash():
    def answer(values):
        if len(values) > 2:
            raise ValueError("too many")
        return total(values)

    message = message_of(ADD, answer)
    numbers = eval(message.split("values = ")[1].splitlines()[0], {"torch": torch})
    assert "stops with ValueError (too many)" in message
    assert len(numbers) == 3


def test_a_crash_is_not_shrunk_to_another_failure():
    crashed = []

    def answer(values):
        if len(values) > 3:
            crashed.append(True)
            raise ValueError("too many")
        return total(values) + bool(crashed)  # once it has crashed it is wrong everywhere

    message = message_of(ADD, answer)
    numbers = eval(message.split("values = ")[1].splitlines()[0], {"torch": torch})
    assert "stops with ValueError" in message
    assert len(numbers) == 4


def test_a_mistake_that_is_right_on_the_failing_case_is_not_named():
    exercise = Exercise(name="total", cases=ADD.cases, reference=total, known=(Known("innocent", total),), draw=draw)
    assert "innocent" not in message_of(exercise, lambda values: total(values) - (len(values) == 2))


def test_what_is_no_function_is_refused():
    assert "wants the function itself, it got a int" in message_of(ADD, 3)


def test_jupyter_shows_the_message_without_a_traceback():
    error = CheckFailed("one\ntwo")
    assert error._render_traceback_() == ["one", "two"]


def test_the_same_cases_at_each_call():
    one, other = list(ADD.all_cases()), list(ADD.all_cases())
    assert [case.args[0].tolist() for case in one] == [case.args[0].tolist() for case in other]


def test_cases_grow():
    sizes = [len(case.args[0]) for case in ADD.all_cases()][2:]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (1, ADD.largest)


# ---- comparing ----


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (0.5, 0.5),
        (0.5, torch.tensor(0.5)),
        (0.5, np.float32(0.5)),
        ([1, 2], torch.tensor([1, 2], dtype=torch.uint8)),
        (torch.tensor([1.0, 2.0]), [1, 2]),
        (torch.zeros(0, 4), []),
        (torch.zeros(0, dtype=torch.int64), []),
        (torch.tensor([True, False]), np.array([True, False])),
        (float("nan"), float("nan")),
        ((torch.tensor([1.0]), 2), [np.array([1.0]), 2]),
        ({"mAP": 0.5, "AP": {1: 0.5}}, {"AP": {1: torch.tensor(0.5)}, "mAP": 0.5}),
    ],
)
def test_equal_results_of_any_kind(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "sentence"),
    [
        (0.5, 0.6, "it gives 0.6 where 0.5 is right"),
        (0.5, float("nan"), "it gives nan where 0.5 is right"),
        (0.5, "half", "the result must be numbers, it is a str"),
        (0.5, [0.5], "the shape is (1,) where () is right"),
        ([0, 1], [0.0, 1.0], "the result must be integers, it has dtype float64"),
        ([0, 1], [False, True], "the result must be whole numbers such as indices, it has True and False"),
        (torch.zeros(0, 4), torch.zeros(4, 0), "the shape is (4, 0) where (0, 4) is right"),
        (torch.zeros(2, 2), [[1, 2], [3]], "the result must be numbers, it is a list of 2 things"),
        ((torch.zeros(1), 1.0), 3, "the result must be 2 things, it is a int"),
        ((torch.zeros(1), 1.0), (torch.zeros(1), 2.0), "it gives 2 where 1 is right, in [1]"),
        ({"mAP": 0.5}, {"map": 0.5}, "the dict has the keys ['map'] where ['mAP'] are right"),
        ({"AP": {1: 0.5}}, {"AP": {1: 0.4}}, "it gives 0.4 where 0.5 is right, in ['AP'][1]"),
        ({"mAP": 0.5}, 0.5, "the result must be a dict with the keys ['mAP'], it is a float"),
    ],
)
def test_differences_are_sentences(expected, got, sentence):
    assert difference(expected, got) == sentence


def test_arguments_are_compared_to_the_bit():
    assert unchanged(({"a": torch.tensor([float("nan")])}, 3), ({"a": torch.tensor([float("nan")])}, 3))
    assert not unchanged(torch.tensor([1.0]), torch.tensor([1.0 + 1e-6]))
    assert not unchanged([1], [1, 2])
    assert not unchanged({"a": 1}, {"b": 1})


@pytest.mark.parametrize(
    "value",
    [torch.tensor([[0.5, 1.0]]), torch.tensor([1, 2]), np.array([1.5]), (3, 4), [torch.tensor([True])], {"a": 0.5}],
)
def test_code_can_be_pasted(value):
    assert difference(value, eval(code(value), {"torch": torch, "np": np})) is None


def test_empty_tensors_can_be_pasted():
    made = eval(code(torch.zeros(0, 4)), {"torch": torch})
    assert made.shape == (0, 4)
    assert eval(code(torch.zeros(0, dtype=torch.int64)), {"torch": torch}).dtype == torch.int64


def test_long_arrays_are_cut():
    assert show(torch.arange(100)).endswith("... 88 more]")


# ---- pictures ----


def test_a_picture_has_a_rectangle_a_box():
    svg = Picture([Outline("a", torch.tensor([[0.0, 0.0, 2.0, 1.0]]), "#ff0000")])._repr_svg_()
    assert svg.count("<rect") == 2  # the box, and its colour beside the caption
    assert ">a</text>" in svg


def test_a_picture_has_words_for_those_who_do_not_see_it():
    assert repr(Picture([Outline("boxes", torch.zeros(3, 4), "#ff0000")])) == "picture: 3 boxes"


def test_a_picture_leaves_out_what_is_not_finite():
    picture = Picture([Outline("nan", torch.full((1, 4), float("nan")), "#ff0000")])
    assert "nan" not in picture._repr_svg_()


def test_outside_a_notebook_no_picture_is_drawn():
    def fail():
        raise AssertionError("drawn")

    show_picture(fail)
