"""Any bytes, and any sensible-looking content with anything in it: a data set, or a ValueError that names the file.

Never another exception, never a hang; and nothing in a file is ever executed or expanded.
"""

import json
import pickle
import string
import time
import warnings
from pathlib import Path

import numpy as np
import penn_fudan_folder
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.coco_masks import decode_segmentation
from rcnn_lite.datasets.nuclei import NucleiDataset
from rcnn_lite.datasets.penn_fudan import PennFudanDataset
from rcnn_lite.datasets.survey import survey
from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.images import read_header, read_image, read_numbers

SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
PIXELS = np.random.default_rng(0).integers(0, 255, (10, 20, 3), dtype=np.uint8)


def tried(call, name):
    """What ``call`` returns; None where it raises a ValueError, which must name ``name``."""
    complaint = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except ValueError as error:
            complaint = str(error)
    assert name in complaint
    return None


def opened(make, name):
    """The data set that ``make`` makes, with all its targets read and sound; None where it is refused by ``name``."""

    def read():
        dataset = make()
        return dataset, [dataset.target(index) for index in range(len(dataset))]

    found = tried(read, name)
    if found is None:
        return None
    dataset, targets = found
    for target in targets:
        boxes = target["boxes"]
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert torch.isfinite(boxes).all()
        assert {len(target[key]) for key in ("labels", "iscrowd", "area")} == {len(boxes)}
        if len(boxes):
            assert 0 < target["labels"].min() <= target["labels"].max() < len(dataset.classes)
    return dataset


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 400) | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
coordinates = st.integers(-5, 30) | st.floats(-5, 30)


# COCO


@pytest.fixture(scope="module")
def coco_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    for name in ("a.png", "b.png"):
        Image.fromarray(PIXELS).save(folder / name)
    return folder


def open_coco(folder, content):
    (folder / "all.json").write_bytes(content)
    return opened(lambda: COCODataset(folder, folder / "all.json"), str(folder))


def mutated(base):
    """The entry with some of its values replaced, or an entry that is something else."""
    changes = st.dictionaries(st.sampled_from([*sorted(base), "iscrowd", "area"]), anything, max_size=2)
    return changes.map(lambda change: base | change) | anything


IMAGE = {"id": 1, "file_name": "a.png", "height": 10, "width": 20}
CATEGORY = {"id": 1, "name": "cat"}
OBJECT = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 9, 6]}
polygons = st.lists(st.lists(coordinates, max_size=12) | anything, max_size=3)
runs = st.fixed_dictionaries(
    {
        "size": st.just([10, 20]) | anything,
        "counts": st.lists(st.integers(0, 200), max_size=6) | st.text(string.printable, max_size=12) | anything,
    }
)


@SOME
@given(st.binary(max_size=80) | anything.map(lambda content: json.dumps(content).encode()))
@example(b"[" * 100_000)
@example(b'{"images": ' + b"9" * 5000)
@example(b'\xef\xbb\xbf{"images": [], "categories": [], "annotations": []}')
def test_coco_any_file(coco_folder, content):
    open_coco(coco_folder, content)


@SOME
@given(
    st.lists(mutated(IMAGE), max_size=3),
    st.lists(mutated(CATEGORY), max_size=3),
    st.lists(mutated(OBJECT) | mutated(OBJECT | {"segmentation": [[2, 1, 11, 1, 11, 7]]}), max_size=4),
)
def test_coco_any_content(coco_folder, images, categories, annotations):
    content = {"images": images, "categories": categories, "annotations": annotations}
    open_coco(coco_folder, json.dumps(content).encode())


@SOME
@example([2, 1, 1e-9, 6], [[2, 1, 11, 1, 11, 7]], 1)
@given(st.lists(coordinates, min_size=4, max_size=4), polygons | runs | anything, st.integers(0, 1))
def test_coco_any_segmentation(coco_folder, box, segmentation, crowd):
    item = OBJECT | {"bbox": box, "segmentation": segmentation, "iscrowd": crowd}
    content = {"images": [IMAGE], "categories": [CATEGORY], "annotations": [item]}
    dataset = open_coco(coco_folder, json.dumps(content).encode())
    if dataset is not None and dataset.has_masks:
        target = dataset.target(0)
        assert target["masks"].shape == (len(target["boxes"]), 10, 20)
        assert target["masks"].flatten(1).any(dim=1).all()


