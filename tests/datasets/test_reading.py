"""Pictures that EXIF turns, boxes that leave their picture, and names that are no ASCII."""

import json
import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image

from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.findings import KINDS, Finding, summarise
from rcnn_lite.datasets.reading import find_file, fingerprint, fit_box
from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.images import ORIENTATION, UPRIGHT, read_header

UPRIGHT_SIZE = (40, 64)
BOX = (8, 8, 40, 24)  # x1 y1 x2 y2 of a red patch in the upright picture; eights, so that JPEG keeps its edges
UNDO = {**UPRIGHT, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def stored_picture(path, orientation):
    """Red patch on grey, as a camera held in this way stores it; the patch as a mask of the stored pixels."""
    pixels = np.full((*UPRIGHT_SIZE, 3), 128, np.uint8)
    x1, y1, x2, y2 = BOX
    pixels[y1:y2, x1:x2] = (255, 0, 0)
    picture = Image.fromarray(pixels)
    if orientation in UNDO:
        picture = picture.transpose(UNDO[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture.save(path, exif=exif, quality=95, subsampling=0)
    return np.asarray(picture)[..., 1] == 0


def corners(mask):
    rows, columns = np.nonzero(mask)
    return [int(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


def write_coco(folder, mask):
    """A COCO set of one picture whose annotation is this mask (H, W), run lengths and all."""
    x1, y1, x2, y2 = corners(mask)
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat, prepend=False, append=not flat[-1]))
    counts = np.diff(np.concatenate(([0], changes))).tolist()
    height, width = mask.shape
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": height, "width": width}],
        "categories": [{"id": 1, "name": "patch"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}],
    }
    content["annotations"][0]["segmentation"] = {"size": [height, width], "counts": counts}
    (folder / "a.json").write_text(json.dumps(content))
    return COCODataset(folder, folder / "a.json")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_stay_on_their_objects(tmp_path, orientation):
    mask = stored_picture(tmp_path / "a.jpg", orientation)
    header = read_header(tmp_path / "a.jpg")
    assert (header.stored, header.displayed, header.orientation) == (mask.shape, UPRIGHT_SIZE, orientation)
    upright = np.zeros(UPRIGHT_SIZE, bool)
    upright[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
    # annotated by a tool that turns pictures; and, if that can be told from the size, by one that does not
    for annotated in [upright, mask] if orientation >= 5 else [upright]:
        dataset = write_coco(tmp_path, annotated)
        image, target = dataset[0]
        red = (image[1] < 0.3).numpy()
        assert image.shape == (3, *UPRIGHT_SIZE)
        assert corners(red) == list(BOX)
        assert target["boxes"].tolist() == [list(map(float, BOX))]
        assert torch.equal(target["masks"][0].bool(), torch.from_numpy(red))
        assert torch.equal(dataset.target(0)["boxes"], target["boxes"])
        assert dataset.problems == ([] if annotated is upright else ["a.jpg"])


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_voc_says_its_size_too(tmp_path, orientation):
    for folder in ("Annotations", "JPEGImages"):
        (tmp_path / folder).mkdir()
    mask = stored_picture(tmp_path / "JPEGImages/a.jpg", orientation)
    x1, y1, x2, y2 = corners(mask)
    size = "<size><width>{1}</width><height>{0}</height></size>".format(*mask.shape)
    box = f"<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
    text = f"<a>{size}<object><name>cat</name><bndbox>{box}</bndbox></object></a>"
    (tmp_path / "Annotations/a.xml").write_text(text)
    image, target = VOCDataset(tmp_path)[0]
    assert image.shape == (3, *UPRIGHT_SIZE)
    assert target["boxes"].tolist() == [list(map(float, BOX))]


def test_a_broken_note_about_orientation_is_none(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 77
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert read_header(tmp_path / "a.jpg").orientation == 1


@pytest.mark.parametrize(
    ("box", "expected", "kind"),
    [
        ((1, 2, 5, 6), (1, 2, 5, 6), None),
        ((0, 0, 20, 10), (0, 0, 20, 10), None),
        ((-0.4, 0, 20.3, 10), (0, 0, 20, 10), None),  # rounding
        ((-1, 0, 20, 10), (0, 0, 20, 10), "partly outside"),
        ((1, 2, 5, 11), (1, 2, 5, 10), "partly outside"),
        ((20, 2, 25, 6), (20, 2, 25, 6), "outside"),
        ((1, -9, 5, 0), (1, -9, 5, 0), "outside"),
        ((3, 2, 3, 6), (3, 2, 3, 6), "no area"),
        ((5, 2, 3, 6), (5, 2, 3, 6), "no area"),
        ((5, 2, 5 + 1e-9, 6), (5, 2, 5 + 1e-9, 6), "no area"),  # a float32 has no such numbers
    ],
)
def test_boxes_and_their_pictures(box, expected, kind):
    assert fit_box(list(box), (10, 20)) == (list(expected), kind)
    assert fit_box(list(box), None) == (list(box), kind if kind == "no area" else None)


def test_names_of_every_spelling(tmp_path):
    composed = unicodedata.normalize("NFC", "café 猫.png")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    for there, asked in ((composed, decomposed), (decomposed, composed), (composed, composed)):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / there).touch()
        assert find_file(folder, f"sub/{asked}") == folder / "sub" / there
        assert find_file(folder, f"sub\\{asked}").samefile(folder / "sub" / there)
        assert find_file(folder, "sub") is None  # a folder
    for name in ("none.png", "a\0b", "\ud800", "x" * 5000):
        assert find_file(tmp_path, name) is None


def test_a_fingerprint_of_names_sizes_and_annotations(tmp_path):
    files = [tmp_path / name for name in ("a", "b", "é\udcff")]
    for file in files[:2]:
        file.write_bytes(b"123")
    prints = {fingerprint(b"", []), fingerprint(b"x", []), fingerprint(b"", files[:1]), fingerprint(b"", files[1:2])}
    files[1].write_bytes(b"1234")
    prints.add(fingerprint(b"", files[1:2]))
    assert len(prints) == 5
    assert {len(text) for text in prints} == {16}


def test_every_kind_has_words_for_one_and_many():
    for name, kind in KINDS.items():
        one, many = (summarise([Finding(name, f"place {k}") for k in range(count)]) for count in (1, 2000))
        assert one == [f"1 {kind.one} ({kind.done}): place 0"]
        assert many == [f"2,000 {kind.many} ({kind.done}): place 0, ..."]
    assert summarise([]) == []
    assert summarise([Finding("not ASCII", "\udcff.png")]) == ["1 file name is not ASCII (read as it is): \\udcff.png"]
