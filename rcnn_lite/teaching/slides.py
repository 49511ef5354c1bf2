"""Slides: one show a notebook, by nbconvert's slides exporter and reveal.js, which need no network to be looked at.

What is on a slide is chosen from the notebook by rules: of a text its opening sentences, lists, tables and formulas; of
a code cell its picture with the line under it, or the code itself where it is short. The whole text is in the speaker's
notes (key S). Exercises are there without solutions. Formulas are turned into MathML, which browsers draw themselves;
the files of reveal.js come from the package sphinx-revealjs and lie beside the slides.
"""

import copy
import html
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
from jinja2 import DictLoader, pass_context
from nbconvert import SlidesExporter
from nbformat.v4 import new_markdown_cell
from traitlets.config import Config

from rcnn_lite.pages import MISSING_ALT, QUIET, alt_text, is_image
from rcnn_lite.teaching.outline import FOLD, FORMULA, Item, Part, first_sentences, sections_of

REVEAL = "reveal"  # folder beside the slides
LEFT_OUT = ("prerequisites", "references", "refresher")
LONGEST_CODE = 12  # lines; longer code is for the notebook
FEW_WORDS = 12  # a text of which no more is left goes without a slide of its own
SHORT_TEXT = 45  # words that leave room for a picture
PICTURE_ONLY = "slide-picture"
MATH = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|(?<![\\$\w])\$((?:[^$\n]|\n(?!\n))+?)\$(?![\d$])", re.DOTALL)
BLOCK = re.compile(r"\n\s*\n")
TEMPLATE = """{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_css -%}<style>
:root { --r-heading-text-transform: none !important; }
.reveal { font-size: 26px; } .reveal .slides { text-align: left; }
.reveal .slides section section.present { max-height: 715px; overflow: hidden auto; scrollbar-width: thin; }
.reveal .jp-RenderedImage img { width: 100%; max-height: 460px; margin: 0; object-fit: contain; object-position: left; }
.reveal h1 { font-size: 1.7em; } .reveal h2 { font-size: 1.4em; } .reveal h3, .reveal h4 { font-size: 1.15em; }
.reveal table { font-size: 0.75em; } .reveal pre { width: 100%; margin: 0; box-shadow: none; font-size: 0.7em; }
.reveal .jp-Cell pre { white-space: pre-wrap !important; word-break: normal; overflow-wrap: anywhere; }
.reveal .jp-MarkdownCell, .reveal .jp-MarkdownCell div { overflow: visible !important; }
math[display="block"] { margin: 0.6em 0; }
</style>{%- endblock -%}
{%- block footer_js -%}
<script src="{{ resources.reveal.url_prefix }}/dist/reveal.js"></script>
<script src="{{ resources.reveal.url_prefix }}/plugin/notes/notes.js"></script>
<script>Reveal.initialize({hash: true, slideNumber: "c/t", plugins: [RevealNotes], width: 1100, height: 720,
  center: false, transition: "none"});</script>
{%- endblock -%}
"""


def mathml(formula: str, display: bool) -> str:
    """A formula in LaTeX as MathML."""
    from latex2mathml.converter import convert  # an optional part of the installation

    text = re.sub(
        r"\\(arg|tag)\b", lambda name: {"arg": r"\operatorname{arg}", "tag": r"\qquad\text"}[name[1]], formula
    )
    return convert(text.strip(), display="block" if display else "inline")


class OfflineSlides(SlidesExporter):
    """The slides exporter with formulas as MathML and reveal.js from a folder beside the file."""

    def __init__(self) -> None:
        tags = {"enabled": True, "remove_input_tags": {PICTURE_ONLY}}
        super().__init__(
            config=Config({"TagRemovePreprocessor": tags}),
            extra_loaders=[DictLoader({"slides.html.j2": TEMPLATE})],
            template_file="slides.html.j2",
            reveal_url_prefix=REVEAL,
            reveal_theme="white",
            exclude_anchor_links=True,
            log=QUIET,
        )

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        """HTML of a markdown text; its formulas wait behind marks while the rest is rendered."""
        formulas = []

        def put_aside(match: re.Match) -> str:
            """A mark in the place of a formula; code as it is."""
            if match.group(1):
                return match.group(1)
            formulas.append(mathml(match.group(2) or match.group(3), display=bool(match.group(2))))
            return f"FORMULA{len(formulas) - 1}HERE"

        text = super().markdown2html(context, MATH.sub(put_aside, source))
        return re.sub(r"FORMULA(\d+)HERE", lambda mark: formulas[int(mark.group(1))], text)


