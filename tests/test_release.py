"""The student edition: with stubs it fails its checks and nothing else, with the solutions put back it is the source.

Running every student notebook whole would take as long as nbval does, so the sentence is proved in steps, for all:

1. nbgrader's edition holds the source's cells, in order, unchanged but for the cut solutions, and the graded cells.
2. No other cell reads a name that a cell to fill in gives a value, also not from inside a function; and what a solution
   reads of its notebook are functions, modules and constants, so that it leaves nothing behind but its own names.
   Hence all other cells compute what they compute in the source, and nbval proves that those run.
3. Each cell to fill in is run with its stub, after the cells that it needs: it fails its check, and so does the graded
   cell. ``python -m rcnn_lite.teaching --prove`` runs every notebook whole instead; two short ones are run so here.
"""

import ast
import builtins
import os
import re
import shutil
import subprocess
import symtable
import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbval.plugin import get_sanitize_patterns

from rcnn_lite.checks import CheckFailed, Exercise
from rcnn_lite.course import execute
from rcnn_lite.teaching.outline import BEGIN, END, tasks_of
from rcnn_lite.teaching.student import gradable, is_answer, is_graded, put_back, relinked

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]
STUB = ["# YOUR CODE HERE", "raise NotImplementedError()"]
WHOLE = ["01_boxes_iou_nms", "02_measuring_detectors"]
PATTERNS = get_sanitize_patterns((ROOT / "notebooks" / "nbval_sanitize.cfg").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """nbgrader's course folder with the student edition of all notebooks, as ``make release`` writes it."""
    output = tmp_path_factory.mktemp("release")
    command = [sys.executable, "-m", "rcnn_lite.teaching", "--only", "course", "--output", str(output)]
    subprocess.run(command, check=True, cwd=ROOT)
    return output / "course"


@pytest.fixture(scope="module")
def sources():
    return {path.stem: nbformat.read(path, as_version=4) for path in PATHS}


@pytest.fixture(scope="module")
def students(course):
    return {name: nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4) for name in NAMES}


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def cut(source):
    """What a learner gets of a solved cell: the lines outside the markers, and the stub in the solution's place."""
    before, rest = source.split(BEGIN)
    indent = before.rpartition("\n")[2]
    return before + f"\n{indent}".join(STUB) + rest.split(END)[1]


# 1. What was cut, and what not.


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_solutions_was_cut_and_nothing_but_graded_cells_was_added(name, sources, students):
    source, student = sources[name], students[name]
    kept = [cell for cell in student.cells if not is_graded(cell)]
    assert [cell.cell_type for cell in kept] == [cell.cell_type for cell in source.cells]
    for cell, original in zip(kept, source.cells, strict=True):
        if cell.cell_type == "markdown":
            assert cell.source == relinked(original.source, NAMES)
        elif is_answer(cell):
            assert cell.source == cut(original.source)
            assert cell.outputs == []
        else:
            assert cell.source == original.source
            assert cell.outputs == original.outputs


@pytest.mark.parametrize("name", NAMES)
def test_with_the_solutions_put_back_it_is_the_source(name, sources, students):
    back = [cell for cell in code_of(put_back(students[name], sources[name])) if not is_graded(cell)]
    assert [cell.source for cell in back] == [cell.source for cell in code_of(sources[name])]


