"""How Sphinx renders the book: the stored outputs of the notebooks, nothing from a network.

MathJax comes with the package sphinx-mathjax-offline. Of its files the one that draws formulas as SVG is enough, which
needs neither fonts nor further files.
"""

from importlib.util import find_spec
from pathlib import Path

from rcnn_lite import __version__

project = "rcnn_lite"
author = "The rcnn_lite authors"
copyright = author
version = release = __version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "sphinx.ext.mathjax", "book.reference"]
nb_execution_mode = "off"  # what is stored is shown
nb_merge_streams = True
nb_code_prompt_show = "Show the solution"  # of an exercise: no other cell is folded
nb_code_prompt_hide = "Hide the solution"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
toc_object_entries = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "rcnn_lite"
html_static_path = [
    str(Path(__file__).parent / "book.css"),
    str(Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax" / "tex-svg-full.js"),
]
html_css_files = ["book.css"]
mathjax_path = "tex-svg-full.js"
html_copy_source = False
html_show_search_summary = False  # it reads pages over the network, which a browser forbids to files
html_show_sphinx = False


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Where the source of a documented name is shown."""
    from book.reference import source_link

    return source_link(info["module"], info["fullname"]) if domain == "py" else None
