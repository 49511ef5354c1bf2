"""The student edition put to the test: every notebook is run whole, with its stubs and with the solutions put back.

``make test`` proves the same by shorter steps (tests/test_release.py) and runs only two notebooks whole.
"""

import copy
from pathlib import Path

import nbformat

from rcnn_lite.course import execute
from rcnn_lite.teaching.student import is_answer, is_graded, put_back


def failing_cells(notebook: nbformat.NotebookNode, folder: Path) -> tuple[set[str], str | None]:
    """Ids of the cells that fail though they may, and a description of the first other failure, after a whole run."""
    notebook = copy.deepcopy(notebook)
    failure = execute(notebook, folder, timeout=None, on_cell=lambda: None)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.id for cell in cells if any(output.output_type == "error" for output in cell.outputs)}, failure


def verdict(student: nbformat.NotebookNode, source: nbformat.NotebookNode, folder: Path) -> list[str]:
    """What contradicts "fails its checks and nothing else; passes with the solutions put back", in sentences."""
    checked = {cell.id for cell in student.cells if is_answer(cell) or is_graded(cell)}
    failed, failure = failing_cells(student, folder)
    found = [f"with stubs, {failure}"] if failure else []
    found += [f"with its stub, cell {name} passes" for name in sorted(checked - failed)]
    failed, failure = failing_cells(put_back(student, source), folder)
    found += [f"with the solutions, {failure}"] if failure else []
    return found + [f"with the solutions, cell {name} fails" for name in sorted(failed & checked)]


def prove(paths: list[Path], release: Path) -> int:
    """Print the verdict on each notebook; returns 0 if nothing contradicts."""
    wrong = 0
    for path in paths:
        folder = release / path.stem
        student = nbformat.read(folder / path.name, as_version=4)
        found = verdict(student, nbformat.read(path, as_version=4), folder)
        print(f"{path.stem}: {'; '.join(found) or 'fails its checks and nothing else; passes with the solutions'}")
        wrong += bool(found)
    return int(wrong > 0)
