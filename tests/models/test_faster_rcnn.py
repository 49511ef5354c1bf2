"""Faster R-CNN: the figure from left to right, its losses, pictures of all sizes, bad input, training."""

import json
import math
from dataclasses import replace

import pytest
import torch
from fakes import MeanColour
from small_faster import NOTHING, SMALL, small_model
from squares import Squares

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.evaluation import evaluate_voc
from rcnn_lite.models.faster_rcnn import FasterRCNN
from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train
from rcnn_lite.regions.poolings import POOLINGS
from rcnn_lite.training import FitSettings, Schedule

LOSSES = {"objectness", "rpn_box_regression", "classification", "box_regression"}


def livelier(model, generator):
    """The same model with weights so large that it finds something everywhere."""
    with torch.no_grad():
        for parameter in (*model.rpn.parameters(), *model.roi_heads.parameters()):
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def equal(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


# ---- the figure, from left to right ----


def test_detections_are_the_parts_in_sequence(generator):
    model, image = livelier(small_model(), generator), Squares(1)[0][0]
    with torch.no_grad():
        features = model.backbone(image[None])[-1]
        boxes, _ = model.rpn.propose(model.rpn(features), (48, 64), model.settings.rpn.testing)
        expected = model.roi_heads.decide(*model.roi_heads(model.pool(features, boxes)), boxes, (48, 64))
    (found,) = model.detect([image])
    assert len(found["boxes"]) > 0
    equal(found, expected)
    assert set(model.watch.seconds) == {"convolutions", "proposals", "RoI pooling", "heads", "NMS"}


def test_boxes_come_back_in_the_pixels_of_the_image(generator):
    """A picture of twice the size is shrunk to the same picture: the same objects at twice the coordinates."""
    model, image = livelier(small_model(), generator), Squares(1)[0][0]
    twice = image.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    shrunk = torch.nn.functional.interpolate(twice[None], size=(48, 64), mode="bilinear", antialias=True)[0]
    (small,), (large,) = model.detect([shrunk]), model.detect([twice])
    equal(large["boxes"], 2 * small["boxes"])
    equal(model.propose(twice)[0], 2 * model.propose(shrunk)[0])
    assert len(small["boxes"]) > 0


def test_given_proposals_take_the_place_of_the_networks_own(generator):
    model, image = livelier(small_model(), generator), Squares(1)[0][0]
    boxes, scores = model.propose(image)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    equal(model.detect([image], [boxes]), model.detect([image]))
    outside = torch.tensor([[-50.0, -50.0, -2.0, -2.0], [3.0, 3.0, 5.0, 40.0]])  # invisible, too narrow
    equal(model.detect([image], [torch.cat((outside, boxes))]), model.detect([image]))
    assert len(model.detect([image], [outside])[0]["boxes"]) == 0


@pytest.mark.parametrize("pooling", POOLINGS)
def test_regions_may_be_pooled_in_every_way(pooling, generator):
    model, (image, target) = small_model(pooling=pooling), Squares(1)[0]
    losses = model.losses([image], [target], generator)
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.roi_heads.parameters())
    assert len(livelier(model, generator).detect([image])[0]["boxes"]) > 0


def test_another_pooling_is_refused():
    with pytest.raises(ValueError, match="unknown pooling 'average': choose one of roi_pool, crop_pool"):
        small_model(pooling="average")


# ---- losses ----


def test_the_losses_are_those_of_the_two_halves():
    """Worked out part by part, with the random numbers drawn in the same order: scales, anchors, regions."""
    model, data = small_model(), Squares(2)
    images, targets = zip(*(data[i] for i in range(2)), strict=True)
    losses = model.losses(list(images), list(targets), torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    torch.randint(1, (), generator=generator), torch.randint(1, (), generator=generator)  # the one scale, twice
    predictions = [model.rpn(model.backbone(image[None])[-1]) for image in images]
    first = model.rpn.losses(predictions, [(48, 64)] * 2, list(targets), generator)
    samples, pooled = [], []
    for image, predicted, target in zip(images, predictions, targets, strict=True):
        proposals, _ = model.rpn.propose(predicted, (48, 64), SMALL.rpn.training)
        samples.append(model.roi_heads.sample(proposals, target, generator))
        pooled.append(model.pool(model.backbone(image[None])[-1], samples[-1].boxes))
    torch.testing.assert_close(losses, first | model.roi_heads.losses(torch.cat(pooled), samples))
    assert set(losses) == LOSSES


def test_proposals_are_constants(generator):
    """Approximate joint training: the second stage's losses say nothing to the RPN, but much to the shared map."""
    model, (image, target) = small_model(), Squares(1)[0]
    losses = model.losses([image], [target], generator)
    learnt = [p for p in model.backbone.parameters() if p.requires_grad]
    second = losses["classification"] + losses["box_regression"]
    to_rpn = torch.autograd.grad(second, list(model.rpn.parameters()), allow_unused=True, retain_graph=True)
    to_map = torch.autograd.grad(second, learnt)
    assert all(g is None for g in to_rpn)
    assert all(g.abs().sum() > 0 for g in to_map)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 40), (37, 91)])
