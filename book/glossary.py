"""The glossary: each term with the sentence of a notebook that explains it, and where it is built.

terms.toml says which words are terms, in which notebook to look, and what in the package builds the thing. The text is
the notebook's own: the first sentence there that prints the term in bold or in italics. The package's docstring
explains its conventions.
"""

import re
import tomllib
from dataclasses import dataclass

import rcnn_lite
from book import FOLDER
from book.notebooks import Notebook
from book.reference import source_link

FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'$`(]*[A-Z0-9]|\*)|\n\s*\n(?!\$\$)|\n\s*(?=- |\d+\. )")
LIST_MARK = re.compile(r"^\s*(?:- |\d+\. |> )")


@dataclass(frozen=True)
class Term:
    """A term, the number of the notebook that explains it or "package", what builds it, and how it is printed there."""

    name: str
    explained: str
    built: str
    printed: str | None = None

    def is_in(self, sentence: str) -> bool:
        """Whether a sentence prints the term: in bold or italics, or just as ``printed`` says."""
        if self.printed:
            return self.printed in sentence
        return re.search(rf"(?<!\*)(\*\*?){re.escape(self.name)}s?\1(?!\*)", sentence, re.IGNORECASE) is not None


def read_terms() -> list[Term]:
    """The terms of terms.toml, by the alphabet."""
    rows = tomllib.loads((FOLDER / "terms.toml").read_text(encoding="utf-8"))
    return sorted((Term(name, **row) for name, row in rows.items()), key=lambda term: term.name.lower())


def sentences(markdown: str) -> list[str]:
    """The sentences of a cell, without headings, tables and what is folded away.

    >>> sentences("## Boxes\\n\\nA *box* is four numbers. It has\\na width. - no list")
    ['A *box* is four numbers.', 'It has a width.', '- no list']
    """
    text = FOLDED.sub("", markdown)
    text = "\n".join("" if line.startswith(("#", "|")) else line for line in text.splitlines())
    parts = (" ".join(LIST_MARK.sub("", part).split()) for part in SENTENCE_END.split(text))
    return [part.replace(" $$", "\n\n$$", 1) for part in parts if part]


def clauses(docstring: str) -> list[str]:
    """What the list of the package's docstring says, point by point; a semicolon parts two points."""
    points = (LIST_MARK.sub("", point) for point in re.split(r"\n(?=- )|\n\n|;\s", docstring))
    return [f"{point[:1].upper()}{point[1:].rstrip('.')}." for point in (" ".join(p.split()) for p in points) if point]


def entry(term: Term, notebooks: dict[str, Notebook]) -> tuple[str, str]:
    """The sentence that explains a term, and a link to its place; ValueError if there is none."""
    if term.explained == "package":
        for clause in filter(term.is_in, clauses(rcnn_lite.__doc__)):
            return clause, "[the package's conventions](../reference/top.rst)"
    elif term.explained in notebooks:
        notebook = notebooks[term.explained]
        for index, cell in enumerate(notebook.cells):
            for sentence in filter(term.is_in, sentences(cell.source) if cell.cell_type == "markdown" else ()):
                heading = notebook.heading(index, cell.source.find(sentence[:20]))
                return sentence, notebook.link(index, f'notebook {notebook.number}, "{heading}"')
    raise ValueError(f"terms.toml: {term.explained} does not explain {term.name!r} as it is to be printed there")


def glossary_page(notebooks: list[Notebook]) -> str:
    """The page of the glossary, as Markdown."""
    by_number, parts = {notebook.number: notebook for notebook in notebooks}, ["# Glossary"]
    for term in read_terms():
        sentence, place = entry(term, by_number)
        parts.append(f"## {term.name}\n\n{sentence}\n\nFrom {place}. Built by {built_link(term)}.")
    return "\n\n".join(parts) + "\n"


def built_link(term: Term) -> str:
    """A link to the source of what builds a term; ValueError if the package has no such function or class."""
    module, _, name = f"rcnn_lite.{term.built}".rpartition(".")
    address = source_link(module, name)
    if address is None:
        raise ValueError(f"terms.toml: {term.name!r} is built by {term.built}, which is no function and no class")
    return f'<a href="{address}"><code>{term.built}</code></a>'
