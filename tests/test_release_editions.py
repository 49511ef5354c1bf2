"""What instructors get: outlines, plans, the instructor edition, slides, and the proof by running whole notebooks."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rcnn_lite.checks import Exercise
from rcnn_lite.teaching.guide import GRADING, guide
from rcnn_lite.teaching.instructor import instructor_edition, lab_mistakes, misconceptions, total_minutes
from rcnn_lite.teaching.outline import (
    BEGIN,
    END,
    FORMULA,
    Item,
    first_sentences,
    questions_of,
    sections_of,
    tasks_of,
    word_count,
)
from rcnn_lite.teaching.prove import verdict
from rcnn_lite.teaching.slides import copy_reveal, digest, mathml, render_slides, slide_show
from rcnn_lite.teaching.timing import LECTURES, items_of, minutes_of, plan, section_minutes, shares, slot

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]
PICTURE = new_output("display_data", data={"image/png": "aGk="})
LINE = new_output("stream", name="stdout", text="one cat\n")
EXERCISE = """### Exercise 1 ★★☆ · 15 minutes: areas

Multiply.

<details><summary>Hint 1</summary>

$a b$

</details>
<details><summary>Hint 2</summary>

No +1.

</details>"""
ANSWER = f"def box_iou(a, b):\n    {BEGIN}\n    return secret(a)\n    {END}\n\n\ncheck_box_iou(box_iou)"


@pytest.fixture(scope="module")
def notebooks():
    return {path.stem: nbformat.read(path, as_version=4) for path in PATHS}


def made(*cells):
    """A notebook of markdown texts and (code, outputs, metadata) triples."""
    built = []
    for cell in cells:
        if isinstance(cell, str):
            built.append(new_markdown_cell(cell))
        else:
            source, outputs, metadata = (*cell, {}, {})[:3]
            built.append(new_code_cell(source, outputs=outputs or [], metadata=metadata, execution_count=len(built)))
    return new_notebook(cells=built, metadata={"kernelspec": {"name": "python3", "display_name": "x"}})


def exercise(text=EXERCISE, answer=ANSWER):
    note = {"nbgrader": {"solution": True, "grade": False, "grade_id": "areas"}}
    before = "from rcnn_lite.checks.boxes import check_box_iou"
    return made(
        "# Boxes\n\nA title.", "## 1. Area\n\nText.", text, (before, []), (answer, [], note), "## Questions\n\nThink."
    )


# ---- outlines ----


def test_headings_divide_cells_and_cells_continue_sections():
    notebook = made("# T\n\nfirst\n## A\nsecond", ("x", []), "third\n### B\n```\n# no heading\n```", "## Break it\nx")
    sections = sections_of(notebook)
    assert [(section.heading, section.kind) for section in sections] == [
        ("T", "title"),
        ("A", "content"),
        ("Break it", "break it"),
    ]
    assert [[item.text for item in part.items] for part in sections[1].parts] == [
        ["second", "x", "third"],
        ["```\n# no heading\n```"],
    ]


def test_an_exercise_is_taken_apart():
    (task,) = tasks_of(exercise())
    assert (task.number, task.stars, task.minutes, task.title) == (1, 2, 15, "areas")
    assert (task.text, task.hints) == ("Multiply.", ["$a b$", "No +1."])
    assert (task.grade_id, task.answer, task.check, task.module) == (
        "areas",
        "box_iou",
        "check_box_iou",
        "rcnn_lite.checks.boxes",
    )


@pytest.mark.parametrize(
    ("text", "answer", "words"),
    [
        ("### Area", ANSWER, "stands under 'Area', no exercise"),
        (EXERCISE, ANSWER.replace("check_box_iou(box_iou)", "box_iou(1, 2)"), "its last line is not check_"),
        (EXERCISE, ANSWER.replace("check_box_iou", "check_other"), "calls check_other, which no cell above imports"),
    ],
)
def test_an_exercise_that_cannot_be_graded_is_named(text, answer, words):
    with pytest.raises(ValueError, match=words):
        tasks_of(exercise(text, answer))


def test_words_are_those_that_are_spoken():
    assert word_count("Two words, $$a + b$$ and [three](http://x.org/y) more.") == 5
    assert word_count("<details><summary>Why?</summary>\n\nNot said.\n\n</details> said") == 1
    assert first_sentences("- a list\n\nIt is 3.5 wide. Then more. And more.", 2) == "It is 3.5 wide. Then more."
    assert first_sentences("$$x$$") == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_and_question_is_found(name, notebooks):
    text = "\n".join(cell.source for cell in notebooks[name].cells if cell.cell_type == "markdown")
    assert len(tasks_of(notebooks[name])) == len(re.findall(r"^### Exercise \d", text, re.MULTILINE)) > 2
    folds = len(re.findall("<summary>", text)) - len(re.findall("<summary>Hint", text))
    asked = any(section.kind == "questions" for section in sections_of(notebooks[name]))
    assert asked <= len(questions_of(notebooks[name])) <= folds


# ---- plans ----


def test_minutes_of_items_worked_out_by_hand():
    text = new_markdown_cell(" ".join(["word"] * 260) + " $$a$$")
    assert minutes_of(Item(0, text.source, text)) == pytest.approx(260 / 130 + 0.75)
    code = new_code_cell("x = 1\n\ny = 2", outputs=[PICTURE, LINE])
    assert minutes_of(Item(0, code.source, code)) == pytest.approx(0.75 + 2 * 0.08)


def test_whole_minutes_are_shared_out_without_loss():
    assert shares([1, 1, 1], 10) == [4, 3, 3]
    assert shares([0, 5], 3) == [0, 3]
    assert shares([0, 0], 3) == [0, 0]


@pytest.mark.parametrize("total", LECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_a_plan_fills_its_lecture_and_nothing_is_lost(name, total, notebooks):
    made_plan, tasks = plan(notebooks[name], total), tasks_of(notebooks[name])
    assert total_minutes(made_plan) == total
    assert sorted(task.number for task in made_plan.live + made_plan.homework) == [task.number for task in tasks]
    assert made_plan.practice == sum(task.minutes for task in made_plan.live)
    assert bool(made_plan.live) == (total >= 60)
    headings = [section.heading for section in sections_of(notebooks[name])]
    order = [headings.index(entry.section.heading) for entry in made_plan.slots]
    assert order == sorted(order)
    for entry in made_plan.slots:
        assert len(entry.shown) + entry.left == len(items_of(entry.section))
        assert sum(map(minutes_of, entry.shown)) <= entry.minutes + 0.501


def lecture(*lengths, **metadata):
    """A notebook of sections with so many words each; ``metadata`` of the first section's cell."""
    texts = [f"## {number}. Part\n\n" + "word " * words for number, words in enumerate(lengths)]
    notebook = made("# T", *texts, "## Break it\n\nx")
    notebook.cells[1].metadata.update(metadata)
    return notebook


