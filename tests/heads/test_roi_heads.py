"""The second stage: who is sampled, by hand; detections equal to torchvision's; every empty case."""

import math

import pytest
import torch
from torchvision.models.detection import roi_heads as peer
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead

from rcnn_lite.boxes import decode_boxes
from rcnn_lite.heads.roi_heads import RoIHeads, RoIHeadSettings

OBJECT = [0.0, 0.0, 10.0, 10.0]
CLOSE = [0.0, 0.0, 10.0, 5.0]  # IoU 0.5: positive
HARD = [0.0, 0.0, 10.0, 4.9]  # just below: background
EDGE = [0.0, 0.0, 10.0, 1.0]  # 0.1: background
EASY = [0.0, 0.0, 10.0, 0.9]  # below 0.1: ignored
FAR = [50.0, 50.0, 60.0, 60.0]  # 0: ignored


def small_heads(**settings):
    torch.manual_seed(0)
    return RoIHeads(2, 4, RoIHeadSettings(bins=2, width=5, **settings))


def boxes_of(*rows):
    return torch.tensor(rows).reshape(-1, 4)


def target_of(*rows, labels=(3,), **more):
    return {"boxes": boxes_of(*rows), "labels": torch.tensor(labels, dtype=torch.int64)} | more


def test_who_is_sampled_by_hand(generator):
    sample = small_heads().sample(boxes_of(FAR, HARD, CLOSE, EASY, EDGE), target_of(OBJECT), generator)
    assert sample.boxes.tolist() == boxes_of(OBJECT, CLOSE, HARD, EDGE).tolist()
    assert sample.labels.tolist() == [3, 3, 0, 0]
    # CLOSE has its centre 2.5 above the object's, half its height 5, and is half as high; divided by 0.1, 0.1, 0.2, 0.2
    expected = [[0, 0, 0, 0], [0, 0.5 / 0.1, 0, math.log(2) / 0.2], [0] * 4, [0] * 4]
    torch.testing.assert_close(sample.deltas, torch.tensor(expected, dtype=torch.float32))


def test_a_quarter_is_positive_at_most_and_background_fills_up(generator):
    heads = small_heads(rois_per_image=16)
    many = heads.sample(boxes_of(*[CLOSE] * 30, *[HARD] * 30), target_of(OBJECT), generator)
    assert (many.labels > 0).tolist() == [True] * 4 + [False] * 12
    few = heads.sample(boxes_of(CLOSE, *[HARD] * 30), target_of(OBJECT), generator)
    assert (few.labels > 0).sum() == 2
    assert len(few.labels) == 16
    alone = heads.sample(boxes_of(*[CLOSE] * 30), target_of(OBJECT), generator)
    assert alone.labels.tolist() == [3] * 4  # no background to be had: the batch is smaller


def test_each_region_belongs_to_the_object_that_it_overlaps_most(generator):
    sample = small_heads().sample(boxes_of(CLOSE), target_of(OBJECT, [0.0, 0.0, 10.0, 6.0], labels=(1, 2)), generator)
    assert sample.labels.tolist() == [1, 2, 2]


def test_the_draw_comes_from_the_generator():
    heads, proposals = small_heads(rois_per_image=8), boxes_of(*[[0.0, 0.0, 10.0, 1 + i / 10] for i in range(30)])
    draw = lambda seed: heads.sample(proposals, target_of(OBJECT), torch.Generator().manual_seed(seed)).boxes  # noqa: E731
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_no_objects_no_proposals_and_crowds(generator):
    heads = small_heads()
    nothing = target_of(labels=())
    assert [len(values) for values in heads.sample(boxes_of(FAR, CLOSE), nothing, generator)] == [0, 0, 0, 0]
    assert heads.sample(torch.empty(0, 4), target_of(OBJECT), generator).labels.tolist() == [3]
    assert len(heads.sample(torch.empty(0, 4), nothing, generator).boxes) == 0
    crowd = target_of(OBJECT, FAR, labels=(3, 1), iscrowd=torch.tensor([1, 0]))
    beside = heads.sample(boxes_of(CLOSE, FAR), crowd, generator)
    assert beside.labels.tolist() == [1, 1]
    assert beside.objects.tolist() == [int(torch.nonzero(crowd["iscrowd"] == 0))] * 2  # of those of the target


