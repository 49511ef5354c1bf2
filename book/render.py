"""From the repository to a folder of pages that works without a network and without a server."""

import shutil
import tempfile
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from book import FOLDER, REPOSITORY
from book.pages import write_pages


def render(output: Path, repository: Path = REPOSITORY) -> None:
    """Renders the book of a repository into ``output``, which is replaced once the new book is whole.

    Every warning of Sphinx is an error. ValueError where a page cannot be made, or Sphinx finds fault with it.
    """
    with tempfile.TemporaryDirectory() as made:
        source, pages = Path(made, "source"), Path(made, "pages")
        write_pages(source, repository)
        with patch_docutils(str(FOLDER)), docutils_namespace():
            app = Sphinx(source, FOLDER, pages, Path(made, "doctrees"), "html", status=None, warningiserror=True)
            app.build(force_all=True)
        if app.statuscode:
            raise ValueError("the book has faults: see Sphinx's warnings above")
        shutil.rmtree(pages / "_sources", ignore_errors=True)
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(pages, output)
