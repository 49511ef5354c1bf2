"""What a check of an exercise is, and how it finds and shows the smallest input on which an answer goes wrong.

An `Exercise` tries an answer on cases worked by hand, smallest first, then on random ones of growing size, whose right
result the package's own function gives. The first failure is made smaller row by row, compared with known mistakes,
and raised as `CheckFailed`. The results worked by hand come from paper, so no answer is compared with itself only.
"""

import copy
import inspect
import linecache
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rcnn_lite.checks.deadline import Outcome, call_with_deadline
from rcnn_lite.checks.pictures import Picture, show_picture
from rcnn_lite.checks.resemblance import resemblance
from rcnn_lite.checks.values import code, describe, difference, show, unchanged

OTHER_CASES = 40
"""Cases on which an answer that failed is tried again, to tell which known mistake it makes."""


class CheckFailed(AssertionError):
    """An answer is not right yet. Jupyter shows the message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # asked for by IPython
        return str(self).splitlines()


class Case(NamedTuple):
    """Arguments, the right result worked by hand, and in a sentence how."""

    args: tuple
    expected: object
    why: str = ""


class Known(NamedTuple):
    """A mistake that learners make: what to tell them, and a function that makes it."""

    words: str
    wrong: Callable


def known(*wrong: Callable) -> tuple[Known, ...]:
    """Known mistakes from functions whose docstring is what to tell the learner."""
    return tuple(Known(" ".join(function.__doc__.split()), function) for function in wrong)


class Failure(NamedTuple):
    """A case that went wrong: ``sentence`` says how; ``result`` is None where the answer returned nothing to show."""

    sentence: str
    case: Case
    result: tuple | None = None
    hint: str = ""


@dataclass(frozen=True, repr=False)
class Exercise:
    """A check: call it with the learner's function.

    ``cases`` are worked by hand, smallest first. ``draw(rng, size)`` makes random arguments (``rounds`` times, sizes
    growing from 1 to ``largest``), ``reference`` their right result. ``together`` names the arguments whose rows belong
    together, by position: ``((0, 1), (2,))`` for boxes with scores, and ground truth; rows are left out while the
    answer still fails. ``known`` are mistakes to recognise. ``picture(case, result)`` may draw a failing case.
    """

    name: str
    cases: Sequence[Case]
    reference: Callable
    known: Sequence[Known] = ()
    draw: Callable[[np.random.Generator, int], tuple] | None = None
    together: tuple[tuple[int, ...], ...] = ()
    picture: Callable[[Case, object], Picture] | None = None
    rounds: int = 200
    largest: int = 8
    seconds: float = 5.0
    total_seconds: float = 30.0

    def __call__(self, answer: Callable) -> None:
        """Print one line if ``answer`` is right; raise `CheckFailed` if it is not."""
        if answer is None or answer is Ellipsis:
            raise CheckFailed(f"{self.name}: not written yet.")
        if not callable(answer):
            raise CheckFailed(f"{self.name}: the check wants the function itself, it got {describe(answer)}.")
        spent, count = 0.0, 0
        for count, case in enumerate(self.all_cases(), start=1):
            outcome = self._call(answer, case)
            failure = self._judge(answer, case, outcome, first=count == 1)
            if failure:
                self._fail(answer, failure)
            spent += outcome.seconds
            if spent > self.total_seconds:
                break
        slow = f" (the others were left out: they took longer than {self.total_seconds:.0f} seconds)"
        print(f"{self.name}: right on {count} cases" + (slow if spent > self.total_seconds else ""))

    def all_cases(self) -> Iterator[Case]:
        """The cases worked by hand, then the random ones, the same at each call."""
        yield from self.cases
        rng = np.random.default_rng(0)
        for index in range(self.rounds if self.draw else 0):
            args = self.draw(rng, 1 + index * self.largest // self.rounds)
            yield Case(args, self.reference(*copy.deepcopy(args)))

    def _call(self, answer: Callable, case: Case) -> Outcome:
        """Call with a copy of the arguments; ``outcome.args`` is what the answer left of them."""
        args = copy.deepcopy(case.args)
        outcome = call_with_deadline(answer, args, self.seconds)
        outcome.args = args
        return outcome

    def _judge(self, answer: Callable, case: Case, outcome: Outcome, first: bool = False) -> Failure | None:
        """What is wrong with an outcome, if anything is."""
        if not outcome.finished:
            sentence = f"does not come to an end; stopped after {self.seconds:g} seconds"
            return Failure(sentence, case, hint=_endless(outcome))
        if isinstance(outcome.error, NotImplementedError) and first:
            raise CheckFailed(f"{self.name}: not written yet.")
        if outcome.error is not None:
            return Failure(f"stops with {_error(outcome.error)}", case, hint=_place(answer, outcome.error))
        if outcome.value is Ellipsis or (outcome.value is None and first and case.expected is not None):
            raise CheckFailed(f"{self.name}: not written yet, or its `return` is missing: it gives {outcome.value}.")
        for name, before, after in zip(self.parameters(), case.args, outcome.args, strict=False):
            if not unchanged(before, after):
                hint = f"It made of {name}: {show(after)}. Work on a copy, such as {name}.clone()."
                return Failure(f"changes its argument `{name}`, which belongs to the caller", case, hint=hint)
        wrong = difference(case.expected, outcome.value)
        return Failure(wrong, case, (outcome.value,)) if wrong else None

    def _fail(self, answer: Callable, failure: Failure) -> None:
        """Make the failing case smaller, name the mistake, and raise."""
        if not failure.sentence.startswith("does not come to an end"):
            failure = self._smaller(answer, failure)
        if failure.result and self.picture:
            show_picture(self.picture, failure.case, failure.result[0])
        raise CheckFailed("\n".join(self._message(answer, failure)))

    def _message(self, answer: Callable, failure: Failure) -> Iterator[str]:
        case, names = failure.case, self.parameters()
        yield f"{self.name} is not right yet: {failure.sentence}."
        yield "The smallest case found:"
        for name, value in zip(names, case.args, strict=True):
            yield f"    {name} = {code(value)}"
        yield f"    right: {show(case.expected)}" + (f"    ({case.why})" if case.why else "")
        if failure.result:
            yield f"    yours: {show(failure.result[0])}"
        if failure.hint:
            yield failure.hint
        mistake = self._recognise(answer, failure)
        if mistake:
            yield mistake
        printed = self._call(answer, case).printed.strip() if failure.result else ""
        if printed:
            yield f"It printed: {printed[:400]}"

    def _smaller(self, answer: Callable, failure: Failure) -> Failure:
        """Leave out rows of the arguments as long as the answer still fails in the same way."""
        kind = failure.sentence.split()[:2] if failure.result is None else None
        progress = not failure.case.why  # a case worked by hand is as small as it is clear
        while progress:
            progress = False
            for args in _without_a_row(failure.case.args, self.together):
                case = Case(args, self.reference(*copy.deepcopy(args)))
                other = self._judge(answer, case, self._call(answer, case))
                if other and (other.sentence.split()[:2] if other.result is None else None) == kind:
                    failure, progress = other, True
                    break
        return failure

    def _recognise(self, answer: Callable, failure: Failure) -> str | None:
        """Name the known mistake that gives what the answer gives, here and on most other cases."""
        if failure.result is None and failure.sentence.startswith(("does not", "changes")):
            return None
        copies = zip(self.parameters(), failure.case.args, strict=True)
        same = [name for name, value in copies if failure.result and difference(value, failure.result[0]) is None]
        if same:
            return f"Likely mistake: `{same[0]}` is returned as it came."
        if not self.known:
            return None
        others = [case for case, _ in zip(self.all_cases(), range(OTHER_CASES), strict=False)]
        outcomes = []
        for case in [failure.case, *others]:
            outcomes.append((case, self._call(answer, case)))
            if not outcomes[-1][1].finished:
                break
        scores = []
        for known in self.known:
            agrees = [_agree(self._call(known.wrong, case), outcome) for case, outcome in outcomes]
            scores.append(sum(agrees) * agrees[0])
        if max(scores) == 0:
            alike = resemblance([(case.expected, o.value) for case, o in outcomes if o.finished and o.error is None])
            return f"It looks as if {alike}." if alike else None
        sure = "Likely mistake" if max(scores) == len(outcomes) else "Perhaps"
        return f"{sure}: {self.known[scores.index(max(scores))].words}"

    def parameters(self) -> list[str]:
        """Names of the arguments, as the reference calls them."""
        return list(inspect.signature(self.reference).parameters)[: len(self.cases[0].args)]


def _agree(one: Outcome, other: Outcome) -> bool:
    """Whether two calls came to the same: equal results, or errors of one type."""
    if not (one.finished and other.finished) or (one.error is None) != (other.error is None):
        return False
    if one.error is not None:
        return type(one.error) is type(other.error)
    return difference(one.value, other.value) is None


def _without_a_row(args: tuple, together: tuple[tuple[int, ...], ...]) -> Iterator[tuple]:
    """The arguments with one row left out, in every way; arguments that belong ``together`` lose the same row."""
    for group in together:
        for row in range(len(args[group[0]])):
            smaller = list(args)
            for position in group:
                keep = [i for i in range(len(args[position])) if i != row]
                value = args[position]
                smaller[position] = [value[i] for i in keep] if isinstance(value, list) else value[keep]
            yield tuple(smaller)


def _error(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return type(error).__name__ + (f" ({text[0][:200]})" if text else "")


def _place(answer: Callable, error: BaseException) -> str:
    """The line of the answer at which an error came up."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    line = linecache.getline(file, frames[-1].lineno).strip() if frames else ""
    return f"The line: {line}" if line else ""


def _endless(outcome: Outcome) -> str:
    if not outcome.stopped:
        return "It could not be stopped, since it waits inside compiled code: restart the kernel."
    return "Look at its loop: does each round bring the end nearer?"