def digest(text: str, sentences: int = 2) -> str:
    """What of a text goes on a slide: the opening sentences, lists, tables, quotations and formulas."""
    opening, kept = first_sentences(text, sentences), []
    for block in BLOCK.split(FOLD.sub("", text)):
        words = " ".join(block.split())
        if opening and words.startswith(opening):
            kept.append(opening)
        elif re.match(r"\s*([-*] |\d+\. |\||>)", block):
            kept.append(block)
        else:
            kept += FORMULA.findall(block)
    return "\n\n".join(kept)


def slide(text: str, kind: str) -> nbformat.NotebookNode:
    """A markdown cell that opens a slide, goes on with it (``"-"``), or is its ``"notes"``."""
    return new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}})


def code_slide(item: Item) -> nbformat.NotebookNode | None:
    """A code cell as it goes on with a slide; None where there is nothing to show."""
    cell = copy.deepcopy(item.cell)
    lines = [line for line in item.text.splitlines() if line.strip()]
    if not item.figures and (not cell.outputs or item.is_solution or len(lines) > LONGEST_CODE):
        return None
    cell.metadata = nbformat.from_dict({"tags": [PICTURE_ONLY] if item.figures else []})
    return cell


def slides_of_part(part: Part, kind: str) -> Iterator[nbformat.NotebookNode]:
    """The slides of one part; the first opens with its heading."""
    heading = f"{'#' * max(part.level, 2)} {part.heading}"
    if not part.items:
        yield slide(heading, kind)
    room = False  # for a picture on the slide that is open
    for number, item in enumerate(part.items):
        opens = kind if number == 0 else "subslide"
        if not item.is_code:
            body = FOLD.sub("", item.text if part.is_exercise else digest(item.text))
            if number == 0 or len(body.split()) > FEW_WORDS:
                yield slide(f"{heading}\n\n{body}", opens)
                room = len(body.split()) <= SHORT_TEXT and not item.formulas
            if item.text:
                yield slide(item.text, "notes")
        else:
            cell = code_slide(item)
            if number == 0 or (cell is not None and item.figures and not room):
                yield slide(heading, opens)
            if cell is not None:
                yield cell
                room = False
        if item.note:
            yield slide(f"**{item.note}**", "notes")


def question_slides(part: Part) -> Iterator[nbformat.NotebookNode]:
    """A slide for each question; the answer is for the speaker."""
    pairs = [pair for item in part.items if not item.is_code for pair in FOLD.findall(item.text)]
    for number, (question, answer) in enumerate(pairs):
        yield slide(f"## Question\n\n{question}", "subslide" if number else "slide")
        yield slide(answer, "notes")


def slide_show(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook of the slides: what is shown, with the metadata that nbconvert's exporter asks for."""
    show = copy.deepcopy(notebook)
    show.cells = []
    for section in sections_of(notebook):
        if section.kind in LEFT_OUT:
            continue
        for number, part in enumerate(section.parts):
            kind = "subslide" if number else "slide"
            show.cells += question_slides(part) if section.kind == "questions" else slides_of_part(part, kind)
    for number, cell in enumerate(show.cells):
        cell.id = f"slide-{number}"
    return show


def render_slides(notebook: nbformat.NotebookNode, name: str) -> str:
    """The slide show as one HTML file, which looks for reveal.js in the folder `REVEAL` beside it."""
    show = slide_show(notebook)
    body, _ = OfflineSlides().from_notebook_node(show, {"metadata": {"name": name}})
    alts = iter([alt_text(cell) for cell in show.cells for output in cell.get("outputs", []) if is_image(output)])
    body = re.sub(MISSING_ALT, lambda _: f'alt="{html.escape(next(alts))}"', body)
    return re.sub(r'href="(\d\d[a-z]?_\w+)\.ipynb', r'href="\1.slides.html', body)


def copy_reveal(folder: Path) -> None:
    """Put what the slides need of reveal.js, with its licence, into ``folder / "reveal"``."""
    place = importlib.util.find_spec("sphinx_revealjs").submodule_search_locations[0]
    origin = Path(place) / "_static" / "revealjs"
    for part in ("dist", "plugin/notes"):
        shutil.copytree(
            origin / part, folder / REVEAL / part, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.map")
        )
    shutil.copy(origin / "LICENSE", folder / REVEAL)
