"""The RPN of many levels: their anchors, one head for all, losses over all of them, NMS within each."""

from dataclasses import replace

import pytest
import torch

from rcnn_lite.nms import nms
from rcnn_lite.proposals.pyramid_rpn import PyramidRPN
from rcnn_lite.proposals.rpn import ProposalCounts, RegionProposalNetwork, RPNPredictions, RPNSettings

SETTINGS = RPNSettings(anchor_sizes=(8.0, 16.0), aspect_ratios=(1.0, 4.0), min_size=0.0)
SIZE = (16, 24)


@pytest.fixture
def levels(generator):
    return [torch.randn(1, 3, 4, 6, generator=generator), torch.randn(1, 3, 2, 3, generator=generator)]


@pytest.fixture
def rpn(generator):
    rpn = PyramidRPN(3, (4, 8), SETTINGS, generator)
    with torch.no_grad():
        for parameter in rpn.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return rpn


def test_each_level_has_one_size_in_all_ratios(rpn, levels):
    fine, coarse = (level.anchors for level in rpn(levels))
    assert fine.shape == (4 * 6 * 2, 4)
    assert coarse.shape == (2 * 3 * 2, 4)
    assert fine[:2].tolist() == [[-2, -2, 6, 6], [0, -6, 4, 10]]  # around (2, 2): 8 x 8, and 4 wide and 16 high
    assert coarse[-2].tolist() == [12, 4, 28, 20]  # around (20, 12), 16 x 16


def test_all_levels_share_one_head(rpn, levels):
    """It says of each level what the RPN of one map would, with the same weights."""
    for level, stride, size, found in zip(levels, (4, 8), (8.0, 16.0), rpn(levels), strict=True):
        alone = RegionProposalNetwork(3, stride, RPNSettings(anchor_sizes=(size,), aspect_ratios=(1.0, 4.0)))
        alone.load_state_dict(rpn.state_dict())
        torch.testing.assert_close(tuple(alone(level)), tuple(found))
    assert sum(p.numel() for p in rpn.parameters()) == 3 * 3 * 9 + 3 + 2 * (3 + 1) + 8 * (3 + 1)


def test_an_object_has_its_best_anchor_on_one_level(rpn, levels):
    """With 16 x 16 pixels it is the square anchor of the coarse level's cell (1, 1); all others overlap it less."""
    target = {"boxes": torch.tensor([[4.0, 4.0, 20.0, 20.0]]), "labels": torch.tensor([1])}
    together = RPNPredictions(*map(torch.cat, zip(*rpn(levels), strict=True)))
    found = rpn.assign(together.anchors, (40, 40), target)
    assert torch.nonzero(found.labels == 1).tolist() == [[4 * 6 * 2 + (1 * 3 + 1) * 2]]
    assert not found.deltas.any()


def test_losses_are_those_of_all_anchors_together(levels, generator):
    ratios = (1.0, 2.0, 4.0)
    rpn = PyramidRPN(3, (4, 8), replace(SETTINGS, aspect_ratios=ratios), generator)
    target = {"boxes": torch.tensor([[4.0, 1, 20, 15], [8.0, 4, 16, 12]]), "labels": torch.tensor([1, 1])}
    predictions = [rpn(levels), rpn([level.flip(3) for level in levels])]
    found = rpn.losses(predictions, [SIZE] * 2, [target] * 2, torch.Generator().manual_seed(1))
    flat = [RPNPredictions(*map(torch.cat, zip(*one, strict=True))) for one in predictions]
    one_map = RegionProposalNetwork(3, 4, RPNSettings(anchor_sizes=(1.0,), aspect_ratios=ratios))  # three a place too
    expected = one_map.losses(flat, [SIZE] * 2, [target] * 2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, expected)
    assert float(found["rpn_box_regression"].detach()) > 0
    sum(found.values()).backward()
    assert all(p.grad is not None for p in rpn.parameters())


def test_levels_suppress_only_their_own(rpn):
    """The same box proposed by both levels stays twice; within a level the weaker one goes."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 10, 9], [12.0, 0, 22, 10]])
    fine = RPNPredictions(torch.tensor([1.0, 2.0, -1.0]), torch.zeros(3, 4), boxes)
    coarse = RPNPredictions(torch.tensor([1.5]), torch.zeros(1, 4), boxes[1:2])
    found, scores = rpn.propose([fine, coarse], SIZE, ProposalCounts(10, 10))
    assert found.tolist() == [boxes[1].tolist(), boxes[1].tolist(), boxes[2].tolist()]
    torch.testing.assert_close(scores, torch.tensor([2.0, 1.5, -1.0]).sigmoid())
    assert rpn.propose([fine, coarse], SIZE, ProposalCounts(10, 2))[0].tolist() == [boxes[1].tolist()] * 2
    best_of_each, _ = rpn.propose([fine, coarse], SIZE, ProposalCounts(1, 10))
    assert len(best_of_each) == 2


def test_proposals_are_the_best_of_all_levels(rpn, levels):
    predictions = rpn(levels)
    boxes, scores = rpn.propose(predictions, SIZE, ProposalCounts(50, 12))
    assert len(boxes) == 12
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    everything = []
    for level in predictions:
        alone, alone_scores = RegionProposalNetwork.propose(rpn, level, SIZE, ProposalCounts(50, 50))
        assert len(nms(alone, alone_scores, SETTINGS.nms_iou)) == len(alone)
        everything += alone_scores.tolist()
    assert scores.tolist() == sorted(everything, reverse=True)[:12]
    assert not boxes.requires_grad


def test_levels_that_do_not_fit_are_refused(rpn, levels):
    with pytest.raises(ValueError, match="there must be 2 levels, got 1"):
        rpn(levels[:1])
    with pytest.raises(ValueError, match="there must be an anchor size a level, got 2 for 3 levels"):
        PyramidRPN(3, (4, 8, 16), SETTINGS)
    with pytest.raises(ValueError, match="features must be one map"):
        rpn([levels[0], torch.zeros(1, 3, 0, 3)])
    bad = [level._replace(logits=level.logits * float("nan")) for level in rpn(levels)]
    with pytest.raises(FloatingPointError, match="logits are not all finite"):
        rpn.propose(bad, SIZE, SETTINGS.testing)
