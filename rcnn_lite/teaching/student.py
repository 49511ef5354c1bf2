"""The student edition: a course folder for nbgrader, from which nbgrader itself cuts the solutions.

Each notebook becomes one assignment. What nbgrader needs beyond our notebooks is added on the way, never by hand: below
each cell to fill in stands a locked cell that calls the same check again and is worth as many points as the exercise
has stars. The learner is told at once by the check at the end of his own cell; the locked one is for the grade, since
nbgrader only grades cells that a learner cannot change.
"""

import copy
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from traitlets.config import PyFileConfigLoader

from rcnn_lite.cache import write_atomically
from rcnn_lite.teaching.outline import BEGIN, END, Task, tasks_of

MAY_FAIL = "raises-exception"  # the tag by which "Run All" goes on behind a cell that fails
LINK = re.compile(r"\[([^\]]*)\]\(([\w./-]+\.(?:ipynb|py|md|json|toml|cfg))(#[^)\s]*)?\)")
SCHEMA = {"schema_version": 3, "task": False}
CONFIG = '''"""The course folder's settings; written by make release. `nbgrader --help-all` explains each."""

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearOutput

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "rcnn_lite"
# Stored pictures stay: a learner reads the chapter before anything runs, and sees what a run should show.
# Only the cells to fill in, and the graded ones, come without output.
c.GenerateAssignment.preprocessors = [
    kind for kind in GenerateAssignment.preprocessors.default() if kind is not ClearOutput
]
c.Execute.timeout = 900  # seconds for one cell
c.OverwriteCells.add_missing_cells = True  # a graded cell that was deleted comes back
# What learners hand in is called STUDENT_NOTEBOOK.ipynb, such as ada_01_boxes_iou_nms.ipynb
c.FileNameCollectorPlugin.named_regexp = r".*[/\\\\](?P<student_id>[^/\\\\_]+)_(?P<file_id>\\d\\d[a-z]?_\\w+)"
'''


def graded_id(grade_id: str) -> str:
    """The name of the locked cell that grades the exercise ``grade_id``."""
    return f"{grade_id}-graded"


def is_graded(cell: nbformat.NotebookNode) -> bool:
    """Whether nbgrader reads a grade from this cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def is_answer(cell: nbformat.NotebookNode) -> bool:
    """Whether a learner fills this cell in."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def graded_cell(task: Task) -> nbformat.NotebookNode:
    """The locked cell for an exercise: its check once more, worth a point for each star."""
    points = f"{task.stars} point" + "s" * (task.stars > 1)
    source = (
        f"# Exercise {task.number}, {points}. For the grade; nbgrader restores this cell before it runs it.\n"
        f"from {task.module} import {task.check}\n\n{task.check}({task.answer})"
    )
    note = {"grade": True, "grade_id": graded_id(task.grade_id), "locked": True, "solution": False, **SCHEMA}
    metadata = {"nbgrader": {**note, "cell_type": "code", "points": task.stars}, "tags": [MAY_FAIL]}
    return new_code_cell(source, id=f"{task.item.cell.id}-graded"[:64], metadata=metadata)


def relinked(text: str, names: Iterable[str]) -> str:
    """A markdown text whose links to other notebooks lead to their folders; links into the repository become text."""

    def lead(link: re.Match) -> str:
        """One link, or its words alone."""
        words, target, fragment = link.groups()
        stem = Path(target).stem
        known = Path(target).suffix == ".ipynb" and stem in names
        return f"[{words}](../{stem}/{stem}.ipynb{fragment or ''})" if known else words

    return LINK.sub(lead, text)


def gradable(notebook: nbformat.NotebookNode, names: Iterable[str]) -> nbformat.NotebookNode:
    """What nbgrader's ``source`` folder gets of a solved notebook, where ``names`` are the notebooks of the course."""
    notebook, names = copy.deepcopy(notebook), set(names)
    tasks = {task.item.index: task for task in tasks_of(notebook)}
    cells = []
    for index, cell in enumerate(notebook.cells):
        cell.metadata.pop("speaker_notes", None)
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source, names)
        cells.append(cell)
        if index in tasks:
            cell.outputs, cell.execution_count = [], None
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), MAY_FAIL]
            cells.append(graded_cell(tasks[index]))
    notebook.cells = cells
    return notebook


def put_back(
    student: nbformat.NotebookNode, source: nbformat.NotebookNode, wanted: Iterable[str] | None = None
) -> nbformat.NotebookNode:
    """The student edition with the answers of the solved ``source`` in their cells: all, or those of ``wanted`` ids."""
    answers = {cell.metadata.nbgrader.grade_id: cell.source for cell in source.cells if is_answer(cell)}
    chosen, student = set(answers) if wanted is None else set(wanted), copy.deepcopy(student)
    for cell in student.cells:
        if is_answer(cell) and cell.metadata.nbgrader.grade_id in chosen:
            cell.source = answers[cell.metadata.nbgrader.grade_id]
    return student


def solution_fold(answer: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The solution of a solved cell, folded: what it defines, without the markers and without the check."""
    lines = answer.source.rstrip().splitlines()[:-1]
    code = "\n".join(line for line in lines if line.strip() not in (BEGIN, END)).strip()
    text = f"<details><summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>"
    return new_markdown_cell(text, id=f"{answer.id}-solution"[:64])


def self_study(student: nbformat.NotebookNode, source: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The edition for who learns alone: the source with nbgrader's stubs, and each solution folded below its cell."""
    stubs = {cell.metadata.nbgrader.grade_id: cell for cell in student.cells if is_answer(cell)}
    edition, cells = copy.deepcopy(source), []
    for cell in edition.cells:
        cell.metadata.pop("speaker_notes", None)
        folds = [solution_fold(cell)] if is_answer(cell) else []
        cells += [copy.deepcopy(stubs[cell.metadata.nbgrader.grade_id]) if folds else cell, *folds]
    edition.cells = cells
    return edition


def write_course(paths: Iterable[Path], names: Iterable[str], course: Path) -> None:
    """Write nbgrader's settings and, for each notebook, the source of its assignment into the folder ``course``."""
    names = list(names)
    write_atomically(course / "nbgrader_config.py", lambda file: file.write_text(CONFIG, encoding="utf-8"))
    for path in paths:
        notebook = gradable(nbformat.read(path, as_version=4), names)
        target = course / "source" / path.stem / path.name
        write_atomically(target, lambda file, notebook=notebook: nbformat.write(notebook, file))


def release(names: Iterable[str], course: Path) -> list[Path]:
    """Have nbgrader cut the student edition of each assignment of ``course``; the notebooks that it wrote.

    ``RuntimeError`` with nbgrader's own words where it refuses one, as it does when an exercise was taken out of a
    notebook that somebody has handed in already.
    """
    from nbgrader.apps import NbGraderAPI  # an optional part of the installation
    from nbgrader.utils import setenv

    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course)
    config.Exchange.root = str(course / "exchange")  # asked for when the API starts; a course may set its own
    logging.getLogger("alembic").setLevel(logging.WARNING)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # it calls alembic by name
    with warnings.catch_warnings(), setenv(PATH=path):
        warnings.simplefilter("ignore")  # nbgrader's own
        api = NbGraderAPI(config=config)
        api.log_level = "WARN"
        written = []
        for name in names:
            done = api.generate_assignment(name)
            if not done["success"]:
                raise RuntimeError(f"nbgrader could not make {name}:\n{done.get('log') or done.get('error')}")
            written.append(course / "release" / name / f"{name}.ipynb")
    return written
