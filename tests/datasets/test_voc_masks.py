"""The masks of VOC's SegmentationObject, matched with the objects of the annotation."""

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.datasets.voc_masks import BORDER, object_masks

SIZE = (12, 20)
BOXES = torch.tensor([[1.0, 1, 8, 6], [10, 2, 19, 11], [2, 7, 7, 12]])


def numbered(path, **places):
    """A palette picture as VOC's: a number's pixels within a border of one pixel, as its box has it."""
    pixels = np.zeros(SIZE, np.uint8)
    for number, (x1, y1, x2, y2) in places.items():
        pixels[y1:y2, x1:x2] = BORDER
        pixels[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] = int(number.lstrip("n"))
    picture = Image.fromarray(pixels, "P")
    picture.putpalette([value for k in range(256) for value in (k * 37 % 256, k * 11 % 256, k)])
    picture.save(path)
    return path


def boxes_of(order):
    return {f"n{k}": tuple(int(v) for v in BOXES[row]) for k, row in enumerate(order, start=1)}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_numbers_go_to_the_boxes_that_they_fill(tmp_path, order):
    masks, found = object_masks(numbered(tmp_path / "a.png", **boxes_of(order)), BOXES, SIZE)
    assert found.tolist() == [True] * 3
    assert masks.dtype == torch.uint8
    for mask, (x1, y1, x2, y2) in zip(masks, BOXES.int().tolist(), strict=True):
        assert mask.nonzero().amin(0).tolist() == [y1 + 1, x1 + 1]  # without the border, which is nobody's
        assert mask.sum() == (x2 - x1 - 2) * (y2 - y1 - 2)


def test_a_box_without_pixels_and_pixels_without_a_box(tmp_path):
    path = numbered(tmp_path / "a.png", n1=(10, 2, 19, 11), n7=(13, 0, 17, 3))
    masks, found = object_masks(path, BOXES, SIZE)
    assert found.tolist() == [False, True, False]
    assert masks[0].sum() == masks[2].sum() == 0
    masks, found = object_masks(numbered(tmp_path / "b.png"), BOXES, SIZE)
    assert not found.any()
    masks, found = object_masks(path, torch.zeros(0, 4), SIZE)
    assert (masks.shape, found.shape) == ((0, *SIZE), (0,))


def test_the_border_is_nobodys(tmp_path):
    """Of a single object the border has the very box that was annotated."""
    masks, found = object_masks(numbered(tmp_path / "a.png", n1=(1, 1, 8, 6)), BOXES[:1], SIZE)
    assert (found.tolist(), masks.sum()) == ([True], 5 * 3)


def test_two_boxes_one_inside_the_other(tmp_path):
    boxes = torch.tensor([[0.0, 0, 20, 12], [1, 1, 19, 11]])
    path = numbered(tmp_path / "a.png", n1=(0, 0, 20, 12))  # its pixels fill the inner box exactly
    assert object_masks(path, boxes, SIZE)[1].tolist() == [False, True]


def test_another_size(tmp_path):
    with pytest.raises(ValueError, match=r"a\.png has 12 x 20 pixels but its annotation says 20 x 12"):
        object_masks(numbered(tmp_path / "a.png"), BOXES, (20, 12))


def write(root, name, masks=True):
    for folder in ("Annotations", "JPEGImages", "SegmentationObject", "ImageSets/Main", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    objects = "".join(
        f"<object><name>cat</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
        "</bndbox></object>"
        for x1, y1, x2, y2 in BOXES.int().tolist()
    )
    size = "<size><width>20</width><height>12</height></size>"
    (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    Image.new("RGB", SIZE[::-1]).save(root / "JPEGImages" / f"{name}.jpg")
    if masks:
        numbered(root / "SegmentationObject" / f"{name}.png", **boxes_of((1, 0)))


def test_targets_have_masks_where_every_picture_has_them(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b", masks=False)
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\nb")
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a")
    assert not VOCDataset(tmp_path, "train").has_masks
    assert "masks" not in VOCDataset(tmp_path, "train").target(0)
    dataset = VOCDataset(tmp_path, "Segmentation/train")
    assert (dataset.names, dataset.has_masks) == (["a"], True)
    target = dataset.target(0)
    assert target["boxes"].tolist() == BOXES[:2].tolist()
    assert target["masks"].sum(dim=(1, 2)).tolist() == target["area"].tolist() == [5 * 3, 7 * 7]
    assert {len(target[key]) for key in ("labels", "iscrowd", "difficult")} == {2}
    assert dataset.problems == ["a.png has no pixels for object 2 of its annotation"]
    with pytest.raises(ValueError, match=r"no split 'Segmentation/val'.*\['train', 'Segmentation/train'\]"):
        VOCDataset(tmp_path, "Segmentation/val")