def test_a_plan_follows_the_notebook():
    short, long = ([entry.minutes for entry in plan(lecture(n, 1300), 45).slots[1:3]] for n in (1300, 2600))
    assert short == [17, 16]
    assert long[0] > short[0]
    assert sum(short) == sum(long)


def test_what_would_get_too_little_is_left_for_reading_the_optional_first():
    lengths = (1300, 6000, 6000)
    assert [entry.minutes for entry in plan(lecture(*lengths), 45).slots[1:4]] == [6, 27, 0]
    assert [entry.minutes for entry in plan(lecture(6000, 6000, tags=["optional"]), 45).slots[1:3]] == [0, 33]
    assert all(entry.minutes for entry in plan(lecture(*lengths), 90).slots[1:4])


def test_pictures_come_before_prose():
    section = sections_of(made("## A\n\n" + "word " * 130, ("x", [PICTURE, LINE]), "word " * 130))[0]
    assert [item.index for item in slot(section, 1).shown] == [1]
    assert slot(section, 0).left == 3


# ---- the instructor edition ----


@pytest.mark.parametrize("name", NAMES)
def test_the_instructor_edition_is_the_source_with_cards_between(name, notebooks):
    source, edition = notebooks[name], instructor_edition(notebooks[name])
    ids = {cell.id for cell in source.cells}
    assert [cell for cell in edition.cells if cell.id in ids] == source.cells
    cards = [cell.source for cell in edition.cells if cell.id not in ids]
    assert all(f"| {total} minutes" in cards[0] and f"**{total}**" in cards[0] for total in LECTURES)
    expectations = [card for card in cards if "what to expect" in card]
    tasks = tasks_of(source)
    assert len(expectations) == len(tasks)
    for task, card in zip(tasks, expectations, strict=True):
        assert all(words in card for words in misconceptions(task))
    assert [task.check for task in tasks if isinstance(task.load_check(), Exercise) and not misconceptions(task)] == []
    assert bool(lab_mistakes(source)) == any("with mistake(" in cell.source for cell in source.cells)
    assert all(f"`{bug}`: {text}" in cards[0] for bug, text in lab_mistakes(source).items())
    nbformat.validate(edition)


