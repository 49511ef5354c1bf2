"""The three Faster R-CNN checkpoints that ship, and what was measured with them: they belong to the present scenes and
the present code.
"""

import json
import math

import pytest
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import proposal_recall
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.paths import data_path

RPN_LOSSES = {"objectness", "rpn_box_regression"}
HEAD_LOSSES = {"classification", "box_regression"}
STEPS = {"step 1": RPN_LOSSES, "step 2": HEAD_LOSSES, "step 3": RPN_LOSSES, "step 4": HEAD_LOSSES}
LOSSES = {"rpn": RPN_LOSSES, "faster_rcnn": RPN_LOSSES | HEAD_LOSSES, "faster_rcnn_alternating": STEPS}
WHOLE = ("faster_rcnn", "faster_rcnn_alternating")
SEEN = (1, 3)  # test scenes that are looked at


@pytest.fixture(scope="module", params=LOSSES)
def shipped(request):
    """(name, model, header)."""
    return request.param, *load_model(f"{request.param}_scenes")


@pytest.fixture(scope="module")
def measured():
    return json.loads(data_path("measurements/faster_rcnn.json").read_text())


def test_the_header_says_how_it_was_made(shipped):
    name, model, header = shipped
    assert f"rcnn-lite train --data scenes --model {name} " in header["command"]
    assert header["data"] == Scenes("train", n=1).fingerprint, "the scenes have changed: train again"
    assert header["metrics"]["images"] == 100
    losses = header["losses"]
    assert (
        {part: set(of) for part, of in losses.items()} == STEPS if "step 1" in losses else set(losses) == LOSSES[name]
    )
    assert checkpoint_path(f"{name}_scenes").stat().st_size < 5e6
    assert tuple(model.classes) == (("background", "object") if name == "rpn" else Scenes("train", n=1).classes)


def test_only_the_stages_that_learn_have_changed(shipped):
    _, model, _ = shipped
    before, after = build_backbone("lite0").fused().trunk(4).state_dict(), model.backbone.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert {key.split(".")[1] for key in changed} == {"3"}


def test_its_proposals_cover_the_objects_of_two_test_scenes(shipped):
    _, model, _ = shipped
    scenes = [Scenes("test")[i] for i in SEEN]
    proposals = [model.propose(image)[0] for image, _ in scenes]
    assert all(100 < len(boxes) <= 300 for boxes in proposals)
    assert proposal_recall(proposals, [target for _, target in scenes], [0.5]) > 0.8


def test_it_finds_most_objects_of_two_test_scenes(shipped):
    name, model, _ = shipped
    for image, target in (Scenes("test")[i] for i in SEEN):
        (found,) = model.detect([image])
        same = found["labels"][:, None] == (torch.ones_like(target["labels"]) if name == "rpn" else target["labels"])
        hit = (box_iou(found["boxes"], target["boxes"]) >= 0.5) & same & (found["scores"] > 0.3)[:, None]
        assert hit.any(dim=0).float().mean() > 0.5


def test_the_measurements_are_of_these_scenes_and_agree_with_the_checkpoints(measured):
    """The checkpoints are the measured models, so the accuracy is theirs but for what a busy sum can change."""
    assert measured["data"] == {s: Scenes(s, n=1).fingerprint for s in ("train", "test")}
    assert (measured["settings"]["train images"], measured["settings"]["test images"]) == (400, 100)
    for name, row in zip(WHOLE, ("joint", "alternating"), strict=True):
        header = load_model(f"{name}_scenes")[1]
        assert measured["X7"]["rows"][row]["runs"][0]["mAP"] == pytest.approx(header["metrics"]["mAP"], abs=0.02)
    fast = measured["X1"]["rows"][0]
    assert (fast["detector"], fast["count"]) == ("fast_rcnn", "all")
    assert fast["runs"][0]["mAP"] == pytest.approx(load_model("fast_rcnn_scenes")[1]["metrics"]["mAP"], abs=0.02)


def of_runs(row, key="mAP"):
    return [run[key] for run in row["runs"]]


