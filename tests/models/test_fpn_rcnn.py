"""Faster and Mask R-CNN on a pyramid: all that is said of the detectors on one map, and which level a region is from.

The numbers are compared with torchvision's in test_fpn_rcnn_torchvision.py.
"""

import json
from dataclasses import replace

import pytest
import torch
from fakes import TwoScales
from small_faster import NOTHING
from small_faster import SMALL as SMALL_FASTER
from small_mask import SMALL as SMALL_MASK
from squares import CLASSES, CutSquares

from rcnn_lite.evaluation import evaluate_coco
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fpn_rcnn import (
    FasterRCNNFPN,
    FasterRCNNFPNSettings,
    MaskRCNNFPN,
    MaskRCNNFPNSettings,
    PyramidSettings,
)
from rcnn_lite.models.torchvision_weights import extended
from rcnn_lite.regions.roi_align import roi_align
from rcnn_lite.regions.rois import boxes_to_rois
from rcnn_lite.training import FitSettings, Schedule, fit

CHANGED = {
    "stride": 8,
    "pooling": "roi_align",
    "rpn": replace(SMALL_FASTER.rpn, anchor_sizes=(12.0, 18.0, 24.0)),
    "pyramid": PyramidSettings(width=8, canonical=60.0),
}
SMALL = {
    FasterRCNNFPN: extended(SMALL_FASTER, FasterRCNNFPNSettings, **CHANGED),
    MaskRCNNFPN: extended(SMALL_MASK, MaskRCNNFPNSettings, **CHANGED),
}
KINDS = pytest.mark.parametrize("kind", SMALL)


def small_model(kind, **changes):
    torch.manual_seed(0)
    return kind(TwoScales(), CLASSES, replace(SMALL[kind], **changes), torch.Generator().manual_seed(0))


def livelier(model, generator):
    """The same model with weights so large that it finds something everywhere."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("backbone."):
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@KINDS
def test_features_are_levels_and_one_more_for_the_rpn(kind):
    model = small_model(kind)
    levels = model.features(torch.rand(3, 48, 64))
    assert [tuple(level.shape) for level in levels] == [(1, 8, 12, 16), (1, 8, 6, 8), (1, 8, 3, 4)]
    assert (model.strides, model.rpn.stride, model.channels) == ((4, 8), (4, 8, 16), 8)
    without = small_model(
        kind,
        pyramid=PyramidSettings(width=8, extra_level=False),
        rpn=replace(CHANGED["rpn"], anchor_sizes=(12.0, 24.0)),
    )
    assert len(without.features(torch.rand(3, 48, 64))) == len(without.rpn.stride) == 2


def test_with_lite0_the_levels_are_those_of_the_paper():
    """P2 to P6, regions from P2 to P5, one anchor size each."""
    model = MaskRCNNFPN(build_backbone("lite0", pretrained=False), ("background", "cat"))
    assert (model.strides, model.rpn.stride) == ((4, 8, 16, 32), (4, 8, 16, 32, 64))
    assert model.rpn.cell_anchors.shape == (5, 3, 4)
    assert [block[0].in_channels for block in model.pyramid.inner_blocks] == [24, 40, 112, 320]
    assert model.settings == MaskRCNNFPNSettings()
    assert model.settings.pyramid.finest == 4


@KINDS
def test_a_generator_decides_all_weights(kind):
    models = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        models.append(kind(TwoScales(), CLASSES, SMALL[kind], torch.Generator().manual_seed(0)))
    ours, theirs = (
        {name: p for name, p in model.named_parameters() if not name.startswith("backbone.")} for model in models
    )
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


@KINDS
def test_a_region_is_pooled_from_the_level_of_its_size(kind, generator):
    """At stride 4 below 30 pixels, half the canonical size above level 3's; at stride 8 from there on."""
    model = livelier(small_model(kind), generator)
    levels = model.features(torch.rand(3, 48, 64, generator=generator))
    boxes = torch.tensor([[2.0, 2, 31.9, 31.9], [2.0, 2, 32.1, 32.1], [0.0, 0, 64, 48], [5.0, 5, 9, 9]])
    pooled = model.pool(levels, boxes)
    assert model.pool(levels, boxes, 3).shape == (4, 8, 3, 3)
    for index, level in enumerate((0, 1, 1, 0)):
        expected = roi_align(levels[level], boxes_to_rois([boxes[index : index + 1]]), 4, (1 / 4, 1 / 8)[level])
        torch.testing.assert_close(pooled[index], expected[0])


