"""The Fast R-CNN that ships and what was measured with it: they belong to the present scenes and the present code."""

import json

import pytest
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.paths import data_path


@pytest.fixture(scope="module")
def shipped():
    """(model, header)."""
    return load_model("fast_rcnn_scenes")


@pytest.fixture(scope="module")
def measured():
    return json.loads(data_path("measurements/fast_rcnn.json").read_text())


def test_the_header_says_how_it_was_made(shipped):
    _, header = shipped
    assert header["command"].startswith("rcnn-lite train --data scenes --model fast_rcnn")
    assert header["data"] == Scenes("train", n=1).fingerprint, "the scenes have changed: train again"
    assert header["metrics"]["images"] == 100
    assert set(header["losses"]) == {"classification", "box_regression"}
    assert checkpoint_path("fast_rcnn_scenes").stat().st_size < 5e6


def test_only_the_stages_that_learn_have_changed(shipped):
    model, _ = shipped
    before, after = build_backbone("lite0").fused().trunk(4).state_dict(), model.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[1] for name in changed} == {"3"}


def test_it_finds_most_objects_of_two_test_scenes(shipped):
    model, scenes = shipped[0], Scenes("test")
    for i in (1, 3):
        image, target = scenes[i]
        (found,) = model.detect([image])
        same = found["labels"][:, None] == target["labels"]
        hit = (box_iou(found["boxes"], target["boxes"]) >= 0.5) & same & (found["scores"] > 0.3)[:, None]
        assert hit.any(dim=0).float().mean() > 0.5


def test_the_measurements_are_of_these_scenes_and_agree_with_the_checkpoints(shipped, measured):
    """Trained again by another program, with the same seed: the same accuracy within what a busy sum can change."""
    assert measured["data"] == {s: Scenes(s, n=1).fingerprint for s in ("train", "test")}
    rows = measured["testing"]["all"]["rows"]
    assert set(rows) == {"rcnn", "sppnet", "fast_rcnn", "fast_rcnn truncated"}
    assert rows["fast_rcnn"]["mAP"] == pytest.approx(shipped[1]["metrics"]["mAP"], abs=0.02)
    assert measured["variants"]["as it is"]["mAP"] == pytest.approx(rows["fast_rcnn"]["mAP"], abs=1e-6)


def test_the_measurements_hold_every_claim(measured):
    assert all(row["processor seconds"] > 0 for row in measured["training"].values())
    assert measured["training"]["fast_rcnn"]["bytes of features"] == 0
    assert {name.split()[0] for name in measured["variants"]} == {"as", "scale,", "F4", "F5", "F6", "F7"}


def test_the_test_scale_was_chosen_on_scenes_that_were_held_out(shipped, measured):
    """Within a hundredth of the best, and the cheapest of those."""
    scales = {row["side"]: row["AP"] for row in measured["variants"]["scale, held-out scenes"]}
    good = [side for side, value in scales.items() if value > max(scales.values()) - 0.01]
    assert shipped[0].settings.short_sides == (min(good),)


def test_fast_rcnn_reaches_rcnn_in_a_twentieth_of_its_time(measured):
    """With all boxes of selective search, and fc6 and fc7 truncated as in the paper's section 4.4."""
    rows = measured["testing"]["all"]["rows"]
    assert rows["fast_rcnn"]["mAP"] >= rows["rcnn"]["mAP"]
    assert rows["fast_rcnn truncated"]["mAP"] >= rows["rcnn"]["mAP"]
    assert rows["rcnn"]["total seconds"] >= 20 * rows["fast_rcnn truncated"]["total seconds"]
