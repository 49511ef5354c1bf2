"""A Mask R-CNN of torchvision's, loaded into ours: the same losses, detections and masks.

Boxes, proposals and their losses are Faster R-CNN's and compared in test_faster_rcnn_torchvision.py.
"""

from dataclasses import replace

import pytest
import torch
from peers import OBJECTS, Body, Draws, discs, picture
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.mask_rcnn import MaskRCNN as Peer
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from rcnn_lite.heads.mask_head import MaskHeadSettings
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.mask_rcnn import MaskRCNN
from rcnn_lite.models.torchvision_weights import TORCHVISION, TORCHVISION_MASKS, from_torchvision

CLASSES = ("background", "cat", "cup", "rocket", "coin")
SIDE, LONG = 64, 160
WIDTH = 32  # of the mask branch, for speed
SETTINGS = replace(
    TORCHVISION_MASKS,
    training_sides=(SIDE,),
    short_side=SIDE,
    long_side=LONG,
    mask=replace(TORCHVISION_MASKS.mask, width=WIDTH),
)


def torchvisions():
    """Torchvision's Mask R-CNN on Lite0 up to stride 16, all else as it makes it."""
    torch.manual_seed(0)  # torchvision's layers draw from torch's own generator
    body = Body(build_backbone("lite0").trunk(4).freeze_batch_norm())
    anchors = AnchorGenerator((SETTINGS.rpn.anchor_sizes,), (SETTINGS.rpn.aspect_ratios,))
    looks = {"min_size": SIDE, "max_size": LONG, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "size_divisible": 16}
    pools = {"box_roi_pool": MultiScaleRoIAlign(["0"], 7, 2), "mask_roi_pool": MultiScaleRoIAlign(["0"], 14, 2)}
    return Peer(body, len(CLASSES), rpn_anchor_generator=anchors, **pools, **looks).eval()


@pytest.fixture(scope="module")
def both():
    """(ours, torchvision's), with the same weights, in double precision; its heads so large that it finds things."""
    generator, peer = torch.Generator().manual_seed(0), torchvisions()
    heads = peer.roi_heads
    heads.mask_head = MaskRCNNHeads(peer.backbone.out_channels, [WIDTH] * 4, dilation=1)
    heads.mask_predictor = MaskRCNNPredictor(WIDTH, WIDTH, len(CLASSES))
    spreads = {peer.rpn.head.conv[0][0]: 0.01, peer.rpn.head.cls_logits: 0.05, peer.rpn.head.bbox_pred: 0.005}
    spreads |= {heads.box_predictor.cls_score: 0.1, heads.box_predictor.bbox_pred: 0.02}
    for layer, std in (spreads | {heads.mask_predictor.mask_fcn_logits: 0.02}).items():
        nn.init.normal_(layer.weight, std=std, generator=generator)
    peer, backbone = peer.double(), build_backbone("lite0").double()
    return from_torchvision(peer.state_dict(), backbone, CLASSES, SETTINGS).double(), peer


def test_the_numbers_are_torchvisions_defaults():
    """Those of the mask branch, which has its layers; the others are Faster R-CNN's."""
    settings = replace(SETTINGS, mask=TORCHVISION_MASKS.mask)
    ours = from_torchvision(torchvisions().state_dict(), build_backbone("lite0"), CLASSES, settings)
    assert type(ours) is MaskRCNN
    assert ours.settings.mask == TORCHVISION_MASKS.mask == MaskHeadSettings(width=256)
    assert ours.settings.heads == TORCHVISION.heads
    with pytest.raises(ValueError, match="mask_branch"):
        from_torchvision(torchvisions().state_dict(), build_backbone("lite0"), CLASSES, SETTINGS)


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (96, 64), (64, 160), (32, 48)])
@torch.no_grad()
def test_detections_and_masks_are_the_same(size, both):
    ours, peer = both
    image = picture(*size)
    (found,), (expected,) = ours.detect([image]), peer([image])
    assert len(found["boxes"]) >= 10
    assert len(found["labels"].unique()) > 1
    assert found["masks"].shape == (len(found["boxes"]), 1, *size)
    torch.testing.assert_close(found["boxes"], expected["boxes"], rtol=0, atol=1e-4)
    assert torch.equal(found["labels"], expected["labels"])
    assert 0.05 < float((found["masks"] > 0.5).double().mean()) < 0.95
    torch.testing.assert_close(found["masks"], expected["masks"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "targets"),
    [((64, 64), OBJECTS[:1]), ((64, 96), OBJECTS[1:2]), ((128, 64), OBJECTS[2:]), ((64, 80), OBJECTS)],
    ids=["three objects", "one object", "no object", "all at once"],
)
def test_losses_of_the_same_draws_are_the_same(size, targets, both, monkeypatch):
    ours, peer = both
    monkeypatch.setattr(ours.roi_heads, "settings", replace(SETTINGS.heads, rois_per_image=32))
    images, draws = [picture(*size, seed=i) for i in range(len(targets))], Draws(ours, monkeypatch)
    targets = [discs(target, *size) for target in targets]
    found = ours.losses(images, targets, torch.Generator().manual_seed(3))
    draws.give(peer, monkeypatch)
    expected = peer.train()(images, targets)
    peer.eval()
    names = {"objectness": "loss_objectness", "classification": "loss_classifier", "box_regression": "loss_box_reg"}
    for name, theirs in (names | {"mask": "loss_mask"}).items():
        torch.testing.assert_close(found[name], expected[theirs].double(), rtol=0, atol=1e-5, msg=name)
    there = any(len(target["boxes"]) for target in targets)
    assert (found["mask"] > 0.1) == there
