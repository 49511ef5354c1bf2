"""PennFudanDataset: its own text format, worked by hand, and folders with one mistake each."""

import numpy as np
import pytest
import torch
from penn_fudan_folder import text, write
from PIL import Image

from rcnn_lite.datasets.penn_fudan import PennFudanDataset


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_boxes_hold_their_masks(tmp_path, newline):
    dataset = PennFudanDataset(write(tmp_path / "PennFudanPed", newline=newline))
    assert (len(dataset), dataset.classes, dataset.names) == (1, ("background", "pedestrian"), ["P1"])
    image, target = dataset[0]
    torch.testing.assert_close(image, torch.full((3, 10, 20), 0.2))
    assert target["boxes"].tolist() == [[1, 2, 5, 9], [10, 0, 20, 10]]
    for mask, (x1, y1, x2, y2), area in zip(*(target[key] for key in ("masks", "boxes", "area")), strict=True):
        rows, columns = np.nonzero(mask.numpy())
        assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [x1, y1, x2, y2]
        assert area == mask.sum() == (x2 - x1) * (y2 - y1)
    assert (target["masks"].dtype, target["boxes"].dtype) == (torch.uint8, torch.float32)
    assert (target["labels"].tolist(), target["iscrowd"].tolist(), target["image_id"]) == ([1, 1], [0, 0], 0)
    assert dataset.problems == []
    assert len(PennFudanDataset(tmp_path)) == 1  # the folder above will do


def test_a_palette_does_not_change_the_numbers(tmp_path):
    write(tmp_path)
    path = tmp_path / "PedMasks/P1_mask.png"
    with Image.open(path) as grey:
        numbers = np.asarray(grey).copy()
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 9, 9, 9])
    picture.save(path)
    assert PennFudanDataset(tmp_path).target(0)["area"].tolist() == [28, 100]


def test_no_pedestrians(tmp_path):
    target = PennFudanDataset(write(tmp_path, boxes=())).target(0)
    assert {key: tuple(target[key].shape) for key in ("boxes", "labels", "masks", "area")} == {
        "boxes": (0, 4),
        "labels": (0,),
        "masks": (0, 10, 20),
        "area": (0,),
    }


def test_what_cannot_be_used_is_left_out_and_reported(tmp_path):
    write(tmp_path, "P1", boxes=((2, 3, 5, 9), (7, 4, 7, 9), (11, 1, 30, 10)))
    for name in ("P2", "P3", "P4"):
        write(tmp_path, name)
    (tmp_path / "PNGImages/P2.png").unlink()
    (tmp_path / "PedMasks/P3_mask.png").unlink()
    (tmp_path / "Annotation/P4.txt").write_text("\n")
    sentence = (
        r"2 pictures are missing .*P2\.png, .*; 1 annotation file is empty .*; 1 box has no area .*; 1 box reaches"
    )
    with pytest.warns(UserWarning, match=sentence):
        dataset = PennFudanDataset(tmp_path)
    assert dataset.names == ["P1"]
    assert dataset.target(0)["boxes"].tolist() == [[1, 2, 5, 9], [10, 0, 20, 10]]
    assert [finding.kind for finding in dataset.findings] == [
        "no area",
        "partly outside",
        "missing picture",
        "missing picture",
        "empty annotation",
    ]


def test_an_object_without_pixels(tmp_path):
    write(tmp_path)
    Image.fromarray(np.full((10, 20), 2, np.uint8)).save(tmp_path / "PedMasks/P1_mask.png")
    dataset = PennFudanDataset(tmp_path)
    assert dataset.target(0)["boxes"].tolist() == [[10, 0, 20, 10]]
    assert dataset.target(0)["masks"].sum(dim=(1, 2)).tolist() == [200]
    assert dataset.problems == ["P1_mask.png has no pixel of object 1"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("nothing of the kind", r"P1\.txt is no annotation of Penn-Fudan: it has no line 'Image size'"),
        (text("P1", [(1, 1, 5, 5)], count=2), r"P1\.txt announces 2 objects and has 1 bounding boxes"),
        (text("P1", [(1, 1, 5, "x")]), r"P1\.txt announces 1 objects and has 0 bounding boxes"),
        (text("P1", [(1, 1, 5, 9**30)]), r"P1\.txt announces 1 objects and has 0"),
        (b"\xff\xfe\x00", r"P1\.txt cannot be read as text"),
    ],
)
def test_broken_annotations(tmp_path, content, sentence):
    write(tmp_path)
    path = tmp_path / "Annotation/P1.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=sentence):
        PennFudanDataset(tmp_path)


def test_broken_masks_and_folders(tmp_path):
    dataset = PennFudanDataset(write(tmp_path / "a"))
    Image.new("L", (10, 20)).save(tmp_path / "a/PedMasks/P1_mask.png")
    with pytest.raises(ValueError, match=r"P1_mask\.png has 20 x 10 pixels but its annotation says 10 x 20"):
        dataset.target(0)
    (tmp_path / "a/PedMasks/P1_mask.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"P1_mask\.png cannot be read as a picture"):
        dataset.target(0)
    with pytest.raises(ValueError, match="has no Annotation/, nor has a folder PennFudanPed in it"):
        PennFudanDataset(tmp_path)
    (tmp_path / "a/Annotation/P1.txt").unlink()
    with pytest.raises(ValueError, match="has no picture that can be used: no annotation"):
        PennFudanDataset(tmp_path / "a")


def test_the_fingerprint_is_of_boxes_and_files(tmp_path):
    prints = [
        PennFudanDataset(write(tmp_path / "a")).fingerprint,
        PennFudanDataset(write(tmp_path / "b")).fingerprint,
        PennFudanDataset(write(tmp_path / "c", boxes=((2, 3, 5, 8), (11, 1, 20, 10)))).fingerprint,
        PennFudanDataset(write(tmp_path / "d", name="P2")).fingerprint,
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
