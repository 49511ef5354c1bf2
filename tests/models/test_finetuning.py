"""Fine-tuning: labels and draws by hand; what must not move does not; a run that is cut off ends where others do."""

import math

import pytest
import torch
from torch import nn

from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.finetuning import FinetuningSettings, RegionClassifier, Windows, finetune
from rcnn_lite.models.region_network import RegionNetwork


class PowerCut(Exception):
    """Something that no training loop expects."""


OBJECT = [0.0, 0.0, 4.0, 4.0]
HALF = [0.0, 0.0, 4.0, 2.0]  # IoU 8 / 16 with OBJECT
LESS = [0.0, 0.0, 4.0, 1.75]  # 7 / 16
FAR = [20.0, 20.0, 24.0, 24.0]


def region(proposals, objects, labels):
    rows = [torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) for boxes in (proposals, objects)]
    return {"proposals": rows[0], "objects": rows[1], "labels": torch.tensor(labels, dtype=torch.int64)}


# ---- what may be drawn ----


def test_labels_by_hand():
    windows = Windows([region([HALF, LESS, FAR], [OBJECT], [7])])
    assert windows.boxes.tolist() == [OBJECT, HALF, LESS, FAR]  # an object is a region too
    assert windows.labels.tolist() == [7, 7, 0, 0]  # an IoU of exactly 0.5 is enough
    assert windows.images.tolist() == [0, 0, 0, 0]
    assert windows.positive.tolist() == [0, 1]
    assert windows.background.tolist() == [2, 3]


def test_the_object_that_overlaps_most_gives_the_label():
    """Three quarters of the box are one object, five eighths the other."""
    boxes = [[0.0, 0.0, 4.0, 2.5], OBJECT, [0.0, 0.0, 4.0, 3.0]]
    windows = Windows([region([OBJECT], [boxes[0], boxes[2]], [3, 5])])
    assert windows.labels.tolist() == [3, 5, 5]


def test_images_are_laid_end_to_end_and_may_be_without_objects_or_proposals():
    regions = [region([HALF], [OBJECT], [2]), region([HALF, FAR], [], []), region([], [FAR, OBJECT], [1, 4])]
    windows = Windows(regions)
    assert windows.images.tolist() == [0, 0, 1, 1, 2, 2]
    assert windows.labels.tolist() == [2, 2, 0, 0, 1, 4]
    assert windows.boxes[2:].tolist() == [HALF, FAR, FAR, OBJECT]


def test_the_threshold_is_a_choice():
    assert Windows([region([HALF, LESS], [OBJECT], [1])], positive_iou=0.4).labels.tolist() == [1, 1, 1]
    assert Windows([region([HALF, LESS], [OBJECT], [1])], positive_iou=0.6).labels.tolist() == [1, 0, 0]


def test_without_any_object_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="no region of these 2 images overlaps an object by 0.5 or more"):
        Windows([region([HALF], [], []), region([FAR], [], [])])


def test_a_batch_has_its_positives_first(generator):
    windows = Windows([region([LESS, FAR] * 100, [OBJECT] * 60, [1] * 60)])
    labels = windows.labels[windows.draw(32, 96, generator)]
    assert labels.tolist() == [1] * 32 + [0] * 96


def test_fewer_positives_than_asked_for_are_repeated(generator):
    windows = Windows([region([LESS, FAR], [OBJECT], [6])])
    rows = windows.draw(32, 96, generator)
    assert rows[:32].tolist() == [0] * 32
    assert set(rows[32:].tolist()) == {1, 2}


def test_without_backgrounds_a_batch_is_all_positive(generator):
    rows = Windows([region([HALF], [OBJECT], [6])]).draw(32, 96, generator)
    assert len(rows) == 32
    assert set(rows.tolist()) == {0, 1}


