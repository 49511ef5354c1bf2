"""From a paper's formula to the line that computes it and the cell that checks it.

Nothing is listed by hand but the papers. A comment ``# Fast R-CNN, equation 3`` in the package stands on the line that
computes it, or above it. In a notebook a formula is numbered by ``\\tag{3}``, or by the words "equation 3" in the
paragraph above it, and belongs to the paper that was named last. The cell that checks it is the first one from there on
that prints or raises the result of a comparison and names the function, or the equation.
"""

import io
import re
import tokenize
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from book import FOLDER
from book.notebooks import Notebook
from book.reference import definitions, source_address

EQUATIONS = re.compile(r"[Ee]quations? (\d+(?:(?:,|,? and| to|-) *\d+)*)")
FORMULA = re.compile(r"\$\$.+?\$\$", re.DOTALL)
TAG = re.compile(r"\\tag\{(\d+)\}")
COMPARES = re.compile(r"allclose|array_equal|torch\.equal\(|\.tolist\(\) ==|== .*\.tolist\(\)|< 1e-\d|\bcheck_\w+\(")


@dataclass(frozen=True)
class Paper:
    """A paper, the names it goes by, and its numbered formulas that the course has."""

    name: str
    source: str
    numbers: list[int]
    also: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """A line of the package that computes a formula, and the name of the function around it."""

    path: Path
    number: int
    code: str
    function: str


@dataclass(frozen=True)
class Formula:
    """A numbered formula of a paper as a notebook shows it: in TeX, in the cell ``index``, under a heading."""

    paper: Paper
    number: int
    notebook: Notebook
    index: int
    heading: str
    tex: str


class Papers:
    """The papers by any of their names, as a text names them."""

    def __init__(self, rows: list[Paper]):
        self.rows = rows
        self.by_name = {name: paper for paper in rows for name in (paper.name, *paper.also)}
        names = sorted(map(re.escape, self.by_name), key=len, reverse=True)
        self.named = re.compile("|".join(names))

    def last_in(self, text: str) -> Paper | None:
        """The paper that the text names last; None if it names none."""
        found = self.named.findall(text)
        return self.by_name[found[-1]] if found else None

    def first_in(self, text: str) -> Paper | None:
        """The paper that the text names first; None if it names none."""
        found = self.named.search(text)
        return self.by_name[found.group()] if found else None


def read_papers() -> Papers:
    """The papers of papers.toml."""
    rows = tomllib.loads((FOLDER / "papers.toml").read_text(encoding="utf-8"))["paper"]
    return Papers([Paper(**row) for row in rows])


def numbers_in(text: str) -> list[int]:
    """The numbers of a list such as "1, 3 and 5" or "6-9".

    >>> numbers_in("1, 3 and 5"), numbers_in("6-9"), numbers_in("1 to 4")
    ([1, 3, 5], [6, 7, 8, 9], [1, 2, 3, 4])
    """
    spread = re.sub(r"(\d+) *(?:-|to) *(\d+)", lambda m: " ".join(map(str, range(int(m[1]), int(m[2]) + 1))), text)
    return [int(number) for number in re.findall(r"\d+", spread)]


