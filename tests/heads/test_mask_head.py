"""The mask branch: torchvision's with the same weights, where it starts, whose mask counts, what competes."""

import math

import pytest
import torch
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import maskrcnn_inference, maskrcnn_loss

from rcnn_lite.heads.mask_head import (
    MASK_HEADS,
    MaskHead,
    MaskHeadSettings,
    competing_mask_loss,
    mask_targets,
    own_masks,
)
from rcnn_lite.losses import mask_loss

SMALL = MaskHeadSettings(bins=5, width=6, numbers=7)


@pytest.mark.parametrize("convolutions", [0, 1, 4])
def test_the_branch_is_torchvisions(convolutions, generator):
    settings = MaskHeadSettings(bins=7, convolutions=convolutions, width=12)
    theirs = torch.nn.ModuleDict(
        {
            "mask_head": MaskRCNNHeads(8, [12] * convolutions, dilation=1),
            "mask_predictor": MaskRCNNPredictor(12 if convolutions else 8, 12, 5),
        }
    )
    ours = MaskHead(8, 5, settings)
    ours.load_state_dict(theirs.state_dict())
    pooled = torch.randn(3, 8, 7, 7, generator=generator)
    torch.testing.assert_close(ours(pooled), theirs["mask_predictor"](theirs["mask_head"](pooled)))
    assert ours(pooled).shape == (3, 5, 14, 14)


def test_loss_and_inference_are_torchvisions(generator):
    logits, labels = torch.randn(6, 4, 28, 28, generator=generator), torch.tensor([1, 3, 2, 1, 1, 3])
    masks = (torch.rand(3, 40, 50, generator=generator) > 0.5).to(torch.uint8)
    boxes = torch.tensor([[3.0, 4, 20, 30], [10.5, 7.2, 44, 33]]).repeat(3, 1)
    matched = torch.tensor([0, 1, 2, 0, 0, 1])
    gt_labels = torch.tensor([1, 3, 2])
    theirs = maskrcnn_loss(logits, [boxes], [masks], [gt_labels], [matched])
    targets = mask_targets(masks, boxes, matched, 28, aligned=False)
    torch.testing.assert_close(mask_loss(logits, labels, targets)["mask"], theirs)
    torch.testing.assert_close(own_masks(logits, labels), maskrcnn_inference(logits, [labels])[0][:, 0])


@pytest.mark.parametrize("kind", MASK_HEADS)
def test_at_first_each_cell_is_half_object(kind, generator):
    head = MASK_HEADS[kind](8, 5, SMALL, generator)
    pooled = torch.randn(9, 8, 5, 5, generator=generator) * 8  # as large as linear maps of a backbone are
    labels = torch.arange(9) % 4 + 1
    logits = head(pooled)
    assert logits.shape == (9, 5, 10, 10)
    loss = mask_loss(logits, labels, (torch.rand(9, 10, 10, generator=generator) > 0.5).float())["mask"]
    assert float(loss.detach()) == pytest.approx(math.log(2), abs=0.02)


def test_the_last_layer_starts_small_and_the_others_do_not(generator):
    head = MaskHead(8, 20, MaskHeadSettings(width=200), generator).mask_predictor
    assert float(head.mask_fcn_logits.weight.detach().std()) == pytest.approx(0.001, rel=0.1)
    assert float(head.conv5_mask.weight.detach().std()) == pytest.approx((2 / (4 * 200)) ** 0.5, rel=0.1)


@pytest.mark.parametrize("kind", MASK_HEADS)
def test_a_generator_decides_and_no_regions_are_legal(kind):
    heads = [MASK_HEADS[kind](8, 5, SMALL, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    weights = [torch.cat([p.flatten() for p in head.parameters()]) for head in heads]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    logits = heads[0](torch.zeros(0, 8, 5, 5))
    assert logits.shape == (0, 5, 10, 10)
    none = torch.zeros(0, dtype=torch.int64)
    assert own_masks(logits, none).shape == own_masks(logits, none, competing=True).shape == (0, 10, 10)
    loss = competing_mask_loss(logits, none, torch.zeros(0, 10, 10))["mask"]
    loss.backward()
    assert float(loss.detach()) == 0


def test_what_moves_in_moves_out_of_convolutions_but_not_of_the_mlp(generator):
    pooled = torch.zeros(1, 8, 14, 14)
    pooled[0, :, 5:8, 5:8] = torch.randn(8, 3, 3, generator=generator)
    settings = MaskHeadSettings(bins=14, convolutions=2, width=8, numbers=16)
    for kind, follows in (("fcn", True), ("mlp", False)):
        head = MASK_HEADS[kind](8, 3, settings, generator).double()
        here, there = head(pooled.double()), head(pooled.double().roll((1, 2), (2, 3)))
        assert torch.allclose(here.roll((2, 4), (2, 3)), there, atol=1e-9) is follows


def test_classes_compete_for_a_cell_or_do_not():
    logits = torch.zeros(1, 3, 1, 1)
    logits[0, 1] = math.log(3)
    labels, full = torch.tensor([1]), torch.ones(1, 1, 1)
    assert float(own_masks(logits, labels)) == pytest.approx(3 / 4)
    assert float(own_masks(logits, labels, competing=True)) == pytest.approx(3 / 5)
    assert float(competing_mask_loss(logits, labels, full)["mask"]) == pytest.approx(math.log(5 / 3))
    assert float(competing_mask_loss(logits, labels, full * 0.5)["mask"]) == pytest.approx(math.log(5 / 3))
    assert float(competing_mask_loss(logits, labels, full * 0.4)["mask"]) == pytest.approx(math.log(5))
    logits[0, 2] = 5  # another class wants the cell too
    assert float(own_masks(logits, labels)) == pytest.approx(3 / 4)
    assert float(own_masks(logits, labels, competing=True)) < 0.1
