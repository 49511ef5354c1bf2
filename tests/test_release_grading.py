"""An instructor's path by the commands of the guide: hand out, collect, grade, read the grades, with real kernels."""

import csv
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from rcnn_lite.teaching.guide import GRADING
from rcnn_lite.teaching.outline import tasks_of
from rcnn_lite.teaching.student import is_answer, is_graded, put_back

ROOT = Path(__file__).resolve().parents[1]
NAME = "01_boxes_iou_nms"  # runs in a few seconds
PLUS_ONE = """def box_iou(boxes, gt_boxes):
    widths = boxes[:, 2] - boxes[:, 0] + 1
    return widths[:, None] / widths[None]


check_box_iou(box_iou)"""


def run(command, folder):
    """One command of the guide, as typed in the course folder with the environment activated."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    places = {"JUPYTER_CONFIG_DIR": str(folder / "jupyter"), "IPYTHONDIR": str(folder / "ipython")}
    environment = {**os.environ, **places, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def solved():
    return nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def course(tmp_path_factory, solved):
    """A course in which ada has handed in all right, and ben half of it, packed, with one cell deleted."""
    output = tmp_path_factory.mktemp("teaching")
    run([sys.executable, "-m", "rcnn_lite.teaching", NAME[:2], "--only", "course", "--output", str(output)], output)
    course = output / "course"
    student = nbformat.read(course / "release" / NAME / f"{NAME}.ipynb", as_version=4)
    archive = course / "downloaded" / NAME / "archive"
    archive.mkdir(parents=True)
    nbformat.write(put_back(student, solved), archive / f"ada_{NAME}.ipynb")
    ids = [task.grade_id for task in tasks_of(solved)]
    half = put_back(student, solved, ids[: len(ids) // 2])
    (wrong,) = [cell for cell in half.cells if is_answer(cell) and cell.metadata.nbgrader.grade_id == "01-box-iou"]
    wrong.source = PLUS_ONE
    (first, *_) = [cell for cell in half.cells if is_graded(cell)]
    half.cells.remove(first)
    nbformat.write(half, output / f"ben_{NAME}.ipynb")
    with zipfile.ZipFile(archive / "ben.zip", "w") as packed:
        packed.write(output / f"ben_{NAME}.ipynb", f"ben_{NAME}.ipynb")
    return course


@pytest.fixture(scope="module")
def graded(course):
    for command in GRADING:
        run([sys.executable, "-m", "nbgrader", *command.format(name=NAME).split()], course)
    return course


def test_the_grades_can_be_read(graded, solved):
    points = [task.stars for task in tasks_of(solved)]
    with (graded / "grades.csv").open(encoding="utf-8") as file:
        grades = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    first, _, third = points[:3]  # ben's second is wrong; the graded cell of the first came back though he deleted it
    assert grades == {"ada": (sum(points), sum(points)), "ben": (first + third, sum(points))}


def test_all_other_cells_ran_for_both(graded):
    for student, failing in (("ada", 0), ("ben", 8)):
        notebook = nbformat.read(graded / "autograded" / student / NAME / f"{NAME}.ipynb", as_version=4)
        failed = [cell for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", []))]
        assert all("nbgrader" in cell.metadata for cell in failed)
        assert len(failed) == failing


def test_the_feedback_shows_what_the_check_said(graded):
    page = (graded / "feedback" / "ben" / NAME / f"{NAME}.html").read_text(encoding="utf-8")
    assert "box_iou is not right yet" in page
    assert re.search(r"decode_boxes: not written yet", page)
