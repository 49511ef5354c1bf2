"""Data sets by a short text: every layout, every way of naming a split, and what is refused."""

import json

import penn_fudan_folder
import pytest
from PIL import Image

from rcnn_lite.datasets.opening import FORMS, open_dataset


def coco(folder, annotations, images, count=6):
    """A COCO set of ``count`` pictures: its file and its folder of pictures, as paths within ``folder``."""
    (folder / images).mkdir(parents=True, exist_ok=True)
    path = folder / annotations
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [{"id": i, "file_name": f"{path.stem}{i}.png", "height": 4, "width": 6} for i in range(count)]
    for entry in entries:
        Image.new("RGB", (6, 4)).save(folder / images / entry["file_name"])
    box = {"image_id": 0, "category_id": 1, "bbox": [0, 0, 2, 2]}
    path.write_text(
        json.dumps({"images": entries, "categories": [{"id": 1, "name": "cat"}], "annotations": [box] if count else []})
    )


def voc(folder, names, **lists):
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (6, 4)).save(folder / "JPEGImages" / f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text("<annotation/>")
    for split, members in lists.items():
        (folder / "ImageSets/Main" / f"{split}.txt").write_text("\n".join(members))


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("annotations/instances_{split}2017.json", "{split}2017"),
        ("annotations/instances_{split}2017.json", "images/{split}2017"),
        ("annotations/{split}.json", "images"),
        ("{split}.json", "images/{split}"),
        ("{split}/_annotations.coco.json", "{split}"),
        ("{split}.json", "."),
    ],
)
def test_coco_folders_as_they_are_found(tmp_path, annotations, images):
    for split, count in (("train", 3), ("val", 2)):
        coco(tmp_path, annotations.format(split=split), images.format(split=split), count)
    assert len(open_dataset(f"coco:{tmp_path}", "train")) == 3
    assert len(open_dataset(f"coco:{tmp_path}", "val")) == len(open_dataset(f"coco:{tmp_path}", "test")) == 2
    for split in (None, "nothing"):
        with pytest.raises(ValueError, match=f"has no split {split!r}, it has .*train.*val"):
            open_dataset(f"coco:{tmp_path}", split)


def test_instances_among_captions_and_keypoints(tmp_path):
    coco(tmp_path, "annotations/instances_val2017.json", "val2017", 2)
    for other in ("captions", "person_keypoints"):
        (tmp_path / f"annotations/{other}_val2017.json").write_text("{}")
    assert len(open_dataset(f"coco:{tmp_path}", "val")) == 2


def test_one_coco_file_is_parted(tmp_path):
    coco(tmp_path, "annotations/all.json", "images", 11)
    everything, train, test, val = (open_dataset(f"coco:{tmp_path}", s) for s in (None, "train", "test", "val"))
    assert (len(everything), len(train), len(test), len(val)) == (11, 8, 3, 3)
    assert [test.target(i)["image_id"] for i in range(3)] == [0, 5, 10]
    assert test.target(0)["labels"].tolist() == test[0][1]["labels"].tolist() == [1]
    assert len({everything.fingerprint, train.fingerprint, test.fingerprint}) == 3
    with pytest.raises(ValueError, match="there is no split 'mine'"):
        open_dataset(f"coco:{tmp_path}", "mine")


def test_coco_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(ValueError, match=r"no annotation file \*\.json in "):
        open_dataset(f"coco:{tmp_path}")
    coco(tmp_path, "all.json", "elsewhere", 2)
    with pytest.raises(ValueError, match=r"pictures of .*all\.json, such as all0\.png, are not in .*images"):
        open_dataset(f"coco:{tmp_path}")
    coco(tmp_path, "more.json", "images", 2)
    with pytest.raises(ValueError, match=r"several annotation files: all\.json, more\.json"):
        open_dataset(f"coco:{tmp_path}")


def test_voc_lists(tmp_path):
    voc(tmp_path, "abcdef", train="abc", val="de", cat_train="a")
    sizes = {
        split: len(open_dataset(f"voc:{tmp_path}", split)) for split in (None, "train", "val", "test", "cat_train")
    }
    assert sizes == {None: 6, "train": 3, "val": 2, "test": 2, "cat_train": 1}
    with pytest.raises(ValueError, match="has no split 'mine', it has cat_train, train, val"):
        open_dataset(f"voc:{tmp_path}", "mine")


def test_voc_without_lists_is_parted(tmp_path):
    voc(tmp_path, "abcdef")
    assert [len(open_dataset(f"voc:{tmp_path}", split)) for split in ("train", "test")] == [4, 2]


def test_penn_fudan_is_parted(tmp_path):
    for k in range(6):
        penn_fudan_folder.write(tmp_path / "PennFudanPed", f"P{k}")
    train, test = (open_dataset(f"penn_fudan:{tmp_path}", split) for split in ("train", "test"))
    assert (len(train), len(test), test.has_masks) == (4, 2, True)


def test_scenes():
    scenes = open_dataset("scenes", "photographs")
    image, target = scenes[3]
    assert scenes.target(3)["boxes"].equal(target["boxes"])
    assert scenes.target(3)["masks"].equal(target["masks"])
    assert scenes.has_masks
    with pytest.raises(ValueError, match="the scenes have the splits train, test and photographs"):
        open_dataset("scenes")
    with pytest.raises(ValueError, match="the scenes lie in no folder, got 'scenes:there'"):
        open_dataset("scenes:there", "test")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("kitti:there", "a data set is given as scenes, coco:DIR, .*; got 'kitti:there'"),
        ("", "a data set is given as"),
        ("voc:", "'voc:' names no folder: write voc:DIR"),
        ("coco", "'coco' names no folder"),
        ("voc:/no/such/folder", "there is no folder /no/such/folder"),
    ],
)
def test_what_is_no_data_set(spec, sentence):
    with pytest.raises(ValueError, match=sentence):
        open_dataset(spec)


def test_the_forms_for_a_help_text():
    assert FORMS == ("scenes", "coco:DIR", "voc:DIR", "penn_fudan:DIR", "nuclei:DIR")
