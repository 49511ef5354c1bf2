"""How long a notebook takes to teach, estimated from what stands in it, and what of it fits into 45 or 90 minutes.

Nothing here is typed in for one notebook: a plan changes when the notebook does. Minutes of exercises are those that
the notebook states.
"""

from dataclasses import dataclass

import nbformat

from rcnn_lite.teaching.outline import Item, Part, Section, Task, questions_of, sections_of, tasks_of, word_count

SPOKEN = 130  # words of prose a minute: calm speech
FIGURE = 0.75  # minutes to look at a picture together, its axes and colours named
FORMULA = 0.75  # minutes to read a displayed formula term by term
LINE = 0.08  # minutes a line of code: five seconds
TALKED_OVER = 0.15  # of a lecture goes to what nobody plans: questions, a late start, a projector
LAB = 0.10  # of a lecture: the bug that is switched on and watched
ASKED = 0.08  # of a lecture: questions to the class
PRACTICE = 0.20  # of a lecture of 60 minutes or more: exercises solved on the spot
AT_LEAST = 0.4  # of the minutes that a section needs; one that would get less is left for reading
QUESTION = 1.5  # minutes to think about a question and compare
OPENING = {"title": 1.0, "summary": 2.0}  # minutes; the second as its heading says
LECTURES = (45, 90)
ONLY_READ = ("prerequisites", "references", "refresher", "exercises", "questions", "claims")


@dataclass(frozen=True)
class Slot:
    """One line of a plan: whole minutes for a section; the items to show, and how many are left for reading."""

    section: Section
    minutes: int
    shown: list[Item]
    left: int


@dataclass(frozen=True)
class Plan:
    """A lecture of ``total`` minutes: slots, exercises solved on the spot, questions to ask, minutes kept free."""

    total: int
    slots: list[Slot]
    live: list[Task]
    homework: list[Task]
    questions: list[str]
    free: int

    @property
    def practice(self) -> int:
        """Minutes of the exercises solved on the spot."""
        return sum(task.minutes for task in self.live)

    @property
    def asking(self) -> int:
        """Whole minutes for the questions."""
        return round(QUESTION * len(self.questions))


def minutes_of(item: Item) -> float:
    """Minutes to go through one item without haste."""
    if item.is_code:
        lines = sum(bool(line.strip()) for line in item.text.splitlines())
        return FIGURE * item.figures + LINE * min(lines, 8 if item.figures else lines)
    return word_count(item.text) / SPOKEN + FORMULA * len(item.formulas)


def items_of(section: Section) -> list[Item]:
    """The items of a section that a lecture shows: no exercises."""
    return [item for part in section.lecture_parts for item in part.items]


def section_minutes(section: Section) -> float:
    """Minutes to go through all of a section."""
    return sum(map(minutes_of, items_of(section)))


def worth(section: Section) -> int:
    """How much of a section must be shown rather than read: its exercises, formulas and pictures."""
    shown = sum(item.figures + len(item.formulas) for item in items_of(section))
    return shown + len(section.parts) - len(section.lecture_parts)


def shares(weights: list[float], total: int) -> list[int]:
    """``total`` whole minutes shared out by weight, the largest remainders rounded up; no weight, no minutes.

    >>> shares([1, 1, 2], 10)
    [3, 2, 5]
    """
    exact = [total * weight / (sum(weights) or 1) for weight in weights]
    whole = [int(minutes) for minutes in exact]
    order = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in order[: total - sum(whole) if sum(weights) else 0]:
        whole[i] += 1
    return whole


def slot(section: Section, minutes: int) -> Slot:
    """What of a section fits into some minutes: pictures and formulas, then how each part opens, then the rest."""
    ranked = sorted(_ranked(section), key=lambda pair: pair[0])
    shown, spent = [], 0.0
    for _, item in ranked if minutes else []:
        if spent + minutes_of(item) <= minutes + 0.5:
            shown.append(item)
            spent += minutes_of(item)
    shown.sort(key=lambda item: item.index)
    return Slot(section, minutes, shown, len(ranked) - len(shown))


def _ranked(section: Section) -> list[tuple[tuple[int, int], Item]]:
    """(rank, item): 0 for a picture or a formula, 1 for the opening of a part, 2 for the rest; then by place."""

    def rank(part: Part, item: Item) -> int:
        """Which of the three."""
        return 0 if item.figures or item.formulas else 1 if item is part.items[0] else 2

    return [((rank(part, item), item.index), item) for part in section.lecture_parts for item in part.items]


def plan(notebook: nbformat.NotebookNode, total: int) -> Plan:
    """A lecture of ``total`` minutes on a notebook, from its start to its "break it" lab, questions and practice.

    Exercises are solved on the spot in lectures of an hour or more, the shortest first; all others are homework. The
    minutes that remain are shared among the sections as their contents ask for. Where that would be less than two
    fifths of what they need, sections are left for reading: those with the tag "optional", and, if that is not enough,
    those with the fewest exercises, formulas and pictures.
    """
    tasks, live = tasks_of(notebook), []
    for task in sorted(tasks, key=lambda task: (task.minutes, task.number)):
        if total >= 60 and sum(t.minutes for t in live) + task.minutes <= PRACTICE * total:
            live.append(task)
    asked = [question for question, _ in questions_of(notebook)][: int(ASKED * total / QUESTION)]
    taught = [section for section in sections_of(notebook) if section.kind not in ONLY_READ]
    fixed = {**OPENING, "break it": LAB * total}
    free = round(TALKED_OVER * total)
    minutes = [round(fixed.get(section.kind, 0)) for section in taught]
    made = Plan(total, [], live, [task for task in tasks if task not in live], asked, free)
    rest = total - free - made.practice - made.asking - sum(minutes)
    weights = [0.0 if section.kind in fixed else section_minutes(section) for section in taught]
    for index in sorted(range(len(taught)), key=lambda i: (not taught[i].optional, worth(taught[i]), -i)):
        if AT_LEAST * sum(weights) > rest:
            weights[index] = 0.0
    minutes = [a + b for a, b in zip(minutes, shares(weights, rest), strict=True)]
    made.slots.extend(slot(section, m) for section, m in zip(taught, minutes, strict=True))
    return made
