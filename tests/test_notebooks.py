"""What every notebook must look like. The outputs themselves are compared by nbval (make test); here is the form.

Each rule is a function from a notebook to a list of sentences, tested below on made-up notebooks that break it.
"""

import json
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SANITIZE = ROOT / "notebooks" / "nbval_sanitize.cfg"

MAX_BYTES = 1_500_000
MEDIAN_LINES, MAX_LINES = 8, 40
EXEMPT_SHARE = 0.02
SECTIONS = {  # what a heading must say
    "2-minute summary": r"\b(2|two)[- ]minute",
    "prerequisites": r"prerequisite",
    "break it": r"break it",
    "exercises": r"exercise",
    "questions": r"question",
    "references": r"reference",
}
MARKERS = ("NBVAL_IGNORE_OUTPUT", "NBVAL_SKIP", "NBVAL_RAISES_EXCEPTION", "PYTEST_VALIDATE_IGNORE_OUTPUT")
TAGS = {"nbval-ignore-output", "nbval-skip", "nbval-raises-exception", "raises-exception"}
PRIVATE = re.compile(
    r"(?<![\w.:/])/(?:home|root|Users|tmp|work|opt|mnt|var|srv)/\w|\b[A-Z]:\\\w|\blocalhost\b|\b127\.0\.0\.1\b"
)


def code_cells(notebook) -> list:
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lines_of(cell) -> list[str]:
    """The lines of a cell that are not blank."""
    return [line for line in cell.source.splitlines() if line.strip()]


def not_executed_in_order(notebook) -> list[str]:
    """Cells run 1..N, none is empty, no stored output is an error or was written to stderr."""
    found = []
    for number, cell in enumerate(code_cells(notebook), start=1):
        if not lines_of(cell):
            found.append(f"code cell {number} is empty")
        if cell.execution_count != number:
            found.append(f"code cell {number} has execution count {cell.execution_count}")
        found += [f"code cell {number} stores an error" for out in cell.outputs if out.output_type == "error"]
        found += [f"code cell {number} writes to stderr" for out in cell.outputs if out.get("name") == "stderr"]
    return found


def exemptions(notebook) -> list[str]:
    """At most 2 % of the code cells (but always one) are exempt from comparison, each with its reason in a comment."""
    cells, exempt, found = code_cells(notebook), 0, []
    for number, cell in enumerate(cells, start=1):
        comments = [line.strip().lstrip("#").strip() for line in lines_of(cell) if line.strip().startswith("#")]
        if TAGS & set(cell.metadata.get("tags", [])) or set(MARKERS) & set(comments):
            exempt += 1
            if not set(comments) - set(MARKERS):
                found.append(f"code cell {number} is exempt without a reason")
    if exempt > max(1, EXEMPT_SHARE * len(cells)):
        found.append(f"{exempt} of {len(cells)} code cells are exempt")
    return found


def long_cells(notebook) -> list[str]:
    """Code cells have at most 40 lines, and half of them at most 8."""
    lengths = [len(lines_of(cell)) for cell in code_cells(notebook)] or [0]
    found = [f"code cell {n} has {length} lines" for n, length in enumerate(lengths, start=1) if length > MAX_LINES]
    if statistics.median(lengths) > MEDIAN_LINES:
        found.append(f"the median of the code cells is {statistics.median(lengths)} lines")
    return found


def undescribed_figures(notebook) -> list[str]:
    """There is a figure; each is followed by a printed line (its description and its test); none is stored as SVG."""
    found, figures = [], 0
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output, after in zip(cell.outputs, [*cell.outputs[1:], {}], strict=False):
            kinds = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
            figures += bool(kinds)
            if kinds and not (after.get("name") == "stdout" and after.get("text", "").strip()):
                found.append(f"code cell {number} prints no line under its figure")
            if "image/svg+xml" in kinds:
                found.append(f"code cell {number} stores an SVG, which would be compared as text")
    return found if figures else [*found, "there is no figure"]


def missing_sections(notebook) -> list[str]:
    """A heading for each of SECTIONS, and folded answers between the heading of the questions and the next one."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    parts = re.split(r"^(#{1,6} .*)$", text, flags=re.MULTILINE)
    headings, bodies = parts[1::2], parts[2::2]
    said = "\n".join(headings)
    found = [f"no section: {name}" for name, words in SECTIONS.items() if not re.search(words, said, re.I)]
    asked = [body for heading, body in zip(headings, bodies, strict=True) if re.search("question", heading, re.I)]
    if asked and not any("<details" in body for body in asked):
        found.append("the questions have no folded answers")
    return found


def private_words(notebook, host: str = platform.node()) -> list[str]:
    """No absolute path of one machine, and not that machine's name, in sources or text outputs."""
    found = []
    for number, cell in enumerate(notebook.cells, start=1):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), *(v for k, v in output.get("data", {}).items() if k.startswith("text/"))]
        for text in map(str, texts):
            found += [f"cell {number} names {match.group()!r}..." for match in PRIVATE.finditer(text)]
            if len(host) > 3 and re.search(rf"\b{re.escape(host)}\b", text):
                found.append(f"cell {number} names the machine")
    return found


