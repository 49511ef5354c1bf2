"""From checkpoint to model: settings replaced, and files that describe no model."""

import pytest
import torch

from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.rcnn import RCNN, RCNNSettings


@pytest.fixture(scope="module")
def saved():
    return RCNN(build_backbone(), ("background", "cat"), RCNNSettings(size=32, context=2)).to_checkpoint()


def test_the_model_comes_back_with_settings_replaced(saved, tmp_path):
    save_checkpoint(tmp_path / "a", saved[0], saved[1] | {"seed": 5})
    model, metadata = load_model(tmp_path / "a", regress=False)
    assert (model.settings.size, model.settings.regress) == (32, False)
    assert metadata["seed"] == 5
    assert metadata["settings"]["regress"] is True  # what the file says stays as it was
    assert model.classes == ("background", "cat")


def test_files_that_describe_no_model_are_named(saved, tmp_path):
    tensors, description = saved
    save_checkpoint(tmp_path / "plain", {"x": torch.ones(1)}, {})
    with pytest.raises(ValueError, match="plain holds no model of this package: its header names None"):
        load_model(tmp_path / "plain")
    save_checkpoint(tmp_path / "foreign", tensors, description | {"model": "yolo"})
    with pytest.raises(ValueError, match="its header names 'yolo'"):
        load_model(tmp_path / "foreign")
    save_checkpoint(tmp_path / "old", tensors, {key: value for key, value in description.items() if key != "classes"})
    with pytest.raises(ValueError, match="old does not describe its model as this version does: 'classes'"):
        load_model(tmp_path / "old")
    save_checkpoint(tmp_path / "whole", tensors, description)
    with pytest.raises(ValueError, match="does not describe .*'colour'"):
        load_model(tmp_path / "whole", colour="red")