def test_pictures_of_any_size(size, generator):
    """Smaller than a cell, and of odd size."""
    height, width = size
    model, image = small_model(), torch.rand(3, height, width, generator=generator)
    target = {"boxes": torch.tensor([[0.0, 0.0, width, height]]), "labels": torch.tensor([1])}
    losses = model.losses([image], [target], generator)
    assert all(torch.isfinite(value) for value in losses.values())
    (found,) = livelier(model, generator).detect([image])
    assert (found["boxes"] >= 0).all()
    assert (found["boxes"] <= torch.tensor([width, height, width, height]) + 1e-4).all()


def test_a_picture_of_less_than_one_cell_as_the_network_sees_it(generator):
    model = small_model(training_sides=(3,), short_side=3)
    image, box = torch.rand(3, 30, 30, generator=generator), torch.tensor([[5.0, 5.0, 25.0, 25.0]])
    assert model.features(torch.rand(3, 3, 3)).shape == (1, 3, 1, 1)
    losses = model.losses([image], [{"boxes": box, "labels": torch.tensor([2])}], generator)
    assert all(torch.isfinite(value) for value in losses.values())
    model.eval().detect([image])


def test_pictures_of_different_sizes_do_not_change_each_other(generator):
    """Nothing is padded: neither detections nor losses know what else is in the batch."""
    model = livelier(small_model(), generator)
    images = [torch.rand(3, h, w, generator=generator) for h, w in ((48, 64), (48, 91), (90, 48))]
    together = model.detect(images)
    for image, found in zip(images, together, strict=True):
        equal(model.detect([image])[0], found)
        assert len(found["boxes"]) > 0
    # Every anchor and every region is looked at, so that nothing is drawn and each loss is a sum over the images.
    all_of_them = replace(SMALL.heads, rois_per_image=10**6, background_iou=(0.0, 0.5))
    model = small_model(rpn=replace(SMALL.rpn, anchors_per_image=10**6, negative_iou=0.7), heads=all_of_them)
    target = {"boxes": torch.tensor([[5.0, 5.0, 25.0, 25.0]]), "labels": torch.tensor([1])}
    apart = [model.losses([image], [target]) for image in images]
    joint = model.losses(images, [target] * 3)
    maps = model.maps(images)
    for image, features in zip(images, maps, strict=True):
        equal(model.features(image), features)
    assert set(joint) == LOSSES
    for name in LOSSES:
        values = [float(one[name].detach()) for one in apart]
        assert min(values) - 1e-5 <= float(joint[name].detach()) <= max(values) + 1e-5


# ---- bad input ----


def test_an_image_without_objects_teaches_what_is_background(generator):
    model, (image, target) = small_model(), Squares(1)[0]
    losses = model.losses([image], [NOTHING], generator)
    assert float(losses["objectness"].detach()) > 0
    assert [float(losses[n].detach()) for n in ("rpn_box_regression", "classification", "box_regression")] == [0, 0, 0]
    sum(losses.values()).backward()
    assert set(model.losses([image, image], [target, NOTHING], generator)) == LOSSES


def test_objects_outside_the_image_are_left_out_and_others_cut(generator):
    model, image = small_model(), Squares(1)[0][0]
    outside = torch.tensor([[70.0, 10.0, 90.0, 30.0], [-30.0, -30.0, -1.0, -1.0]])
    across, cut = torch.tensor([[50.0, 20.0, 90.0, 40.0]]), torch.tensor([[50.0, 20.0, 64.0, 40.0]])
    alone = {"boxes": cut, "labels": torch.tensor([2])}
    both = {"boxes": torch.cat((outside, across)), "labels": torch.tensor([1, 1, 2])}
    ours, theirs = (model.losses([image], [t], torch.Generator().manual_seed(0)) for t in (both, alone))
    torch.testing.assert_close(ours, theirs)
    crowd = both | {"boxes": torch.cat((outside[:1], cut, across)), "iscrowd": torch.tensor([0, 0, 1])}
    seen = model.seen(crowd | {"labels": torch.tensor([1, 2, 1])}, (48, 64), (96, 128))
    assert seen["boxes"].tolist() == [[100, 40, 128, 80]]
    assert seen["labels"].tolist() == [2]


def test_an_object_without_area_is_named(generator):
    image, target = Squares(1)[0]
    target = target | {"boxes": torch.tensor([[1.0, 1, 9, 9], [5.0, 5, 5, 9]])}
    with pytest.raises(ValueError, match=r"boxes\[1\] has x2 <= x1"):
        small_model().losses([image], [target], generator)