@SOME
@given(st.lists(st.lists(coordinates, min_size=6, max_size=12), max_size=3))
def test_polygons_do_not_depend_on_their_order(outlines):
    outlines = [outline[: len(outline) // 2 * 2] for outline in outlines]
    mask = decode_segmentation(outlines, (10, 20))
    np.testing.assert_array_equal(decode_segmentation(outlines[::-1], (10, 20)), mask)
    assert mask.max(initial=0) <= 1


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10, 20], "counts": "o" * 1_000_000},  # one number of five million bits
        {"size": [10, 20], "counts": [0] * 1_000_000},
        {"size": [10, 20], "counts": [10**4000, -(10**4000), 200]},
        [[0, 0, 10**400, 3, 5, 5]],
    ],
    ids=["long number", "many runs", "huge runs", "far"],
)
def test_segmentations_that_would_take_for_ever(segmentation):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"run lengths|coordinate"):
        decode_segmentation(segmentation, (10, 20))
    assert time.perf_counter() - start < 5


# PASCAL VOC


@pytest.fixture(scope="module")
def voc_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voc")
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / part).mkdir(parents=True)
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(PIXELS).save(folder / "JPEGImages" / name)
    return folder


def open_voc(folder, content, split=None):
    (folder / "Annotations/a.xml").write_bytes(content)
    return opened(lambda: VOCDataset(folder, split), str(folder))


words = st.text(string.ascii_letters + "é<>&\"'/\\ ", max_size=6)
numbers = st.integers(-5, 30).map(str) | st.floats().map(str) | st.integers().map(str) | words
tags = st.sampled_from(["object", "name", "bndbox", "xmin", "ymin", "xmax", "ymax", "size", "width", "filename"])


@st.composite
def xml(draw, depth=0):
    """Elements of VOC's names with anything in them, at any depth."""
    tag, inner = draw(tags), draw(numbers)
    if depth < 3 and draw(st.booleans()):
        inner = "".join(draw(st.lists(xml(depth=depth + 1), max_size=4)))
    return f"<{tag}>{inner}</{tag}>"


SIDES = ("xmin", "ymin", "xmax", "ymax")
objects = st.tuples(words | st.just("cat"), *[numbers] * 4).map(
    lambda v: (
        f"<object><name>{v[0]}</name><bndbox>"
        + "".join(f"<{side}>{number}</{side}>" for side, number in zip(SIDES, v[1:], strict=True))
        + "</bndbox></object>"
    )
)
files = st.lists(objects | xml(), max_size=3).map(lambda parts: f"<annotation>{''.join(parts)}</annotation>".encode())


@SOME
@given(st.binary(max_size=60) | files)
@example(b'<?xml version="1.0" encoding="utf-7"?><a/>')
@example("<?xml version='1.0' encoding='utf-16'?><a/>".encode("utf-16"))
@example(b"<a>" * 20_000 + b"</a>" * 20_000)
def test_voc_any_file(voc_folder, content):
    open_voc(voc_folder, content)


@SOME
@given(
    st.binary(max_size=40)
    | st.lists(st.sampled_from(["a", "b", "a 1", "../a", "\0", "x" * 400, "é"])).map(
        lambda names: "\n".join(names).encode()
    )
)
def test_voc_any_split(voc_folder, content):
    (voc_folder / "ImageSets/Main/some.txt").write_bytes(content)
    open_voc(voc_folder, b"<annotation/>", "some")


BOMB = """<!DOCTYPE bomb [<!ENTITY a "haha">{}]><annotation><object><name>&{};</name></object></annotation>"""
LEVELS = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    "content",
    [
        BOMB.format(LEVELS, "i"),  # 400 million bytes if it were expanded
        BOMB.format("", "a"),
        '<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/hostname">]><annotation><object>&file;</object></annotation>',
    ],
    ids=["bomb", "entity", "file"],
)
def test_entities_are_not_expanded(voc_folder, content):
    start = time.perf_counter()
    (voc_folder / "Annotations/a.xml").write_text(content)
    with pytest.raises(ValueError, match=r"a\.xml cannot be read as XML: Entit"):
        VOCDataset(voc_folder)
    assert time.perf_counter() - start < 5


# Penn-Fudan


@pytest.fixture(scope="module")
def penn_fudan(tmp_path_factory):
    return penn_fudan_folder.write(tmp_path_factory.mktemp("penn_fudan"))


