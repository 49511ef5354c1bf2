"""All exercises with the answers that their checks are tried on: for tests/checks/ and the listing of `make mutants`.

The answers themselves are in tests/mutants/, a file for each module of rcnn_lite.checks that holds exercises.
"""

import importlib
from collections.abc import Callable
from pathlib import Path

from rcnn_lite.checks import Exercise

MODULES = sorted(path.stem for path in (Path(__file__).parent / "mutants").glob("*.py"))
ANSWERS = {name: importlib.import_module(f"mutants.{name}") for name in MODULES}
EXERCISES = {
    (name, exercise.name): exercise
    for name in MODULES
    for exercise in vars(importlib.import_module(f"rcnn_lite.checks.{name}")).values()
    if isinstance(exercise, Exercise)
}


def rows_of(kind: str, module: str, exercise: str) -> list[tuple]:
    """The rows of ``MUTANTS``, ``ENDLESS`` or ``RIGHT`` that belong to one exercise, without its name."""
    return [row[1:] for row in getattr(ANSWERS[module], kind) if row[0] == exercise]


def stub(*args):
    """What stands in the student edition."""
    raise NotImplementedError


def identity(*args):
    """The first argument, as it came."""
    return args[0]


def crash(*args):
    """An error of Python's."""
    return [1, 2, 3][7]


def endless(*args):
    """A loop without an end."""
    while True:
        pass


def mutate(exercise: Exercise) -> Callable:
    """The right result, but the first argument is overwritten."""

    def answer(*args):
        args[0][...] = 77
        return exercise.reference(*args)

    return answer
