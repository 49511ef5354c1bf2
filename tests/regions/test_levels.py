"""Which level a box belongs to, by hand and after torchvision; pooling from several levels keeps the order."""

import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper

from rcnn_lite.regions.levels import assign_levels, pool_from_levels
from rcnn_lite.regions.poolings import POOLINGS
from rcnn_lite.regions.rois import boxes_to_rois

STRIDES = (4, 8, 16, 32)


def box_of(width, height):
    return torch.tensor([[10.0, 20.0, 10.0 + width, 20.0 + height]])


def random_boxes(generator, count, size=256.0):
    low = torch.rand(count, 2, generator=generator) * size * 0.8
    sides = 2 ** (torch.rand(count, 2, generator=generator) * 7 + 1)  # 2 to 256, as many small as large
    return torch.cat((low, low + sides), dim=1)


def pyramid(generator, images=2, channels=3, size=256):
    return [torch.randn(images, channels, size // s, size // s, generator=generator) for s in STRIDES]


@pytest.mark.parametrize(
    ("width", "height", "level"),
    [
        (224, 224, 4),
        (448, 112, 4),
        (223, 224, 3),
        (112, 112, 3),
        (111, 112, 2),
        (56, 56, 2),
        (1, 1, 2),
        (448, 448, 5),
        (4000, 9, 3),
        (2000, 900, 5),
    ],
)
def test_levels_by_hand(width, height, level):
    assert assign_levels(box_of(width, height)).tolist() == [level]


def test_a_box_of_112_pixels_stays_one_where_coordinates_round():
    box = torch.tensor([[400.1, 400.1, 512.1, 512.1]])
    assert float(box[0, 2] - box[0, 0]) < 112
    assert assign_levels(box).tolist() == [3]


def test_only_the_ratio_of_both_constants_matters(generator):
    boxes = random_boxes(generator, 200)
    assert torch.equal(assign_levels(boxes, 4, 56), assign_levels(boxes, 5, 112))
    assert set(assign_levels(boxes, 4, 56).tolist()) == {2, 3, 4, 5}


@pytest.mark.parametrize(("lowest", "highest", "canonical"), [(2, 5, 224), (3, 4, 224), (2, 6, 60)])
def test_levels_are_torchvisions(lowest, highest, canonical, generator):
    boxes = torch.cat((random_boxes(generator, 500), box_of(112, 112), box_of(100, 125.44), box_of(0, 7)))
    theirs = LevelMapper(lowest, highest, canonical, 4)([boxes])
    assert torch.equal(assign_levels(boxes, 4, canonical, lowest, highest), theirs + lowest)


def test_every_box_is_14_to_28_cells_where_it_is_pooled(generator):
    boxes = random_boxes(generator, 500) * 3
    levels = assign_levels(boxes, lowest=-20, highest=20)
    cells = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt() / 2.0**levels
    assert cells.min() >= 14 * 0.999
    assert cells.max() <= 28


@pytest.mark.parametrize(("theirs", "ours"), [({}, {}), ({"canonical_scale": 56}, {"canonical": 56})])
def test_pooling_is_torchvisions(theirs, ours, generator):
    maps, boxes = pyramid(generator), [random_boxes(generator, 30), random_boxes(generator, 20)]
    boxes[0][0] = box_of(210, 210)  # of a level that another default would not give it
    expected = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2, **theirs)(
        {str(i): m for i, m in enumerate(maps)}, boxes, [(256, 256)] * 2
    )
    rois = boxes_to_rois(boxes)
    found = pool_from_levels(maps, STRIDES, rois, POOLINGS["roi_align_unaligned"], 7, **ours)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", POOLINGS)
def test_each_roi_comes_from_its_level_in_its_place(name, generator):
    maps, rois = pyramid(generator), boxes_to_rois([random_boxes(generator, 12), random_boxes(generator, 12)])
    rois = rois[torch.randperm(24, generator=generator)]
    pooled = pool_from_levels(maps, STRIDES, rois, POOLINGS[name], (2, 3), canonical=56)
    assert pooled.shape == (24, 3, 2, 3)
    levels = assign_levels(rois[:, 1:], canonical=56)
    assert len(levels.unique()) == 4
    for roi, level, found in zip(rois, levels.tolist(), pooled, strict=True):
        torch.testing.assert_close(found, POOLINGS[name](maps[level - 2], roi[None], (2, 3), 1 / 2**level)[0])


def test_gradients_go_to_the_level_that_was_read(generator):
    maps = [m.requires_grad_() for m in pyramid(generator, images=1)]
    rois = boxes_to_rois([torch.cat((box_of(224, 224), box_of(20, 20)))])
    pool_from_levels(maps, STRIDES, rois, POOLINGS["roi_align"], 7).sum().backward()
    assert [bool(m.grad is not None and m.grad.any()) for m in maps] == [True, False, True, False]


def test_one_level_no_rois_and_bad_input(generator):
    maps, rois = pyramid(generator), boxes_to_rois([random_boxes(generator, 5)])
    align = POOLINGS["roi_align"]
    assert pool_from_levels(maps, STRIDES, rois[:0], align, 7).shape == (0, 3, 7, 7)
    assert assign_levels(torch.zeros(0, 4)).shape == (0,)
    single = pool_from_levels(maps[2:3], (16,), rois, align, 7)
    torch.testing.assert_close(single, align(maps[2], rois, 7, 1 / 16))
    with pytest.raises(ValueError, match="a stride for each map, got 4 maps and 3 strides"):
        pool_from_levels(maps, STRIDES[:3], rois, align, 7)
    with pytest.raises(ValueError, match="a stride for each map, got 0 maps and 0 strides"):
        pool_from_levels([], (), rois, align, 7)
    for strides in ((4, 8, 16, 64), (32, 16, 8, 4), (3, 6, 12, 24)):
        with pytest.raises(ValueError, match="strides must be powers of 2"):
            pool_from_levels(maps, strides, rois, align, 7)
    with pytest.raises(ValueError, match=r"rois\[0\] names image 7 of a batch of 2"):
        pool_from_levels(maps, STRIDES, torch.tensor([[7.0, 0, 0, 1, 1]]), align, 7)
    with pytest.raises(ValueError, match="canonical must be positive, got 0"):
        assign_levels(box_of(1, 1), canonical=0)
    with pytest.raises(ValueError, match="lowest must not be above highest, got 5 and 2"):
        assign_levels(box_of(1, 1), lowest=5, highest=2)
