"""The rendered book: how notebooks and docstrings become pages. Nothing is written here that does not stand there.

`python -m book` renders into build/book. `pages` lays out what Sphinx reads: a copy of each notebook and the generated
pages, of which `equations`, `glossary`, `claims` and `reference` make one kind each; `conf` configures Sphinx.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parent
