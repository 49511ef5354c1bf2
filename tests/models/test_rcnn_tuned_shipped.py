"""The fine-tuned R-CNN and the ablation that ship: they belong together, to the present scenes and the present code."""

import json

import pytest
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import checkpoint_path, load_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.paths import data_path


@pytest.fixture(scope="module")
def tuned():
    """(model, header)."""
    return load_model("rcnn_tuned_scenes")


@pytest.fixture(scope="module")
def ablation():
    return json.loads(data_path("measurements/rcnn_ablations.json").read_text())


def test_the_header_says_how_it_was_made(tuned):
    _, header = tuned
    assert header["command"].startswith("rcnn-lite train --model rcnn --data scenes")
    assert "--finetune" not in header["command"]
    assert header["data"] == Scenes("train", n=1).fingerprint, "the scenes have changed: train again"
    assert header["metrics"]["images"] == 100
    assert checkpoint_path("rcnn_tuned_scenes").stat().st_size < 5e6


def test_only_what_fine_tuning_may_touch_has_changed(tuned):
    model, _ = tuned
    before, after = build_backbone("lite0").fused().state_dict(), model.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.split(".")[0] for name in changed} == {"stages", "embedding", "classifier"}
    assert {name.split(".")[1] for name in changed if name.startswith("stages")} == {"3", "4"}


def test_it_finds_most_objects_of_two_test_scenes(tuned):
    model, _ = tuned
    records, _ = load_records(data_path("detections/rcnn_scenes_test.safetensors"))
    scenes = Scenes("test")
    for i in (1, 3):
        image, target = scenes[i]
        (found,) = model.detect([image], [records[i]["proposals"].float()])
        same = found["labels"][:, None] == target["labels"]
        hit = (box_iou(found["boxes"], target["boxes"]) >= 0.5) & same & (found["scores"] > -0.5)[:, None]
        assert hit.any(dim=0).float().mean() > 0.5


def test_the_ablation_is_of_these_scenes_and_agrees_with_the_checkpoints(tuned, ablation):
    """The row of the shipped configuration, fitted by another program to the same features."""
    assert ablation["data"] == {s: Scenes(s, n=1).fingerprint for s in ("train", "test")}
    table = {(r["network"], r["layer"], r["regression"]): r["mAP"] for r in ablation["layers"]["rows"]}
    assert len(table) == 12
    assert table["tuned", "fc6", True] == pytest.approx(tuned[1]["metrics"]["mAP"], abs=0.01)
    plain = load_model("rcnn_scenes")[1]["metrics"]["mAP"]
    assert table["imagenet", "fc6", True] == pytest.approx(plain, abs=0.01)


def test_the_settings_are_those_that_the_held_out_scenes_chose(tuned, ablation):
    held_out, model = ablation["held_out"], tuned[0]
    best = max(held_out["lambdas"], key=lambda lam: held_out["lambdas"][lam]["mAP"])
    assert held_out["lambdas"]["100"]["mAP"] == held_out["lambdas"][best]["mAP"]
    order = {name: row["mAP"] for name, row in held_out["NMS"].items()}
    assert (order["of proposed boxes"] > order["of regressed boxes"]) == model.settings.nms_first
    assert max(held_out["thresholds"], key=held_out["thresholds"].get) == "0.3"
