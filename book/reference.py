"""The package in the book: its docstrings as pages, and every module's source with an anchor on each line.

Docstrings are plain text for a terminal: formulas are indented, code stands in backticks, an asterisk is a product as
often as an emphasis. `to_restructuredtext` says the same to Sphinx, which would read markup into it.
"""

import ast
import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx

import rcnn_lite

NOT_SHOWN = {"checks"}
"""Folders of the package without a page: the checkers of exercises would give answers away."""

MARKUP = re.compile(
    r"``(.+?)``|`([^`\n]+?)`|(?<!\w)(\*\*?)(?=[^\s*])(.+?)(?<=[^\s*])\3(?![\w*])|([*|\\]|_(?!\w))", re.S
)
UNDERLINED = re.compile(r"^(\w[\w ]*)\n-{3,}\n")


def folders() -> list[str]:
    """The parts of the package that have a page: "" for its top, then its folders."""
    found = sorted(m.name for m in pkgutil.iter_modules(rcnn_lite.__path__) if m.ispkg)
    return ["", *(name for name in found if name not in NOT_SHOWN)]


def modules_of(folder: str) -> list[str]:
    """The public modules of a folder of the package, with full names; for "" those at its top."""
    package = importlib.import_module(f"rcnn_lite.{folder}" if folder else "rcnn_lite")
    found = pkgutil.iter_modules(package.__path__)
    return sorted(f"{package.__name__}.{m.name}" for m in found if not (m.ispkg or m.name.startswith("_")))


def reference_pages() -> dict[str, str]:
    """{page: text}: of each folder of the package a page with what its docstrings say, and one with its source."""
    pages = {}
    for folder in folders():
        name, modules = folder or "top", modules_of(folder)
        title = f"rcnn_lite/{folder}".rstrip("/")
        package = ".".join(filter(None, ("rcnn_lite", folder)))
        parts = [title, "=" * len(title), "", f".. automodule:: {package}", ""]
        for module in modules:
            file = module.rsplit(".", 1)[1] + ".py"
            parts += [file, "-" * len(file), "", f".. automodule:: {module}", "   :members:", ""]
        pages[f"reference/{name}.rst"] = "\n".join(parts)
        listings = "\n\n".join(map(listing, modules))
        pages[f"source/{name}.md"] = f"---\norphan: true\nnosearch: true\n---\n# The source of {title}\n\n{listings}\n"
    return pages


def listing(module: str) -> str:
    """The source of a module, in which each line has an anchor."""
    path, short = module_path(module), module.rsplit(".", 1)[1]
    form = HtmlFormatter(linenos="inline", linespans=f"{short}-line")
    code = highlight(path.read_text(encoding="utf-8"), PythonLexer(), form)
    return f'## {short}.py\n\n```{{raw}} html\n<div class="source">{code}</div>\n```'


def module_path(module: str) -> Path:
    """The file of a module of the package."""
    return Path(importlib.import_module(module).__file__)


def source_address(path: Path, line: int) -> str:
    """Where a line of a file of the package is shown, seen from a page in a folder of the book."""
    folder = path.parent.name if path.parent.name != "rcnn_lite" else "top"
    return f"../source/{folder}.html#{path.stem}-line-{line}"


def source_link(module: str, name: str) -> str | None:
    """Where a documented name is defined; None for what is no class and no function, such as a constant."""
    path = module_path(module)
    lines = definitions(path).get(name)
    return source_address(path, lines[0]) if lines else None


@cache
def definitions(path: Path) -> dict[str, tuple[int, int]]:
    """{qualified name: (first line, last line)} of the classes and functions of a file."""
    found, waiting = {}, [("", ast.parse(path.read_text(encoding="utf-8")))]
    while waiting:
        prefix, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef):
                found[prefix + child.name] = child.lineno, child.end_lineno
                waiting.append((f"{prefix}{child.name}.", child))
    return found


def to_restructuredtext(docstring: str) -> str:
    """A docstring of the package as reStructuredText.

    >>> print(to_restructuredtext("Of `x` the |x|:\\n\\n    a_i * b\\n\\nParameters\\n----------\\nx : (N,)."))
    Of ``x`` the \\|x\\|:
    <BLANKLINE>
    ::
    <BLANKLINE>
        a_i * b
    <BLANKLINE>
    .. rubric:: Parameters
    <BLANKLINE>
    - **x** : (N,).
    """
    blocks = []
    for block in re.split(r"\n\s*\n", docstring.strip("\n")):
        heading = UNDERLINED.match(block)
        if heading:
            blocks.append(f".. rubric:: {heading.group(1)}")
            block = as_list(block[heading.end() :])
        elif block.startswith(" "):
            block = block if blocks and is_item(blocks[-1]) else f"::\n\n{block}"
        elif not block.startswith(">>>"):
            block = escape(block) if is_item(block) else escape(re.sub(r"\n\s*", "\n", block))
        blocks.append(block)
    return "\n\n".join(blocks)


def is_item(block: str) -> bool:
    """Whether a block of text is a list."""
    return re.match(r"(-|\d+\.) ", block) is not None


def as_list(block: str) -> str:
    """The lines "name : what it is" below a heading as a list; lines that go on are indented."""
    items = re.sub(r"\n\s+", " ", block).splitlines()
    named = (re.fullmatch(r"([^:]+?) : (.*)", item) for item in items)
    return "\n".join(
        f"- **{escape(name.group(1))}** : {escape(name.group(2))}" if name else f"- {escape(item)}"
        for name, item in zip(named, items, strict=True)
    )


def escape(text: str) -> str:
    """Text with its code and emphasis kept, and no other markup."""

    def say(match: re.Match) -> str:
        code = match.group(1) or match.group(2)
        if code:
            return rf"``{code}``\ "
        return rf"{match.group()}\ " if match.group(3) else "\\" + match.group()

    return re.sub(r"\\ (?=[\s.,;:!?)]|$)", "", MARKUP.sub(say, text))


def setup(app: Sphinx) -> None:
    """Called by Sphinx: docstrings are translated before it reads them."""

    def translate(app, what, name, obj, options, lines):
        lines[:] = [*to_restructuredtext("\n".join(lines)).splitlines(), ""]

    app.connect("autodoc-process-docstring", translate)