def metadata_problems(notebook) -> list[str]:
    """No state of widgets; the kernel has the name that every installation has."""
    found = ["metadata.widgets is stored"] if "widgets" in notebook.metadata else []
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not called python3")
    return found


RULES = (
    not_executed_in_order,
    exemptions,
    long_cells,
    undescribed_figures,
    missing_sections,
    private_words,
    metadata_problems,
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule, path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert rule(notebook) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_file_is_small(path):
    assert path.stat().st_size < MAX_BYTES


def test_readme_lists_the_notebooks_that_exist():
    listed = re.findall(r"\(notebooks/([^)]+\.ipynb)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == [path.name for path in NOTEBOOKS]


# The rules themselves, on notebooks made here.

IMAGE = {"image/png": "aGk=", "text/plain": "<Figure size 640x480 with 1 Axes>"}
SECTION_TEXT = (
    "# Boxes\n## 2-minute summary\n## Prerequisites\n## Break it: +1\n## Exercises\n## Questions\n"
    "<details><summary>Why?</summary>Because.</details>\n## References\n"
)


def figure(*after) -> list:
    """The outputs of a cell that shows a figure, then something else."""
    return [new_output("display_data", data=IMAGE), *after]


def printed(text: str, name: str = "stdout"):
    """A stream output."""
    return new_output("stream", name=name, text=text)


def made(*cells, text: str = SECTION_TEXT, **metadata):
    """A notebook that keeps every rule but where ``cells`` (source, outputs) or the rest say otherwise."""
    good = [("draw()", figure(printed("3 boxes\n"))), *cells]
    code = [new_code_cell(source, outputs=list(outputs)) for source, outputs in good]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=[new_markdown_cell(text), *code], metadata={"kernelspec": kernel, **metadata})


def test_a_good_notebook_keeps_every_rule():
    notebook = made(("x = 1", []))
    assert {rule.__name__: rule(notebook) for rule in RULES} == {rule.__name__: [] for rule in RULES}


def test_order_errors_and_stderr_are_found():
    notebook = made(("1 / 0", [new_output("error", ename="E", evalue="", traceback=[])]), ("", []), ("x", []))
    notebook.cells[-1].execution_count = 9
    notebook.cells[1].outputs.append(printed("warning", "stderr"))
    assert not_executed_in_order(notebook) == [
        "code cell 1 writes to stderr",
        "code cell 2 stores an error",
        "code cell 3 is empty",
        "code cell 4 has execution count 9",
    ]


def test_exemptions_are_counted_and_need_reasons():
    reasoned = ("# NBVAL_IGNORE_OUTPUT\n# the camera differs\nx", [])
    assert exemptions(made(reasoned)) == []
    assert exemptions(made(("# NBVAL_SKIP\nx", []))) == ["code cell 2 is exempt without a reason"]
    assert exemptions(made(reasoned, reasoned)) == ["2 of 3 code cells are exempt"]
    assert exemptions(made(reasoned, reasoned, *[("x", [])] * 97)) == []
    assert exemptions(made(reasoned, reasoned, reasoned, *[("x", [])] * 96)) == ["3 of 100 code cells are exempt"]
    tagged = made(("x", []))
    tagged.cells[-1].metadata["tags"] = ["nbval-skip"]
    assert exemptions(tagged) == ["code cell 2 is exempt without a reason"]


def test_long_cells_are_found():
    assert long_cells(made(("x\n\n" * 40, []))) == ["the median of the code cells is 20.5 lines"]
    assert long_cells(made(("x\n" * 41, []), ("x", []))) == ["code cell 2 has 41 lines"]
    assert long_cells(made(*[("x\n" * 8, [])] * 3)) == []
    assert long_cells(made(*[("x\n" * 9, [])] * 3)) == ["the median of the code cells is 9.0 lines"]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (figure(), ["code cell 2 prints no line under its figure"]),
        ([printed("above\n"), *figure()], ["code cell 2 prints no line under its figure"]),
        (figure(printed("\n")), ["code cell 2 prints no line under its figure"]),
        (figure(*figure(printed("of two, one\n"))), ["code cell 2 prints no line under its figure"]),
        (figure(printed("one\n"), *figure(printed("two\n"))), []),
    ],
)
def test_figures_without_a_line_under_them_are_found(outputs, expected):
    assert undescribed_figures(made(("draw()", outputs))) == expected


def test_no_figure_and_vector_figures_are_found():
    notebook = made()
    notebook.cells[1].outputs = []
    assert undescribed_figures(notebook) == ["there is no figure"]
    vector = [new_output("display_data", data={"image/svg+xml": "<svg/>"}), printed("a line\n")]
    assert len(undescribed_figures(made(("draw()", vector)))) == 1


