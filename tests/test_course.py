"""The course runner on notebooks of two or three cells."""

import re
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rcnn_lite import course, pages

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WHERE = "import sys, os; print(sys.executable, os.environ['MPLBACKEND'])"
FIGURE = (
    f"import IPython.display as d, base64\nd.display(d.Image(base64.b64decode('{PIXEL}')))\nprint('one \"red\" pixel')"
)


def write(folder, name, *cells):
    """A notebook in ``folder`` whose cells are code, or markdown where they begin with ``#``-and-space or ``[``."""
    made = [new_markdown_cell(cell) if cell.startswith(("# ", "[")) else new_code_cell(cell) for cell in cells]
    folder.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=made), folder / f"{name}.ipynb")


def run(tmp_path, *arguments):
    return course.main([*arguments, "--notebooks", str(tmp_path / "notebooks"), "--output", str(tmp_path / "build")])


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_success_and_failure_side_by_side(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    someone_elses = tmp_path / "jupyter" / "kernels" / "python3"
    someone_elses.mkdir(parents=True)
    (someone_elses / "kernel.json").write_text(
        '{"argv": ["no-such-python"], "display_name": "x", "language": "python"}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebooks = tmp_path / "notebooks"
    write(notebooks, "00_fails", "# A failing notebook", "a = 6", "1 / (a - 6)", "print('never reached')")
    write(notebooks, "01_works", "# A & B", WHERE, FIGURE, "[back](00_fails.ipynb#top)")
    stored = nbformat.read(notebooks / "00_fails.ipynb", as_version=4)
    stored.cells[3].outputs = [new_output("stream", text="stored long ago")]
    nbformat.write(stored, notebooks / "00_fails.ipynb")

    assert run(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "2 notebooks in LECTURE mode" in printed
    assert "00_fails.ipynb, code cell 2: ZeroDivisionError: division by zero" in printed
    assert "1 / (a - 6)" in printed
    assert "\x1b" not in printed
    assert re.search(r"00_fails +\d+\.\d s  FAILED\n01_works +\d+\.\d s  ok\ntogether", printed)
    assert str(tmp_path / "build" / "index.html") in printed

    build = tmp_path / "build"
    assert files(build) == [
        "html/00_fails.html",
        "html/01_works.html",
        "index.html",
        "notebooks/00_fails.ipynb",
        "notebooks/01_works.ipynb",
    ]
    works = nbformat.read(build / "notebooks" / "01_works.ipynb", as_version=4)
    assert works.cells[1].outputs[0].text.split() == [sys.executable, course.INLINE]
    assert [cell.execution_count for cell in works.cells if cell.cell_type == "code"] == [1, 2]
    fails = (build / "html" / "00_fails.html").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in fails
    assert "stored long ago" not in fails
    page = (build / "html" / "01_works.html").read_text(encoding="utf-8")
    assert 'href="00_fails.html#top"' in page
    assert 'alt="one &quot;red&quot; pixel"' in page
    index = (build / "index.html").read_text(encoding="utf-8")
    assert '<a href="html/01_works.html">A &amp; B</a></td><td>ok</td>' in index
    assert '<span class="failed">failed</span>' in index


def test_a_cell_that_takes_too_long_is_named(tmp_path, capsys):
    write(tmp_path / "notebooks", "00_slow", "import time; time.sleep(60)")
    assert run(tmp_path, "--timeout", "1") == 1
    assert "00_slow.ipynb, code cell 1: CellTimeoutError" in capsys.readouterr().out


def test_a_damaged_file_is_named_and_the_others_still_run(tmp_path, capsys):
    write(tmp_path / "notebooks", "01_works", "# Fine", "[nothing to compute]")
    (tmp_path / "notebooks" / "00_damaged.ipynb").write_text('{"cells": [')
    assert run(tmp_path) == 1
    assert "00_damaged.ipynb, cannot be read as a notebook" in capsys.readouterr().out
    assert files(tmp_path / "build") == ["html/01_works.html", "index.html", "notebooks/01_works.ipynb"]


@pytest.mark.parametrize("arguments", [[], ["07"]])
def test_nothing_to_run_is_an_error(tmp_path, capsys, arguments):
    (tmp_path / "notebooks").mkdir()
    if arguments:
        write(tmp_path / "notebooks", "01_works", "# Fine")
    assert run(tmp_path, *arguments) == 1
    assert f"no notebook{' whose name begins with 07' if arguments else ''} in " in capsys.readouterr().err
    assert not (tmp_path / "build").exists()


def test_an_interruption_leaves_only_whole_files(tmp_path, capsys, monkeypatch):
    for name in ("00_first", "01_second"):
        write(tmp_path / "notebooks", name, "# Fine")
    write_whole, written = nbformat.write, []

    def interrupted(notebook, path):
        written.append(path)
        if len(written) == 2:
            path.write_text('{"cells": [')
            raise KeyboardInterrupt
        write_whole(notebook, path)

    monkeypatch.setattr(course.nbformat, "write", interrupted)
    assert run(tmp_path) == 130
    assert "interrupted after 1 of 2 notebooks" in capsys.readouterr().out
    assert files(tmp_path / "build") == ["html/00_first.html", "notebooks/00_first.ipynb"]


def test_names_choose_notebooks_but_pages_still_know_their_neighbours(tmp_path):
    for name in ("00_a", "01_b", "02_c"):
        write(tmp_path / "notebooks", name, "# Fine")
    assert run(tmp_path, "01") == 0
    assert files(tmp_path / "build") == ["html/01_b.html", "index.html", "notebooks/01_b.ipynb"]
    page = (tmp_path / "build" / "html" / "01_b.html").read_text(encoding="utf-8")
    assert all(f'href="{link}"' in page for link in ("../index.html", "00_a.html", "02_c.html"))


def test_links_to_files_are_kept_working(tmp_path):
    notebooks = tmp_path / "notebooks"
    write(notebooks, "00_a", "[a](../README.md), [b](https://example.org/README.md), [c](no.md)")
    (tmp_path / "README.md").write_text("x")
    source = notebooks / "00_a.ipynb"
    page = tmp_path / "build" / "deep" / "html" / "00_a.html"
    text = pages.render(nbformat.read(source, as_version=4), source, page, ["00_a"])
    assert 'href="../../../README.md"' in text
    assert 'href="https://example.org/README.md"' in text
    assert 'href="no.md"' in text


def test_titles_and_descriptions():
    notebook = new_notebook(cells=[new_code_cell("# not a title"), new_markdown_cell("intro\n\n# The title \n## part")])
    assert pages.title_of(notebook, "00_a") == "The title"
    assert pages.title_of(new_notebook(), "00_a") == "00_a"
    streams = [new_output("stream", name="stdout", text="two\nboxes\n"), new_output("stream", name="stderr", text="!")]
    assert pages.alt_text(new_code_cell("", outputs=streams)) == "two boxes"
    assert pages.alt_text(new_code_cell("")) == "figure"
