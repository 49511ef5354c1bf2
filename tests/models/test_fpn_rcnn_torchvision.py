"""Torchvision's Faster and Mask R-CNN with feature pyramids, loaded into ours: the same all the way.

Sides of pictures are multiples of 64, the stride of the coarsest level: torchvision's anchors would lie elsewhere on
others. All is in double precision (see test_faster_rcnn_torchvision.py).
"""

from dataclasses import replace

import pytest
import torch
from peers import OBJECTS, Draws, discs, picture
from torch import nn
from torchvision.models.detection import FasterRCNN as FasterPeer
from torchvision.models.detection import MaskRCNN as MaskPeer
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fpn_rcnn import FasterRCNNFPN, MaskRCNNFPN
from rcnn_lite.models.torchvision_weights import TORCHVISION_FPN, TORCHVISION_MASKS_FPN, from_torchvision
from rcnn_lite.regions.levels import assign_levels

CLASSES = ("background", "cat", "cup", "rocket", "coin")
SIDE, LONG, WIDTH = 64, 256, 32
CANONICAL = 40.0  # side of a region that is pooled from stride 16, so that regions here are pooled from all levels
SIZES = ((64, 64), (64, 128), (192, 64), (32, 64))  # the last is enlarged to 64 x 128
POOLS = {"box_roi_pool": 7, "mask_roi_pool": 14}


class PyramidBody(nn.Module):
    """Lite0 with torchvision's pyramid on its strides 4 to 32."""

    def __init__(self):
        super().__init__()
        self.body, self.out_channels = build_backbone("lite0").trunk(5).freeze_batch_norm(), WIDTH
        self.fpn = FeaturePyramidNetwork(self.body.channels[1:], WIDTH, LastLevelMaxPool())

    def forward(self, images):
        return self.fpn({str(i): level for i, level in enumerate(self.body(images)[1:])})


def small(settings):
    """Torchvision's numbers for pictures of 64 pixels, with a narrower pyramid."""
    chosen = {"training_sides": (SIDE,), "short_side": SIDE, "long_side": LONG}
    sizes = (8.0, 16.0, 32.0, 64.0, 128.0)
    pyramid = replace(settings.pyramid, width=WIDTH, canonical=CANONICAL)
    return replace(settings, **chosen, rpn=replace(settings.rpn, anchor_sizes=sizes), pyramid=pyramid)


@pytest.fixture(scope="module", params=["faster", "mask"])
def both(request):
    """(ours, torchvision's), with the same weights; its heads so large that it finds things."""
    torch.manual_seed(0)  # torchvision's layers draw from torch's own generator
    generator, masks = torch.Generator().manual_seed(0), request.param == "mask"
    settings = small(TORCHVISION_MASKS_FPN if masks else TORCHVISION_FPN)
    anchors = AnchorGenerator([(int(s),) for s in settings.rpn.anchor_sizes], (settings.rpn.aspect_ratios,) * 5)
    looks = {"min_size": SIDE, "max_size": LONG, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "size_divisible": 64}
    pools = {name: MultiScaleRoIAlign(list("0123"), bins, 2, canonical_scale=CANONICAL) for name, bins in POOLS.items()}
    if not masks:
        del pools["mask_roi_pool"]
    kind = MaskPeer if masks else FasterPeer
    peer = kind(PyramidBody(), len(CLASSES), rpn_anchor_generator=anchors, **pools, **looks)
    heads = peer.roi_heads
    spreads = {peer.rpn.head.conv[0][0]: 0.02, peer.rpn.head.cls_logits: 0.05, peer.rpn.head.bbox_pred: 0.01}
    spreads |= {heads.box_predictor.cls_score: 0.1, heads.box_predictor.bbox_pred: 0.02}
    if masks:
        settings = replace(settings, mask=replace(settings.mask, width=WIDTH))
        heads.mask_head = MaskRCNNHeads(WIDTH, [WIDTH] * 4, dilation=1)
        heads.mask_predictor = MaskRCNNPredictor(WIDTH, WIDTH, len(CLASSES))
        spreads[heads.mask_predictor.mask_fcn_logits] = 0.1
    for layer, std in spreads.items():
        nn.init.normal_(layer.weight, std=std, generator=generator)
    peer = peer.eval().double()
    ours = from_torchvision(peer.state_dict(), build_backbone("lite0").double(), CLASSES, settings).double()
    assert type(ours) is (MaskRCNNFPN if masks else FasterRCNNFPN)
    return ours, peer


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_maps_and_proposals_are_the_same(size, both):
    ours, peer = both
    image = picture(*size)
    seen, _ = peer.transform([image])
    levels = peer.backbone(seen.tensors)
    torch.testing.assert_close(ours.features(seen.tensors[0]), list(levels.values()), rtol=0, atol=1e-8)
    expected, _ = peer.rpn(seen, levels)
    boxes, scores = ours.propose(image)
    assert len(boxes) > 50
    assert len(assign_levels(expected[0], canonical=CANONICAL).unique()) >= 3
    assert scores.max() - scores.min() > 0.2
    torch.testing.assert_close(boxes * seen.image_sizes[0][0] / size[0], expected[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_detections_are_the_same(size, both):
    ours, peer = both
    image = picture(*size)
    (found,), (expected,) = ours.detect([image]), peer([image])
    assert len(found["boxes"]) >= 10
    assert len(found["labels"].unique()) > 1
    assert found.keys() == expected.keys()
    for name, values in found.items():
        torch.testing.assert_close(values, expected[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "targets"),
    [((64, 64), OBJECTS[:1]), ((64, 128), OBJECTS[1:2]), ((128, 64), OBJECTS[2:]), ((64, 64), OBJECTS)],
    ids=["three objects", "one object", "no object", "all at once"],
)
def test_losses_of_the_same_draws_are_the_same(size, targets, both, monkeypatch):
    ours, peer = both
    monkeypatch.setattr(ours.roi_heads, "settings", replace(ours.settings.heads, rois_per_image=32))
    images, draws = [picture(*size, seed=i) for i in range(len(targets))], Draws(ours, monkeypatch)
    targets = [discs(target, *size) for target in targets]
    found = ours.losses(images, targets, torch.Generator().manual_seed(3))
    draws.give(peer, monkeypatch)
    expected = peer.train()(images, targets)
    peer.eval()
    places = len(targets) * sum((side[0] * side[1]) for side in cells(size))
    drawn = sum(int((d >= 0).sum()) for d in draws.anchors)
    expected["loss_rpn_box_reg"] *= ours.settings.rpn.loss_weight * drawn / places  # see test_faster_rcnn_torchvision
    names = {"objectness": "loss_objectness", "rpn_box_regression": "loss_rpn_box_reg", "mask": "loss_mask"}
    names |= {"classification": "loss_classifier", "box_regression": "loss_box_reg"}
    assert {names[name] for name in found} == set(expected)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[names[name]].double(), rtol=0, atol=1e-5, msg=name)


def cells(size):
    """Of each level."""
    return [(max(1, size[0] // stride), max(1, size[1] // stride)) for stride in (4, 8, 16, 32, 64)]