def test_all_positives_are_drawn_alike_and_the_generator_alone_decides():
    windows = Windows(
        [region([FAR], [OBJECT, *[[10.0 * k, 50.0, 10.0 * k + 5, 55.0] for k in range(9)]], range(1, 11))]
    )
    first, second = (windows.draw(5000, 1, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, windows.draw(5000, 1, torch.Generator().manual_seed(4)))
    counts = first[:5000].bincount(minlength=10)
    assert (counts - 500).abs().max() < 5 * math.sqrt(500 * 0.9)  # five standard deviations


# ---- what is trained ----


def small_backbone(seed=0):
    """Four stages of convolution and batch norm, with statistics that are not 0 and 1."""
    torch.manual_seed(seed)
    sizes = (3, 4, 6, 6, 8)
    stages = [
        nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
        for a, b in zip(sizes[:-1], sizes[1:], strict=True)
    ]
    for stage in stages:
        stage[1].running_mean.uniform_(-0.1, 0.1), stage[1].running_var.uniform_(0.5, 1.5)
    embedding = [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]
    return Backbone(stages, (2, 4, 8, 16), sizes[1:], embedding, nn.Linear(8, 12), (0.5,) * 3, (0.25,) * 3)


def squares():
    """Images of noise with a red object (1) on the left and a blue one (2) on the right, and their regions."""
    generator, images, regions = torch.Generator().manual_seed(1), [], []
    for _ in range(6):
        image = 0.4 + 0.2 * torch.rand(3, 32, 64, generator=generator)
        image[0, 8:24, 4:20], image[2, 8:24, 40:56] = 1.0, 1.0
        objects = [[4.0, 8.0, 20.0, 24.0], [40.0, 8.0, 56.0, 24.0]]
        regions.append(
            region([[5.0, 8.0, 20.0, 24.0], [22.0, 0.0, 38.0, 16.0], [22.0, 16.0, 38.0, 32.0]], objects, [1, 2])
        )
        images.append(image)
    return images, Windows(regions)


def cut(images):
    def crop(index, boxes):
        parts = [images[index][:, int(y1) : int(y2), int(x1) : int(x2)] for x1, y1, x2, y2 in boxes.tolist()]
        return torch.stack([nn.functional.interpolate(part[None], (16, 16))[0] for part in parts])

    return crop


def run(file, crop=None, seed=0, **settings):
    images, windows = squares()
    generator = torch.Generator().manual_seed(seed)
    classifier = RegionClassifier(RegionNetwork(small_backbone()), 12, 3, generator)
    chosen = FinetuningSettings(**{"iterations": 3, "positives": 4, "backgrounds": 12} | settings)
    history = finetune(classifier, windows, crop or cut(images), chosen, generator, file)
    return classifier, [line["classification"] for line in history]


def test_the_new_layer_starts_small_and_reads_fc7(generator):
    network = RegionNetwork(small_backbone())
    classifier = RegionClassifier(network, 12, 500, generator)
    assert classifier.new_layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert classifier.new_layer.bias.abs().max() == 0
    regions = torch.rand(2, 3, 16, 16, generator=generator)
    expected = network(regions).fc7 @ classifier.new_layer.weight.T
    torch.testing.assert_close(classifier(regions), expected)
    again = RegionClassifier(network, 12, 500, torch.Generator().manual_seed(0))
    assert torch.equal(
        again.new_layer.weight, RegionClassifier(network, 12, 500, torch.Generator().manual_seed(0)).new_layer.weight
    )


def test_the_first_loss_is_that_of_a_guess(tmp_path):
    """A small new layer gives three nearly equal chances: the cross-entropy is ln 3."""
    _, losses = run(tmp_path / "s")
    assert losses[0] == pytest.approx(math.log(3), abs=0.05)


@pytest.mark.parametrize("frozen", [0, 2, 3])
def test_frozen_stages_and_batch_norm_stay_as_they_were(tmp_path, frozen):
    classifier, _ = run(tmp_path / "s", frozen_stages=frozen)
    before, after = small_backbone().state_dict(), classifier.network.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    convolutions = {f"stages.{i}.0.{kind}" for i in range(frozen, 4) for kind in ("weight", "bias")}
    assert changed == convolutions | {"classifier.weight", "classifier.bias"}  # no stages.i.1, which is batch norm
    assert not classifier.training


def test_the_network_learns_at_a_tenth_of_the_new_layers_rate(tmp_path):
    """AdamW's first step is as long as the learning rate: a fiftieth of it, as the warm-up begins."""
    classifier, _ = run(tmp_path / "s", iterations=1)
    network = small_backbone().classifier.weight - classifier.network.backbone.classifier.weight
    assert network.abs().max().item() == pytest.approx(1e-4 / 50, rel=0.05)
    fresh = RegionClassifier(RegionNetwork(small_backbone()), 12, 3, torch.Generator().manual_seed(0)).new_layer
    layer = fresh.weight - classifier.new_layer.weight
    assert layer.abs().max().item() == pytest.approx(1e-3 / 50, rel=0.05)


def test_it_learns_to_tell_regions_apart(tmp_path):
    """Knowing only how often each label comes, 3/4, 1/8, 1/8, one would lose 0.74."""
    _, losses = run(tmp_path / "s", iterations=120, network_rate=5e-3, new_layer_rate=5e-2, frozen_stages=0)
    assert sum(losses[-10:]) / 10 < 0.5 < 1 < losses[0]


def test_each_image_is_warped_once_a_batch_and_boxes_go_with_their_image(tmp_path):
    images, windows = squares()
    calls, crop = [], cut(images)

    def spy(index, boxes):
        own = {tuple(box) for box in windows.boxes[windows.images == index].tolist()}
        calls.append((index, len(boxes), {tuple(box) for box in boxes.tolist()} <= own))
        return crop(index, boxes)

    run(tmp_path / "s", spy, iterations=1)
    indices = [index for index, _, _ in calls]
    assert indices == sorted(set(indices))
    assert sum(count for _, count, _ in calls) == 16
    assert all(fits for _, _, fits in calls)


def test_labels_go_with_their_regions_and_half_are_mirrored(tmp_path, monkeypatch):
    """Regions that say themselves which they are: a step from dark to light, whose size is the row of `Windows`."""
    _, windows = squares()
    seen, targets = [], []

    def crop(index, boxes):
        rows = [int(torch.nonzero((windows.images == index) & (windows.boxes == box).all(dim=1))[0]) for box in boxes]
        return torch.stack([torch.linspace(0, row + 1, 16).expand(3, 16, 16) for row in rows])

    monkeypatch.setattr(
        RegionClassifier, "forward", lambda self, x: (seen.append(x), self.new_layer(x[:, 0, 0, :12]))[1]
    )
    true = nn.functional.cross_entropy
    monkeypatch.setattr(nn.functional, "cross_entropy", lambda x, y: (targets.append(y), true(x, y))[1])
    run(tmp_path / "s", crop, iterations=1, positives=300, backgrounds=300, frozen_stages=4)
    rows = seen[0][:, 0].amax(dim=(1, 2)).round().long() - 1
    assert torch.equal(windows.labels[rows], targets[0])
    mirrored = (seen[0][:, 0, 0, 0] > seen[0][:, 0, 0, -1]).float()
    assert 0.4 < mirrored.mean() < 0.6
    assert 0.4 < mirrored[targets[0] > 0].mean() < 0.6


def test_a_run_that_is_cut_off_ends_with_the_same_weights(tmp_path):
    """The state is written after 100 iterations; the interruption comes in the 104th, in the middle of a batch."""
    images, _ = squares()
    whole, losses = run(tmp_path / "whole", iterations=106)
    count, crop = [0], cut(images)

    def fail(index, boxes):
        count[0] += index == 5  # every batch has regions of the last image, but for a chance of (5 / 6) ** 16
        if count[0] == 100:
            raise PowerCut
        return crop(index, boxes)

    with pytest.raises(PowerCut):
        run(tmp_path / "cut", fail, iterations=106)
    assert (tmp_path / "cut").is_file()
    resumed, again = run(tmp_path / "cut", iterations=106)
    assert again == losses
    for (name, expected), value in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(expected, value), name


def test_a_loss_that_is_not_a_number_is_named(tmp_path):
    images, _ = squares()
    crop = cut(images)
    with pytest.raises(FloatingPointError, match="the loss 'classification' is nan in iteration 0"):
        run(tmp_path / "s", lambda i, boxes: crop(i, boxes) * math.nan)
    assert not (tmp_path / "s").exists()