def test_the_same_models_have_the_same_runs_wherever_they_appear(measured):
    joint = measured["X7"]["rows"]["joint"]
    (in_x1,) = (r for r in measured["X1"]["rows"] if (r["proposals"], r["count"]) == ("learned", 300))
    for row in (in_x1, measured["X4"]["rows"][0]):  # boxes went to the image's pixels and back
        assert of_runs(row) == pytest.approx(of_runs(joint), abs=5e-3)
    assert of_runs(measured["X3"]["rows"]["shared"]) == of_runs(measured["X7"]["rows"]["alternating"])
    recall, place = measured["X1"]["recall"]["learned"], measured["X1"]["counts"].index(300)
    for iou in ("0.5", "0.7"):
        assert recall[iou]["mean"][place] == pytest.approx(joint["mean"][f"recall {iou}"], abs=0.01)
        assert recall[iou]["mean"] == sorted(recall[iou]["mean"])  # more proposals cover more
    assert measured["X5"]["rows"]["3 x 3"]["runs"] == measured["X6"]["rows"]["10"]["runs"]


def test_a_recall_curve_lies_between_its_trainings(measured):
    for name, curves in measured["X1"]["recall"].items():
        for curve in curves.values():
            low, mean, high = (torch.tensor(curve[key]) for key in ("from", "mean", "to"))
            assert ((low <= mean + 1e-6) & (mean <= high + 1e-6)).all()
            assert bool((low < high).any()) == (name == "learned"), "selective search does not learn"


def test_the_measurements_hold_every_claim(measured):
    rows = {claim: tables(measured)[claim] for claim in ("X3", "X5", "X6", "X7")}
    assert set(rows["X3"]) == {"unshared", "shared"}
    assert set(rows["X5"]) == {"1 x 1", "1 x 3", "3 x 1", "3 x 3"}
    assert set(rows["X6"]) == {"0.1", "1", "10", "100"}
    assert set(rows["X7"]) == {"joint", "alternating"}
    assert {row["ablation"] for row in measured["X4"]["rows"]} == {"as it is", "no NMS", "no cls", "no reg"}


def tables(measured):
    """{claim: {name or place: row}}."""
    whole = {claim: measured[claim]["rows"] for claim in ("X1", "X3", "X4", "X5", "X6", "X7")}
    return {c: dict(enumerate(rows)) if isinstance(rows, list) else rows for c, rows in whole.items()}


def test_every_row_has_its_seeds_and_their_spread(measured):
    seeds, short = measured["settings"]["seeds"], measured["settings"]["short trainings"]["seeds"]
    assert seeds >= 3
    assert short >= 2
    for claim, table in tables(measured).items():
        for row in table.values():
            assert of_runs(row, "seed") == list(range(short if claim in ("X5", "X6") else seeds))
            assert len(set(of_runs(row))) > 1, "another seed is another training"
            assert row["mAP from .. to"] == [min(of_runs(row)), max(of_runs(row))]
            for key, value in row["mean"].items():
                assert value == pytest.approx(sum(of_runs(row, key)) / len(row["runs"]))


def test_joint_training_takes_less_time_than_the_four_steps_from_every_seed(measured):
    """Processor seconds are compared where as many threads did the work."""
    runs = (measured["X7"]["rows"][name]["runs"] for name in ("joint", "alternating"))
    for joint, alternating in zip(*runs, strict=True):
        assert joint["threads"] == alternating["threads"]
        assert 0 < joint["processor seconds"] < alternating["processor seconds"]
        assert sum(joint["batches"]) < sum(alternating["batches"])


def test_intervals_hold_the_difference_that_they_are_of(measured):
    """Every row but the base of its table has one."""
    for claim, table in tables(measured).items():
        (base,) = (row for row in table.values() if "gain" not in row)
        for row in table.values():
            low, high = row.get("gain", [-math.inf, math.inf])
            assert low <= row["mean"]["mAP"] - base["mean"]["mAP"] <= high, claim


def test_seconds_add_up(measured):
    seconds = measured["X2"]["seconds"]
    parts = seconds["of it the network"] + seconds["of it the proposal layer"]
    assert seconds["learned"] == pytest.approx(parts, rel=0.2)  # medians, each by itself
    for low, median, high in measured["X2"]["processor seconds"].values():
        assert 0 < low < median < high, "pictures differ"
    for row in measured["speed"]["rows"]:
        assert row["total"] == pytest.approx(row["conv"] + row["proposal"] + row["region-wise"], rel=0.2)
        assert row["rate"] == pytest.approx(1 / row["total"], rel=0.05)
