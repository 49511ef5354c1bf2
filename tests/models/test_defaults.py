"""Image size and anchors from the objects of a data set: by hand, at the limits, and as a recipe takes them."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from squares import CLASSES, Squares

from rcnn_lite.models.defaults import Looks, ObjectSizes, choose_looks, geometric, image_size, object_sizes
from rcnn_lite.models.fast_rcnn import FastRCNNSettings
from rcnn_lite.models.fpn_rcnn import MaskRCNNFPNSettings
from rcnn_lite.models.orders import Order, looking, planned, proposing
from rcnn_lite.training import FitSettings, Schedule


class Boxes:
    """Pictures of (H, W) pixels with boxes, given as (H, W, boxes, labels, iscrowd)."""

    classes = CLASSES

    def __init__(self, *rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        height, width, boxes, labels, crowd = self.rows[index]
        boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        target = {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64), "iscrowd": torch.tensor(crowd)}
        return torch.zeros(3, height, width), target


def test_sizes_are_parts_of_the_short_side_and_crowds_are_left_out():
    wide = (100, 300, [[0, 0, 20, 5], [50, 50, 60, 60]], [1, 2], [0, 1])
    tall = (400, 200, [[0, 0, 10, 90]], [2], [0])
    seen = object_sizes(Boxes(wide, tall, (50, 50, [], [], [])))
    assert seen.sizes.tolist() == pytest.approx([10 / 100, 30 / 200])
    assert seen.ratios.tolist() == pytest.approx([1 / 4, 9])
    assert seen.labels.tolist() == [1, 2]
    assert seen.short_sides.tolist() == [100, 200, 50]


def test_many_pictures_are_sampled_from_the_first_to_the_last():
    asked = []

    class Noted(Squares):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    seen = object_sizes(Noted(90), most=10)
    assert (asked[0], asked[-1], len(asked), len(set(asked))) == (0, 89, 10, 10)
    assert len(seen.sizes) == 20


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(ValueError, match="there is no object in 2 of the pictures"):
        object_sizes(Boxes((50, 50, [], [], []), (50, 50, [[0, 0, 5, 5]], [1], [1])))


def objects(sizes, ratios=(1.0,), labels=None, side=480):
    count = len(sizes)
    given = torch.tensor(labels or [1] * count), torch.full((5,), side)
    return ObjectSizes(torch.tensor(sizes).double(), torch.tensor(ratios * count)[:count].double(), *given)


def test_image_size_and_anchors_by_hand():
    """Small objects have 0.07 of 480 pixels: 24 / 0.07 = 343, so 352; anchors from 25 to 8 times that, in 3 steps."""
    looks = choose_looks(objects([0.07, 0.1, 0.2, 0.56]))
    assert looks == Looks(352, (25.0, 49.0, 99.0, 197.0), (1.0,))
    assert looks.training_sides == (293, 352, 411)
    assert looks.long_side == 822
    assert str(looks).startswith(
        "image size 352 (short side; in training 293, 352, 411), anchors 25 49 99 197, ratios 1"
    )


def test_each_class_counts_the_same():
    """Ninety-six red cells do not hide four platelets."""
    seen = objects([0.2] * 96 + [0.05] * 4, labels=[1] * 96 + [2] * 4)
    assert choose_looks(seen).anchor_sizes[0] == pytest.approx(0.05 * choose_looks(seen).short_side, abs=0.5)
    alike = seen._replace(labels=torch.ones(100, dtype=torch.int64))
    assert choose_looks(alike).anchor_sizes == pytest.approx([0.2 * 256], abs=0.5)


def test_extreme_shapes_do_not_add_anchors_without_end():
    seen = objects([0.1] * 4, ratios=(0.01, 1.0, 1.0, 100.0))
    assert choose_looks(seen).aspect_ratios == (0.25, 0.5, 1.0, 2.0, 4.0)


def test_a_pyramid_doubles_from_the_small_objects_on():
    looks = choose_looks(objects([0.1, 0.3], side=300), levels=5)
    assert looks.anchor_sizes == (26.0, 52.0, 104.0, 208.0, 416.0)


def test_the_user_has_the_last_word():
    seen = objects([0.1, 0.3])
    looks = choose_looks(seen, short_side=200)
    assert (looks.short_side, looks.anchor_sizes) == (200, (20.0, 35.0, 60.0))
    assert choose_looks(seen, anchors=[7, 9.5]).anchor_sizes == (7.0, 9.5)


@pytest.mark.parametrize(
    ("small", "usual", "side"), [(0.5, 4000, 256), (1e-4, 4000, 512), (0.01, 150, 288), (0.05, 480, 480)]
)
def test_image_size_stays_within_its_limits(small, usual, side):
    assert image_size(small, usual) == side


def test_steps_are_equal_and_none_is_too_large():
    for low, high, step in ((10, 81, 2), (3, 4, 1.1), (1, 1000, 3)):
        numbers = geometric(low, high, step)
        factors = [after / before for before, after in zip(numbers[:-1], numbers[1:], strict=True)]
        assert (numbers[0], numbers[-1]) == pytest.approx((low, high), rel=1e-5)
        assert max(factors) == pytest.approx(min(factors), rel=1e-5)
        assert max(factors) <= step + 1e-5
        assert (high / low) ** (1 / max(1, len(factors) - 1)) > step  # one step fewer would be too large


LOOKS = Looks(300, (20.0, 40.0, 80.0, 160.0, 320.0), (0.8, 1.2))


def test_settings_take_the_looks():
    settings = looking(MaskRCNNFPNSettings(), LOOKS)
    assert (settings.short_side, settings.training_sides, settings.long_side) == (300, (250, 300, 350), 700)
    assert (settings.rpn.anchor_sizes, settings.rpn.aspect_ratios) == (LOOKS.anchor_sizes, (0.8, 1.2))
    assert settings.rpn.border == math.inf
    assert settings.mask == MaskRCNNFPNSettings().mask
    fast = looking(FastRCNNSettings(), LOOKS)
    assert (fast.short_sides, fast.training_sides) == ((300,), (250, 300, 350))
    assert looking(settings, None) is settings
    assert proposing(settings, Order(Path(), proposals=77)).rpn.testing.after_nms == 77


@pytest.mark.parametrize(
    ("order", "pictures", "usual", "batches"),
    [
        (Order(Path()), 400, None, 2500),
        (Order(Path()), 400, 1800, 1800),
        (Order(Path(), finetune=7), 400, 1800, 7),
        (Order(Path(), finetune=0), 400, 1800, 0),
        (Order(Path(), looks=LOOKS), 205, None, 1025),  # ten times through 205 pictures, two a batch
        (Order(Path(), looks=LOOKS), 20, None, 300),
        (Order(Path(), looks=LOOKS), 5000, 1800, 1800),
    ],
)
def test_how_many_batches(order, pictures, usual, batches):
    fit = FitSettings(Schedule(iterations=2500))
    assert planned(fit, order, pictures, usual).schedule.iterations == batches
    larger = planned(fit, replace(order, batch=5), pictures, usual)
    assert (fit.images_per_step, larger.images_per_step) == (2, 5)
