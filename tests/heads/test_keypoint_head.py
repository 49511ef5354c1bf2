"""The keypoint branch: torchvision's with the same weights, targets and places worked by hand, there and back again."""

import math

import pytest
import torch
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints, keypointrcnn_loss, keypoints_to_heatmap

from rcnn_lite.heads.keypoint_head import (
    KeypointHead,
    KeypointHeadSettings,
    decode_keypoints,
    keypoint_loss,
    keypoint_targets,
)


def random_boxes(generator, count, smallest=2.0):
    corners = torch.rand(count, 2, generator=generator) * 60
    return torch.cat((corners, corners + smallest + torch.rand(count, 2, generator=generator) * 50), dim=1)


def random_keypoints(generator, boxes, count=5):
    """Inside, outside, on the borders and on the corners; of every visibility."""
    places = (torch.rand(len(boxes), count, 2, generator=generator) * 1.4 - 0.2).clamp(min=0)
    places[::2] = places[::2].clamp(max=1)
    points = boxes[:, None, :2] + places * (boxes[:, None, 2:] - boxes[:, None, :2])
    points = torch.where(places == 1, boxes[:, None, 2:], points)
    return torch.cat((points, torch.randint(3, (len(boxes), count, 1), generator=generator).float()), dim=2)


@pytest.mark.parametrize("convolutions", [1, 8])
def test_the_branch_is_torchvisions(convolutions, generator):
    theirs = torch.nn.ModuleDict(
        {
            "keypoint_head": KeypointRCNNHeads(6, [10] * convolutions),
            "keypoint_predictor": KeypointRCNNPredictor(10, 4),
        }
    )
    ours = KeypointHead(6, 4, KeypointHeadSettings(bins=7, convolutions=convolutions, width=10))
    ours.load_state_dict(theirs.state_dict())
    pooled = torch.randn(3, 6, 7, 7, generator=generator)
    torch.testing.assert_close(ours(pooled), theirs["keypoint_predictor"](theirs["keypoint_head"](pooled)))
    assert ours(pooled).shape == (3, 4, 28, 28)


def test_at_first_every_place_is_as_likely(generator):
    head = KeypointHead(6, 4, KeypointHeadSettings(width=8), generator)
    logits = head(torch.randn(5, 6, 14, 14, generator=generator) * 8)
    assert logits.shape == (5, 4, 56, 56)
    index = torch.randint(56 * 56, (5, 4), generator=generator)
    loss = keypoint_loss(logits, index, torch.ones(5, 4, dtype=torch.bool))["keypoint"]
    assert float(loss.detach()) == pytest.approx(math.log(56 * 56), abs=0.05)


def test_a_generator_decides():
    weights = [
        torch.cat([p.flatten() for p in KeypointHead(6, 4, generator=torch.Generator().manual_seed(s)).parameters()])
        for s in (0, 0, 1)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_targets_by_hand():
    box = torch.tensor([[10.0, 20.0, 18.0, 36.0]])  # cells of 2 x 4 pixels
    points = [[10, 20, 2], [11.9, 23.9, 1], [12, 24, 2], [18, 36, 2], [18.1, 30, 2], [9.9, 30, 2], [14, 28, 0]]
    index, valid = keypoint_targets(torch.tensor([points]), box, 4)
    assert index.tolist() == [[0, 0, 5, 15, 0, 0, 0]]
    assert valid.tolist() == [[True, True, True, True, False, False, False]]


@pytest.mark.parametrize("size", [14, 56])
def test_targets_and_loss_are_torchvisions(size, generator):
    boxes = random_boxes(generator, 40)
    keypoints = random_keypoints(generator, boxes)
    index, valid = keypoint_targets(keypoints, boxes, size)
    their_index, their_valid = keypoints_to_heatmap(keypoints, boxes, size)
    assert torch.equal(index, their_index)
    assert torch.equal(valid, their_valid.bool())
    assert 0.2 < valid.float().mean() < 0.8
    logits = torch.randn(40, 5, size, size, generator=generator, requires_grad=True)
    ours = keypoint_loss(logits, index, valid)["keypoint"]
    theirs = keypointrcnn_loss(logits, [boxes], [keypoints], [torch.arange(40)])
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits))


def test_positions_compete_and_keypoints_do_not():
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 0, 1, 0] = math.log(5)
    index, valid = torch.tensor([[2, 0]]), torch.tensor([[True, True]])
    loss = keypoint_loss(logits, index, valid)["keypoint"]
    assert float(loss) == pytest.approx((math.log(8 / 5) + math.log(4)) / 2)
    only = keypoint_loss(logits, index, torch.tensor([[True, False]]))["keypoint"]
    assert float(only) == pytest.approx(math.log(8 / 5))


