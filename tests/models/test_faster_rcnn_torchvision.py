"""A Faster R-CNN of torchvision's, loaded into ours: the same proposals, the same detections, the same losses.

The peer has torchvision's defaults wherever there are some, ours has `TORCHVISION`. Sides of pictures are whole
strides: torchvision's anchors would lie elsewhere on others. All is computed in double precision: in single precision
sums differ by the order of their terms, and on some processor a box more or less would come of it.
"""

import inspect
from dataclasses import replace

import pytest
import torch
from peers import OBJECTS, Body, Draws, picture
from torch import nn
from torchvision.models.detection import FasterRCNN as Peer
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign

from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.torchvision_weights import TORCHVISION, from_torchvision

CLASSES = ("background", "cat", "cup", "rocket", "coin")
SIDE, LONG = 64, 160
SETTINGS = replace(TORCHVISION, training_sides=(SIDE,), short_side=SIDE, long_side=LONG)
SIZES = ((64, 64), (64, 96), (96, 64), (64, 160), (32, 48))  # the last is enlarged to 64 x 96


def torchvisions(generator, **changed):
    """Torchvision's Faster R-CNN on Lite0 up to stride 16, its heads at random and so large that it finds things."""
    torch.manual_seed(0)  # torchvision's layers draw from torch's own generator
    body = Body(build_backbone("lite0").trunk(4).freeze_batch_norm())
    anchors = AnchorGenerator((TORCHVISION.rpn.anchor_sizes,), (TORCHVISION.rpn.aspect_ratios,))
    chosen = {"rpn_anchor_generator": anchors, "box_roi_pool": MultiScaleRoIAlign(["0"], 7, 2)} | changed
    looks = {"min_size": SIDE, "max_size": LONG, "image_mean": [0.0] * 3, "image_std": [1.0] * 3, "size_divisible": 16}
    peer = Peer(body, len(CLASSES), **looks, **chosen)
    rpn, predictor = peer.rpn.head, peer.roi_heads.box_predictor
    spreads = {rpn.conv[0][0]: 0.01, rpn.cls_logits: 0.05, rpn.bbox_pred: 0.005}
    for layer, std in (spreads | {predictor.cls_score: 0.1, predictor.bbox_pred: 0.02}).items():
        nn.init.normal_(layer.weight, std=std, generator=generator)
    for norm in body.modules():
        if isinstance(norm, nn.BatchNorm2d):  # as a training would leave it: not as it came
            norm.weight.data += 0.1 * torch.rand(norm.weight.shape, generator=generator)
    return peer.eval()


@pytest.fixture(scope="module")
def both():
    """(ours, torchvision's), with the same weights."""
    generator = torch.Generator().manual_seed(0)
    peer = torchvisions(generator).double()
    ours = from_torchvision(peer.state_dict(), build_backbone("lite0").double(), CLASSES, SETTINGS)
    return ours.double(), peer


def test_the_numbers_are_torchvisions_defaults(both):
    """Those too that a comparison of a few boxes may not notice."""
    rpn, heads = TORCHVISION.rpn, TORCHVISION.heads
    ours = {"min_size": TORCHVISION.short_side, "max_size": TORCHVISION.long_side}
    for part, counts in (("train", rpn.training), ("test", rpn.testing)):
        ours |= {f"rpn_pre_nms_top_n_{part}": counts.before_nms, f"rpn_post_nms_top_n_{part}": counts.after_nms}
    ours |= {"rpn_fg_iou_thresh": rpn.positive_iou, "rpn_bg_iou_thresh": rpn.negative_iou}
    ours |= {"box_fg_iou_thresh": heads.positive_iou, "box_bg_iou_thresh": heads.background_iou[1]}
    ours |= {"rpn_batch_size_per_image": rpn.anchors_per_image, "rpn_positive_fraction": rpn.positive_fraction}
    ours |= {"box_batch_size_per_image": heads.rois_per_image, "box_positive_fraction": heads.positive_fraction}
    ours |= {"rpn_nms_thresh": rpn.nms_iou, "box_nms_thresh": heads.nms_iou}
    ours |= {"box_score_thresh": heads.score_threshold, "box_detections_per_img": heads.max_detections}
    theirs = inspect.signature(Peer.__init__).parameters
    assert ours == {name: theirs[name].default for name in ours}
    assert TORCHVISION.training_sides == (ours["min_size"],)
    assert rpn.min_size == both[1].rpn.min_size


# ---- at test time ----


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_proposals_are_the_same(size, both):
    ours, peer = both
    image = picture(*size)
    seen, _ = peer.transform([image])
    expected, _ = peer.rpn(seen, {"0": peer.backbone(seen.tensors)})
    boxes, scores = ours.propose(image)
    assert len(boxes) > 20
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
    torch.testing.assert_close(found["boxes"], expected["boxes"], rtol=0, atol=1e-4)
    torch.testing.assert_close(found["scores"], expected["scores"], rtol=0, atol=1e-5)
    assert torch.equal(found["labels"], expected["labels"])


# ---- in training ----


