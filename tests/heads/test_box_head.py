"""The head of Fast R-CNN: against torchvision's with the same weights, and the singular values by hand."""

import pytest
import torch
from torch import nn
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor as TheirPredictor
from torchvision.models.detection.faster_rcnn import TwoMLPHead as TheirHead

from rcnn_lite.heads.box_head import FastRCNNPredictor, TwoMLPHead, truncated_svd


def test_head_and_predictor_are_torchvisions(generator):
    pooled = torch.randn(7, 4, 3, 3, generator=generator)
    head, predictor, their_head, their_predictor = (
        TwoMLPHead(36, 20),
        FastRCNNPredictor(20, 5),
        TheirHead(36, 20),
        TheirPredictor(20, 5),
    )
    their_head.load_state_dict(head.state_dict())
    their_predictor.load_state_dict(predictor.state_dict())
    logits, deltas = predictor(head(pooled))
    expected = their_predictor(their_head(pooled))
    torch.testing.assert_close(logits, expected[0])
    torch.testing.assert_close(deltas.flatten(1), expected[1])
    assert deltas.shape == (7, 5, 4)


def test_no_rois():
    logits, deltas = FastRCNNPredictor(20, 5)(TwoMLPHead(36, 20)(torch.zeros(0, 4, 3, 3)))
    assert logits.shape == (0, 5)
    assert deltas.shape == (0, 5, 4)


def test_the_first_boxes_hardly_move_and_start_unbiased():
    predictor = FastRCNNPredictor(1000, 5)
    assert float(predictor.bbox_pred.weight.detach().std()) == pytest.approx(0.001, rel=0.1)
    assert float(predictor.cls_score.weight.detach().std()) == pytest.approx(0.01, rel=0.1)
    assert not predictor.bbox_pred.bias.any()
    assert not predictor.cls_score.bias.any()


def test_truncated_svd_by_hand():
    """diag(3, 1): of rank 1 the 3 is left."""
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        layer.bias.copy_(torch.tensor([10.0, 20.0]))
    thin = truncated_svd(layer, rank=1)
    with torch.no_grad():
        torch.testing.assert_close(thin(torch.tensor([[1.0, 1.0]])), torch.tensor([[13.0, 20.0]]))


def test_full_rank_changes_nothing_and_each_rank_leaves_what_theory_says(generator):
    layer, x = nn.Linear(30, 20), torch.randn(5, 30, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(truncated_svd(layer, 20)(x), layer(x), atol=1e-5, rtol=1e-5)
        values = torch.linalg.svdvals(layer.weight)
        for rank in (1, 7, 19):
            first, second = truncated_svd(layer, rank)
            left = (layer.weight - second.weight @ first.weight).square().sum().sqrt()
            torch.testing.assert_close(left, values[rank:].square().sum().sqrt(), atol=1e-4, rtol=1e-4)  # Eckart-Young


def test_a_layer_without_biases_and_of_double_precision():
    layer = nn.Linear(6, 4, bias=False, dtype=torch.float64)
    thin = truncated_svd(layer, 2)
    assert thin[1].bias is None
    assert {p.dtype for p in thin.parameters()} == {torch.float64}


@pytest.mark.parametrize("rank", [0, 5])
def test_ranks_that_do_not_exist(rank):
    with pytest.raises(ValueError, match=rf"rank must lie in 1 .. 4 for a layer of 6 to 4, got {rank}"):
        truncated_svd(nn.Linear(6, 4), rank)
