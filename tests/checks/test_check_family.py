"""The check of notebook 00's fourth exercise, whose answer is a dict and no function."""

import pytest

from rcnn_lite.checks import CheckFailed
from rcnn_lite.checks.family import check_new_answers
from rcnn_lite.family import FAMILY

RIGHT = {
    "SPPnet": {"array"},
    "Fast R-CNN": {"array", "predict"},
    "Faster R-CNN": {"where"},
    "Mask R-CNN": {"array", "predict"},
}


def message_of(answers):
    with pytest.raises(CheckFailed) as failure:
        check_new_answers(answers)
    return str(failure.value)


@pytest.mark.parametrize("kind", [set, list, tuple, frozenset])
def test_the_right_answers_pass(kind, capsys):
    check_new_answers({name: kind(answer) for name, answer in RIGHT.items()})
    assert capsys.readouterr().out == "new_answers: right for 4 detectors\n"


@pytest.mark.parametrize("stub", [None, ..., {}, dict.fromkeys(RIGHT), dict.fromkeys(RIGHT, ...)])
def test_a_stub_is_not_an_answer(stub):
    assert message_of(stub) == "new_answers: not written yet."


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"SPPnet": set()}, "SPPnet lacks 'array': the CNN runs once a picture"),
        ({"SPPnet": {"array", "where"}}, "SPPnet has 'where' too many: it takes over selective search"),
        ({"Fast R-CNN": {"array"}}, "Fast R-CNN lacks 'predict': softmax and box regression are layers"),
        ({"Faster R-CNN": {"where", "array"}}, "Faster R-CNN has 'array' too many: it takes over RoI pooling and"),
        ({"Faster R-CNN": {"predict"}}, "Faster R-CNN lacks 'where': a small network proposes"),
        ({"Mask R-CNN": {"predict"}}, "Mask R-CNN lacks 'array': RoIAlign rounds nothing"),
        ({"Mask R-CNN": {"masks", "array"}}, "Mask R-CNN: 'masks' is none of where, array, predict."),
        ({"SPPnet": "array"}, "SPPnet: a set is wanted, such as {'array'}."),
        ({"SPPnet": 3}, "SPPnet: a set of 'where', 'array', 'predict' is wanted, got 3."),
        ({"YOLO": {"where"}}, "the keys must be SPPnet, Fast R-CNN, Faster R-CNN, Mask R-CNN; got"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(changed, sentence):
    message = message_of(RIGHT | changed)
    assert sentence in message
    assert message.count("\n") <= 2


def test_all_faults_are_told_at_once():
    assert message_of(dict.fromkeys(RIGHT, {"where"})).count("lacks") == 5


def test_the_answers_asked_for_are_those_of_the_picture():
    assert {detector.name: detector.new for detector in FAMILY[2:]} == RIGHT
