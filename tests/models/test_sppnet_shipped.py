"""The SPPnet that ships: made by this command, for these scenes, and as good as its header says."""

import json

import pytest
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import checkpoint_path, load_checkpoint, load_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.sppnet import SPPNet, SPPSettings
from rcnn_lite.paths import data_path

SCENES = 20


@pytest.fixture(scope="module")
def shipped():
    """(model, header)."""
    return load_model("sppnet_scenes")


@pytest.fixture(scope="module")
def found(shipped):
    """Detections in the first test scenes, in the proposals that R-CNN looked at there; their targets."""
    records, _ = load_records(data_path("detections/rcnn_scenes_test.safetensors"))
    scenes = [Scenes("test")[i] for i in range(SCENES)]
    proposals = [record["proposals"] for record in records[:SCENES]]
    return shipped[0].detect([image for image, _ in scenes], proposals), [target for _, target in scenes]


def test_the_header_says_how_it_was_made(shipped):
    model, header = shipped
    assert header["command"].startswith("rcnn-lite train --model sppnet --data scenes")
    assert header["seed"] == 0
    assert header["data"] == Scenes("train", n=1).fingerprint, "the scenes have changed: train again"
    assert header["metrics"]["images"] == 100
    assert header["rounds"][-1]["held"][0] == 0  # the background has no SVM
    assert (type(model), model.settings) == (SPPNet, SPPSettings()), "the settings have changed: train again"
    assert checkpoint_path("sppnet_scenes").stat().st_size < 2.5e6


def test_the_convolutions_are_those_of_imagenet_and_not_in_the_file(shipped):
    before, after = build_backbone("lite0").fused().state_dict(), shipped[0].backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    tensors, _ = load_checkpoint(checkpoint_path("sppnet_scenes"))
    trained = {name.split("/")[1].split(".")[0] for name in tensors if name.startswith("tuned/")}
    assert trained == {"mean", "gain", "fc6", "fc7"}


def test_it_reaches_the_map_of_its_header_on_some_scenes(shipped, found):
    """A fifth of the scenes: the mean over 100 may differ by some points from that over 20."""
    assert evaluate_voc(*found)["mAP"] == pytest.approx(shipped[1]["metrics"]["mAP"], abs=0.1)


def test_it_finds_most_objects(found):
    hits = []
    for detection, target in zip(*found, strict=True):
        same = (detection["labels"][:, None] == target["labels"]) & (detection["scores"] > -0.5)[:, None]
        hits.append(((box_iou(detection["boxes"], target["boxes"]) >= 0.5) & same).any(dim=0))
    assert torch.cat(hits).float().mean() > 0.6


def test_no_settings_were_clearly_better_on_the_held_out_scenes(shipped):
    """The shipped scales and layer are the paper's: a pyramid, and fc7. None that was tried beats them by much."""
    measured = json.loads(data_path("measurements/sppnet.json").read_text())
    assert measured["data"] == shipped[1]["data"]
    assert (measured["fitted"], measured["measured"]) == (300, 100)
    scales = {tuple(row["short_sides"]): row["mAP"] for row in measured["scales"]}
    layers = {row["layer"]: row["mAP"] for row in measured["layers"]}
    settings = shipped[0].settings
    assert scales[settings.short_sides] == layers[settings.layer] > max(scales.values()) - 0.01
    assert layers[settings.layer] > max(layers.values()) - 0.01
