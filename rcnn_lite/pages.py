"""Pages for the browser: an executed notebook as HTML, and the index that lists what became of each notebook.

A page needs no server. Links between notebooks lead to each other's pages, a figure's description is the text that its
cell printed.
"""

import html
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

LINK = re.compile(r'(?<=href=")([^":#]+)(#[^"]*)?(?=")')
BODY = re.compile(r'<body class="jp-Notebook"[^>]*>')
MISSING_ALT = 'alt="No description has been provided for this image"'
QUIET = logging.Logger("pages", logging.ERROR)  # the exporter warns of pictures without description: they get it here
STYLE = """body { font-family: sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; } td, th { padding: 0.4em 1em; text-align: left; border-bottom: 1px solid #ccc; }
.failed { color: #b00020; } pre { background: #f4f4f4; padding: 1em; overflow-x: auto; }"""
INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>rcnn_lite: the notebooks</title><style>{style}</style></head>
<body>
<h1>rcnn_lite: the notebooks</h1>
<table><tr><th>notebook</th><th>result</th><th>time</th></tr>
{rows}
</table>
{errors}
</body>
</html>
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook; ``failure`` is None, or names the failing cell and its error."""

    name: str
    title: str
    seconds: float
    failure: str | None = None


def title_of(notebook: nbformat.NotebookNode, name: str) -> str:
    """The text of the first heading of level 1, or the file's name."""
    for cell in notebook.cells:
        heading = re.search(r"^# (.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if heading:
            return heading.group(1).strip()
    return name


def render(notebook: nbformat.NotebookNode, source: Path, page: Path, names: list[str]) -> str:
    """The notebook as HTML, with links that work from ``page`` and a bar that leads to its neighbours in ``names``."""
    resources = {"metadata": {"name": source.stem, "path": str(source.parent)}}
    body, _ = HTMLExporter(embed_images=True, log=QUIET).from_notebook_node(notebook, resources)
    alts = [alt_text(cell) for cell in notebook.cells for output in cell.get("outputs", []) if is_image(output)]
    if body.count(MISSING_ALT) == len(alts):
        texts = iter(alts)
        body = re.sub(MISSING_ALT, lambda _: f'alt="{html.escape(next(texts))}"', body)
    here = names.index(source.stem)
    steps = [f'<a href="{names[i]}.html">{names[i]}</a>' for i in (here - 1, here + 1) if 0 <= i < len(names)]
    bar = " | ".join(['<nav style="padding: 0.5em 1em"><a href="../index.html">all notebooks</a>', *steps]) + "</nav>"
    return BODY.sub(
        lambda tag: tag.group() + bar, LINK.sub(lambda link: retarget(link, source, page, names), body), count=1
    )


def retarget(link: re.Match, source: Path, page: Path, names: list[str]) -> str:
    """A link of the notebook ``source`` as it must read on ``page``: to another page, or to the file where it lies."""
    path, fragment = link.group(1), link.group(2) or ""
    target = source.parent / path
    if target.suffix == ".ipynb" and target.stem in names:
        return f"{target.stem}.html{fragment}"
    return Path(os.path.relpath(target, page.parent)).as_posix() + fragment if target.exists() else link.group()


def is_image(output: nbformat.NotebookNode) -> bool:
    """Whether an output of a cell shows a picture."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def alt_text(cell: nbformat.NotebookNode) -> str:
    """What the cell printed about its figure, in one line: the description that takes the picture's place."""
    printed = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return " ".join(printed.split()) or "figure"


def index_page(outcomes: Iterable[Outcome]) -> str:
    """The page that lists the notebooks, with links, times and errors."""
    rows, errors = [], []
    for outcome in outcomes:
        result = "ok" if outcome.failure is None else '<span class="failed">failed</span>'
        link = f'<a href="html/{outcome.name}.html">{html.escape(outcome.title)}</a>'
        rows.append(f"<tr><td>{link}</td><td>{result}</td><td>{outcome.seconds:.1f} s</td></tr>")
        if outcome.failure is not None:
            errors.append(f'<h2 class="failed">{outcome.name}</h2><pre>{html.escape(outcome.failure)}</pre>')
    return INDEX.format(style=STYLE, rows="\n".join(rows), errors="\n".join(errors))
