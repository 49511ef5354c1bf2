"""Keypoint R-CNN: one more branch, in training and in testing; torchvision's; targets that do not fit; learning.

What it has of Faster R-CNN is tested there.
"""

import json
from dataclasses import replace

import pytest
import torch
from fakes import MeanColour
from peers import OBJECTS, Body, Draws, picture
from small_faster import NOTHING
from small_faster import SMALL as SMALL_FASTER
from squares import CLASSES, CornerSquares
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.keypoint_rcnn import KeypointRCNN as Peer
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from rcnn_lite.evaluation.keypoints import evaluate_keypoints
from rcnn_lite.heads.keypoint_head import KeypointHeadSettings, decode_keypoints, keypoint_loss, keypoint_targets
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.keypoint_rcnn import KeypointRCNN, KeypointRCNNFPN, KeypointRCNNSettings
from rcnn_lite.models.torchvision_weights import TORCHVISION_KEYPOINTS, extended, from_torchvision
from rcnn_lite.training import FitSettings, Schedule, fit

SMALL = extended(
    SMALL_FASTER,
    KeypointRCNNSettings,
    pooling="roi_align",
    num_keypoints=3,
    keypoint_labels=(1,),
    keypoint=KeypointHeadSettings(bins=6, convolutions=1, width=12),
)


def small_model(**changes):
    torch.manual_seed(0)
    return KeypointRCNN(MeanColour(), CLASSES, replace(SMALL, **changes), torch.Generator().manual_seed(0))


def livelier(model, generator):
    """The same model with weights so large that it finds something everywhere."""
    with torch.no_grad():
        for part in (model.rpn, model.roi_heads, model.keypoint_branch):
            for parameter in part.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


# ---- in training ----


def test_the_loss_is_that_of_the_regions_that_have_keypoints(generator):
    """Worked out from the regions that were drawn, in a picture of twice the size; blue squares have no keypoints."""
    model = livelier(small_model(training_sides=(96,)), generator)
    image, target = CornerSquares(1)[0]
    samples, sample = [], model.roi_heads.sample
    model.roi_heads.sample = lambda *args: samples.append(sample(*args)) or samples[-1]
    losses = model.losses([image], [target], torch.Generator().manual_seed(3))
    twice = torch.nn.functional.interpolate(image[None], size=(96, 128), mode="bilinear").clamp(0, 1)
    boxes = samples[0].boxes[samples[0].labels == 1]
    assert len(boxes) > 0
    maps = model.keypoint_branch(model.pool(model.backbone(twice)[-1], boxes, 6))
    points = target["keypoints"][:1].repeat(len(boxes), 1, 1) * torch.tensor([2.0, 2, 1])
    expected = keypoint_loss(maps, *keypoint_targets(points, boxes, 24))["keypoint"]
    torch.testing.assert_close(losses["keypoint"], expected)
    assert set(losses) == {"objectness", "rpn_box_regression", "classification", "box_regression", "keypoint"}


def test_objects_without_keypoints_have_no_loss(generator):
    model, (image, target) = small_model(), CornerSquares(1)[0]
    assert float(model.losses([image], [NOTHING], generator)["keypoint"].detach()) == 0
    blue = {name: values[1:] for name, values in target.items()}
    losses = model.losses([image, image], [blue, NOTHING], generator)
    assert float(losses["keypoint"].detach()) == 0
    sum(losses.values()).backward()
    assert float(model.losses([image, image], [target, blue], generator)["keypoint"].detach()) > 0


def test_who_is_left_out_is_left_out_with_its_keypoints(generator):
    model, (image, target) = livelier(small_model(), generator), CornerSquares(1)[0]
    points, boxes = target["keypoints"], target["boxes"]
    more = {
        "boxes": torch.cat((torch.tensor([[70.0, 0, 80, 9]]), boxes[1:], boxes)),
        "labels": torch.tensor([1, 1, 1, 2]),
        "keypoints": torch.cat((points[:1] * 7, points[:1] * 9, points)),
        "iscrowd": torch.tensor([0, 1, 0, 0]),
    }
    ours, theirs = (model.losses([image], [t], torch.Generator().manual_seed(2)) for t in (more, target))
    torch.testing.assert_close(ours, theirs)
    seen = model.seen(more, (48, 64), (96, 128))
    torch.testing.assert_close(seen["keypoints"], points * torch.tensor([2.0, 2, 1]))


def test_keypoints_that_do_not_fit_are_named(generator):
    model, (image, target) = small_model(), CornerSquares(1)[0]
    points = target.pop("keypoints")
    with pytest.raises(ValueError, match="a target of 2 objects has no keypoints: Keypoint R-CNN learns them"):
        model.losses([image], [target], generator)
    for wrong in (points[:1], points[:, :2], points[..., :2]):
        with pytest.raises(ValueError, match=r"keypoints must have shape \(2, 3, 3\), got \("):
            model.losses([image], [target | {"keypoints": wrong}], generator)


# ---- in testing ----


def test_keypoints_are_those_of_the_boxes_that_were_found(generator):
    model = livelier(small_model(), generator)
    image = CornerSquares(1)[0][0].repeat_interleave(3, dim=1).repeat_interleave(2, dim=2)  # (3, 144, 128)
    (found,) = model.detect([image])
    shrunk = torch.nn.functional.interpolate(image[None], size=(54, 48), mode="bilinear", antialias=True)
    factors = torch.tensor([48 / 128, 54 / 144])
    with torch.no_grad():
        boxes = found["boxes"] * factors.repeat(2)
        maps = model.keypoint_branch(model.pool(model.backbone(shrunk)[-1], boxes, 6))
        expected = decode_keypoints(maps, boxes)
    expected[..., :2] /= factors
    red = found["labels"] == 1
    assert 0 < red.sum() < len(red)
    torch.testing.assert_close(found["keypoints"][red], expected[red], atol=1e-2, rtol=1e-3)
    assert not found["keypoints"][~red].any()
    assert list(model.watch.seconds)[-1] == "keypoints"
    model.settings = replace(model.settings, keypoint_labels=())
    assert model.detect([image])[0]["keypoints"].flatten(1).any(dim=1).all()
    assert model.detect([image], [torch.empty(0, 4)])[0]["keypoints"].shape == (0, 3, 3)


