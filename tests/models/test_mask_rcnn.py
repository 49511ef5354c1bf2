"""Mask R-CNN: the third branch in training and in testing, objects and masks that do not fit, many of them, learning.

What it has of Faster R-CNN is tested there.
"""

import json
import resource
from dataclasses import replace

import pytest
import torch
from fakes import MeanColour
from small_faster import NOTHING
from small_mask import SMALL, small_model
from squares import CutSquares

from rcnn_lite.evaluation import evaluate_coco
from rcnn_lite.heads.mask_head import competing_mask_loss, own_masks
from rcnn_lite.losses import mask_loss
from rcnn_lite.models.mask_rcnn import AT_ONCE, MaskRCNN
from rcnn_lite.regions.masks import mask_targets, paste_masks, whole_pixel_boxes
from rcnn_lite.training import FitSettings, Schedule, fit

LOSSES = {"objectness", "rpn_box_regression", "classification", "box_regression", "mask"}


def livelier(model, generator):
    """The same model with weights so large that it finds something everywhere."""
    with torch.no_grad():
        for parameter in (*model.rpn.parameters(), *model.roi_heads.parameters(), *model.mask_branch.parameters()):
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def drawn(seed=3):
    return torch.Generator().manual_seed(seed)


# ---- in training ----


@pytest.mark.parametrize(("kind", "competing"), [("fcn", False), ("fcn", True), ("mlp", False)])
def test_the_mask_loss_is_that_of_the_positives(kind, competing, generator):
    """Worked out from the regions that were drawn, with masks in the image's pixels and boxes in the picture's."""
    settings = {"mask_head": kind, "mask": replace(SMALL.mask, competing=competing, loss_weight=2.0)}
    model, data = livelier(small_model(training_sides=(96,), **settings), generator), CutSquares(2)
    images, targets = zip(*(data[i] for i in range(2)), strict=True)
    samples, sample = [], model.roi_heads.sample
    model.roi_heads.sample = lambda *args: samples.append(sample(*args)) or samples[-1]
    losses = model.losses(list(images), list(targets), drawn())
    pooled, labels, wanted = [], [], []
    for image, target, one in zip(images, targets, samples, strict=True):
        picture = torch.nn.functional.interpolate(image[None], size=(96, 128), mode="bilinear").clamp(0, 1)
        rows = [i for i, label in enumerate(one.labels.tolist()) if label > 0]
        assert len(rows) >= 2
        pooled.append(model.pool(model.backbone(picture)[-1], one.boxes[rows], 6))
        labels.append(one.labels[rows])
        assert torch.equal(target["labels"][one.objects[rows]], labels[-1])
        wanted.append(mask_targets(target["masks"], one.boxes[rows] / 2, one.objects[rows], 12))
    loss = competing_mask_loss if competing else mask_loss
    expected = loss(model.mask_branch(torch.cat(pooled)), torch.cat(labels), torch.cat(wanted))["mask"]
    torch.testing.assert_close(losses["mask"], 2 * expected)
    assert set(losses) == LOSSES
    assert {float(w.sum()) > 0 for w in torch.cat(wanted)} == {True}


def test_the_other_losses_are_faster_r_cnns(generator):
    """The branch is added: it draws nothing, and changes no other loss."""
    model, (image, target) = small_model(), CutSquares(1)[0]
    ours = model.losses([image], [target], drawn())
    theirs = super(MaskRCNN, model).region_losses  # the second stage without the branch
    model.region_losses = theirs
    torch.testing.assert_close(model.losses([image], [target], drawn()), {n: ours[n] for n in LOSSES - {"mask"}})


def test_the_masks_teach_the_shared_map_but_neither_rpn_nor_box_head(generator):
    model, (image, target) = livelier(small_model(), generator), CutSquares(1)[0]
    loss = model.losses([image], [target], generator)["mask"]
    learnt = [p for p in model.backbone.parameters() if p.requires_grad]
    others = [*model.rpn.parameters(), *model.roi_heads.parameters()]
    gradients = torch.autograd.grad(loss, learnt + others + list(model.mask_branch.parameters()), allow_unused=True)
    assert all(g.abs().sum() > 0 for g in gradients[: len(learnt)])
    assert all(g is None for g in gradients[len(learnt) : len(learnt) + len(others)])
    assert all(g is not None for g in gradients[len(learnt) + len(others) :])


def test_images_without_objects_have_no_mask_loss(generator):
    model, (image, target) = small_model(), CutSquares(1)[0]
    losses = model.losses([image], [NOTHING], generator)
    assert float(losses["mask"].detach()) == 0
    sum(losses.values()).backward()
    empty = NOTHING | {"masks": torch.zeros(0, 48, 64, dtype=torch.uint8)}
    assert float(model.losses([image, image], [target, empty], generator)["mask"].detach()) > 0


# ---- objects and masks that do not fit ----


