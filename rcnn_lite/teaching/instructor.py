"""The instructor edition: the solved, executed notebook, and between its cells what a lecturer wants to know.

At the top the plans for 45 and 90 minutes; before each section its minutes, its point and what to show; below each
exercise the mistakes that its check expects, in the check's own words; below the lab what each bug is.
"""

import copy
import importlib
import re
from collections.abc import Iterator

import nbformat
from nbformat.v4 import new_markdown_cell

from rcnn_lite.pages import alt_text
from rcnn_lite.teaching.outline import Item, Section, Task, first_sentences, sections_of, tasks_of
from rcnn_lite.teaching.timing import LECTURES, Plan, items_of, plan, section_minutes

SHORT = 160  # characters of a figure's description


def misconceptions(task: Task) -> list[str]:
    """What learners who are wrong are told by the check of an exercise: the mistakes that it knows."""
    return [known.words for known in getattr(task.load_check(), "known", ())]


def lab_mistakes(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """``{name: sentence}`` of the bugs that a notebook switches on."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    modules = sorted(set(re.findall(r"from (rcnn_lite\.checks\.\w*mistakes) import", code)))
    known = {name: text for module in modules for name, text in importlib.import_module(module).mistakes().items()}
    return {name: text for name, text in known.items() if re.search(rf"[\"']{name}[\"']", code)}


def instructor_edition(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A solved notebook with plans, speaker notes and expected misconceptions."""
    sections, tasks = sections_of(notebook), {task.item.index: task for task in tasks_of(notebook)}
    plans = [plan(notebook, total) for total in LECTURES]
    before = {}
    for section in sections:
        if section.opening is not None and section.kind not in ("title", "references"):
            index = next(item.index for part in section.parts for item in part.items)
            before.setdefault(index, []).append(speaker_card(section, plans))
    cells = [("plan", plan_card(notebook, plans))]
    for index, cell in enumerate(copy.deepcopy(notebook).cells):
        cells += [(f"{cell.id}-notes-{n}", text) for n, text in enumerate(before.get(index, []))]
        cells.append((cell.id, cell))
        if index in tasks:
            cells.append((f"{cell.id}-expect", expectation_card(tasks[index])))
    edition = copy.deepcopy(notebook)
    edition.cells = [new_markdown_cell(text, id=name[:64]) if isinstance(text, str) else text for name, text in cells]
    return edition


def plan_card(notebook: nbformat.NotebookNode, plans: list[Plan]) -> str:
    """The page that comes first: what the notebook takes in full, and the plans side by side."""
    tasks, sections = tasks_of(notebook), sections_of(notebook)
    full = round(sum(section_minutes(section) for section in sections))
    lines = [
        "# For the instructor",
        f"Told in full, without exercises, this notebook takes about {full} minutes; its {len(tasks)} exercises take a "
        f"learner {sum(task.minutes for task in tasks)}. The minutes are estimated from words, pictures, formulas and "
        "lines of code (`rcnn_lite/teaching/timing.py`). Numbers in brackets are those of the executed cells to show.",
        "| section | " + " | ".join(f"{p.total} minutes | show" for p in plans) + " |",
        "|---|" + "--:|---|" * len(plans),
    ]
    rows = [
        [slots[0].section.heading, *(text for slot in slots for text in (_minutes(slot.minutes), _shown(slot.shown)))]
        for slots in zip(*(p.slots for p in plans), strict=True)
    ]
    rows.append(["**exercises, on the spot**", *(t for p in plans for t in (str(p.practice), _numbers(p.live)))])
    asked = [[_minutes(p.asking), f"the first {len(p.questions)}"] for p in plans]
    rows.append(["**questions to the class**", *(text for pair in asked for text in pair)])
    rows.append(["**kept free**", *(text for p in plans for text in (_minutes(p.free), ""))])
    rows.append(["**together**", *(text for p in plans for text in (f"**{total_minutes(p)}**", ""))])
    rows.append(["homework: exercises", *(text for p in plans for text in ("", _numbers(p.homework)))])
    table = "\n".join([*lines[2:], *("| " + " | ".join(row) + " |" for row in rows)])
    bugs = [f"- `{name}`: {text}" for name, text in lab_mistakes(notebook).items()]
    lab = ["## Bugs that the lab switches on", "\n".join(bugs)] if bugs else []
    return "\n\n".join([*lines[:2], table, *lab])


def total_minutes(plan: Plan) -> int:
    """All minutes of a plan."""
    return sum(slot.minutes for slot in plan.slots) + plan.practice + plan.asking + plan.free


def _minutes(minutes: int) -> str:
    return str(minutes) if minutes else "read"


def _numbers(tasks: list[Task]) -> str:
    return ", ".join(f"{task.number} ({task.minutes} min)" for task in tasks) or "none"


def _shown(items: list[Item]) -> str:
    return " ".join(f"[{item.cell.execution_count}]" for item in items if item.is_code) or "its text"


def speaker_card(section: Section, plans: list[Plan]) -> str:
    """What a speaker wants beside one section: minutes, notes, the point of each part, what its pictures show."""
    times = []
    for p in plans:
        minutes = next((slot.minutes for slot in p.slots if slot.section.heading == section.heading), None)
        if minutes is not None:
            times.append(f"{p.total}-minute lecture: {f'{minutes} min' if minutes else 'left for reading'}")
    head = " · ".join([f"**Speaker notes: {section.heading}**", *times])
    lines = [f"*Note.* {note}" for note in section.speaker_notes]
    lines += [f"*Say.* {words}" for words in points(section)]
    for item in items_of(section):
        if item.figures:
            text = alt_text(item.cell)
            text = text if len(text) <= SHORT else text[:SHORT].rpartition(" ")[0] + " ..."
            lines.append(f"*Show* [{item.cell.execution_count}]: {text}")
        lines += [f"*Write.* {' '.join(formula.split())}" for formula in item.formulas]
    if section.kind == "questions":
        lines.append("*Ask.* Let each be answered on paper before you unfold: the wrong answers are the lesson.")
    return "\n".join(["> " + head, *(f">\n> - {line}" for line in lines)])


def points(section: Section) -> Iterator[str]:
    """The sentence with which each part of a section opens."""
    for part in section.lecture_parts:
        words = next((first_sentences(item.text) for item in part.items if not item.is_code), "")
        if words:
            yield words


def expectation_card(task: Task) -> str:
    """Below an exercise: what it is worth, and the mistakes that its check recognises, in its own words."""
    known = misconceptions(task)
    head = f"> **Exercise {task.number}: what to expect** · {task.minutes} minutes · points: {task.stars}"
    if not known:
        return f"{head}\n>\n> The check names each wrong entry; it knows no typical mistake."
    return "\n".join(
        [head, ">", "> Learners hear from the check, if they make the mistake:", ">", *(f"> - {k}" for k in known)]
    )