def test_what_the_notebooks_say_to_the_speaker_reaches_him(notebooks):
    spoken = 0
    for notebook in notebooks.values():
        notes = [cell.metadata.speaker_notes for cell in notebook.cells if "speaker_notes" in cell.metadata]
        cards = "\n".join(cell.source for cell in instructor_edition(notebook).cells)
        shown = "\n".join(cell.source for cell in slide_show(notebook).cells)
        assert all(note in cards and note in shown for note in notes)
        assert min(map(word_count, notes), default=12) >= 12
        spoken += len(notes) >= 3
    assert spoken >= 16


def test_a_note_means_the_last_heading_of_its_cell():
    notebook = made("# T", "## A\n\nx", "the end of A\n\n## B", ("y", []), "## Questions\n\nz")
    notebook.cells[2].metadata["speaker_notes"] = "Ask first."
    assert {s.heading: s.speaker_notes for s in sections_of(notebook)} == {
        "T": [],
        "A": [],
        "B": ["Ask first."],
        "Questions": [],
    }


def test_a_check_that_knows_no_mistakes_says_so(notebooks):
    cards = [cell.source for cell in instructor_edition(notebooks[NAMES[0]]).cells]
    assert any("knows no typical mistake" in card for card in cards)


def test_the_guide_names_the_commands_that_are_tested():
    text = guide("01_boxes")
    assert all(f"nbgrader {command.format(name='01_boxes')}" in text for command in GRADING)
    assert "{" not in text


# ---- slides ----


@pytest.fixture(scope="module")
def shows(notebooks):
    return {name: render_slides(notebooks[name], name) for name in ("01_boxes_iou_nms", "14_mask_r_cnn")}


@pytest.mark.parametrize("name", ["01_boxes_iou_nms", "14_mask_r_cnn"])
def test_slides_need_no_network_and_nothing_that_is_not_there(name, shows, tmp_path):
    copy_reveal(tmp_path)
    wanted = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', shows[name])
    files = [address for address in wanted if not address.startswith("data:")]
    assert sorted(files) == [
        "reveal/dist/reveal.css",
        "reveal/dist/reveal.js",
        "reveal/dist/theme/white.css",
        "reveal/plugin/notes/notes.js",
    ]
    assert all((tmp_path / file).is_file() for file in files)
    theme = (tmp_path / "reveal/dist/theme/white.css").read_text(encoding="utf-8")
    assert all(
        (tmp_path / "reveal/dist/theme" / path).is_file() for path in re.findall(r"@import url\(([^)]+)\)", theme)
    )
    assert not re.search(r"url\(['\"]?https?:|@import ['\"]?https?:", shows[name])


