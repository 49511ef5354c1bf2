"""Exercises in the notebooks: each has a difficulty, minutes, two hints, a solution that can be cut out, and its check.

When the solutions are cut out, an exercise must fail and nothing else may: no later cell may need a learner's function.
"""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from answers import EXERCISES
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
WITHOUT_A_CONCEPT = ("16_the_scoreboard",)  # it measures what the others build
HEADING = re.compile(r"^#+ Exercise (\d+) (?:★★★|★★☆|★☆☆) · (\d+) minutes(?:: .+)?$", re.MULTILINE)
CHECK = re.compile(r"^check_\w+\((\w+)\)$")


def exercise_cells(notebook):
    """(index, cell) of the cells that a learner fills in."""
    return [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and BEGIN in cell.source]


def functions_of(cell):
    """Names of the functions that a cell defines."""
    return {node.name for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)}


def values_of(cell):
    """Names that a cell gives a value to, outside any function: an exercise may ask for facts, say as a dict."""
    targets = [t for node in ast.parse(cell.source).body if isinstance(node, ast.Assign) for t in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def badly_built(notebook) -> list[str]:
    """Markers in order, inside the function if there is one; the answer's check as the last line; nbgrader's note."""
    found = []
    for index, cell in exercise_cells(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        check = CHECK.match(lines[-1])
        functions = functions_of(cell)
        if not check or check.group(1) not in functions | values_of(cell):
            found.append(f"cell {index} does not end with the check of its own answer: {lines[-1]}")
        markers = [line for line in lines if line.strip() in (BEGIN, END)]
        indent = "    " if functions else ""
        if markers != [indent + BEGIN, indent + END]:
            found.append(f"cell {index} has no solution between markers, inside its function if it has one")
        note = cell.metadata.get("nbgrader", {})
        if not note.get("solution") or note.get("grade") or not note.get("grade_id"):
            found.append(f"cell {index} is not marked as a solution for nbgrader")
    return found


def badly_introduced(notebook) -> list[str]:
    """Above each exercise: its number in order, difficulty, minutes, and two hints in folds."""
    found = []
    for number, (index, _) in enumerate(exercise_cells(notebook), start=1):
        texts = [cell.source for cell in notebook.cells[:index] if cell.cell_type == "markdown"]
        heading = HEADING.search(texts[-1]) if texts else None
        if not heading or int(heading.group(1)) != number:
            found.append(f"cell {index} does not follow '### Exercise {number} ★★☆ · 15 minutes'")
        elif len(re.findall(r"<details><summary>Hint \d</summary>", texts[-1])) != 2:
            found.append(f"exercise {number} has not two hints")
    return found


def needed_later(notebook) -> list[str]:
    """A learner's function that a later cell uses, though nothing has defined it anew."""
    learners, found = {}, []
    exercises = dict(exercise_cells(notebook))
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        for node in sorted(ast.walk(ast.parse(cell.source)), key=lambda n: getattr(n, "lineno", 0)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for alias in node.names:
                    learners.pop(alias.asname or alias.name, None)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                learners.pop(node.id, None)
            elif isinstance(node, ast.Name) and node.id in learners and index not in exercises:
                found.append(f"cell {index} uses {node.id}, which the learner writes in cell {learners[node.id]}")
        if index in exercises:
            learners |= dict.fromkeys(functions_of(cell), index)
    return found


RULES = (badly_built, badly_introduced, needed_later)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule, path):
    assert rule(nbformat.read(path, as_version=4)) == []


def test_every_exercise_has_its_own_grade_id():
    cells = [cell for path in NOTEBOOKS for _, cell in exercise_cells(nbformat.read(path, as_version=4))]
    ids = [cell.metadata.nbgrader.grade_id for cell in cells]
    assert len(ids) == len(set(ids))


def checks_of(path):
    """Names of the checks at the ends of a notebook's exercise cells, without ``check_``."""
    cells = [cell for _, cell in exercise_cells(nbformat.read(path, as_version=4))]
    return [re.search(r"check_(\w+)\(\w+\)\s*$", cell.source).group(1) for cell in cells]


def test_there_are_at_least_sixty_exercises_and_three_in_each_notebook():
    counts = {path.stem: len(checks_of(path)) for path in NOTEBOOKS if path.stem not in WITHOUT_A_CONCEPT}
    assert sum(counts.values()) >= 60
    assert {name: count for name, count in counts.items() if count < 3} == {}


def test_every_check_has_its_wrong_answers():
    """All but one in tests/mutants; that one, whose answer is a dict, in test_check_family.py."""
    used = [name for path in NOTEBOOKS for name in checks_of(path)]
    assert len(used) == len(set(used))
    assert set(used) - {exercise for _, exercise in EXERCISES} == {"new_answers"}


# The rules themselves, on notebooks made here.

TEXT = (
    "### Exercise 1 ★☆☆ · 5 minutes\nDouble it.\n\n"
    "<details><summary>Hint 1</summary>a</details>\n<details><summary>Hint 2</summary>b</details>"
)
ANSWER = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n\n\ncheck_double(double)"
NOTE = {"solution": True, "grade": False, "grade_id": "double"}


def made(*later, text=TEXT, answer=ANSWER, note=NOTE):
    exercise = new_code_cell(answer, metadata={"nbgrader": note})
    return new_notebook(cells=[new_markdown_cell(text), exercise, *map(new_code_cell, later)])


def test_a_good_exercise_keeps_every_rule():
    assert [rule(made("print(4)")) for rule in RULES] == [[], [], []]


@pytest.mark.parametrize(
    "notebook",
    [
        made(answer=ANSWER.replace("check_double(double)", "double(3)")),
        made(answer=ANSWER.replace("check_double(double)", "check_double(twice)")),
        made(answer=ANSWER.replace("    ### END SOLUTION\n", "")),
        made(answer=ANSWER.replace("    ### END SOLUTION", "### END SOLUTION")),
        made(note={}),
    ],
)
def test_a_badly_built_exercise_is_found(notebook):
    assert len(badly_built(notebook)) == 1


@pytest.mark.parametrize(
    "text", [TEXT.replace("1 ★", "2 ★"), TEXT.replace(" · 5 minutes", ""), TEXT.replace("Hint 2", "Tip")]
)
def test_a_badly_introduced_exercise_is_found(text):
    assert len(badly_introduced(made(text=text))) == 1


def test_a_later_use_is_found_unless_the_name_was_defined_anew():
    assert needed_later(made("print(1)", "double(3)")) == ["cell 3 uses double, which the learner writes in cell 1"]
    assert needed_later(made("from elsewhere import double\ndouble(3)", "double(4)")) == []
    assert needed_later(made("double = 3\ndouble + 1")) == []