@pytest.mark.parametrize("rois", [512, 32])
@pytest.mark.parametrize(
    ("size", "targets"),
    [((64, 64), OBJECTS[:1]), ((64, 96), OBJECTS[1:2]), ((128, 64), OBJECTS[2:]), ((64, 80), OBJECTS)],
    ids=["three objects", "one object", "no object", "all at once"],
)
def test_losses_of_the_same_draws_are_the_same(size, targets, rois, both, monkeypatch):
    ours, peer = both
    monkeypatch.setattr(ours.roi_heads, "settings", replace(SETTINGS.heads, rois_per_image=rois))
    monkeypatch.setattr(ours.rpn, "settings", replace(SETTINGS.rpn, anchors_per_image=rois))
    images, draws = [picture(*size, seed=i) for i in range(len(targets))], Draws(ours, monkeypatch)
    found = ours.losses(images, list(targets), torch.Generator().manual_seed(3))
    draws.give(peer, monkeypatch)
    peer.train()
    expected = peer(images, list(targets))
    peer.eval()
    objects_there = any(len(target["boxes"]) for target in targets)
    assert (expected["loss_rpn_box_reg"] > 1e-3) == (expected["loss_box_reg"] > 1e-3) == objects_there
    # torchvision divides by the anchors drawn, equation 1 by the places of the map, times lambda
    places, drawn = len(targets) * size[0] * size[1] / 16**2, sum(int((d >= 0).sum()) for d in draws.anchors)
    expected["loss_rpn_box_reg"] *= SETTINGS.rpn.loss_weight * drawn / places
    names = {"objectness": "loss_objectness", "rpn_box_regression": "loss_rpn_box_reg"}
    names |= {"classification": "loss_classifier", "box_regression": "loss_box_reg"}
    for name, theirs in names.items():
        torch.testing.assert_close(found[name], expected[theirs].double(), rtol=0, atol=1e-5, msg=name)


def test_targets_of_all_anchors_and_regions_are_the_same(both, monkeypatch):
    """Labels and deltas before anything is drawn."""
    ours, peer = both
    image, target = picture(64, 96), OBJECTS[0]
    seen, _ = peer.transform([image])
    with torch.no_grad():
        predicted = ours.rpn(ours.features(image))
        maps = peer.backbone(seen.tensors)
        anchors = peer.rpn.anchor_generator(ImageList(seen.tensors, seen.image_sizes), [maps])
        proposals, _ = peer.rpn(seen, {"0": maps})
    torch.testing.assert_close(predicted.anchors, anchors[0])
    labels, matched = peer.rpn.assign_targets_to_anchors(anchors, [target])
    found = ours.rpn.assign(predicted.anchors, (64, 96), target)
    assert torch.equal(found.labels, labels[0].long())
    positive = found.labels == 1
    expected = peer.rpn.box_coder.encode(matched, anchors)[0]
    torch.testing.assert_close(found.deltas[positive], expected[positive], rtol=0, atol=1e-5)

    monkeypatch.setattr(ours.roi_heads, "settings", replace(SETTINGS.heads, rois_per_image=10**6))
    sample = ours.roi_heads.sample(proposals[0], target, torch.Generator().manual_seed(0))
    everything = lambda labels: ([label > 0 for label in labels], [label == 0 for label in labels])  # noqa: E731
    monkeypatch.setattr(peer.roi_heads, "fg_bg_sampler", everything)
    boxes, _, classes, deltas = peer.roi_heads.select_training_samples(proposals, [target])
    assert sample.labels.bincount().tolist() == classes[0].bincount().tolist()
    order = torch.cdist(sample.boxes, boxes[0], compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=1)
    assert torch.equal(sample.labels, classes[0][order])
    chosen = sample.labels > 0
    torch.testing.assert_close(sample.deltas[chosen], deltas[0][order][chosen], rtol=0, atol=1e-5)


# ---- what cannot be loaded ----


def test_a_model_with_other_anchors_is_refused(generator):
    peer = torchvisions(generator, rpn_anchor_generator=AnchorGenerator(((32, 64, 128),), ((0.5, 1.0, 2.0),)))
    with pytest.raises(ValueError, match=r"rpn\.head\.\S+ has shape \(36,\), our rpn\.head\.\S+ \(60,\)"):
        from_torchvision(peer.state_dict(), build_backbone("lite0"), CLASSES, SETTINGS)


def test_a_model_of_another_backbone_or_of_other_classes_is_refused(both):
    state = both[1].state_dict()
    with pytest.raises(ValueError, match="the backbone has 165 tensors where ours has 10"):
        from_torchvision(state, build_backbone("alexnet", pretrained=False), CLASSES, SETTINGS)
    with pytest.raises(ValueError, match=r"roi_heads\.box_predictor\.\S+ has shape"):
        from_torchvision(state, build_backbone("lite0"), CLASSES[:3], SETTINGS)


def test_a_tensor_of_another_name_is_refused(both):
    """Older versions of torchvision wrote this name; its shape would fit, and the layer would stay at random."""
    state = {name.replace("conv.0.0", "conv"): value for name, value in both[1].state_dict().items()}
    with pytest.raises(ValueError, match=r"only ours have rpn\.head\.conv\.0\.0\.bias"):
        from_torchvision(state, build_backbone("lite0"), CLASSES, SETTINGS)


def test_the_given_backbone_stays_as_it_is(both):
    backbone = build_backbone("lite0")
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    from_torchvision(both[1].state_dict(), backbone, CLASSES, SETTINGS)
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
