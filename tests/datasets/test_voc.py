"""VOCDataset: real folders, and small made-up ones with one mistake each."""

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_lite.datasets.voc import VOC_CLASSES, VOCDataset

SIZE = "<size><width>20</width><height>10</height><depth>3</depth></size>"


def an_object(*corners, name="cat", extra=""):
    sides = "".join(f"<{side}>{x}</{side}>" for side, x in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return f"<object><name>{name}</name>{extra}<bndbox>{sides}</bndbox></object>"


def write(root, name, *objects, picture=True, filename=None, size=SIZE):
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    text = f"<annotation><filename>{filename or name + '.jpg'}</filename>{size}{''.join(objects)}</annotation>"
    (root / "Annotations" / f"{name}.xml").write_text(text)
    if picture:
        Image.fromarray(np.full((10, 20, 3), 128, np.uint8)).save(root / "JPEGImages" / f"{name}.jpg")
    return root


def test_corners_become_continuous_pixels(tmp_path):
    # pixels 1 .. 20 and 1 .. 10, both ends included, are the whole picture of 20 x 10
    dataset = VOCDataset(write(tmp_path, "a", an_object(1, 1, 20, 10), an_object(3, 4, 5, 7.5)))
    image, target = dataset[0]
    assert (image.shape, image.dtype) == ((3, 10, 20), torch.float32)
    assert float(image.mean()) == pytest.approx(128 / 255, abs=0.01)
    assert target["boxes"].tolist() == [[0, 0, 20, 10], [2, 3, 5, 7.5]]
    assert target["area"].tolist() == [200, 13.5]
    assert target["labels"].tolist() == [VOC_CLASSES.index("cat")] * 2 == [8, 8]
    assert (target["boxes"].dtype, target["labels"].dtype) == (torch.float32, torch.int64)
    assert (target["image_id"], target["iscrowd"].tolist()) == (0, [0, 0])


def test_difficult(tmp_path):
    hard, easy = "<difficult>1</difficult>", "<difficult>0</difficult>"
    write(tmp_path, "a", an_object(1, 1, 2, 2, extra=hard), an_object(1, 1, 2, 2, extra=easy), an_object(1, 1, 2, 2))
    assert VOCDataset(tmp_path).target(0)["difficult"].tolist() == [True, False, False]


def test_splits_and_order(tmp_path):
    for name in ("b", "a", "c"):
        write(tmp_path, name, an_object(1, 1, 5, 5))
    (tmp_path / "ImageSets/Main/train.txt").write_text("c\na\n\n")
    (tmp_path / "ImageSets/Main/cat_train.txt").write_text("c -1\na  1\n")
    assert VOCDataset(tmp_path).names == ["a", "b", "c"]
    assert VOCDataset(tmp_path, "train").names == ["c", "a"]
    assert VOCDataset(tmp_path, "cat_train").names == ["c", "a"]
    with pytest.raises(ValueError, match=r"no split 'test'.*\['cat_train', 'train'\]"):
        VOCDataset(tmp_path, "test")
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\nz\n")
    with pytest.warns(UserWarning, match=r"1 annotation file is missing \(picture left out\): .*z\.xml"):
        assert VOCDataset(tmp_path, "train").names == ["a"]


def test_root_may_lie_above(tmp_path):
    write(tmp_path / "VOCdevkit" / "VOC2012", "a")
    for root in (tmp_path, tmp_path / "VOCdevkit", tmp_path / "VOCdevkit" / "VOC2012"):
        assert VOCDataset(root).names == ["a"]
    write(tmp_path / "VOCdevkit" / "VOC2007", "b")
    with pytest.raises(ValueError, match="several sets, choose one: .*VOC2007, .*VOC2012"):
        VOCDataset(tmp_path)
    with pytest.raises(ValueError, match="has no Annotations/ and JPEGImages/"):
        VOCDataset(tmp_path / "elsewhere")


def test_classes_found_in_the_data_are_the_same_for_every_split(tmp_path):
    write(tmp_path, "a", an_object(1, 1, 5, 5, name="WBC"))
    write(tmp_path, "b", an_object(1, 1, 5, 5, name="RBC"))
    (tmp_path / "ImageSets/Main/train.txt").write_text("a")
    assert VOCDataset(tmp_path).classes == VOCDataset(tmp_path, "train").classes == ("background", "RBC", "WBC")
    assert VOCDataset(tmp_path, "train").target(0)["labels"].tolist() == [2]
    chosen = VOCDataset(tmp_path, "train", classes=("background", "WBC"))
    assert chosen.target(0)["labels"].tolist() == [1]
    with pytest.warns(UserWarning, match=r"1 object is of an unknown category .*b\.xml: object 0 is a 'RBC', not"):
        chosen = VOCDataset(tmp_path, classes=("background", "WBC"))
    assert [target["labels"].tolist() for target in map(chosen.target, range(2))] == [[1], []]


def test_the_background_is_no_object(tmp_path):
    write(tmp_path, "a", an_object(1, 1, 5, 5, name="background"))
    with pytest.warns(UserWarning, match=r"a\.xml: object 0 is a 'background', not one of \('cat',\)"):
        VOCDataset(tmp_path, classes=("background", "cat"))
    with pytest.raises(ValueError, match="an object is of the class 'background'"):
        VOCDataset(tmp_path)


def test_boxes_without_area_are_left_out_and_reported(tmp_path):
    write(tmp_path, "a", an_object(1, 1, 5, 5), an_object(7, 3, 7, 9), an_object(2, 8, 6, 4))
    with pytest.warns(UserWarning, match=r"2 boxes have no area \(object left out\): Annotations/a.xml: object 1 "):
        dataset = VOCDataset(tmp_path)
    assert dataset.problems == [
        "Annotations/a.xml: object 1 (cat) has no area: 7 3 7 9",
        "Annotations/a.xml: object 2 (cat) has no area: 2 8 6 4",
    ]
    assert dataset.target(0)["boxes"].tolist() == [[0, 0, 5, 5]]


def test_an_image_without_objects(tmp_path):
    _, target = VOCDataset(write(tmp_path, "a"))[0]
    assert {key: tuple(target[key].shape) for key in ("boxes", "labels", "difficult", "area", "iscrowd")} == {
        "boxes": (0, 4),
        "labels": (0,),
        "difficult": (0,),
        "area": (0,),
        "iscrowd": (0,),
    }


def test_the_annotation_may_name_its_picture_otherwise(tmp_path):
    assert len(VOCDataset(write(tmp_path, "a", filename="renamed.png"))) == 1  # a.jpg lies there
    write(tmp_path, "b", picture=False)
    with pytest.warns(UserWarning, match=r"1 picture is missing .*b\.xml has no picture: there is no .*b\.jpg"):
        assert VOCDataset(tmp_path).names == ["a"]
    (tmp_path / "JPEGImages/a.jpg").unlink()
    with pytest.raises(ValueError, match=r"has no picture that can be used: .*a\.xml has no picture"):
        VOCDataset(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<annotation><object>", r"a\.xml cannot be read as XML"),
        ("a" * 9, r"a\.xml cannot be read as XML"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', r"a\.xml cannot be read as XML"),
        ('<!DOCTYPE x [<!ENTITY y "z">]><annotation>&y;</annotation>', r"a\.xml cannot be read as XML.*Entit"),
        ("<annotation><object><bndbox/></object></annotation>", r"a\.xml: an object has no name"),
        (f"<annotation>{an_object(1, 1, 2, 'x')}</annotation>", r"a\.xml: bndbox/ymax is 'x', not a number"),
        (f"<annotation>{an_object(1, 1, '', 4)}</annotation>", r"a\.xml: an object has no bndbox/xmax"),
        (
            f"<annotation>{an_object(1, 1, 'nan', 4)}</annotation>",
            r"a\.xml: bndbox/xmax is 'nan', not a number of pixels",
        ),
        (f"<annotation>{an_object(1, 1, 1e300, 4)}</annotation>", r"a\.xml: bndbox/xmax is '1e\+300', not a number of"),
        (f"<annotation>{SIZE.replace('20', '1e9')}</annotation>", r"a\.xml: size/width is '1e9', not a number of"),
        (f"<annotation>{SIZE.replace('20', '99999')}</annotation>", r"a\.xml: no picture has 10 x 99999 pixels"),
    ],
)
def test_broken_annotations(tmp_path, text, sentence):
    write(tmp_path, "a")
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        VOCDataset(tmp_path)


def test_broken_and_mistaken_pictures(tmp_path):
    dataset = VOCDataset(write(tmp_path, "a", an_object(1, 1, 5, 5)))
    Image.new("RGB", (10, 20)).save(tmp_path / "JPEGImages/a.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg has 20 x 10 pixels but its annotation says 10 x 20"):
        dataset[0]
    (tmp_path / "JPEGImages/a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.jpg cannot be read"):
        dataset[0]
    write(tmp_path, "a", size="<size><width>0</width><height>0</height></size>")  # some tools write zeros
    assert VOCDataset(tmp_path)[0][0].shape == (3, 10, 20)


def test_pictures_that_nobody_annotated(tmp_path):
    write(tmp_path, "a", filename="otherwise.png")
    for name in ("b.jpg", "otherwise.png", "c.PNG"):
        Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / name)
    (tmp_path / "JPEGImages/notes.txt").touch()
    dataset = VOCDataset(tmp_path)
    assert [(finding.kind, finding.where) for finding in dataset.findings] == [
        ("not annotated", "b.jpg"),
        ("not annotated", "c.PNG"),
    ]
    assert dataset.problems == []  # nothing that was annotated is lost