def test_with_a_pyramid_it_is_the_same_class():
    model = KeypointRCNNFPN(build_backbone("lite0", pretrained=False), ("background", "person"))
    assert model.settings.num_keypoints == 17
    assert model.detect([torch.rand(3, 32, 32)], [torch.empty(0, 4)])[0]["keypoints"].shape == (0, 17, 3)


# ---- torchvision's ----

NAMES = ("background", "cat", "cup", "rocket", "coin")
SIDE, LONG, WIDTH, POINTS = 64, 160, 16, 3
PEERS = replace(
    TORCHVISION_KEYPOINTS,
    training_sides=(SIDE,),
    short_side=SIDE,
    long_side=LONG,
    num_keypoints=POINTS,
    keypoint=replace(TORCHVISION_KEYPOINTS.keypoint, width=WIDTH),
)


@pytest.fixture(scope="module")
def both():
    """(ours, torchvision's), with the same weights, in double precision."""
    torch.manual_seed(0)  # torchvision's layers draw from torch's own generator
    generator, body = torch.Generator().manual_seed(0), Body(build_backbone("lite0").trunk(4).freeze_batch_norm())
    anchors = AnchorGenerator((PEERS.rpn.anchor_sizes,), (PEERS.rpn.aspect_ratios,))
    looks = {"min_size": SIDE, "max_size": LONG, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "size_divisible": 16}
    pools = {"box_roi_pool": MultiScaleRoIAlign(["0"], 7, 2), "keypoint_roi_pool": MultiScaleRoIAlign(["0"], 14, 2)}
    pools["keypoint_head"] = KeypointRCNNHeads(body.out_channels, [WIDTH] * 8)
    peer = Peer(body, len(NAMES), rpn_anchor_generator=anchors, num_keypoints=POINTS, **pools, **looks)
    heads = peer.roi_heads
    heads.keypoint_predictor = KeypointRCNNPredictor(WIDTH, POINTS)
    spreads = {peer.rpn.head.conv[0][0]: 0.01, peer.rpn.head.cls_logits: 0.05, peer.rpn.head.bbox_pred: 0.005}
    spreads |= {heads.box_predictor.cls_score: 0.1, heads.box_predictor.bbox_pred: 0.02}
    for layer, std in spreads.items():
        nn.init.normal_(layer.weight, std=std, generator=generator)
    peer = peer.eval().double()
    return from_torchvision(peer.state_dict(), build_backbone("lite0").double(), NAMES, PEERS).double(), peer


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (32, 48)])
@torch.no_grad()
def test_detections_and_keypoints_are_torchvisions(size, both):
    ours, peer = both
    (found,), (expected,) = ours.detect([picture(*size)]), peer([picture(*size)])
    assert len(found["boxes"]) >= 10
    torch.testing.assert_close(found["boxes"], expected["boxes"], rtol=0, atol=1e-4)
    torch.testing.assert_close(found["keypoints"][..., :2], expected["keypoints"][..., :2].double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(found["keypoints"][..., 2], expected["keypoints_scores"].double(), rtol=0, atol=1e-4)


def test_losses_of_the_same_draws_are_torchvisions(both, monkeypatch):
    ours, peer = both
    monkeypatch.setattr(ours.roi_heads, "settings", replace(PEERS.heads, rois_per_image=32))
    images, draws, targets = [picture(64, 64, seed=i) for i in range(2)], Draws(ours, monkeypatch), []
    for target in OBJECTS[:2]:
        low, high = target["boxes"][:, None, :2], target["boxes"][:, None, 2:]
        share = torch.tensor([[0.1, 0.2], [0.5, 0.9], [0.7, 0.3]]).double()
        points = torch.cat((low + share * (high - low), torch.tensor([2.0, 1, 0]).expand(len(low), 3)[..., None]), 2)
        targets.append(target | {"keypoints": points.float()})
    found = ours.losses(images, targets, torch.Generator().manual_seed(3))
    draws.give(peer, monkeypatch)
    expected = peer.train()(images, targets)
    peer.eval()
    names = {"objectness": "loss_objectness", "classification": "loss_classifier", "box_regression": "loss_box_reg"}
    for name, theirs in (names | {"keypoint": "loss_keypoint"}).items():
        torch.testing.assert_close(found[name], expected[theirs].double(), rtol=0, atol=1e-5, msg=name)
    assert float(found["keypoint"].detach()) > 1


# ---- learning ----


def test_it_learns_where_corners_are_and_a_checkpoint_keeps_it(tmp_path):
    model, data = small_model(), CornerSquares(24)
    fit(model, data, tmp_path / "state.pt", FitSettings(Schedule(300, warm_up=10), learning_rate=1e-2))
    unseen = [CornerSquares(10, seed=1)[i] for i in range(10)]
    targets = [target for _, target in unseen]
    again = KeypointRCNN.from_checkpoint(*_roundtrip(model))
    for one in (model, again):
        found = one.detect([image for image, _ in unseen])
        assert evaluate_keypoints(found, targets, sigmas=0.1)["AP50"] > 0.6
    assert again.settings == model.settings


def _roundtrip(model):
    tensors, note = model.to_checkpoint()
    return tensors, json.loads(json.dumps(note)), MeanColour()