def test_who_is_left_out_is_left_out_with_its_mask(generator):
    """An object outside the image, with an empty mask; a crowd, whose mask is elsewhere; and the rest in its order."""
    model, (image, target) = livelier(small_model(), generator), CutSquares(1)[0]
    masks, boxes = target["masks"], target["boxes"]
    more = {
        "boxes": torch.cat((torch.tensor([[70.0, 0, 80, 9]]), boxes[:1], boxes[:1] * 0 + boxes[1], boxes[1:])),
        "labels": torch.tensor([1, 1, 1, 2]),
        "masks": torch.stack((0 * masks[0], masks[0], masks[0], masks[1])),
        "iscrowd": torch.tensor([0, 0, 1, 0]),
    }
    torch.testing.assert_close(
        model.losses([image], [more], drawn()), model.losses([image], [target | {"masks": masks}], drawn())
    )
    seen = model.seen(more, (48, 64), (96, 128))
    assert seen["rows"].tolist() == [1, 3]
    torch.testing.assert_close(seen["boxes"], 2 * boxes)
    none = {name: values[:1] for name, values in more.items()}
    assert float(model.losses([image], [none], drawn())["mask"].detach()) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda masks: None, "a target of 2 objects has no masks, from which Mask R-CNN learns"),
        (lambda masks: masks * torch.tensor([1, 0]).byte()[:, None, None], r"masks\[1\] is empty: no pixel belongs"),
        (lambda masks: torch.cat((masks, masks), dim=1), "masks are 96 x 64 pixels, the image is 48 x 64"),
        (lambda masks: masks[:, :-1], "masks are 47 x 64 pixels, the image is 48 x 64"),
        (lambda masks: masks.flip(0), r"of the \d+ pixels of masks\[0\] only 0 lie in boxes\[0\]"),
        (lambda masks: masks[:1], r"boxes must have shape \(N, 4\) with N = 1"),
        (lambda masks: masks * 255, r"masks\[0\] has values up to 255"),
        (lambda masks: masks.float(), r"masks must be uint8 or bool of shape \(N, H, W\), got torch.float32"),
    ],
    ids=["none", "empty", "larger", "smaller", "of another object", "too few", "of 255", "floating"],
)
def test_a_mask_that_does_not_fit_is_named(change, sentence, generator):
    image, target = CutSquares(1)[0]
    masks = change(target.pop("masks"))
    with pytest.raises(ValueError, match=sentence):
        small_model().losses([image], [target | ({} if masks is None else {"masks": masks})], generator)


@pytest.mark.parametrize("box", [[20.0, 5, 21, 45], [0.0, 47, 64, 48], [63.0, 47, 64, 48]])
def test_an_object_one_pixel_wide(box, generator):
    """A pole, a line at the lower border, a single pixel in the corner."""
    x1, y1, x2, y2 = map(int, box)
    mask = torch.zeros(1, 48, 64, dtype=torch.uint8)
    mask[0, y1:y2, x1:x2] = 1
    target = {"boxes": torch.tensor([box]), "labels": torch.tensor([1]), "masks": mask}
    model = livelier(small_model(), generator)
    losses = model.losses([torch.rand(3, 48, 64, generator=generator)], [target], generator)
    assert all(torch.isfinite(value) for value in losses.values())
    assert float(losses["mask"].detach()) > 0
    features = model.features(torch.rand(3, 48, 64, generator=generator))
    cells = model.masks(features, torch.tensor([box]), torch.tensor([1])).detach()
    assert paste_masks(cells, torch.tensor([box]), (48, 64)).shape == (1, 1, 48, 64)