@pytest.mark.parametrize("name", ["01_boxes_iou_nms", "14_mask_r_cnn"])
def test_slides_show_every_picture_with_its_description_and_no_solution(name, shows, notebooks):
    taught = [s for s in sections_of(notebooks[name]) if s.kind not in ("prerequisites", "references", "refresher")]
    figures = sum(item.figures for section in taught for part in section.parts for item in part.items)
    assert shows[name].count("<img") == figures
    assert "No description has been provided" not in shows[name]
    texts = "\n".join(cell.source for cell in slide_show(notebooks[name]).cells)
    assert BEGIN not in texts
    assert all(task.text.splitlines()[0] in texts for task in tasks_of(notebooks[name]))
    assert not re.search(r"FORMULA\d", shows[name])
    assert "<math" in shows[name]


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_becomes_mathml(name, notebooks):
    texts = [cell.source for cell in notebooks[name].cells if cell.cell_type == "markdown"]
    formulas = [formula.strip("$") for text in texts for formula in FORMULA.findall(text)]
    drawn = [mathml(formula, display=True) for formula in formulas]
    assert [formula for formula, text in zip(formulas, drawn, strict=True) if re.search(r"\\[a-zA-Z]", text)] == []


def test_a_text_is_cut_to_its_opening_lists_and_formulas():
    text = "One. Two. Three.\n\nA long story.\n\n- a\n- b\n\nWith $$x = 1$$ inside.\n\n| a |\n|---|"
    assert digest(text).split("\n\n") == ["One. Two.", "- a\n- b", "$$x = 1$$", "| a |\n|---|"]


def test_what_goes_on_slides():
    hidden = ("secret = 1\n" * 13, [LINE])
    notebook = made("# T\n\nHello.", ("import x", []), ("draw()", [PICTURE, LINE]), ("print(1)", [LINE]), hidden)
    notebook.cells[2].metadata["speaker_notes"] = "Ask first."
    cells = slide_show(notebook).cells
    assert [cell.source for cell in cells] == [
        "## T\n\nHello.",
        "Hello.",
        "draw()",
        "**Ask first.**",
        "print(1)",
    ]


# ---- running whole notebooks ----


@pytest.mark.parametrize(
    ("answer", "last", "words"),
    [
        ("return 2 * x", "y = 1", []),
        ("return 2 * x", "1 / 0", ["with stubs, code cell 4: ZeroDivisionError", "with the solutions, code cell 4"]),
        ("return 3 * x", "y = 1", ["with the solutions, cell answer fails", "with the solutions, cell graded fails"]),
    ],
)
def test_the_proof_finds_what_contradicts(answer, last, words, tmp_path):
    check = ("def check(f):\n    assert f(2) == 4", [])
    note = {"nbgrader": {"solution": True, "grade": False, "grade_id": "a"}, "tags": ["raises-exception"]}
    grade = {"nbgrader": {"solution": False, "grade": True, "grade_id": "b"}, "tags": ["raises-exception"]}
    solved = f"def f(x):\n    {BEGIN}\n    {answer}\n    {END}\n\n\ncheck(f)"
    student = made(
        check,
        ("def f(x):\n    raise NotImplementedError()\n\n\ncheck(f)", [], note),
        ("check(f)", [], grade),
        (last, []),
    )
    student.cells[1].id, student.cells[2].id = "answer", "graded"
    found = verdict(student, made(check, (solved, [], note), (last, [])), tmp_path)
    assert [sentence[: len(start)] for sentence, start in zip(found, words, strict=True)] == words


def test_sections_are_timed_without_their_exercises():
    section = next(s for s in sections_of(exercise()) if s.heading == "1. Area")
    assert section_minutes(section) == pytest.approx(1 / 130)