@pytest.mark.parametrize("name", NAMES)
def test_each_exercise_is_graded_by_its_own_check_with_a_point_a_star(name, sources, students):
    tasks, cells = tasks_of(sources[name]), students[name].cells
    places = [index for index, cell in enumerate(cells) if is_graded(cell)]
    assert len(places) == len(tasks) > 2
    for place, task in zip(places, tasks, strict=True):
        note = cells[place].metadata.nbgrader
        assert cells[place - 1].metadata.nbgrader.grade_id == task.grade_id
        assert (note.points, note.locked) == (task.stars, True)
        last = cells[place - 1].source.strip().splitlines()[-1]
        assert cells[place].source.splitlines()[-1] == last == f"{task.check}({task.answer})"


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_the_other_assignments(name, course, students):
    text = "\n".join(cell.source for cell in students[name].cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#:]+\.ipynb)", text)
    assert [link for link in links if not (course / "release" / name / link).is_file()] == []


@pytest.mark.parametrize("name", NAMES)
def test_who_learns_alone_finds_each_solution_folded_below_its_exercise(name, course, sources):
    edition = nbformat.read(course.parent / "selfstudy" / f"{name}.ipynb", as_version=4)
    answers = {cell.id: cell for cell in sources[name].cells if is_answer(cell)}
    places = [index for index, cell in enumerate(edition.cells) if is_answer(cell)]
    assert [edition.cells[index].id for index in places] == list(answers)
    for index in places:
        cell, fold = edition.cells[index : index + 2]
        assert cell.source == cut(answers[cell.id].source)
        shown = re.fullmatch(
            r"<details><summary>Solution</summary>\n\n```python\n(.+)\n```\n\n</details>", fold.source, re.DOTALL
        )
        *solved, check = answers[cell.id].source.rstrip().splitlines()
        assert shown.group(1).split() == " ".join(line for line in solved if line.strip() not in (BEGIN, END)).split()
        ast.parse(shown.group(1))
    assert len(edition.cells) == len(sources[name].cells) + len(answers)
    assert not any(is_graded(cell) for cell in edition.cells)


# 2. Who reads what a learner writes.


def _tables(table):
    yield table
    for child in table.get_children():
        yield from _tables(child)


def bound(source):
    """Names that a cell gives a value to."""
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}


def imported_first(source):
    """Names whose first mention in a cell is an import in one of its statements."""
    found, seen = set(), set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names} - seen
        seen |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return found


def read_now(source):
    """Names that a cell's own statements mention."""
    return {s.get_name() for s in symtable.symtable(source, "cell", "exec").get_symbols() if s.is_referenced()}


def read_later(source):
    """Names of the notebook that functions of a cell read when they are called."""
    tables = [t for child in symtable.symtable(source, "cell", "exec").get_children() for t in _tables(child)]
    return {s.get_name() for table in tables for s in table.get_symbols() if s.is_global() and s.is_referenced()}


def needed_elsewhere(notebook):
    """(cell to fill in, name, cell that reads it) where a learner's name is read before it is defined anew."""
    cells, found = list(enumerate(notebook.cells)), []
    cells = [(i, cell.source) for i, cell in cells if cell.cell_type == "code"]
    for k, answer in cells:
        if BEGIN not in answer:
            continue
        for name in bound(answer) - imported_first(answer):
            anew = [j for j, source in cells if j > k and name in bound(source)]
            for j, source in cells:
                reads = read_later(source) | (read_now(source) if j > k else set())
                safe = any(k < i < j for i in anew) or (j > k and name in imported_first(source))
                if j != k and name in reads and not safe:
                    found.append((k, name, j))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_other_cell_reads_what_a_learner_writes(name, sources):
    assert needed_elsewhere(sources[name]) == []


ANSWER = f"def double(x):\n    {BEGIN}\n    return 2 * x\n    {END}\n\n\ncheck_double(double)"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("x = 1", "print(x)", []),
        ("x = 1", "double(x)", [(1, "double", 2)]),
        ("x = 1", "def later():\n    return [double(i) for i in range(3)]", [(1, "double", 2)]),
        ("def early(x):\n    return double(x)", "early(3)", [(1, "double", 0)]),
        ("x = 1", "from package import double\n\ndouble(x)", []),
        ("x = 1", "double(x)\nfrom package import double", [(1, "double", 2)]),
        ("def other(double):\n    return double", "other(3)", []),
    ],
)
def test_a_cell_that_needs_the_learner_is_found(before, after, expected):
    assert needed_elsewhere(new_notebook(cells=list(map(new_code_cell, (before, ANSWER, after))))) == expected


# 3. The stubs fail their checks.

CONSTANT = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type, str, int, float, tuple, Exercise)
NOT_YET = (CheckFailed, NotImplementedError, NameError)  # the last two where facts are asked for, not a function


def needs_of(cells, k, names):
    """Indices of the cells before ``k`` that give ``names`` their values, and of those that these need in turn."""
    found = set()
    for name in names - set(dir(builtins)):
        giving = max((j for j, source in cells.items() if j < k and name in bound(source)), default=None)
        if giving is not None and giving not in found:
            found |= {giving} | needs_of(cells, giving, read_now(cells[giving]) | read_later(cells[giving]))
    return found


