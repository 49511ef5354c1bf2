"""``make mutants``: every wrong answer with the message that its check gives, and the share that is caught.

Three kinds of wrong answers for each exercise: mistakes that learners make (tests/mutants/), the general ones (stub,
input returned, crash, arguments changed, no end), and changes made by a machine (tests/mutation.py). What no check
caught is listed first of each exercise. The page is written to build/ and never committed.
"""

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import answers
from answers import EXERCISES, rows_of
from mutation import can_be_changed, mutants_of

from rcnn_lite.checks import CheckFailed, Exercise

LEAST = 0.95
"""The share of the wrong answers that must be caught."""


class Verdict(NamedTuple):
    """One wrong answer: its kind, what is wrong with it, and the message it got; None where it passed."""

    kind: str
    mistake: str
    message: str | None


def message_of(exercise: Exercise, answer) -> str | None:
    """What the check says to an answer, or None if it lets it pass."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exercise(answer)
        except CheckFailed as failed:
            return str(failed)
    return None


def verdicts(module: str, exercise: Exercise, machine: bool = True) -> Iterator[Verdict]:
    """Try all wrong answers to an exercise."""
    quick = replace(exercise, seconds=0.3)
    nameless = replace(quick, known=())  # whose messages are not listed, so nothing has to be recognised
    for mistake, function, _ in rows_of("MUTANTS", module, exercise.name):
        yield Verdict("learners", mistake, message_of(exercise, function))
    for mistake, function, _ in rows_of("ENDLESS", module, exercise.name):
        yield Verdict("learners", mistake, message_of(quick, function))
    for known in exercise.known:
        yield Verdict("learners", known.wrong.__name__.replace("_", " "), message_of(exercise, known.wrong))
    yield Verdict("general", "untouched stub", message_of(exercise, answers.stub))
    yield Verdict("general", "returns its input", message_of(exercise, answers.identity))
    yield Verdict("general", "crashes", message_of(exercise, answers.crash))
    yield Verdict("general", "changes its arguments", message_of(exercise, answers.mutate(exercise)))
    yield Verdict("general", "never ends", message_of(quick, answers.endless))
    for style, function in rows_of("RIGHT", module, exercise.name) if machine else ():
        for change, mutant in mutants_of(function) if can_be_changed(function) else ():
            yield Verdict("machine", f"{style}, {change}", message_of(nameless, mutant))


def rate(tried: Sequence[Verdict], *kinds: str) -> str:
    """How many of these kinds were caught: "76 of 80 (95.0 %)"."""
    chosen = [verdict for verdict in tried if verdict.kind in kinds]
    caught = sum(verdict.message is not None for verdict in chosen)
    return f"{caught} of {len(chosen)} ({100 * caught / max(len(chosen), 1):.1f} %)"


def section(module: str, exercise: Exercise, tried: Sequence[Verdict]) -> Iterator[str]:
    """The lines of one exercise: what passed unnoticed, then each caught answer with its message."""
    yield f"\n## {module}: `{exercise.name}`\n"
    yield f"Mistakes of learners: {rate(tried, 'learners')}; general: {rate(tried, 'general')}; "
    yield f"changes by machine: {rate(tried, 'machine')}.\n"
    for verdict in tried:
        if verdict.message is None:
            yield f"- **passed unnoticed** ({verdict.kind}): {verdict.mistake}"
    for verdict in tried:
        if verdict.message is not None and verdict.kind != "machine":
            yield f"\n**{verdict.mistake}**\n\n```text\n{verdict.message}\n```"


def listing(modules: Sequence[str], machine: bool = True) -> tuple[str, list[Verdict]]:
    """The page, and all verdicts, for the exercises of some modules of rcnn_lite.checks."""
    parts, everything = [], []
    for (module, _), exercise in EXERCISES.items():
        if module in modules:
            tried = list(verdicts(module, exercise, machine))
            parts += section(module, exercise, tried)
            everything += tried
    head = [
        "# Wrong answers and the messages they get\n",
        "| kind | caught |\n|---|---|",
        f"| mistakes of learners | {rate(everything, 'learners')} |",
        f"| general: stub, input returned, crash, arguments changed, no end | {rate(everything, 'general')} |",
        f"| one thing of a right answer changed by a machine | {rate(everything, 'machine')} |",
        "\nA change by a machine may leave the answer right (a border that is never reached, a smaller epsilon).",
    ]
    return "\n".join([*head, *parts]) + "\n", everything


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; 1 if too few of the learners' and general mistakes are caught."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "modules", nargs="*", default=answers.MODULES, help="modules of rcnn_lite.checks (default: all)"
    )
    parser.add_argument("--out", type=Path, default=Path("build/mutants.md"), help="where the page goes")
    parser.add_argument("--by-hand", action="store_true", help="leave out the changes by a machine, which take minutes")
    arguments = parser.parse_args(argv)
    page, tried = listing(arguments.modules, machine=not arguments.by_hand)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(page, encoding="utf-8")
    for kind in ("learners", "general", "machine"):
        print(f"{kind:10} {rate(tried, kind)}")
    print("written:", arguments.out)
    thought_of = [verdict for verdict in tried if verdict.kind != "machine"]
    return int(sum(verdict.message is not None for verdict in thought_of) < LEAST * len(thought_of))


if __name__ == "__main__":
    sys.exit(main())