@SOME
@given(
    st.binary(max_size=60)
    | st.lists(st.tuples(*[numbers] * 4), max_size=3).map(lambda boxes: penn_fudan_folder.text("P1", boxes).encode())
    | st.text(max_size=60).map(lambda extra: (penn_fudan_folder.text("P1", [(1, 1, 5, 5)]) + extra).encode())
)
@example(b"Image filename : " + b'"' * 100_000)
@example(b"Bounding box for object 1 " + b"x" * 100_000)
def test_penn_fudan_any_file(penn_fudan, content):
    (penn_fudan / "Annotation/P1.txt").write_bytes(content)
    opened(lambda: PennFudanDataset(penn_fudan), str(penn_fudan))


# pictures and masks


def damaged(whole):
    """A file with a few bytes changed and its end cut off."""
    changes = st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)
    return st.tuples(changes, st.integers(0, len(whole))).map(lambda change: apply(whole, *change))


def apply(whole, changes, length):
    content = bytearray(whole)
    for place, value in changes:
        content[place] = value
    return bytes(content[:length])


def saved(folder, name, picture, **options):
    picture.save(folder / name, **options)
    return (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "a.gif", "a.bmp", "a.ppm", "a.jp2"])
@settings(SOME, max_examples=25)
@given(st.data())
def test_any_picture(tmp_path_factory, name, data):
    folder = tmp_path_factory.getbasetemp()
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif} if name[2:] in ("jpg", "png", "webp") else {}
    content = data.draw(damaged(saved(folder, name, Image.fromarray(PIXELS), **options)))
    path = folder / name
    path.write_bytes(content)
    for read in (read_header, read_numbers):
        tried(lambda read=read: read(path), str(path))
    image = tried(lambda: read_image(path), str(path))
    assert image is None or (image.dtype == np.uint8 and image.ndim == 3)


@settings(SOME, max_examples=25)
@given(st.data())
def test_any_mask_of_a_nucleus(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "nuclei"
    for part in ("images", "masks"):
        (folder / "one" / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(folder / "one/images/one.png")
    whole = saved(folder / "one/masks", "k.png", Image.fromarray((PIXELS[..., 0] > 99).view(np.uint8)))
    (folder / "one/masks/k.png").write_bytes(data.draw(damaged(whole)))
    opened(lambda: NucleiDataset(folder), "k.png")


# checkpoints


class Evil:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
def test_a_checkpoint_cannot_run_code(tmp_path, write):
    with (tmp_path / "evil.safetensors").open("wb") as file:
        write(Evil(tmp_path / "made"), file)
    with pytest.raises(ValueError, match=r"evil\.safetensors is damaged or no safetensors file"):
        load_checkpoint(tmp_path / "evil.safetensors")
    assert not (tmp_path / "made").exists()
    with (tmp_path / "evil.safetensors").open("rb") as file:
        pickle.load(file) if write is pickle.dump else torch.load(file, weights_only=False)
    assert (tmp_path / "made").exists()  # so the file was a dangerous one


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "a.safetensors"
    save_checkpoint(path, {"weight": torch.arange(6.0)}, {"seed": 0, "classes": ["background", "cat"]})
    return path, path.read_bytes()


@SOME
@given(st.data())
def test_any_checkpoint(checkpoint, data):
    path, whole = checkpoint
    path.write_bytes(data.draw(damaged(whole) | st.binary(max_size=60)))
    found = tried(lambda: load_checkpoint(path), str(path))
    assert found is None or [type(part) for part in found] == [dict, dict]


def test_a_survey_goes_on_after_whatever_it_meets(coco_folder):
    images = [IMAGE | {"id": k} for k in range(4)]
    good = OBJECT | {"segmentation": [[2, 1, 11, 1, 11, 7]]}
    annotations = [
        good | {"image_id": 0},
        good | {"image_id": 1, "segmentation": "?"},
        good | {"image_id": 2, "bbox": [0, 0, 1, 1]},
    ]
    content = {"images": images, "categories": [CATEGORY], "annotations": annotations}
    (coco_folder / "all.json").write_text(json.dumps(content))
    found = survey(COCODataset(coco_folder, coco_folder / "all.json"))
    assert found.pictures == 2
    assert found.counts == {"broken annotation": 2, "duplicate id": 2, "no objects": 1}