@pytest.fixture
def as_in_a_kernel(monkeypatch, capsys):
    """A dict in which cells may run: what they change of this process, and open, ends with the test."""
    monkeypatch.chdir(ROOT / "notebooks")
    shared: dict = {"__name__": "__main__"}
    with mock.patch.dict(os.environ), plt.rc_context():
        yield shared
    for value in shared.values():
        if isinstance(value, tempfile.TemporaryDirectory):
            value.cleanup()
    plt.close("all")
    capsys.readouterr()


@pytest.mark.filterwarnings("ignore")  # of notebooks; nbval sees what they print
@pytest.mark.parametrize("name", NAMES)
def test_every_stub_fails_its_check_and_its_grade(name, sources, students, as_in_a_kernel):
    pairs, shared, ready = code_of(students[name]), as_in_a_kernel, set()
    solved = [cell.source for cell in code_of(put_back(students[name], sources[name]))]
    ours = {i: solved[i] for i, cell in enumerate(pairs) if not is_answer(cell) and not is_graded(cell)}
    for place in [i for i, cell in enumerate(pairs) if is_answer(cell)]:
        wanted = read_now(solved[place]) | read_later(solved[place])
        for index in sorted(needs_of(ours, place, wanted) - ready):
            exec(compile(ours[index], f"cell {index}", "exec"), shared)
            ready.add(index)
        used = wanted - bound(solved[place]) - set(dir(builtins))
        assert [name for name in used if not isinstance(shared[name], CONSTANT)] == []
        for cell in pairs[place : place + 2]:
            with pytest.raises(NOT_YET) as failure:
                exec(compile(cell.source, "cell of a learner", "exec"), shared)
            assert "not written yet" in str(failure.value) or "def " not in pairs[place].source


# Whole notebooks.


def texts_of(cell):
    """What a cell printed, as nbval would compare it."""
    text = "".join(output.get("text", "") for output in cell.outputs)
    for pattern, replacement in PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize("name", WHOLE)
def test_a_student_notebook_runs_to_its_end_and_fails_its_checks_only(name, course, tmp_path, sources):
    path = Path(shutil.copy(course / "release" / name / f"{name}.ipynb", tmp_path))
    student = nbformat.read(path, as_version=4)
    assert execute(student, tmp_path, timeout=300, on_cell=lambda: None) is None
    failed = {c.id: c.outputs[-1].ename for c in code_of(student) if any(o.output_type == "error" for o in c.outputs)}
    assert failed == {cell.id: "CheckFailed" for cell in code_of(student) if is_answer(cell) or is_graded(cell)}
    same = {cell.id: texts_of(cell) for cell in code_of(student) if cell.id not in failed}
    assert same == {cell.id: texts_of(cell) for cell in code_of(sources[name]) if cell.id in same}


# Nothing derived is kept.


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_derived_files_are_ignored_and_never_committed():
    kept = git("ls-files").stdout.splitlines()
    assert len(kept) > 100
    notebooks = [path for path in kept if path.endswith(".ipynb")]
    assert [path for path in kept if path.startswith("build/") or path.endswith((".db", ".slides.html"))] == []
    assert [path for path in notebooks if not re.fullmatch(r"notebooks/\d\d[a-z]?_\w+\.ipynb", path)] == []
    assert git("check-ignore", "-q", "build/release/course/gradebook.db").returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_the_solved_edition(name, sources):
    text = "\n".join(cell.source for cell in sources[name].cells)
    assert not any(line in text for line in STUB)
    assert not any(is_graded(cell) for cell in sources[name].cells)


def test_links_are_changed_only_where_they_lead_elsewhere():
    text = "[a](01_b.ipynb#c), [d](../tests/e.py), [f](https://g.org/01_b.ipynb), [h](#i) and `m[j](k)`"
    assert relinked(text, ["01_b"]) == text.replace("(01_b", "(../01_b/01_b", 1).replace("[d](../tests/e.py)", "d")


def test_speaker_notes_are_not_for_students():
    notebook = new_notebook(cells=[new_code_cell("x = 1", metadata={"speaker_notes": "ask first", "tags": ["a"]})])
    assert gradable(notebook, []).cells[0].metadata == {"tags": ["a"]}
    assert notebook.cells[0].metadata.speaker_notes == "ask first"