def test_hundreds_of_objects_in_one_picture_take_little_memory(generator):
    """400 objects of 30 pixels in a picture of 1 megapixel: their masks are 400 MB, and nothing is as large again."""
    side, model = 1000, small_model(training_sides=(96,))
    corner = torch.arange(20) * 50.0 + 5
    y, x = torch.meshgrid(corner, corner, indexing="ij")
    boxes = torch.stack((x, y, x + 30, y + 30), dim=-1).reshape(-1, 4)
    masks = torch.zeros(400, side, side, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
    image, target = torch.rand(3, side, side), {"boxes": boxes, "labels": torch.ones(400).long(), "masks": masks}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB
    losses = model.losses([image], [target], generator)
    sum(losses.values()).backward()
    assert float(losses["mask"].detach()) > 0
    (found,) = livelier(model, generator).detect([image])
    assert found["masks"].shape == (len(found["boxes"]), 1, side, side)
    assert len(found["boxes"]) > 20
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used < 350_000  # of 30 found, 120 MB


# ---- in testing ----


@pytest.mark.parametrize("aligned", [True, False])
def test_masks_are_those_of_the_boxes_that_were_found(aligned, generator):
    """Of a larger image than the network sees: cells from the picture's boxes, pixels from the image's."""
    model = livelier(small_model(aligned_masks=aligned, heads=replace(SMALL.heads, max_detections=7)), generator)
    image = CutSquares(1)[0][0].repeat_interleave(3, dim=1).repeat_interleave(2, dim=2)  # (3, 144, 128)
    (found,) = model.detect([image])
    assert len(found["boxes"]) == 7
    picture = torch.nn.functional.interpolate(image[None], size=(54, 48), mode="bilinear", antialias=True)
    with torch.no_grad():
        features = model.backbone(picture)[-1]
        boxes = found["boxes"] * torch.tensor([48 / 128, 54 / 144] * 2)
        cells = own_masks(model.mask_branch(model.pool(features, boxes, 6)), found["labels"])
    placed = found["boxes"] if aligned else whole_pixel_boxes(found["boxes"], 12)
    torch.testing.assert_close(found["masks"], paste_masks(cells, placed, (144, 128)), atol=1e-3, rtol=0)
    assert found["masks"].min() >= 0
    assert found["masks"].max() <= 1
    stages = ["convolutions", "proposals", "RoI pooling", "heads", "NMS", "masks", "pasting"]
    assert list(model.watch.seconds) == stages


def test_boxes_labels_and_scores_are_faster_r_cnns(generator):
    model, image = livelier(small_model(), generator), CutSquares(1)[0][0]
    (found,) = model.detect([image])
    model.describe = super(MaskRCNN, model).describe
    (without,) = model.detect([image])
    masks = found.pop("masks")
    torch.testing.assert_close(found, without)
    assert len(masks) == len(found["boxes"]) > 0


def test_masks_do_not_depend_on_how_many_are_made_at_once(generator):
    model = livelier(small_model(), generator)
    features, count = model.features(CutSquares(1)[0][0]), 2 * AT_ONCE + 1
    low = 30 * torch.rand(count, 2, generator=generator)
    boxes, labels = torch.cat((low, low + 10), dim=1), torch.arange(count) % 3
    with torch.no_grad():
        together = model.masks(features, boxes, labels)
        for rows in ([0], [AT_ONCE], [count - 1, 5]):
            torch.testing.assert_close(together[rows], model.masks(features, boxes[rows], labels[rows]))
        assert model.masks(features, boxes[:0], labels[:0]).shape == (0, 12, 12)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (37, 91)])
def test_pictures_of_any_size(size, generator):
    height, width = size
    model, image = livelier(small_model(), generator), torch.rand(3, height, width, generator=generator)
    (found,) = model.detect([image])
    assert found["masks"].shape == (len(found["boxes"]), 1, height, width)
    (none,) = model.detect([image], [torch.empty(0, 4)])
    assert none["masks"].shape == (0, 1, height, width)


def test_another_head_is_refused():
    with pytest.raises(ValueError, match="unknown mask head 'cnn': choose one of fcn, mlp"):
        small_model(mask_head="cnn")


# ---- learning ----


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    model = small_model()
    settings = FitSettings(Schedule(300, warm_up=10), learning_rate=1e-2)
    return model, fit(model, CutSquares(24), tmp_path_factory.mktemp("mask") / "state.pt", settings)


def test_it_learns_the_shape_of_squares_without_a_quarter(trained):
    """Were a mask its box, its IoU would be 0.75, and AP at 0.8 zero."""
    model, history = trained
    data = [CutSquares(10, seed=1)[i] for i in range(10)]
    found, targets = model.detect([image for image, _ in data]), [target for _, target in data]
    assert evaluate_coco(found, targets, iou_type="segm")["AP50"] > 0.6
    sure = [(f, t) for f, t in zip(found, targets, strict=True) if f["scores"][0] > 0.5]
    assert len(sure) >= 8
    overlaps = []
    for one, target in sure:
        best, label = one["masks"][0, 0] > 0.5, int(one["labels"][0])
        mask = target["masks"][label - 1].bool()
        overlaps.append(float((best & mask).sum() / (best | mask).sum()))
    assert sorted(overlaps)[len(overlaps) // 2] > 0.78
    assert history[0]["mask"] == pytest.approx(0.693, abs=0.01)
    assert sum(line["mask"] for line in history[-20:]) / 20 < 0.3


def test_a_checkpoint_makes_the_same_model(trained):
    model, _ = trained
    tensors, note = model.to_checkpoint()
    again = MaskRCNN.from_checkpoint(tensors, json.loads(json.dumps(note)), MeanColour())
    assert again.settings == model.settings
    assert note["model"] == "mask_rcnn"
    image = CutSquares(1, seed=5)[0][0]
    features, boxes = model.features(image), torch.tensor([[5.0, 5, 25, 25]])
    with torch.no_grad():
        ours, theirs = (m.masks(features, boxes, torch.tensor([1])) for m in (model, again))
    torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0)
    cut = {name: t for name, t in tensors.items() if not name.startswith("mask_branch.mask_head")}
    with pytest.raises(ValueError, match=r"lacks mask_branch.mask_head\.\S+ it does not fit .* of a Mask R-CNN"):
        MaskRCNN.from_checkpoint(cut, note, MeanColour())
