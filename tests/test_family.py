"""The family as a table: what its rows say, and that the picture shows what they say."""

import re
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from rcnn_lite.family import COLUMNS, FAMILY, PROPOSAL_SECONDS, QUESTIONS, REPORTED, draw_family

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def test_what_the_papers_report_agrees_with_what_they_claim():
    papers = {detector.name: detector.paper for detector in FAMILY}
    reported = {row.name: row for row in REPORTED}
    for name in reported.keys() & papers.keys():
        year, month = reported[name].date.split("-")
        assert papers[name].startswith(f"arXiv {year[2:]}{month}."), name
    seconds = {name: row.seconds for name, row in reported.items()}
    assert seconds["R-CNN"] / seconds["Fast R-CNN"] == pytest.approx(146, abs=1), "Fast R-CNN, table 4: 146 times"
    assert seconds["R-CNN"] / seconds["SPPnet"] == pytest.approx(20, abs=0.5), "the same table: 20 times"
    whole = seconds["Faster R-CNN"] + PROPOSAL_SECONDS["RPN"]
    assert whole == pytest.approx(0.198, abs=1e-9), "Faster R-CNN, table 5: 198 ms in total"


@pytest.fixture
def ax():
    figure, ax = plt.subplots(figsize=(12.4, 9.6), dpi=80, layout="constrained")
    draw_family(ax)
    figure.canvas.draw()
    yield ax
    plt.close(figure)


def test_what_each_paper_answered_anew():
    assert {detector.name: detector.new for detector in FAMILY} == {
        "sliding window": set(),
        "R-CNN": {"where", "array", "predict"},
        "SPPnet": {"array"},
        "Fast R-CNN": {"array", "predict"},
        "Faster R-CNN": {"where"},
        "Mask R-CNN": {"array", "predict"},
    }


@pytest.mark.parametrize("detector", FAMILY, ids=lambda detector: detector.name)
def test_every_question_is_answered_and_every_new_answer_explained(detector):
    assert set(detector.steps) == set(QUESTIONS)
    assert all(detector.steps.values())
    assert set(detector.why or ()) == detector.new
    assert set(detector.shared_by) <= set(QUESTIONS)
    assert bool(detector.shared) == bool(detector.shared_by)


def test_only_r_cnn_shares_nothing_and_a_step_is_new_once():
    assert [detector.name for detector in FAMILY if not detector.shared] == ["R-CNN"]
    taken_over = [
        {step.text.replace("\n", " ") for steps in detector.steps.values() for step in steps if not step.new}
        for detector in FAMILY
    ]
    for number, detector in enumerate(FAMILY[1:-1], start=1):
        new = {step.text.replace("\n", " ").split(",")[0] for s in detector.steps.values() for step in s if step.new}
        new -= {"warp to 227 x 227", "the whole CNN", "spatial pyramid pooling"}  # these three were soon replaced
        assert new <= taken_over[number + 1], detector.name


def test_the_picture_has_a_solid_card_for_what_is_new(ax):
    white = [text.get_text() for text in ax.texts if text.get_color() == "white"]
    shared = [detector.shared for detector in FAMILY if detector.shared]
    steps = [step for detector in FAMILY for steps in detector.steps.values() for step in steps]
    assert sorted(white) == sorted([step.text for step in (*steps, *shared) if step.new] + ["new in this paper"])


def test_rows_columns_and_texts_do_not_overlap(ax):
    assert len(ax.texts) > 50
    assert all(a[0] + a[1] < b[0] for a, b in zip(list(COLUMNS.values()), list(COLUMNS.values())[1:], strict=False))
    places = [text.get_window_extent() for text in ax.texts if text.get_text()]
    for number, one in enumerate(places):
        assert not any(one.overlaps(other) for other in places[number + 1 :]), number


def test_texts_fit_into_their_cards(ax):
    cards = [patch.get_window_extent() for patch in ax.patches]
    inside = [text for text in ax.texts if text.get_ha() == "center" and text.get_text()]
    for text in inside:
        extent = text.get_window_extent()
        assert any(card.x0 < extent.x0 and extent.x1 < card.x1 and card.y0 < extent.y0 for card in cards), text


def test_the_roadmap_of_notebook_00_links_the_notebooks_that_exist():
    existing = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
    text = (NOTEBOOKS / "00_the_family_in_one_picture.ipynb").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((\d\d[a-z]?_\w+\.ipynb)\)", text)
    assert sorted({*linked, "00_the_family_in_one_picture.ipynb"}) == existing
