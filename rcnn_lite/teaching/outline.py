"""What a notebook holds: sections under their headings, exercises with their checks, questions with folded answers.

A markdown cell may hold several headings, so the unit here is the `Part`: a heading and all that follows it up to the
next heading, in one cell or in many. A part of level 2 opens a section.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import nbformat

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$")
EXERCISE = re.compile(r"Exercise (\d+) (★+)☆* · (\d+) minutes(?:: (.+))?$")
FOLD = re.compile(r"<details>\s*<summary>(.*?)</summary>\s*(.*?)\s*</details>", re.DOTALL)
FORMULA = re.compile(r"\$\$.+?\$\$", re.DOTALL)
CHECK = re.compile(r"^(check_\w+)\((\w+)\)$")
KINDS = {  # kind of a section: what its heading says; a section of any other heading is content
    "summary": r"(2|two)[- ]minute",
    "prerequisites": r"prerequisite",
    "break it": r"break it",
    "exercises": r"^exercises?$",
    "questions": r"^questions?",
    "references": r"^references?",
    "claims": r"what the papers? |^the road map|what was measured",
    "refresher": r"^refresher",
}


@dataclass(frozen=True)
class Item:
    """A code cell, or the text of a markdown cell as far as it belongs to one part; ``index`` counts the cells.

    ``last`` is False for text that another heading of the same cell follows.
    """

    index: int
    text: str
    cell: nbformat.NotebookNode
    last: bool = True

    @property
    def is_code(self) -> bool:
        """Whether this is a code cell."""
        return self.cell.cell_type == "code"

    @property
    def figures(self) -> int:
        """How many pictures the cell has stored."""
        kinds = [kind for output in self.cell.get("outputs", []) for kind in output.get("data", {})]
        return sum(kind.startswith("image/") for kind in kinds)

    @property
    def formulas(self) -> list[str]:
        """Displayed formulas of a text, as they stand."""
        return [] if self.is_code else FORMULA.findall(self.text)

    @property
    def note(self) -> str:
        """What the cell says to the speaker; if it holds several headings, it means the last one."""
        return self.cell.metadata.get("speaker_notes", "") if self.last else ""

    @property
    def is_solution(self) -> bool:
        """Whether a learner fills this cell in."""
        return self.is_code and BEGIN in self.text


@dataclass(frozen=True)
class Part:
    """A heading with its level (1 .. 6), and what follows up to the next heading."""

    level: int
    heading: str
    items: list[Item] = field(default_factory=list)

    @property
    def is_exercise(self) -> bool:
        """Whether the heading announces an exercise."""
        return bool(EXERCISE.match(self.heading))


@dataclass(frozen=True)
class Section:
    """A part of level 2 with those below it. ``kind`` is one of `KINDS`, ``"title"``, or ``"content"``."""

    heading: str
    kind: str
    parts: list[Part]

    @property
    def opening(self) -> nbformat.NotebookNode | None:
        """The cell in which the section begins."""
        return next((item.cell for part in self.parts for item in part.items), None)

    @property
    def optional(self) -> bool:
        """Whether the cell in which it begins has the tag ``optional``: a short lecture leaves it for reading."""
        return self.opening is not None and "optional" in self.opening.metadata.get("tags", [])

    @property
    def speaker_notes(self) -> list[str]:
        """What its cells say to the speaker, in order."""
        return [item.note for part in self.parts for item in part.items if item.note]

    @property
    def lecture_parts(self) -> list[Part]:
        """The parts without the exercises among them."""
        return [part for part in self.parts if not part.is_exercise]


@dataclass(frozen=True)
class Task:
    """An exercise: its heading in pieces, its text without the hints, the cell to fill in, and its check's name."""

    number: int
    stars: int
    minutes: int
    title: str
    text: str
    hints: list[str]
    item: Item
    check: str
    module: str

    @property
    def grade_id(self) -> str:
        """The name by which nbgrader knows the cell."""
        return self.item.cell.metadata.nbgrader.grade_id

    @property
    def answer(self) -> str:
        """The name that the learner gives a value to."""
        return CHECK.match(self.item.text.strip().splitlines()[-1]).group(2)

    def load_check(self) -> object:
        """The check itself, imported from its module."""
        return getattr(importlib.import_module(self.module), self.check)


