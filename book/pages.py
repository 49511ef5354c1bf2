"""What Sphinx reads: the notebooks, and pages generated from them, from the docstrings and from the measured claims."""

import re
from pathlib import Path

import nbformat

from book.claims import claims_page
from book.equations import equations_page
from book.glossary import glossary_page
from book.notebooks import for_the_book, read_notebooks
from book.reference import folders, reference_pages

INDEX = """# rcnn_lite

{opening}

```{{toctree}}
:caption: The notebooks
:titlesonly:
{notebooks}
```

```{{toctree}}
:caption: To look up
:titlesonly:
lookup/equations
lookup/glossary
lookup/claims
```

```{{toctree}}
:caption: The package
:titlesonly:
{reference}
```
"""


def write_pages(source: Path, repository: Path) -> None:
    """Writes all that the book of a repository is made of into the folder ``source``."""
    paths = sorted((repository / "notebooks").glob("*.ipynb"))
    notebooks = read_notebooks(repository / "notebooks")
    readme = (repository / "README.md").read_text(encoding="utf-8")
    pages = {
        "index.md": INDEX.format(
            opening=opening(readme),
            notebooks="\n".join(f"notebooks/{path.stem}" for path in paths),
            reference="\n".join(f"reference/{folder or 'top'}" for folder in folders()),
        ),
        "lookup/equations.md": equations_page(notebooks, repository / "rcnn_lite"),
        "lookup/glossary.md": glossary_page(notebooks),
        "lookup/claims.md": claims_page(repository / "benchmarks" / "claims.json"),
        **reference_pages(),
    }
    for name, text in pages.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    (source / "notebooks").mkdir()
    for path in paths:
        nbformat.write(for_the_book(path), source / "notebooks" / path.name)


def opening(readme: str) -> str:
    """What the README says before its first heading below the title."""
    return re.split(r"^#+ .*$", readme, flags=re.MULTILINE)[1].strip()
