"""From what a user orders to what is trained: SPPnet's recipe (those of R-CNN are tested through the command line)."""

import json

import pytest
from squares import CLASSES, Squares

from rcnn_lite.models.recipes import RECIPES, Order
from rcnn_lite.models.sppnet import SPPNet


def test_sppnet_is_trained_as_ordered(tmp_path):
    order = Order(tmp_path, seed=4, proposals=9, finetune=2, layer="fc6")
    model, note = RECIPES["sppnet"](Squares(2), order)
    assert isinstance(model, SPPNet)
    assert model.classes == CLASSES
    assert (model.settings.layer, model.settings.max_proposals) == ("fc6", 9)
    assert set(note) == {"rounds"}
    stages = json.loads((tmp_path / "stages.json").read_text())
    assert (stages["training"]["seed"], stages["training"]["layers"]["iterations"]) == (4, 2)
    assert (stages["model"], stages["images"], stages["backbone"]) == ("sppnet", 2, "lite0")


def test_sppnet_has_no_warped_regions(tmp_path):
    with pytest.raises(ValueError, match="--size means nothing to --model sppnet"):
        RECIPES["sppnet"](Squares(2), Order(tmp_path, size=96))
