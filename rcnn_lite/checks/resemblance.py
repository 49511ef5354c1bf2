"""What a wrong result looks like where no known mistake explains it: the right numbers, but turned, shifted or scaled.

A likeness is believed only if it explains every case that came out wrong, and at least `ENOUGH` of them: one number is
soon twice another one by chance.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rcnn_lite.checks.values import ATOL, RTOL, as_array, is_numbers

ENOUGH = 3


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=RTOL, atol=ATOL, equal_nan=True))


def _whole(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Whether a result is the right one after ``change``."""
    return lambda right, got: _equal(change(right), got)


def _entries(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], bool]:
    """Whether the entries that are wrong are the right ones after ``change``."""

    def alike(right: np.ndarray, got: np.ndarray) -> bool:
        if right.shape != got.shape:
            return False
        wrong = ~np.isclose(right, got, rtol=RTOL, atol=ATOL, equal_nan=True)
        return _equal(change(right[wrong]), got[wrong])

    return alike


def _sorted_alike(right: np.ndarray, got: np.ndarray) -> bool:
    return right.shape == got.shape and _equal(np.sort(right, axis=None), np.sort(got, axis=None))


def _divided_by_nothing(right: np.ndarray, got: np.ndarray) -> bool:
    bad = ~np.isfinite(got)
    return right.shape == got.shape and bool(bad.any()) and _equal(right[~bad], got[~bad])


LIKENESSES: dict[str, Callable[[np.ndarray, np.ndarray], bool]] = {
    "rows and columns are exchanged": _whole(lambda right: np.swapaxes(right, -1, -2) if right.ndim > 1 else right),
    "the order is reversed": _whole(lambda right: right[::-1] if right.ndim else right),
    "the signs are the other way round": _entries(lambda right: -right),
    "a logarithm has base 2 where the natural one is meant": _entries(lambda right: right / math.log(2)),
    "what is wrong is 1 too large": _entries(lambda right: right + 1),
    "what is wrong is 1 too small": _entries(lambda right: right - 1),
    "what is wrong is twice what it should be": _entries(lambda right: 2 * right),
    "what is wrong is half of what it should be": _entries(lambda right: right / 2),
    "what is wrong is the square of what it should be": _entries(lambda right: right**2),
    "you give 1 minus what is asked for": _entries(lambda right: 1 - right),
    "what is wrong is turned upside down: 1 / x for x": _entries(lambda right: 1 / right),
    "numbers are rounded off": _entries(np.round),
    "numbers are cut to whole ones": _entries(np.floor),
    "the numbers are right, their order is not": _sorted_alike,
    "the numbers are right, the shape is not": lambda right, got: _equal(right.ravel(), got.ravel()),
    "what is wrong comes of dividing by 0, or of a logarithm of 0: say what the result is there": _divided_by_nothing,
    "they are summed up where each by itself is asked for": lambda right, got: _equal(right.sum(), got),
    "each by itself is given where one number for all is asked for": lambda right, got: (
        right.size == 1 and got.size > 1 and (_equal(got.sum(), right.sum()) or _equal(got.mean(), right.sum()))
    ),
}


def resemblance(results: Sequence[tuple[object, object]]) -> str | None:
    """The likeness that explains all of these (right result, wrong result), if one does.

    >>> resemblance([([1.0, 2.0], [2.0, 4.0]), ([3.0], [6.0]), ([0.5, 4.0], [1.0, 8.0])])
    'what is wrong is twice what it should be'
    """
    pairs = [pair for right, got in results for pair in _pairs(right, got)]
    wrong = [(right, got) for right, got in pairs if right.size and not _equal(right, got)]
    if len(wrong) < ENOUGH:
        return None
    with np.errstate(all="ignore"):
        return next((words for words, alike in LIKENESSES.items() if all(alike(*pair) for pair in wrong)), None)


def _pairs(right: object, got: object) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The arrays of two results, side by side; nothing where their structures differ."""
    if isinstance(right, dict) and isinstance(got, dict) and set(right) == set(got):
        right, got = list(right.values()), [got[key] for key in right]
    elif is_numbers(right):
        one, other = as_array(right), as_array(got)
        if other is not None and one.dtype.kind != "b":  # a wrong flag can only be the opposite
            yield one.astype(float), other.astype(float)
        return
    if isinstance(right, (tuple, list)) and isinstance(got, (tuple, list)) and len(right) == len(got):
        for one, other in zip(right, got, strict=True):
            yield from _pairs(one, other)
