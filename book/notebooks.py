"""Notebooks as the book reads them: every cell can be linked to, every figure has its description."""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from rcnn_lite.pages import alt_text, is_image, title_of

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Notebook:
    """An executed notebook and its file's name without the suffix."""

    name: str
    cells: list[nbformat.NotebookNode]
    title: str

    @classmethod
    def read(cls, path: Path) -> "Notebook":
        """The notebook in a file."""
        notebook = nbformat.read(path, as_version=4)
        return cls(path.stem, notebook.cells, title_of(notebook, path.stem))

    @property
    def number(self) -> str:
        """What other notebooks call it, such as 07."""
        return number_of(self.name)

    def heading(self, index: int, position: int) -> str:
        """The heading under which a place of a cell stands."""
        headings = [match.group(1) for match in HEADING.finditer(self.cells[index].source) if match.start() <= position]
        for cell in reversed(self.cells[:index]):
            if not headings and cell.cell_type == "markdown":
                headings = HEADING.findall(cell.source)
        return headings[-1] if headings else self.title

    def count(self, index: int) -> int:
        """The number of a code cell among the code cells, as its execution count says it."""
        return sum(cell.cell_type == "code" for cell in self.cells[: index + 1])

    def link(self, index: int, text: str) -> str:
        """A link of another page of the book to a cell."""
        return f"[{text}](#{label(self.name, self.cells[index])})"


def label(name: str, cell: nbformat.NotebookNode) -> str:
    """The name by which pages link to a cell of the notebook ``name``; ids differ within a notebook only."""
    return f"cell-{number_of(name)}-{cell.id}"


def number_of(name: str) -> str:
    """What other notebooks call the notebook ``name``, such as 07."""
    return name.split("_")[0]


def read_notebooks(folder: Path) -> list[Notebook]:
    """The notebooks of a folder in order; ValueError where there is none."""
    found = [Notebook.read(path) for path in sorted(folder.glob("*.ipynb"))]
    if not found:
        raise ValueError(f"no notebooks in {folder}")
    return found


def for_the_book(path: Path) -> nbformat.NotebookNode:
    """A copy of a notebook as the book needs it.

    Before each cell stands a label, figures have descriptions, links work, and solutions of exercises are folded.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = []
    for cell in notebook.cells:
        target = f"({label(path.stem, cell)})="
        if cell.cell_type == "markdown":
            cell.source = f"{target}\n\n{LINK.sub(retarget, cell.source)}"
        else:
            cells.append(new_markdown_cell(target))
            if any(map(is_image, cell.outputs)):
                cell.metadata["mystnb"] = {"image": {"alt": alt_text(cell)}}
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
        cells.append(cell)
    notebook.cells = cells
    return notebook


def retarget(link: re.Match) -> str:
    """A link of a notebook as the book needs it: headings go by other names, and files outside it are not in it."""
    text, address = link.groups()
    path, _, heading = address.partition("#")
    if ":" in path:  # the network
        return link.group()
    if path and not path.endswith(".ipynb"):
        return text
    if heading:
        heading = "#" + re.sub(r"[^\w-]", "", heading.lower())
    return f"[{text}]({path}{heading})"