@KINDS
def test_detections_are_the_parts_in_sequence(kind, generator):
    model, image = livelier(small_model(kind), generator), CutSquares(1)[0][0]
    with torch.no_grad():
        levels = model.pyramid(model.backbone(image[None]))
        boxes, _ = model.rpn.propose(model.rpn(levels), (48, 64), model.settings.rpn.testing)
        found = model.roi_heads.decide(*model.roi_heads(model.pool(levels, boxes)), boxes, (48, 64))
    (detected,) = model.detect([image])
    assert len(found["boxes"]) > 0
    torch.testing.assert_close({name: detected[name] for name in found}, found)
    assert ("masks" in detected) == (kind is MaskRCNNFPN)


@KINDS
def test_pictures_of_different_sizes_do_not_change_each_other(kind, generator):
    model = livelier(small_model(kind), generator)
    images = [torch.rand(3, h, w, generator=generator) for h, w in ((48, 64), (48, 91), (90, 48), (1, 1), (5, 40))]
    for image, found in zip(images, model.detect(images), strict=True):
        torch.testing.assert_close(model.detect([image])[0], found, atol=1e-4, rtol=1e-4)
    pair = [image[:, :48, :48] for image in images[:2]]
    for picture, levels in zip(pair, model.maps(pair), strict=True):
        torch.testing.assert_close(model.features(picture), levels, atol=1e-5, rtol=1e-4)
    target = {"boxes": torch.tensor([[5.0, 5.0, 25.0, 25.0]]), "labels": torch.tensor([1])}
    masks = [torch.ones(1, *image.shape[1:], dtype=torch.uint8) for image in images[:3]]
    for mask in masks:
        mask[:, 25:], mask[:, :, 25:] = 0, 0
    losses = model.losses(images[:3], [target | {"masks": mask} for mask in masks], generator)
    assert all(torch.isfinite(value) for value in losses.values())


@KINDS
def test_gradients_reach_the_pyramid_and_what_learns_below_it(kind, generator):
    model, (image, target) = small_model(kind), CutSquares(1)[0]
    losses = model.losses([image, image], [target, NOTHING], generator)
    sum(losses.values()).backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    assert all(p.grad.abs().sum() > 0 for n, p in model.named_parameters() if n.startswith("pyramid.layer_blocks.0"))


@KINDS
def test_it_learns_and_a_checkpoint_keeps_it(kind, tmp_path):
    model, data = small_model(kind), CutSquares(24)
    fit(model, data, tmp_path / "state.pt", FitSettings(Schedule(400, warm_up=10), learning_rate=1e-2))
    unseen = [CutSquares(10, seed=1)[i] for i in range(10)]
    found, targets = model.detect([image for image, _ in unseen]), [target for _, target in unseen]
    assert evaluate_coco(found, targets, iou_type="segm" if kind is MaskRCNNFPN else "bbox")["AP50"] > 0.6
    tensors, note = model.to_checkpoint()
    again = kind.from_checkpoint(tensors, json.loads(json.dumps(note)), TwoScales())
    assert again.settings == model.settings
    assert note["model"] == kind.model
    for ours, theirs in zip(found, again.detect([image for image, _ in unseen]), strict=True):
        torch.testing.assert_close(ours["scores"][:2], theirs["scores"][:2], atol=0.03, rtol=0)
    cut = {name: t for name, t in tensors.items() if not name.startswith("pyramid.inner_blocks.1")}
    with pytest.raises(ValueError, match=r"lacks pyramid.inner_blocks.1.0.weight"):
        kind.from_checkpoint(cut, note, TwoScales())


@KINDS
def test_an_anchor_size_a_level_and_a_known_pooling(kind):
    with pytest.raises(ValueError, match="there must be an anchor size a level, got 2 for 3 levels"):
        small_model(kind, rpn=SMALL_FASTER.rpn)
    with pytest.raises(ValueError, match="unknown pooling 'average'"):
        small_model(kind, pooling="average")