def lines_of(package: Path, papers: Papers) -> dict[tuple[str, int], list[Line]]:
    """{(paper, number): the lines that compute it} of the comments in a package that name paper and equation."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type != tokenize.COMMENT:
                continue
            for match in EQUATIONS.finditer(token.string):
                paper = papers.last_in(token.string[: match.start()])
                for number in numbers_in(match.group(1)) if paper else []:
                    found.setdefault((paper.name, number), []).append(line_at(path, text, token.start))
    return found


def line_at(path: Path, text: str, place: tuple[int, int]) -> Line:
    """The line that a comment is about: its own, or the next one if there is nothing else on its own."""
    row, column = place
    code = text.splitlines()[row - 1][:column].strip()
    if not code:
        row, code = row + 1, text.splitlines()[row].strip()
    around = [(first, name) for name, (first, last) in definitions(path).items() if first <= row <= last]
    if not around:
        raise ValueError(f"{path.name}, line {row}: an equation outside of any function: {code}")
    return Line(path, row, code, max(around)[1].split(".")[-1])


def formulas_of(notebook: Notebook, papers: Papers) -> list[Formula]:
    """The numbered formulas of a notebook, in order; ValueError for one of which no paper is named before.

    Where a cell names no paper above its first formula, it is the one that it names below, or that of the formula
    before.
    """
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    paper, found = papers.first_in(f"{notebook.title}\n{prose}"), []
    for index, cell in enumerate(notebook.cells):
        blocks = list(FORMULA.finditer(cell.source)) if cell.cell_type == "markdown" else []
        for place, block in enumerate(blocks):
            above = cell.source[: block.start()]
            numbers = [int(number) for number in TAG.findall(block.group())] or numbers_above(above)
            if not numbers:
                continue
            below = papers.first_in(cell.source[block.end() :]) if place == 0 else None
            paper = papers.last_in(above) or below or paper
            if paper is None:
                raise ValueError(f"{notebook.name}, cell {cell.id}: of which paper is formula {numbers}?")
            heading = notebook.heading(index, block.start())
            found += [Formula(paper, number, notebook, index, heading, block.group()) for number in numbers]
    return found


def numbers_above(text: str) -> list[int]:
    """The numbers of the equations that the last paragraph of a text announces first."""
    paragraph = text.strip().rsplit("\n\n", 1)[-1]
    mention = None if FORMULA.search(paragraph) else EQUATIONS.search(paragraph)
    return numbers_in(mention.group(1)) if mention else []


def check_of(formula: Formula, lines: list[Line], notebooks: list[Notebook]) -> tuple[Notebook, int]:
    """The cell that checks a formula: from where it is shown, or, if there is none, the first of all notebooks."""
    names = re.compile("|".join(rf"\b{line.function.lstrip('_')}\b" for line in lines))

    def checks(source: str, own: bool) -> bool:
        mentioned = {number for match in EQUATIONS.finditer(source) for number in numbers_in(match.group(1))}
        return bool(COMPARES.search(source)) and bool(names.search(source) or (own and formula.number in mentioned))

    here = [(formula.notebook, i) for i in range(formula.index, len(formula.notebook.cells))]
    elsewhere = [(notebook, i) for notebook in notebooks for i in range(len(notebook.cells))]
    for places, own in ((here, True), (elsewhere, False)):
        for notebook, index in places:
            cell = notebook.cells[index]
            if cell.cell_type == "code" and checks(cell.source, own):
                return notebook, index
    raise ValueError(f"no cell checks equation {formula.number} of {formula.paper.name}: {lines[0].function}")


def index_of(notebooks: list[Notebook], package: Path) -> list[tuple[Formula, list[Line], tuple[Notebook, int]]]:
    """Each formula with its lines and the cell of its check, paper by paper.

    ValueError if a formula that papers.toml expects is shown in no notebook or computed on no line, or the other way
    round.
    """
    papers = read_papers()
    lines, shown = lines_of(package, papers), {}
    for formula in (formula for notebook in notebooks for formula in formulas_of(notebook, papers)):
        shown.setdefault((formula.paper.name, formula.number), formula)
    wanted = [(paper.name, number) for paper in papers.rows for number in paper.numbers]
    for have, where in ((lines, "computed in the package"), (shown, "shown in a notebook")):
        if set(have) != set(wanted):
            missing, unknown = sorted(set(wanted) - set(have)), sorted(set(have) - set(wanted))
            raise ValueError(f"formulas {where}: missing {missing}, not in papers.toml {unknown}")
    return [(shown[key], lines[key], check_of(shown[key], lines[key], notebooks)) for key in wanted]


def equations_page(notebooks: list[Notebook], package: Path) -> str:
    """The page of the index, as Markdown."""
    parts, paper = ["# From equations to code"], None
    for formula, lines, (checker, index) in index_of(notebooks, package):
        if formula.paper != paper:
            paper = formula.paper
            parts.append(f"## {paper.name}\n\n{paper.source}")
        shown = formula.notebook.link(formula.index, f'notebook {formula.notebook.number}, "{formula.heading}"')
        check = checker.link(index, f"notebook {checker.number}, cell [{checker.count(index)}]")
        computed = "\n\n".join(
            f'<a href="{source_address(line.path, line.number)}">{line.path.parent.name}/{line.path.name}, '
            f"line {line.number}</a>, in `{line.function}`:\n\n```python\n{line.code}\n```"
            for line in lines
        )
        parts += [f"### Equation {formula.number} of {paper.name}", formula.tex, f"Shown in {shown}.", computed]
        parts.append(f"Checked in {check}.")
    return "\n\n".join(parts) + "\n"