@pytest.mark.parametrize("smallest", [0.0, 2.0])
def test_places_are_torchvisions(smallest, generator):
    boxes = random_boxes(generator, 12, smallest)
    boxes[:3, 2:] = boxes[:3, :2] + torch.tensor([[0.3, 5.0], [7.0, 0.0], [0.0, 0.0]])
    heatmaps = torch.randn(12, 3, 14, 14, generator=generator)
    places, scores = heatmaps_to_keypoints(heatmaps, boxes)
    ours = decode_keypoints(heatmaps, boxes, shrink=True)
    torch.testing.assert_close(ours[..., :2], places[..., :2])
    torch.testing.assert_close(ours[..., 2], scores)
    large = (boxes[:, 2:] - boxes[:, :2] >= 14).all(1)
    assert 2 < int(large.sum()) < 12
    assert torch.equal(decode_keypoints(heatmaps, boxes)[large], ours[large])


def test_a_peak_between_pixels_is_not_stepped_over():
    peak = torch.zeros(1, 1, 56, 56)
    peak[0, 0, 10, 30] = 9
    box = torch.tensor([[100.0, 50, 105, 55]])  # 11.2 cells a pixel
    expected = torch.tensor([100 + 5 * 30.5 / 56, 50 + 5 * 10.5 / 56, 9])
    torch.testing.assert_close(decode_keypoints(peak, box)[0, 0], expected)
    assert decode_keypoints(peak, box, shrink=True)[0, 0, 2] == 0


def test_there_and_back_again(generator):
    """A keypoint, made a target and decoded, is within half a cell, in boxes larger and smaller than the map."""
    for scale in (0.3, 1.0, 3.0):
        boxes = random_boxes(generator, 20, 10) * scale
        keypoints = random_keypoints(generator, boxes)
        index, valid = keypoint_targets(keypoints, boxes, 28)
        heatmaps = torch.nn.functional.one_hot(index, 28 * 28).unflatten(2, (28, 28)).float()
        off = (decode_keypoints(heatmaps, boxes)[..., :2] - keypoints[..., :2]).abs()
        cell = (boxes[:, 2:] - boxes[:, :2]) / 28
        allowed = cell / 2 + 0.5 * (cell > 1)  # half a cell, and half a pixel where the map was enlarged
        edge = torch.stack((index % 28, index // 28), dim=2) % 27 == 0  # there a peak is as high up to the border
        allowed = torch.where(edge, cell[:, None], allowed[:, None]) + 1e-3
        assert valid.any()
        assert (off <= allowed)[valid].all()
    # no bias: half a cell to one side would show
    signed = (decode_keypoints(heatmaps, boxes)[..., :2] - keypoints[..., :2]) / cell[:, None]
    assert signed[valid].mean(0).abs().max() < 0.1


def test_no_regions_no_keypoints_none_valid():
    head = KeypointHead(6, 4, KeypointHeadSettings(bins=3, width=8))
    logits = head(torch.zeros(0, 6, 3, 3))
    assert logits.shape == (0, 4, 12, 12)
    index, valid = keypoint_targets(torch.zeros(0, 4, 3), torch.zeros(0, 4), 12)
    assert index.shape == valid.shape == (0, 4)
    assert decode_keypoints(logits, torch.zeros(0, 4)).shape == (0, 4, 3)
    loss = keypoint_loss(logits, index, valid)["keypoint"]
    assert float(loss.detach()) == 0
    loss.backward()
    logits = head(torch.ones(2, 6, 3, 3))
    loss = keypoint_loss(logits, torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 4, dtype=torch.bool))["keypoint"]
    loss.backward()
    assert float(loss.detach()) == 0
    assert decode_keypoints(torch.zeros(2, 0, 12, 12), torch.ones(2, 4)).shape == (2, 0, 3)


def test_bad_input():
    boxes = torch.tensor([[0.0, 0, 4, 4], [5, 0, 5, 4]])
    with pytest.raises(ValueError, match=r"boxes\[1\] has x2 <= x1"):
        keypoint_targets(torch.zeros(2, 3, 3), boxes, 7)
    with pytest.raises(ValueError, match=r"keypoints must have shape \(R, K, 3\), got \(1, 3\)"):
        keypoint_targets(torch.zeros(1, 3), boxes[:1], 7)
    with pytest.raises(ValueError, match=r"boxes must have shape \(R, 4\) with R = 2, got \(1, 4\)"):
        keypoint_targets(torch.zeros(2, 3, 3), boxes[:1], 7)
    with pytest.raises(ValueError, match=r"keypoints\[0, 1\] is not finite: \[nan, 0.0, 2.0\]"):
        keypoint_targets(torch.tensor([[[1.0, 1, 2], [math.nan, 0, 2]]]), boxes[:1], 7)
    with pytest.raises(ValueError, match=r"valid must have shape \(1, 2\), got \(1, 3\)"):
        keypoint_loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2), torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"must fit, got \(1, 2, 4, 4\) and \(2, 4\)"):
        decode_keypoints(torch.zeros(1, 2, 4, 4), boxes)