def test_an_object_without_area_is_named(generator):
    with pytest.raises(ValueError, match=r"gt_boxes\[0\] has x2 <= x1"):
        small_heads().sample(boxes_of(CLOSE), target_of([5.0, 0.0, 5.0, 10.0]), generator)


def test_losses_by_hand(generator):
    """Weights and biases of zero: every class is as likely, ln 4; each delta of a positive costs |t| - 1/2 beyond 1."""
    heads = small_heads(loss_weight=3.0)
    for parameter in heads.parameters():
        torch.nn.init.zeros_(parameter)
    samples = [
        heads.sample(boxes_of(CLOSE, HARD), target_of(OBJECT), generator),
        heads.sample(boxes_of(), target_of(OBJECT), generator),
    ]
    losses = {name: value.detach() for name, value in heads.losses(torch.randn(4, 2, 2, 2), samples).items()}
    assert float(losses["classification"]) == pytest.approx(math.log(4))
    assert float(losses["box_regression"]) == pytest.approx(3 * ((5 - 0.5) + (math.log(2) / 0.2 - 0.5)) / 4)


def test_a_batch_without_regions_costs_nothing_and_can_be_differentiated(generator):
    heads = small_heads()
    losses = heads.losses(torch.empty(0, 2, 2, 2), [heads.sample(boxes_of(FAR), target_of(labels=()), generator)])
    sum(losses.values()).backward()
    assert [float(value.detach()) for value in losses.values()] == [0, 0]
    assert all(not p.grad.any() for p in heads.parameters())


def random_output(generator, count=200, classes=4):
    corners = torch.rand(count, 2, 2, generator=generator) * 100
    boxes = torch.cat((corners.amin(1), corners.amax(1) + 2), dim=1)
    return (
        torch.randn(count, classes, generator=generator) * 2,
        torch.randn(count, classes, 4, generator=generator),
        boxes,
    )


def test_detections_equal_torchvisions(generator):
    logits, deltas, boxes = random_output(generator)
    heads = small_heads(max_detections=60, score_threshold=0.05)
    found = heads.decide(logits, deltas, boxes, (90, 95))
    theirs = peer.RoIHeads(None, None, None, 0.5, 0.5, 8, 0.25, None, 0.05, 0.3, 60)
    expected = [rows[0] for rows in theirs.postprocess_detections(logits, deltas.flatten(1), [boxes], [(90, 95)])]
    torch.testing.assert_close([found[key] for key in ("boxes", "scores", "labels")], expected)
    assert len(found["boxes"]) == 60


def test_background_is_never_detected_and_a_sure_box_is_where_its_own_class_put_it():
    logits = torch.tensor([[9.0, 0, 0, 0], [0, 0, 9, 0]])
    deltas = torch.zeros(2, 4, 4)
    deltas[1, 2] = torch.tensor([1.0, 0.0, 0.0, 0.0])  # times 0.1: a tenth of the width to the right
    found = small_heads().decide(logits, deltas, boxes_of(FAR, OBJECT), (100, 100))
    assert found["labels"].tolist() == [2]
    torch.testing.assert_close(found["boxes"], torch.tensor([[1.0, 0.0, 11.0, 10.0]]))
    torch.testing.assert_close(found["boxes"], decode_boxes(torch.tensor([[0.1, 0, 0, 0]]), boxes_of(OBJECT)))


def test_no_boxes_and_no_detections():
    heads = small_heads()
    for count in (0, 3):
        logits = torch.tensor([[9.0, 0, 0, 0]]).repeat(count, 1)
        found = heads.decide(logits, torch.zeros(count, 4, 4), boxes_of(FAR).repeat(count, 1), (100, 100))
        assert {key: tuple(v.shape) for key, v in found.items()} == {"boxes": (0, 4), "labels": (0,), "scores": (0,)}


def test_torchvisions_weights_fit(generator):
    heads = small_heads()
    theirs = torch.nn.ModuleDict({"box_head": TwoMLPHead(8, 5), "box_predictor": FastRCNNPredictor(5, 4)})
    heads.load_state_dict(theirs.state_dict())
    pooled = torch.randn(3, 2, 2, 2, generator=generator)
    logits, deltas = theirs["box_predictor"](theirs["box_head"](pooled))
    ours = heads(pooled)
    torch.testing.assert_close(ours[0], logits)
    torch.testing.assert_close(ours[1].flatten(1), deltas)