def parts_of(notebook: nbformat.NotebookNode) -> list[Part]:
    """The parts in order. Text before the first heading belongs to a part of level 1 without a heading."""
    parts = [Part(1, "")]
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            parts[-1].items.append(Item(index, cell.source, cell))
            continue
        pieces = list(_split(cell.source))
        for number, (heading, text) in enumerate(pieces, start=1):
            if heading:
                parts.append(Part(len(heading[0]), heading[1]))
            if text or number == len(pieces):
                parts[-1].items.append(Item(index, text, cell, last=number == len(pieces)))
    return [part for part in parts if part.heading or part.items]


def _split(source: str) -> Iterator[tuple[tuple[str, str] | None, str]]:
    """(level and words of a heading or None, the text under it) of a markdown source; fenced code has no headings."""
    heading, lines, fenced = None, [], False
    for line in source.splitlines():
        fenced ^= line.lstrip().startswith("```")
        found = None if fenced else HEADING.match(line)
        if found:
            yield heading, "\n".join(lines).strip()
            heading, lines = found.groups(), []
        else:
            lines.append(line)
    yield heading, "\n".join(lines).strip()


def kind_of(heading: str) -> str:
    """The kind of a section by its heading."""
    return next((kind for kind, words in KINDS.items() if re.search(words, heading, re.IGNORECASE)), "content")


def sections_of(notebook: nbformat.NotebookNode) -> list[Section]:
    """The sections in order; the first is the title with what stands under it."""
    sections: list[Section] = []
    for part in parts_of(notebook):
        if part.level <= 2 or not sections:
            kind = "title" if part.level == 1 else kind_of(part.heading)
            sections.append(Section(part.heading, kind, []))
        sections[-1].parts.append(part)
    return sections


def tasks_of(notebook: nbformat.NotebookNode) -> list[Task]:
    """The exercises in order.

    ``ValueError`` for a cell to fill in that no heading of an exercise precedes, whose last line is no check, or whose
    check is imported nowhere above.
    """
    found, modules = [], {}
    for part in parts_of(notebook):
        for item in part.items:
            if item.is_code:
                modules |= _imported_from(item.text)
            if item.is_solution:
                found.append(_task(part, item, modules))
    return found


def _task(part: Part, item: Item, modules: dict[str, str]) -> Task:
    heading, check = EXERCISE.match(part.heading), CHECK.match(item.text.strip().splitlines()[-1])
    if not heading:
        raise ValueError(f"cell {item.index} is to be filled in, but stands under '{part.heading}', no exercise")
    if not check:
        raise ValueError(f"cell {item.index} is to be filled in, but its last line is not check_...(answer)")
    if check.group(1) not in modules:
        raise ValueError(f"cell {item.index} calls {check.group(1)}, which no cell above imports")
    number, stars, minutes, title = heading.groups()
    text = "\n\n".join(other.text for other in part.items if not other.is_code)
    hints = [words for summary, words in FOLD.findall(text) if summary.startswith("Hint")]
    text = FOLD.sub("", text).strip()
    name = check.group(1)
    return Task(int(number), len(stars), int(minutes), title or "", text, hints, item, name, modules[name])


def _imported_from(source: str) -> dict[str, str]:
    """``{name: module}`` of what a source imports from modules."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module for node in nodes for alias in node.names}


def questions_of(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """(question, folded answer) of the sections of questions."""
    asked = [part for section in sections_of(notebook) if section.kind == "questions" for part in section.parts]
    return [pair for part in asked for item in part.items if not item.is_code for pair in FOLD.findall(item.text)]


def first_sentences(text: str, count: int = 1) -> str:
    """The first sentences of the first paragraph of a markdown text that is neither list, table, formula nor fold."""
    for paragraph in re.split(r"\n\s*\n", FOLD.sub("", text)):
        if not re.match(r"\s*([-*|>$<`]|\d+\.)\s*", paragraph) or re.match(r"\s*(\*\*|`[^`])", paragraph):
            words = " ".join(paragraph.split())
            return " ".join(re.split(r"(?<=[.!?])\s+(?=[A-Z*`$(\d])", words)[:count])
    return ""


def word_count(text: str) -> int:
    """Words of a text that are spoken: without folds, formulas and the addresses of links."""
    text = re.sub(r"\]\([^)]*\)", "]", FORMULA.sub("", FOLD.sub("", text)))
    return len(re.findall(r"[^\W_]+(?:['’.,-][^\W_]+)*", text))
