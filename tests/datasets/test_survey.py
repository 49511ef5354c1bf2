"""The look before training: one folder with everything wrong, and the real sets as their README describes them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rcnn_lite.datasets import survey as survey_module
from rcnn_lite.datasets.findings import KINDS
from rcnn_lite.datasets.opening import open_dataset
from rcnn_lite.datasets.parts import Part
from rcnn_lite.datasets.survey import look_at, survey
from rcnn_lite.images import ORIENTATION, read_image

pytestmark = pytest.mark.filterwarnings("ignore:.*(left out|clipped|used once)")
NOISE = np.random.default_rng(0).integers(0, 255, (40, 64, 3), dtype=np.uint8)


def everything_wrong(folder):
    """A COCO folder with one picture of each sort; ids are places in the list of names."""
    (folder / "images").mkdir(parents=True)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture = Image.fromarray(NOISE)
    save = {
        "plain.jpg": lambda path: picture.save(path),
        "grey.png": lambda path: picture.convert("L").save(path),
        "deep.png": lambda path: Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257).save(path),
        "clear.png": lambda path: picture.convert("RGBA").save(path),
        "print.jpg": lambda path: picture.convert("CMYK").save(path),
        "turned.jpg": lambda path: picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif),
        "cut.jpg": lambda path: path.write_bytes(whole[: len(whole) // 2]),
        "grün 猫.png": lambda path: picture.save(path),
        "larger.png": lambda path: picture.resize((70, 50)).save(path),
        "broken mask.png": lambda path: picture.save(path),
        "lost.png": lambda path: None,
        "twice.png": lambda path: picture.save(path),
    }
    picture.save(folder / "images/plain.jpg")
    whole = (folder / "images/plain.jpg").read_bytes()
    for name, write in save.items():
        write(folder / "images" / name)
    images = [{"id": i, "file_name": name, "height": 40, "width": 64} for i, name in enumerate(save)]
    images.append(images[-1])
    annotations = [
        {"image_id": i, "category_id": 7, "bbox": [8, 4, 20, 10], "segmentation": [[8, 4, 28, 4, 28, 14, 8, 14]]}
        for i in range(len(save))
    ]
    annotations[9]["segmentation"] = [[8, 4, 28]]
    good = annotations[0]
    annotations += [
        good | {"bbox": [8, 4, 0, 10]},
        good | {"bbox": [80, 4, 20, 10]},
        good | {"bbox": [60, 4, 20, 10], "segmentation": [[60, 4, 64, 4, 64, 14, 60, 14]]},
        good | {"category_id": 8},
        good | {"image_id": 99},
        good | {"segmentation": [[8, 4, 8, 4, 8, 4]]},
        good | {"iscrowd": 1},
    ]
    annotations = [item | {"id": k} for k, item in enumerate(annotations)]
    annotations[-1]["id"] = 0
    del annotations[1]  # the grey one has no objects
    text = json.dumps({"images": images, "categories": [{"id": 7, "name": "cat"}], "annotations": annotations})
    (folder / "all.json").write_text(text)
    return f"coco:{folder}"


COUNTS = {
    "missing picture": 1,
    "broken picture": 1,
    "other size": 1,
    "broken annotation": 1,
    "duplicate picture": 1,
    "no area": 1,
    "outside": 1,
    "partly outside": 1,
    "no pixel": 1,
    "unknown category": 1,
    "unknown picture": 1,
    "duplicate id": 1,
    "turned": 1,
    "greyscale": 2,
    "16-bit": 1,
    "transparent": 1,
    "CMYK": 1,
    "no objects": 1,
    "crowd": 1,
    "not ASCII": 1,
}


def test_everything_that_is_wrong_is_counted(tmp_path):
    found = survey(everything_wrong(tmp_path))
    assert found.counts == COUNTS
    assert found.pictures == len(found.dataset) == 8
    assert found.objects == {"cat": 9}
    lines = str(found).splitlines()
    assert lines[0] == "8 pictures with 9 objects: 9 cat"
    assert len(lines) == 1 + len(COUNTS)
    assert "  1 picture is missing (left out): " in lines[1]
    assert any(line.startswith("  1 picture is cut short or broken (left out): ") for line in lines)
    assert any("grün 猫.png" in line for line in lines)
    for image, target in (found.dataset[i] for i in range(len(found.dataset))):  # all of it can be learned from
        assert image.shape == (3, 40, 64)
        assert len(target["masks"]) == len(target["boxes"])
    names = {found.dataset.dataset.picture(row).name for row in found.dataset.rows}
    assert names.isdisjoint({"cut.jpg", "larger.png", "broken mask.png", "lost.png"})


def test_every_kind_of_finding_is_looked_for():
    folder = Path(survey_module.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py") if path.name != "findings.py")
    assert [kind for kind in KINDS if f'"{kind}"' not in code] == []


def test_strict_stops(tmp_path):
    spec = everything_wrong(tmp_path)
    with pytest.raises(
        ValueError, match=r"not in order: 1 picture is missing .*; .*1 object belongs to no picture"
    ) as caught:
        survey(spec, strict=True)
    assert "greyscale" not in str(caught.value)


def test_grey_pictures_and_crowds_are_in_order(tmp_path):
    spec = everything_wrong(tmp_path)
    content = json.loads((tmp_path / "all.json").read_text())
    content["images"] = content["images"][:6]
    content["annotations"] = [a for a in content["annotations"][:5] if a["image_id"] < 6]
    (tmp_path / "all.json").write_text(json.dumps(content))
    found = survey(spec, strict=True)
    assert found.altered == ()
    assert set(found.counts) == {"turned", "greyscale", "16-bit", "transparent", "CMYK", "no objects"}
    assert not isinstance(found.dataset, Part)  # nothing was left out


def test_parts_are_looked_at_alone(tmp_path):
    spec = everything_wrong(tmp_path)
    whole, train, test = (survey(spec, split) for split in (None, "train", "test"))
    assert train.pictures + test.pictures == whole.pictures
    assert test.counts.get("greyscale", 0) + train.counts.get("greyscale", 0) == 2
    ids = [[part.dataset.target(i)["image_id"] for i in range(part.pictures)] for part in (train, test)]
    assert ids == [[1, 2, 3, 4, 7], [0, 5, 11]]  # 10 is missing; 6, 8 and 9 cannot be read


def test_nothing_that_can_be_used(tmp_path):
    spec = everything_wrong(tmp_path)
    content = json.loads((tmp_path / "all.json").read_text())
    content["images"] = [image for image in content["images"] if image["file_name"] == "cut.jpg"]
    (tmp_path / "all.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="no picture can be used: 1 picture is cut short or broken"):
        survey(spec)


def test_cut_files_are_found_as_reading_them_would(tmp_path):
    for name, options in (
        ("a.jpg", {}),
        ("b.jpg", {"progressive": True}),
        ("c.png", {}),
        ("d.tif", {}),
        ("e.webp", {}),
    ):
        path = tmp_path / name
        Image.fromarray(NOISE).save(path, **options)
        whole = path.read_bytes()
        assert look_at(path) == []
        for share in (0.1, 0.5, 0.9):
            path.write_bytes(whole[: int(share * len(whole))])
            with pytest.raises(ValueError, match=f"{name} cannot be read"):
                read_image(path)
            assert [finding.kind for finding in look_at(path)] == ["broken picture"]


@pytest.mark.parametrize(
    ("spec", "pictures", "objects", "counts"),
    [
        ("voc:voc100", 100, 273, {"difficult": 38}),
        ("voc:bccd", 364, 4886, {"no area": 2}),
        ("coco:coco_free", 33, 246, {"greyscale": 1, "no objects": 1, "crowd": 3}),
        ("nuclei:dsb2018_small", 99, 1895, {"transparent": 99}),
        ("coco:nuts/data", 18, 165, {}),
    ],
)
def test_real_sets_as_their_readme_describes_them(real_data, spec, pictures, objects, counts):
    kind, _, folder = spec.partition(":")
    found = survey(open_dataset(f"{kind}:{real_data / folder}"))
    assert (found.pictures, sum(found.objects.values()), found.counts) == (pictures, objects, counts)
    if folder == "bccd":
        assert [finding.where.split(" has ")[0] for finding in found.findings] == [
            "Annotations/BloodImage_00338.xml: object 12 (RBC)",
            "Annotations/BloodImage_00343.xml: object 3 (RBC)",
        ]


def test_the_splits_of_the_blood_cells(real_data):
    sizes = {
        split: len(open_dataset(f"voc:{real_data / 'bccd'}", split)) for split in ("train", "val", "test", "trainval")
    }
    assert sizes == {"train": 205, "val": 87, "test": 72, "trainval": 292}