@pytest.mark.parametrize("name", SECTIONS)
def test_each_missing_section_is_found(name):
    heading = next(line for line in SECTION_TEXT.splitlines() if re.search(SECTIONS[name], line, re.I))
    without = made(text=SECTION_TEXT.replace(heading, heading.replace("## ", "")))
    assert f"no section: {name}" in missing_sections(without)


def test_answers_must_be_folded_below_the_questions():
    elsewhere = SECTION_TEXT.replace("<details>", "").replace("## Exercises", "## Exercises\n<details>")
    assert missing_sections(made(text=elsewhere)) == ["the questions have no folded answers"]


@pytest.mark.parametrize("word", ["/home/me/x", "'/root/y'", r"C:\Users", "file /tmp/z", "localhost:8888", "box-17"])
def test_private_words_are_found_in_sources_and_outputs(word):
    assert len(private_words(made((f"# {word}", [])), host="box-17")) == 1
    assert len(private_words(made(("x", [printed(f"saved to {word}\n")])), host="box-17")) == 1


@pytest.mark.parametrize("word", ["https://example.org/home/page", "data/tmp/x", "../opt/x", "h / w", "box-170"])
def test_ordinary_words_are_not_private(word):
    assert private_words(made((f"# {word}", [])), host="box-17") == []


def test_stored_widgets_and_private_kernels_are_found():
    assert metadata_problems(made(widgets={"state": {}})) == ["metadata.widgets is stored"]
    private = {"name": "my-env", "display_name": "Mine"}
    assert metadata_problems(made(kernelspec=private)) == ["the kernel is not called python3"]


# What nbval compares, and what the sanitising rules let pass.


def sanitized(text: str) -> str:
    """The text as nbval compares it."""
    for pattern, replacement in get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")):
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("took 1.23 s", "took 0.9 s"),
        ("45 ms, 3 µs", "7.25 ms, 900 ns"),
        ("stride 16   99.9 ms", "stride 16  100.1 ms"),
        ("12.3x", "0.9x"),
        ("3 x faster", "4.5 x faster"),
        ("0.71 (expected 0.68 .. 0.74: yes)", "0.7 (expected 0.68 .. 0.74: yes)"),
        ("<object at 0x7f3a5c2b>", "<object at 0x1044e2d90>"),
        ("<Figure size 640x480 with 1 Axes>", "<Figure size 1280x960 with 2 Axes>"),
    ],
)
def test_what_differs_between_runs_is_replaced(stored, fresh):
    assert sanitized(stored) == sanitized(fresh)


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("3 boxes", "4 boxes"),
        ("image 640x480", "image 641x480"),
        ("7x7 bins", "8x7 bins"),
        ("IoU 0.71", "IoU 0.72"),
        ("0.71 (expected 0.68 .. 0.74: yes)", "0.75 (expected 0.68 .. 0.74: no)"),
        ("0.71 (expected 0.68 .. 0.74: yes)", "0.71 (expected 0.60 .. 0.74: yes)"),
        ("v1.5s", "v1.6s"),
        ("5 samples", "6 samples"),
        ("0x1F", "0x2F"),
    ],
)
def test_what_must_not_change_is_compared(stored, fresh):
    assert sanitized(stored) != sanitized(fresh)


def test_nbval_compares_text_and_values_but_not_pixels(tmp_path):
    picture = "from IPython.display import Image, display\ndisplay({'image/png': 'AAAA'}, raw=True)"
    cells = [
        ("print('2 boxes in 0.5 s')", [printed("2 boxes in 9.75 s\n")]),
        ("print('2 boxes')", [printed("3 boxes\n")]),
        ("6 * 7", [new_output("execute_result", data={"text/plain": "43"}, execution_count=3)]),
        (picture, [new_output("display_data", data={"image/png": "BBBB"})]),
        ("1 + 1", [new_output("execute_result", data={"text/plain": "2"}, execution_count=5)]),
    ]
    notebook = new_notebook(
        cells=[new_code_cell(source, outputs=out, execution_count=n) for n, (source, out) in enumerate(cells, start=1)]
    )
    nbformat.write(notebook, tmp_path / "made.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(SANITIZE)]
    done = subprocess.run([*command, "-q", "-rA", "made.ipynb"], cwd=tmp_path, capture_output=True, text=True)
    outcomes = re.findall(r"^(PASSED|FAILED) .*::Cell (\d)", done.stdout, re.MULTILINE)
    assert {int(cell): result for result, cell in outcomes} == {
        0: "PASSED",
        1: "FAILED",
        2: "FAILED",
        3: "PASSED",
        4: "PASSED",
    }


def test_notebooks_are_stored_as_readable_json():
    for path in NOTEBOOKS:
        assert json.loads(path.read_text(encoding="utf-8"))["nbformat"] == 4
