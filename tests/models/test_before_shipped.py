"""The checkpoints of notebook 03's two detectors: they belong to the present scenes and to the present code."""

import pytest
import torch

from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.models.loading import load_model

SHIPPED = {"hog": (0.38, 0.49), "regression": (0.06, 0.13)}  # the mAP that each must have on the test scenes
FIRST_30 = {"hog": 0.415, "regression": 0.107}  # and on the first 30 of them, measured with the files as they ship


@pytest.fixture(scope="module", params=SHIPPED)
def shipped(request):
    """Name, model, header, test scenes."""
    return request.param, *load_model(f"{request.param}_scenes"), Scenes("test")


def test_headers_say_how_they_were_made(shipped):
    name, model, header, scenes = shipped
    file = f"data/checkpoints/{name}_scenes.safetensors"
    command = f"rcnn-lite train --model {name} --data scenes --out runs/{name} --seed 0 --checkpoint {file}"
    assert header["command"] == command
    assert header["seed"] == 0
    assert header["data"] == Scenes("train", n=1).fingerprint, f"the scenes have changed: {command}"
    assert tuple(model.classes) == scenes.classes
    assert header["metrics"]["images"] == len(scenes)
    assert set(header["metrics"]["AP"]) == set(scenes.classes[1:])
    assert checkpoint_path(f"{name}_scenes").stat().st_size < 1e6


def test_the_header_has_the_map_that_was_expected(shipped):
    name, _, header, _ = shipped
    low, high = SHIPPED[name]
    assert low < header["metrics"]["mAP"] < high
    if name == "hog":
        assert all(count > 0 for count in header["rounds"][0]["added"][1:])
    else:
        best = max(header["held_out"], key=header["held_out"].get)
        assert float(best) == header["lambda"]


def test_the_model_is_as_good_as_its_header_says(shipped):
    """On the first 30 test scenes; another processor changes the last digits only, so two points of mAP are plenty."""
    name, model, _, scenes = shipped
    pairs = [scenes[i] for i in range(30)]
    found = model.detect([image for image, _ in pairs])
    assert evaluate_voc(found, [target for _, target in pairs])["mAP"] == pytest.approx(FIRST_30[name], abs=0.02)
    for detection in found:
        assert bool(torch.isfinite(detection["boxes"]).all())