def test_more_objects_than_anchors(generator):
    """One cell, two anchors, nine objects."""
    model = small_model(training_sides=(4,), short_side=4, rpn=replace(SMALL.rpn, border=100.0, min_size=0.1))
    corner = torch.arange(9, dtype=torch.float32)[:, None] + 1
    target = {"boxes": torch.cat((corner, corner, corner + 20, corner + 20), dim=1), "labels": torch.ones(9).long()}
    losses = model.losses([torch.rand(3, 40, 40, generator=generator)], [target], generator)
    assert all(torch.isfinite(value) for value in losses.values())


def test_a_batch_that_does_not_fit_together_is_refused(generator):
    image, target = Squares(1)[0]
    with pytest.raises(ValueError, match="there are 2 images and targets for 1"):
        small_model().losses([image, image], [target], generator)
    with pytest.raises(ValueError, match="there are 1 images and proposals for 2"):
        small_model().detect([image], [torch.empty(0, 4)] * 2)


# ---- training ----


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has learnt to find squares, the losses on the way, the weights before."""
    model, folder = small_model(), tmp_path_factory.mktemp("faster")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    settings = FasterRCNNTraining(FitSettings(Schedule(300, warm_up=10), learning_rate=1e-2))
    return model, train(model, Squares(24), folder, settings), before


def test_it_learns_to_find_squares(trained):
    model, history, _ = trained
    data = [Squares(10, seed=1)[i] for i in range(10)]
    found = model.detect([image for image, _ in data])
    assert evaluate_voc(found, [target for _, target in data])["mAP"] > 0.7
    assert set(history[0]) == LOSSES
    assert sum(line["objectness"] for line in history[-20:]) < 0.3 * sum(line["objectness"] for line in history[:20])


def test_frozen_stages_stay_and_all_others_learn(trained):
    model, _, before = trained
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith("backbone.stages.0") for name in moved)
    assert {name for name, _ in model.named_parameters() if not name.startswith("backbone.stages.0")} <= moved


def test_a_checkpoint_makes_the_same_model(trained, tmp_path):
    model, *_ = trained
    save_checkpoint(tmp_path / "c.safetensors", *model.to_checkpoint())
    tensors, note = load_checkpoint(tmp_path / "c.safetensors")
    again = FasterRCNN.from_checkpoint(tensors, json.loads(json.dumps(note)), MeanColour())
    assert again.settings == model.settings
    kept = again.state_dict()
    for name, value in model.state_dict().items():  # half a step of 8 bits; half precision
        torch.testing.assert_close(kept[name], value, atol=float(value.abs().max()) / 200, rtol=0)
    image = Squares(1, seed=5)[0][0]
    ours, theirs = model.detect([image])[0], again.detect([image])[0]
    torch.testing.assert_close(ours["scores"][:2], theirs["scores"][:2], atol=0.02, rtol=0)
    cut = {n: t for n, t in tensors.items() if not n.startswith("rpn.head.conv")}
    with pytest.raises(ValueError, match=r"lacks rpn.head.conv.0.0.weight: it does not fit .* of a Faster R-CNN"):
        FasterRCNN.from_checkpoint(cut, note, MeanColour())


def test_an_infinite_setting_goes_into_a_checkpoint_and_comes_back(tmp_path):
    """Anchors beyond the border may be learned from however far they reach; JSON has no word for it."""
    model = small_model(rpn=replace(SMALL.rpn, border=math.inf))
    save_checkpoint(tmp_path / "c.safetensors", *model.to_checkpoint())
    again = FasterRCNN.from_checkpoint(*load_checkpoint(tmp_path / "c.safetensors"), MeanColour())
    assert again.settings == model.settings
    assert again.settings.rpn.border == math.inf


def test_a_loss_that_is_not_a_number_stops_the_training_and_keeps_the_last_good_state(tmp_path):
    """A picture of NaN comes in iteration 5: the sentence names the loss, the file has iteration 4."""

    class Poisoned(Squares):
        def __getitem__(self, index):
            calls.append(index)
            image, target = super().__getitem__(index)
            return image * float("nan") if poison and len(calls) > 8 else image, target

    calls, poison, data = [], True, Poisoned(6)
    settings = FasterRCNNTraining(FitSettings(Schedule(8, 2, save_every=2), 1e-2))
    with pytest.raises(FloatingPointError, match="objectness"):
        train(small_model(), data, tmp_path / "run", settings)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert len(state["history"]) == 4
    assert all(torch.isfinite(value).all() for value in state["module"].values())
    poison, whole, resumed = False, small_model(), small_model()
    train(whole, data, tmp_path / "whole", settings)
    train(resumed, data, tmp_path / "run", settings)
    torch.testing.assert_close(whole.state_dict(), resumed.state_dict(), atol=0, rtol=0)


def test_a_folder_of_another_run_is_refused(tmp_path):
    settings = FasterRCNNTraining(FitSettings(Schedule(1, 1), 1e-2))
    train(small_model(), Squares(2), tmp_path, settings)
    with pytest.raises(ValueError, match="holds a run that differs in settings: choose another folder"):
        train(small_model(pooling="crop_pool"), Squares(2), tmp_path, settings)
