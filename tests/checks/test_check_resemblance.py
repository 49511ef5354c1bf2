"""Likenesses of wrong results: each is found, and none where chance would do."""

import math

import numpy as np
import pytest
import torch

from rcnn_lite.checks import Case, CheckFailed, Exercise, known
from rcnn_lite.checks.resemblance import LIKENESSES, resemblance

RIGHT = [np.array([[0.3, 2.6], [1.7, 4.2]]), np.array([[5.4, 0.9], [0.2, 3.3]]), np.array([[2.8, 1.1], [6.1, 0.7]])]
CHANGES = [
    ("the signs are", lambda x: -x),
    ("rows and columns", lambda x: x.T),
    ("the order is reversed", lambda x: x[::-1]),
    ("base 2", lambda x: x / math.log(2)),
    ("1 too large", lambda x: x + 1),
    ("1 too small", lambda x: x - 1),
    ("twice", lambda x: x + x),
    ("half", lambda x: 0.5 * x),
    ("the square", lambda x: x * x),
    ("1 minus", lambda x: 1 - x),
    ("upside down", lambda x: 1 / x),
    ("rounded off", lambda x: x.round()),
    ("cut to whole", lambda x: np.trunc(x)),
    ("their order is not", lambda x: x.ravel()[[2, 0, 3, 1]].reshape(2, 2)),
    ("the shape is not", lambda x: x[None]),
    ("dividing by 0", lambda x: np.where(x < 1, np.nan, x)),
    ("summed up", lambda x: x.sum()),
]


@pytest.mark.parametrize(("words", "change"), CHANGES, ids=[words for words, _ in CHANGES])
def test_a_likeness_is_found(words, change):
    assert words in resemblance([(right, change(right)) for right in RIGHT])


def test_entries_that_are_right_contradict_nothing():
    """A limit of W - 1: only what is clipped is wrong."""
    results = [(right, np.where(right > 2, right - 1, right)) for right in RIGHT]
    assert "1 too small" in resemblance(results)


def test_one_number_for_all():
    results = [(float(right.mean()), right.ravel()) for right in RIGHT]
    assert "each by itself is given" in resemblance(results)


def test_every_likeness_is_tested():
    assert len(CHANGES) + 1 == len(LIKENESSES)


def test_chance_is_not_believed():
    doubled = [(right, 2 * right) for right in RIGHT]
    assert resemblance(doubled[:2]) is None
    assert resemblance([*doubled, (RIGHT[0], 3 * RIGHT[0])]) is None
    assert resemblance([*doubled, (RIGHT[0], RIGHT[0])]) is not None, "a right result contradicts nothing"


def test_parts_and_what_is_no_number():
    results = [((right, 3), (-right, 3)) for right in RIGHT]
    assert "signs" in resemblance(results)
    assert "signs" in resemblance([({"a": right}, {"a": -right}) for right in RIGHT])
    assert resemblance([(right, "half") for right in RIGHT]) is None
    assert resemblance([((right, 3), right) for right in RIGHT]) is None
    assert resemblance([(right > 2, right > 0) for right in RIGHT]) is None
    assert resemblance([(right, right[0, :1]) for right in RIGHT]) is None
    assert resemblance([(right, np.zeros((0, 4))) for right in RIGHT]) is None
    assert resemblance([(right[:, :1], right) for right in RIGHT]) is None


def test_the_message_says_it_where_no_known_mistake_fits():
    def never(x):
        """you do something else."""
        return 77.0 * x

    exercise = Exercise(
        name="root",
        cases=tuple(Case((torch.tensor([v]),), [math.sqrt(v)]) for v in (2.0, 3.0, 5.0)),
        reference=lambda x: torch.sqrt(x),
        known=known(never),
    )
    with pytest.raises(CheckFailed, match="It looks as if what is wrong is half of what it should be."):
        exercise(lambda x: x.sqrt() / 2)
