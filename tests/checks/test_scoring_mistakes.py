"""The mistakes of notebook 16: each changes a number where it is measured, and is gone afterwards."""

import pytest
import torch

from rcnn_lite import losses, nms
from rcnn_lite.checks.mistakes import mistake
from rcnn_lite.checks.scoring_mistakes import NINTH

APART = torch.tensor([[0.0, 0.0, 2.0, 2.0], [5.0, 5.0, 7.0, 7.0], [9.0, 9.0, 11.0, 11.0]])
ONE_OFF = torch.tensor([[1.0, 0.0, 0.0, 0.0]])  # an error of 1: 1/2 with a beta of 1, 1 - beta / 2 with less


def kept():
    return len(nms.nms(APART, torch.tensor([0.9, 0.8, 0.7]), 0.5, limit=2)), len(nms.nms(APART, torch.ones(3), 0.5))


def box_loss():
    logits, label = torch.zeros(1, 2), torch.tensor([1])
    deltas = ONE_OFF[:, None].repeat(1, 2, 1)
    return losses.detection_loss(logits, deltas, label, torch.zeros(1, 4))["box_regression"].item()


def rpn_box_loss():
    found = losses.rpn_loss(torch.zeros(1), ONE_OFF, torch.tensor([1]), torch.zeros(1, 4), 1, 1.0)
    return found["rpn_box_regression"].item()


@pytest.mark.parametrize(
    ("name", "probe", "right", "wrong"),
    [
        ("proposals_as_in_training", kept, (2, 3), (3, 3)),
        ("beta_buried", box_loss, pytest.approx(0.5), pytest.approx(1 - NINTH / 2)),
        ("beta_buried", rpn_box_loss, pytest.approx(0.5), pytest.approx(1 - NINTH / 2)),
    ],
)
def test_a_mistake_acts_and_is_gone_afterwards(name, probe, right, wrong):
    assert probe() == right
    with mistake(name):
        assert probe() == wrong
    assert probe() == right
