"""Losses: worked out by hand, against torchvision's on the same numbers, and of nothing at all."""

import math

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.detection.roi_heads import fastrcnn_loss

from rcnn_lite.losses import detection_loss, mask_loss, rpn_loss, smooth_l1


def test_smooth_l1_by_hand():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert smooth_l1(x).tolist() == [1.5, 0.125, 0.0, 0.125, 1.5]
    assert smooth_l1(x, beta=0.5).tolist() == [1.75, 0.25, 0.0, 0.25, 1.75]
    assert smooth_l1(x, beta=0.0).tolist() == [2.0, 0.5, 0.0, 0.5, 2.0]
    with pytest.raises(ValueError, match="beta must not be negative, got -1"):
        smooth_l1(x, beta=-1)


@pytest.mark.parametrize("beta", [0.0, 1 / 9, 1.0, 2.0])
def test_smooth_l1_is_pytorchs(beta, generator):
    x, zero = 3 * torch.randn(1000, generator=generator), torch.zeros(1000)
    torch.testing.assert_close(smooth_l1(x, beta), F.smooth_l1_loss(x, zero, beta=beta, reduction="none"))


def test_the_pull_of_an_outlier_is_bounded():
    x = torch.tensor([0.1, 5.0, -50.0], requires_grad=True)
    smooth_l1(x).sum().backward()
    assert x.grad.tolist() == pytest.approx([0.1, 1.0, -1.0])


def test_detection_loss_by_hand():
    """Two RoIs, three classes. RoI 0 is class 2: -ln(1/2); its box is off by (1/2, 0, 0, 2). RoI 1 is background."""
    logits = torch.tensor([[0.0, 0.0, math.log(2)], [math.log(4), math.log(3), 0.0]])  # 1/4 1/4 1/2; 4/8 3/8 1/8
    deltas = torch.zeros(2, 3, 4)
    deltas[0, 2] = torch.tensor([0.5, 0.0, 0.0, 2.0])
    deltas[0, 1] = deltas[1, :] = 100.0  # boxes of other classes, and of the background, cost nothing
    losses = detection_loss(logits, deltas, torch.tensor([2, 0]), torch.zeros(2, 4), weight=3.0)
    assert float(losses["classification"]) == pytest.approx((math.log(2) + math.log(2)) / 2)
    assert float(losses["box_regression"]) == pytest.approx(3 * (0.125 + 1.5) / 2)


def test_detection_loss_is_torchvisions(generator):
    logits, deltas = torch.randn(40, 5, generator=generator), torch.randn(40, 5, 4, generator=generator)
    labels, targets = torch.randint(0, 5, (40,), generator=generator), torch.randn(40, 4, generator=generator)
    ours = detection_loss(logits, deltas, labels, targets, beta=1 / 9)
    theirs = fastrcnn_loss(logits, deltas.flatten(1), [labels], [targets])
    torch.testing.assert_close(ours["classification"], theirs[0])
    torch.testing.assert_close(ours["box_regression"], theirs[1])


def test_rpn_loss_by_hand():
    """Four anchors: an object at p = 3/4, background at 1/2, an ignored one, an object at 1/2 that is off by 3."""
    logits = torch.tensor([math.log(3), 0.0, 50.0, 0.0])
    deltas, targets = torch.zeros(4, 4), torch.zeros(4, 4)
    deltas[1:3], targets[3, 0] = 9.0, 3.0
    losses = rpn_loss(logits, deltas, torch.tensor([1, 0, -1, 1]), targets, locations=20)
    assert float(losses["objectness"]) == pytest.approx((math.log(4 / 3) + 2 * math.log(2)) / 3)
    assert float(losses["rpn_box_regression"]) == pytest.approx(10 * 2.5 / 20)


def test_rpn_loss_is_torchvisions(generator):
    """There both terms are divided by the number of sampled anchors, lambda is 1 and beta 1/9."""
    logits, deltas = torch.randn(60, generator=generator), torch.randn(60, 4, generator=generator)
    targets, labels = torch.randn(60, 4, generator=generator), torch.randint(-1, 2, (60,), generator=generator)
    sampled, positive = labels >= 0, labels == 1
    ours = rpn_loss(logits, deltas, labels, targets, locations=int(sampled.sum()), weight=1.0, beta=1 / 9)
    box = F.smooth_l1_loss(deltas[positive], targets[positive], beta=1 / 9, reduction="sum") / sampled.sum()
    torch.testing.assert_close(ours["rpn_box_regression"], box)
    expected = F.binary_cross_entropy_with_logits(logits[sampled], labels[sampled].float())
    torch.testing.assert_close(ours["objectness"], expected)


def test_mask_loss_by_hand_and_other_classes_cost_nothing():
    logits = torch.zeros(1, 3, 2, 2, requires_grad=True)
    targets = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    loss = mask_loss(logits, torch.tensor([2]), targets)["mask"]
    assert float(loss.detach()) == pytest.approx(math.log(2))
    loss.backward()
    assert logits.grad[0, :2].abs().sum() == 0
    assert logits.grad[0, 2].tolist() == [[-0.125, 0.125], [0.125, -0.125]]


def test_nothing_to_learn_from_costs_nothing_and_can_be_differentiated():
    logits = torch.zeros(0, 3, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    losses = detection_loss(logits, torch.zeros(0, 3, 4), none, torch.zeros(0, 4))
    losses |= mask_loss(torch.zeros(0, 3, 7, 7, requires_grad=True), none, torch.zeros(0, 7, 7))
    losses |= rpn_loss(torch.zeros(5, requires_grad=True), torch.zeros(5, 4), -torch.ones(5), torch.zeros(5, 4), 5)
    assert {name: float(loss.detach()) for name, loss in losses.items()} == dict.fromkeys(losses, 0.0)
    sum(losses.values()).backward()
    background = detection_loss(
        torch.zeros(2, 3), torch.ones(2, 3, 4), torch.zeros(2, dtype=torch.int64), torch.ones(2, 4)
    )
    assert float(background["box_regression"]) == 0
    assert float(background["classification"]) == pytest.approx(math.log(3))


def test_shapes_that_do_not_fit_are_named():
    labels = torch.tensor([1, 0])
    with pytest.raises(ValueError, match=r"deltas must have shape \(2, 3, 4\), got \(2, 12\)"):
        detection_loss(torch.zeros(2, 3), torch.zeros(2, 12), labels, torch.zeros(2, 4))
    with pytest.raises(ValueError, match=r"targets must have shape \(2, 4\), got \(1, 4\)"):
        rpn_loss(torch.zeros(2), torch.zeros(2, 4), labels, torch.zeros(1, 4), 2)
    with pytest.raises(ValueError, match=r"targets must have shape \(2, 7, 7\), got \(2, 14, 14\)"):
        mask_loss(torch.zeros(2, 3, 7, 7), labels, torch.zeros(2, 14, 14))
