"""What mistakes cost: which are measured, how a row is made, and what a detector with a mistake is judged by."""

import json

import mistakes_cost
import pytest
import torch
from mistakes_cases import CASES, MEASURING, Case, Detector, Models, small_are_difficult
from mistakes_training import TRAINED

from rcnn_lite.checks.mistakes import mistake, mistakes
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.loading import load_model

BOX = torch.tensor([[0.0, 0.0, 10.0, 10.0]])


def truth():
    return {"boxes": BOX, "labels": torch.tensor([1]), "area": torch.tensor([100.0])}


def found(boxes=BOX):
    return {"boxes": boxes, "labels": torch.tensor([1]), "scores": torch.tensor([0.9])}


def test_a_dozen_mistakes_and_more_are_measured_and_all_have_names():
    named = {case.mistake for case in CASES} | set(TRAINED)
    assert named <= set(mistakes())
    assert len(named) >= 12
    assert len({case.name for case in CASES}) == len(CASES)


def test_figures_of_a_right_and_of_a_wrong_detector():
    right = mistakes_cost.figures([found()], [BOX], [0.1, 0.3, 0.2], [truth()])
    wrong = mistakes_cost.figures([found(BOX + 20)], [BOX + 20], [0.1], [truth()])
    assert {key: right[key] for key in ("mAP", "AP", "recall", "seconds")} == {
        "mAP": 1.0,
        "AP": 1.0,
        "recall": 1.0,
        "seconds": 0.2,
    }
    assert (wrong["mAP"], wrong["recall"]) == (0.0, 0.0)
    assert set(right["draws"]) == {1.0}


def test_small_objects_are_marked_difficult():
    (target,) = small_are_difficult([truth() | {"area": torch.tensor([575.0, 576.0])}])
    assert target["difficult"].tolist() == [True, False]


@pytest.fixture
def bench(tmp_path):
    made = mistakes_cost.Bench(tmp_path, Scenes("test", n=1), 3)
    for seed, (right, wrong) in enumerate(((0.9, 0.5), (0.8, 0.6))):
        for name, value in (("right, faster_rcnn", right), ("bins_floored, detecting", wrong)):
            figures = {"mAP": value, "AP": value / 2, "draws": [value, value]}
            made.file(name, seed).write_text(json.dumps(figures))
    return made


def test_a_row_says_what_each_seed_loses(bench):
    row = bench.row("bins_floored, detecting", "bins_floored", "faster_rcnn", "right, faster_rcnn")
    assert (row["seeds"], row["when"], row["sentence"]) == (2, "detecting", mistakes()["bins_floored"])
    assert row["cost"] == {"mAP": [0.4, 0.2], "AP": [0.2, 0.1]}
    assert row["cost of mAP, 95 %"] == [pytest.approx(0.3)] * 2
    assert bench.row("rois_row_first, detecting", "rois_row_first", "faster_rcnn", "right, faster_rcnn") is None


def test_a_mistake_of_measuring_brings_its_own_base(bench):
    figures = {"mAP": 0.5, "draws": [0.5], "without": {"mAP": 0.7, "draws": [0.7]}}
    bench.file("labels_shifted, measuring", 0).write_text(json.dumps(figures))
    row = bench.row("labels_shifted, measuring", "labels_shifted", "faster_rcnn", "right, faster_rcnn")
    assert row["cost"] == {"mAP": [0.2]}
    assert row["without"] == [{"mAP": 0.7}]
    assert "cost of mAP, 95 %" not in row


def test_detections_are_judged_rightly_unless_the_mistake_is_in_measuring(bench):
    class Blind:
        begin = lambda self: None  # noqa: E731

        def detect(self, i, image):
            return found(), BOX

    bench.targets = [truth()]
    right = bench.detections(Blind(), "right")
    measured = bench.case(Case("labels_shifted", "faster_rcnn", MEASURING), 0, Blind(), right)
    assert (measured["mAP"], measured["without"]["mAP"]) == (0.0, 1.0)
    assert bench.case(Case("labels_shifted", "faster_rcnn"), 0, Blind(), right)["mAP"] == 1.0


def test_anchors_are_made_again_with_the_mistake_and_without_it():
    detector = Detector(load_model("rpn_scenes")[0], None)
    image, before = torch.rand(3, 64, 64), detector.model.rpn.cell_anchors.clone()
    with mistake("anchor_sides_swapped"):
        detector.begin()
        swapped = detector.model.rpn.cell_anchors.clone()
        _, proposals = detector.detect(0, image)
    detector.begin()
    assert not torch.equal(swapped, before)
    assert torch.equal(detector.model.rpn.cell_anchors, before)
    assert proposals.shape[1] == 4
    assert proposals.max() <= 64


def test_trained_models_are_found_by_seed(tmp_path):
    models = Models(tmp_path, Scenes("test", n=1))
    assert models.seeds("mask_rcnn", 3) == []
    assert models.seeds("fast_rcnn", 3) == [0], "the one that ships"
    folder = tmp_path / "faster_rcnn_claims"
    folder.mkdir()
    for name in ("faster_rcnn", "faster_rcnn_seed_2"):
        (folder / f"{name}.safetensors").write_text("")
    assert models.seeds("faster_rcnn", 3) == [0, 2]