def test_a_name_that_stands_twice_in_a_list(tmp_path):
    write(tmp_path, "a", an_object(1, 1, 5, 5))
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\na")
    with pytest.warns(UserWarning, match="1 picture is listed twice .*a stands in the list twice"):
        assert VOCDataset(tmp_path, "train").names == ["a"]


def test_real_voc(real_data):
    dataset = VOCDataset(real_data / "voc100")
    targets = [dataset.target(index) for index in range(len(dataset))]
    assert (len(dataset), dataset.classes, dataset.problems) == (100, VOC_CLASSES, [])
    assert sum(len(target["boxes"]) for target in targets) == 273
    assert sum(int(target["difficult"].sum()) for target in targets) == 38
    image, target = dataset[dataset.names.index("2007_000027")]
    assert image.shape == (3, 500, 486)
    assert target["boxes"].tolist() == [[173, 100, 349, 351]]
    assert [dataset.classes[label] for label in target["labels"]] == ["person"]
    for image, target in (dataset[index] for index in range(0, 100, 10)):
        _, height, width = image.shape
        assert (target["boxes"] >= 0).all()
        assert (target["boxes"] <= torch.tensor([width, height, width, height])).all()


@pytest.mark.filterwarnings("ignore:.*no area")
def test_real_blood_cells(real_data):
    with pytest.warns(UserWarning, match="2 boxes have no area"):
        dataset = VOCDataset(real_data / "bccd")
    assert len(dataset) == 364
    assert [p.split(" has ")[0] for p in dataset.problems] == [
        "Annotations/BloodImage_00338.xml: object 12 (RBC)",
        "Annotations/BloodImage_00343.xml: object 3 (RBC)",
    ]
    train, val = (VOCDataset(real_data / "bccd", split) for split in ("train", "val"))
    assert train.classes == val.classes == dataset.classes == ("background", "Platelets", "RBC", "WBC")
    assert (len(train), len(val)) == (205, 87)
    image, target = train[0]
    assert image.shape == (3, 480, 640)
    assert len(target["boxes"]) == len(target["labels"]) > 0
