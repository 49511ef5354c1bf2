"""Torchvision's COCO-trained models through `load_model`, without a network: files with random weights in their place.

The files of 2019 have old names for some layers; batch normalisation has no epsilon.
"""

import re
from dataclasses import replace
from urllib.error import URLError

import pytest
import torch
from peers import picture
from torch import nn
from torchvision.models import detection
from torchvision.models.detection._utils import overwrite_eps
from torchvision.ops.misc import FrozenBatchNorm2d

from rcnn_lite.models import torchvision_coco
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.torchvision_coco import WEIGHTS, torchvision_weights

SIDE = 128  # pictures of 128 pixels, for speed
NAMES = ("maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn")  # with all layers of fasterrcnn_resnet50_fpn


def old_name(key):
    """That of the files: the other way round than `renamed`."""
    key = re.sub(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.0\.", r"\1.", key)
    key = re.sub(r"^(rpn\.head\.conv)\.0\.0\.", r"\1.", key)
    return re.sub(r"^roi_heads\.mask_head\.(\d)\.0\.", lambda m: f"roi_heads.mask_head.mask_fcn{int(m[1]) + 1}.", key)


def random_peer(name):
    """Torchvision's model, as it makes it when it loads its own file, with weights large enough to find things."""
    torch.manual_seed(0)  # torchvision's layers draw from torch's own generator
    backbone = detection.backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3
    )
    kinds = {"faster": detection.FasterRCNN, "mask": detection.MaskRCNN, "keypoint": detection.KeypointRCNN}
    classes = len(torchvision_weights(name).meta["categories"])
    peer = kinds[name.partition("rcnn")[0]](backbone, classes, min_size=SIDE, max_size=2 * SIDE)
    for layer in peer.modules():
        if isinstance(layer, FrozenBatchNorm2d):
            layer.running_var.uniform_(1e-5, 1e-4)  # so small that an epsilon would be seen
            layer.weight.uniform_(2e-3, 6e-3)
    nn.init.normal_(peer.rpn.head.cls_logits.weight, std=0.3)
    nn.init.normal_(peer.roi_heads.box_predictor.cls_score.weight, std=1.0)
    overwrite_eps(peer, 0.0)
    return peer.eval()


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Settings for small pictures, and a folder of torch's own for downloads."""
    chosen = {"training_sides": (SIDE,), "short_side": SIDE, "long_side": 2 * SIDE}
    small = {name: (theirs, replace(ours, **chosen)) for name, (theirs, ours) in WEIGHTS.items()}
    monkeypatch.setattr(torchvision_coco, "WEIGHTS", small)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_the_same_file_gives_the_same_detections(name, small):
    peer = random_peer(name)
    small.mkdir(parents=True)
    state = {old_name(key): value for key, value in peer.state_dict().items()}
    torch.save(state, small / torchvision_weights(name).url.rpartition("/")[2])
    ours, metadata = load_model(f"torchvision:{name}")
    image = picture(SIDE, SIDE, seed=3).float()
    (found,), (expected,) = ours.detect([image]), peer([image])
    assert len(expected["boxes"]) >= 5
    assert torch.equal(found["labels"], expected["labels"])
    tolerances = {"boxes": 0.02, "scores": 1e-3, "masks": 5e-3}
    for key, tolerance in tolerances.items():
        if key in expected:
            torch.testing.assert_close(found[key], expected[key], rtol=0, atol=tolerance)
    assert metadata["classes"][:2] == ["background", "person"]
    assert ours.classes == tuple(metadata["classes"])
    assert len(ours.classes) == (2 if name.startswith("keypoint") else 91)


def test_without_a_network_the_error_says_what_to_do(small, monkeypatch):
    def fail(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with pytest.raises(
        RuntimeError, match="could not be fetched .*no route to host.*put https://.*pth into .*checkpoints"
    ):
        load_model("torchvision:maskrcnn_resnet50_fpn")


def test_other_names_and_settings_are_refused():
    with pytest.raises(
        ValueError, match="of torchvision's detectors there are fasterrcnn_resnet50_fpn, .*got 'ssd300'"
    ):
        load_model("torchvision:ssd300")
    with pytest.raises(ValueError, match="has no setting regress"):
        load_model("torchvision:maskrcnn_resnet50_fpn", regress=False)
