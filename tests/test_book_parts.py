"""How the pages of the book are made from notebooks, docstrings and claims; tests/test_book.py renders it all."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, writes

from book.claims import claims_page
from book.equations import Papers, equations_page, formulas_of, index_of, lines_of, read_papers
from book.glossary import Term, clauses, entry, read_terms, sentences
from book.notebooks import Notebook, for_the_book
from book.pages import opening
from book.reference import definitions, to_restructuredtext

CLAIM = {
    "id": "R1",
    "claim": "fine-tuning helps",
    "paper": "44.7 -> 54.2",
    "here": "0.64 -> 0.84",
    "seeds": 3,
    "verdict": "reproduced",
    "why": "a|b *c*",
    "source": "data/measurements/made_up.json",
}
LOSS = '''"""Made up."""


def smooth(x):
    """Near zero a parabola."""
    return x * x / 2  # Fast R-CNN, equation 3
'''


def notebook(*cells, title="05 · Fast R-CNN", name="05_made_up"):
    """A notebook of cells: text, or ("code", text); their ids are c0, c1, ..."""
    made = [new_code_cell(c[1]) if isinstance(c, tuple) else new_markdown_cell(c) for c in cells]
    for number, cell in enumerate(made):
        cell.id = f"c{number}"
    return Notebook(name, made, title)


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "rcnn_lite"
    folder.mkdir()
    (folder / "loss.py").write_text(LOSS, encoding="utf-8")
    return folder


@pytest.fixture
def only_equation_3(monkeypatch):
    papers = read_papers()
    for paper in papers.rows:
        paper.numbers[:] = [3] if paper.name == "Fast R-CNN" else []
    monkeypatch.setattr("book.equations.read_papers", lambda: papers)


FORMULA = "## The loss\n\nEquation 3:\n\n$$s(x) = x^2 / 2$$"
CHECK = ("code", "print(torch.allclose(smooth(x), plain))")


# equations


@pytest.mark.usefixtures("only_equation_3")
def test_a_formula_is_led_to_its_line_and_its_check(package):
    made = notebook("text", FORMULA, ("code", "smooth(1)"), CHECK)
    [(formula, [line], (checker, index))] = index_of([made], package)
    assert (formula.paper.name, formula.number, formula.index, formula.heading) == ("Fast R-CNN", 3, 1, "The loss")
    assert (line.number, line.code, line.function) == (6, "return x * x / 2", "smooth")
    assert (checker, index) == (made, 3)
    page = equations_page([made], package)
    assert "[notebook 05, cell [2]](#cell-05-c3)" in page
    assert "../source/top.html#loss-line-6" in page


@pytest.mark.usefixtures("only_equation_3")
def test_a_line_that_is_gone_is_an_error(package):
    (package / "loss.py").write_text(LOSS.replace("equation 3", "as before"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"computed in the package: missing \[\('Fast R-CNN', 3\)\]"):
        index_of([notebook(FORMULA, CHECK)], package)


@pytest.mark.usefixtures("only_equation_3")
def test_a_formula_that_is_gone_or_new_is_an_error(package):
    with pytest.raises(ValueError, match="shown in a notebook: missing"):
        index_of([notebook("no formula", CHECK)], package)
    with pytest.raises(ValueError, match=r"not in papers.toml \[\('Fast R-CNN', 4\)\]"):
        index_of([notebook(FORMULA, CHECK, "$$a \\tag{4}$$")], package)


@pytest.mark.usefixtures("only_equation_3")
@pytest.mark.parametrize(
    "cell", ["print(smooth(x))", "print(torch.allclose(rough(x), plain))", "# equation 4\ncheck_it(a)"]
)
def test_a_check_that_is_gone_is_an_error(package, cell):
    with pytest.raises(ValueError, match="no cell checks equation 3 of Fast R-CNN: smooth"):
        index_of([notebook(FORMULA, ("code", cell))], package)


@pytest.mark.usefixtures("only_equation_3")
def test_a_check_may_name_the_equation_or_stand_in_another_notebook(package):
    named = notebook(FORMULA, ("code", "check_it(a)  # equations 2 and 3"))
    assert index_of([named], package)[0][2] == (named, 1)
    other = notebook(CHECK, name="06_other")
    assert index_of([notebook(FORMULA), other], package)[0][2] == (other, 0)


def test_a_number_belongs_to_the_paper_that_was_named_last():
    papers = read_papers()
    made = notebook(
        "## One\n\n$$a \\tag{1}$$\n$$b \\tag{2}$$",
        "Now Mask R-CNN; of Faster R-CNN equation 1:\n\n$$c$$\n\nnot numbered\n\n$$d$$",
        "$$e \\tag{4}$$\n\n(Uijlings 2013, section 3)",
        "equations 5 and 6\n\n$$f$$",
    )
    found = [(f.paper.name, f.number, f.tex) for f in formulas_of(made, papers)]
    assert found == [
        ("Fast R-CNN", 1, "$$a \\tag{1}$$"),
        ("Fast R-CNN", 2, "$$b \\tag{2}$$"),
        ("Faster R-CNN", 1, "$$c$$"),
        ("Selective search", 4, "$$e \\tag{4}$$"),
        ("Selective search", 5, "$$f$$"),
        ("Selective search", 6, "$$f$$"),
    ]
    with pytest.raises(ValueError, match=r"05_made_up, cell c0: of which paper is formula \[1\]"):
        formulas_of(notebook("$$a \\tag{1}$$", title="Plain"), Papers(papers.rows))


def test_a_comment_may_stand_above_its_line_and_must_stand_in_a_function(tmp_path):
    papers = read_papers()
    (tmp_path / "a.py").write_text("class A:\n    def f(self):\n        # R-CNN, equations 1 to 2\n        return 1\n")
    found = lines_of(tmp_path, papers)
    assert [(key, line.number, line.code, line.function) for key, [line] in found.items()] == [
        (("R-CNN", 1), 4, "return 1", "f"),
        (("R-CNN", 2), 4, "return 1", "f"),
    ]
    (tmp_path / "b.py").write_text("X = 1  # equation 2 of no paper\nY = 2  # R-CNN, equation 1\n")
    with pytest.raises(ValueError, match="b.py, line 2: an equation outside of any function"):
        lines_of(tmp_path, papers)


# glossary


def test_the_sentence_that_prints_a_term_explains_it():
    cell = (
        "# Title\n\n- An **anchor** is a box.\n  It stays. A *delta* is:\n\n$$t$$\n\n<details>\n**fold** is\n</details>"
    )
    assert sentences(cell) == ["An **anchor** is a box.", "It stays.", "A *delta* is:\n\n$$t$$"]
    made = {"05": notebook("first", cell)}
    built = "boxes.box_iou"
    assert entry(Term("anchor", "05", built), made) == (
        "An **anchor** is a box.",
        '[notebook 05, "Title"](#cell-05-c1)',
    )
    assert entry(Term("move", "05", built, printed="*delta*"), made)[0].startswith("A *delta* is:")
    for term in (Term("fold", "05", built), Term("box", "05", built), Term("anchor", "99", built)):
        with pytest.raises(ValueError, match=f"does not explain '{term.name}'"):
            entry(term, made)


def test_the_docstring_of_the_package_is_read_point_by_point():
    assert clauses("Title.\n\n- A *box* is\n  four; an *RoI* five.\n- Else.") == [
        "Title.",
        "A *box* is four.",
        "An *RoI* five.",
        "Else.",
    ]


def test_the_words_of_the_design_are_in_the_glossary():
    names = {term.name for term in read_terms()}
    assert {"anchor", "proposal", "RoI", "region feature", "delta", "detection", "aspect ratio", "IoU matrix"} <= names
    assert len(names) >= 50


# claims


def test_claims_are_shown_as_they_were_written(tmp_path):
    file = tmp_path / "claims.json"
    file.write_text(json.dumps([CLAIM]), encoding="utf-8")
    page = claims_page(file)
    assert "- 1 reproduced\n- 0 not reproduced\n" in page
    assert "## R1: fine-tuning helps" in page
    assert "| why | a\\|b \\*c\\* |" in page


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (None, "no measured claims at .*claims.json"),
        ([{**CLAIM, "verdict": "proven"}], "claim R1 of claims.json has the verdict 'proven'"),
        ([{key: value for key, value in CLAIM.items() if key not in ("here", "why")}], "claim 0 .* has no here, why"),
    ],
)
def test_claims_that_cannot_be_shown_are_an_error(tmp_path, claims, words):
    file = tmp_path / "claims.json"
    if claims is not None:
        file.write_text(json.dumps(claims), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        claims_page(file)


# notebooks, docstrings, the first page


def test_a_notebook_gets_labels_descriptions_links_that_work_and_folds(tmp_path):
    links = "[a](02_b.ipynb#A:-Title) [b](#So-it-is) [c](../tests/c.py) [d](https://e.f/g)"
    figure = new_code_cell("plt.show()", execution_count=1)
    exercise = new_code_cell("check_f(f)", metadata={"nbgrader": {"solution": True}})
    figure.outputs = [
        new_output("display_data", {"image/png": "aGk="}),
        new_output("stream", name="stdout", text="two boxes\n"),
    ]
    made = new_notebook(cells=[new_markdown_cell(links), figure, exercise])
    for number, cell in enumerate(made.cells):
        cell.id = f"c{number}"
    path = tmp_path / "01_a.ipynb"
    path.write_text(writes(made), encoding="utf-8")
    text, target, code, _, solution = for_the_book(path).cells
    assert text.source == "(cell-01-c0)=\n\n[a](02_b.ipynb#a-title) [b](#so-it-is) c [d](https://e.f/g)"
    assert target.source == "(cell-01-c1)="
    assert code.metadata["mystnb"]["image"]["alt"] == "two boxes"
    assert "tags" not in code.metadata
    assert solution.metadata["tags"] == ["hide-input"]


def test_docstrings_keep_their_code_and_have_no_other_markup():
    docstring = """Says |x| and p_i* of `a`s, *not* ``b``.

    x_i * y

Parameters
----------
x : (N,), a
    vector.

Returns x_.

- one *
  two

>>> f(`1`)
1
"""
    assert to_restructuredtext(docstring).split("\n\n") == [
        r"Says \|x\| and p_i\* of ``a``\ s, *not* ``b``.",
        "::",
        "    x_i * y",
        ".. rubric:: Parameters",
        "- **x** : (N,), a vector.",
        r"Returns x\_.",
        "- one \\*\n  two",
        ">>> f(`1`)\n1",
    ]


def test_definitions_have_their_lines(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("class A:\n    def f(self):\n        return 1\n\n\ndef g():\n    pass\n")
    assert definitions(path) == {"A": (1, 3), "A.f": (2, 3), "g": (6, 7)}


def test_the_first_page_is_the_opening_of_the_readme():
    assert opening("# T\n\nOne.\n\nTwo.\n\n## Start\n\nThree.") == "One.\n\nTwo."
