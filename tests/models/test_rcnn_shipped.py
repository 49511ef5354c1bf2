"""The checkpoint and the detections that ship: they belong together, to the present scenes and to the present code."""

import pytest
import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.checkpoints import checkpoint_path, load_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.models.loading import load_model
from rcnn_lite.paths import data_path


@pytest.fixture(scope="module")
def shipped():
    """(model, its header), (records, their header), the test scenes."""
    return load_model("rcnn_scenes"), load_records(data_path("detections/rcnn_scenes_test.safetensors")), Scenes("test")


def test_headers_say_how_they_were_made(shipped):
    (_, header), (records, note), scenes = shipped
    assert header["command"].startswith("rcnn-lite train --model rcnn --data scenes")
    assert header["seed"] == 0
    assert header["data"] == Scenes("train", n=1).fingerprint, "the scenes have changed: train and evaluate again"
    assert note["data"] == scenes.fingerprint
    assert note["command"].startswith("rcnn-lite evaluate --checkpoint")
    assert header["metrics"]["images"] == len(records) == len(scenes)
    assert checkpoint_path("rcnn_scenes").stat().st_size < 5e6


def test_the_shipped_detections_have_the_map_of_the_header(shipped):
    """They are the best 50 of up to 100 an image, so a little may be missing."""
    (_, header), (records, note), scenes = shipped
    result = evaluate_voc(records, [scenes[i][1] for i in range(len(scenes))])
    assert result["mAP"] == pytest.approx(header["metrics"]["mAP"], abs=0.005)
    assert result["mAP"] == pytest.approx(note["metrics"]["mAP"], abs=0.005)
    assert result["mAP"] > 0.6


def test_the_shipped_model_finds_what_is_in_the_shipped_detections(shipped):
    """On another processor scores differ in the last digits: compare what is sure, score above 0."""
    (model, _), (records, _), scenes = shipped
    for i in (0, 1):
        (found,) = model.detect([scenes[i][0]], [records[i]["proposals"]])
        sure = found["scores"] > 0.05
        expected = records[i]["scores"] > 0
        overlaps = box_iou(found["boxes"][sure], records[i]["boxes"][expected])
        same = found["labels"][sure][:, None] == records[i]["labels"][expected]
        assert (overlaps * same).amax(dim=1).min() > 0.9
        assert sure.sum() >= 1


def test_proposals_are_the_whole_numbers_they_were(shipped):
    _, (records, _), scenes = shipped
    for record in records:
        assert record["proposals"].dtype == torch.float32
        assert torch.equal(record["proposals"], record["proposals"].round())
        assert 1 <= len(record["proposals"]) <= 300
