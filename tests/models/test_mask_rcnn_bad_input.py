"""Mask R-CNN, on one map and on a pyramid, and masks as they come from files: broken ones, thin ones, hundreds.

Masks that do not fit their boxes or images one by one: test_mask_rcnn.py, and test_masks.py in tests/regions.
"""

import json
import sys
from functools import partial

import pytest
import torch
from many_objects import comparing, finding, rows_of_squares, training_step
from memory import peak
from PIL import Image
from small_mask import small_model

from rcnn_lite.datasets.coco import COCODataset

SIZE = (48, 64)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is Linux's own record")


def dataset(folder, segmentation, bbox):
    """One picture with one object."""
    Image.new("RGB", SIZE[::-1], (90, 90, 90)).save(folder / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}],
        "categories": [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": bbox, "segmentation": segmentation}],
    }
    (folder / "instances.json").write_text(json.dumps(content))
    return COCODataset(folder, folder / "instances.json")


@pytest.mark.parametrize(
    ("segmentation", "bbox"),
    [
        ([[10, 5, 50, 40, 50, 5, 10, 40]], [10, 5, 40, 35]),
        ([[20, 5, 21, 5, 21, 45, 20, 45]], [20, 5, 1, 40]),
        ([[-30, -20, 90, -20, 90, 70, -30, 70]], [-30, -20, 120, 90]),
        ({"size": list(SIZE), "counts": [0, 48 * 64]}, [0, 0, 64, 48]),
    ],
    ids=["a bow tie", "one pixel wide", "larger than the picture", "the whole picture"],
)
@pytest.mark.filterwarnings("ignore:.*reaches out of its picture .clipped.")
def test_odd_shapes_are_learned_from(segmentation, bbox, tmp_path, generator):
    image, target = dataset(tmp_path, segmentation, bbox)[0]
    model = small_model()
    losses = model.losses([image], [target], generator)
    sum(losses.values()).backward()
    assert float(losses["mask"].detach()) > 0
    assert all(torch.isfinite(p.grad).all() for p in model.mask_branch.parameters())


def test_what_has_no_pixel_is_no_object(tmp_path, generator):
    data = dataset(tmp_path, [[10, 5, 10, 40, 10, 20]], [10, 5, 1, 35])
    with pytest.warns(UserWarning, match="left out annotation 1, whose segmentation holds no pixel"):
        image, target = data[0]
    assert float(small_model().losses([image], [target], generator)["mask"].detach()) == 0


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        (torch.ones(1, *SIZE, dtype=torch.int64), "masks must be uint8 or bool .* got torch.int64"),
        (torch.ones(1, *SIZE), "masks must be uint8 or bool .* got torch.float32"),
        (torch.ones(1, 1, *SIZE, dtype=torch.uint8), r"got torch.uint8 \(1, 1, 48, 64\)"),
        (torch.full((1, *SIZE), 2, dtype=torch.uint8), r"masks\[0\] has values up to 2; 1 is object, 0 is not"),
        (torch.ones(1, 64, 48, dtype=torch.uint8), "masks are 64 x 48 pixels, the image is 48 x 64"),
        (torch.ones(1, 480, 640, dtype=torch.uint8), "masks are 480 x 640 pixels, the image is 48 x 64"),
    ],
    ids=["int64", "float", "a channel", "2", "turned", "larger"],
)
def test_masks_of_another_kind_are_named(masks, sentence, generator):
    target = {"boxes": torch.tensor([[0.0, 0, 64, 48]]), "labels": torch.tensor([1]), "masks": masks}
    with pytest.raises(ValueError, match=sentence):
        small_model().losses([torch.rand(3, *SIZE)], [target], generator)


def test_masks_of_true_and_false_are_those_of_1_and_0(generator):
    image, target = rows_of_squares(4, 64)
    draws = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    ours = small_model().losses([image], [target], draws[0])
    again = small_model().losses([image], [target | {"masks": target["masks"].bool()}], draws[1])
    torch.testing.assert_close(ours, again)


# ---- hundreds of objects: in all less than 6 gigabytes, and no copy of all masks in floating point (2 a picture) ----


@linux
@pytest.mark.parametrize("model", ["mask_rcnn", "mask_rcnn_fpn"])
def test_500_objects_are_learned_from(model):
    """As large as they are: with a pyramid there are 250,000 anchors to compare with each of them."""
    assert 1e9 < peak(partial(training_step, model, shown=1000)) < 5e9  # two pictures' masks are one of them


@linux
@pytest.mark.parametrize("model", ["mask_rcnn", "mask_rcnn_fpn"])
def test_500_objects_are_found(model):
    assert 1.5e9 < peak(partial(finding, model, shown=384)) < 3e9  # their masks are two gigabytes


@linux
def test_500_masks_are_compared():
    assert 3e9 < peak(comparing) < 5e9  # found and annotated, and both as true and false
