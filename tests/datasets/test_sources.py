"""``download=True`` of the three public sets: small stand-ins for their archives, served by this machine."""

import hashlib
import io
import json
import re
import tarfile
import zipfile

import numpy as np
import pytest
from faulty_server import serving
from PIL import Image

from rcnn_lite.datasets import download, sources
from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.download import RemoteFile
from rcnn_lite.datasets.penn_fudan import PennFudanDataset
from rcnn_lite.datasets.sources import COCO, PENN_FUDAN, Source, voc_source
from rcnn_lite.datasets.voc import VOCDataset


def picture(mode="RGB", name="PNG"):
    file = io.BytesIO()
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).convert(mode).save(file, name)
    return file.getvalue()


def tar(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def voc(split, name):
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>"
    return tar(
        {
            f"VOCdevkit/VOC2007/Annotations/{name}.xml": f"<a><object><name>cat</name>{box}</object></a>".encode(),
            f"VOCdevkit/VOC2007/JPEGImages/{name}.jpg": picture(name="JPEG"),
            f"VOCdevkit/VOC2007/ImageSets/Main/{split}.txt": name.encode(),
        }
    )


def penn_fudan():
    text = (
        'Image filename : "PennFudanPed/PNGImages/P1.png"\nImage size (X x Y x C) : 20 x 10 x 3\n'
        'Objects with ground truth : 1 { "PASpersonWalking" }\n'
        'Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (1, 1) - (20, 10)\n'
    )
    mask = io.BytesIO()
    Image.fromarray(np.ones((10, 20), np.uint8)).save(mask, "PNG")
    return zipped(
        {
            "PennFudanPed/Annotation/P1.txt": text.encode(),
            "PennFudanPed/PNGImages/P1.png": picture(),
            "PennFudanPed/PedMasks/P1_mask.png": mask.getvalue(),
        }
    )


@pytest.fixture
def server(monkeypatch):
    """Stand-ins for the archives; the tables of addresses and checksums point to them."""
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    content = {"images": [{"id": 1, "file_name": "1.png", "height": 10, "width": 20}], "categories": []}
    files = {
        "/VOCtrainval_06-Nov-2007.tar": voc("trainval", "000005"),
        "/VOCtest_06-Nov-2007.tar": voc("test", "000001"),
        "/val2017.zip": zipped({"val2017/1.png": picture()}),
        "/annotations_trainval2017.zip": zipped(
            {"annotations/instances_val2017.json": json.dumps(content | {"annotations": []})}
        ),
        "/PennFudanPed.zip": penn_fudan(),
    }
    with serving(files) as server:

        def here(source):
            name = source.remote.name
            digest = hashlib.md5(files[f"/{name}"], usedforsecurity=False).hexdigest()
            return Source(RemoteFile(f"{server.url}/{name}", f"md5:{digest}"), source.inside)

        for key in ("val2017", "annotations"):
            monkeypatch.setitem(COCO, key, here(COCO[key]))
        monkeypatch.setattr("rcnn_lite.datasets.penn_fudan.PENN_FUDAN", here(PENN_FUDAN))
        real = sources.voc_source
        monkeypatch.setattr(
            "rcnn_lite.datasets.voc.voc_source", lambda *which: (here(real(*which)[0]), real(*which)[1])
        )
        yield server


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_voc(server, tmp_path):
    server.breaks = [700]  # in the middle of the archive
    train = VOCDataset(tmp_path / "voc", "trainval", year=2007, download=True)
    assert (train.names, names(tmp_path / "voc")) == (["000005"], ["VOC2007"])
    test = VOCDataset(tmp_path / "voc", "test", year=2007, download=True)
    assert (test.names, names(tmp_path / "voc")) == (["000001"], ["VOC2007", "VOC2007-test"])
    asked = len(server.requests)
    assert asked == 3
    for split, name in (("trainval", "000005"), ("test", "000001")):  # both are there: without a network, too
        assert VOCDataset(tmp_path / "voc", split, year=2007, download=True).names == [name]
        assert VOCDataset(tmp_path / "voc", split).names == [name]
    assert len(server.requests) == asked
    for inside in ("VOC2007", "VOC2007-test"):  # the folder itself, too
        VOCDataset(tmp_path / "voc" / inside, year=2007, download=True)
    assert len(server.requests) == asked
    with pytest.raises(ValueError, match=r"year must be one of .*2007, .*got None|got None"):
        VOCDataset(tmp_path, "test", download=True)


def test_coco(server, tmp_path):
    place = tmp_path / "val2017", tmp_path / "annotations" / "instances_val2017.json"
    assert len(COCODataset(*place, download=True)) == 1
    assert names(tmp_path) == ["annotations", "val2017"]
    assert len(COCODataset(*place, download=True)) == 1
    assert len(server.requests) == 2
    with pytest.raises(ValueError, match=r"can be fetched, not .*pictures with .*instances_val2017\.json"):
        COCODataset(tmp_path / "pictures", place[1], download=True)


def test_penn_fudan(server, tmp_path):
    server.breaks = [100, 100]
    dataset = PennFudanDataset(tmp_path / "new", download=True)
    assert (dataset.names, names(tmp_path / "new")) == (["P1"], ["PennFudanPed"])
    assert dataset[0][1]["boxes"].tolist() == [[0, 0, 20, 10]]
    asked = len(server.requests)
    for root in (tmp_path / "new", tmp_path / "new" / "PennFudanPed"):
        assert len(PennFudanDataset(root, download=True)) == 1
    assert len(server.requests) == asked


def test_an_archive_brought_by_other_means_is_used_and_stays(server, tmp_path):
    (tmp_path / "PennFudanPed.zip").write_bytes(server.files["/PennFudanPed.zip"])
    assert len(PennFudanDataset(tmp_path, download=True)) == 1
    assert server.requests == []
    assert names(tmp_path) == ["PennFudanPed", "PennFudanPed.zip"]


def test_offline_and_wrong_bytes_leave_no_folder(server, tmp_path):
    server.files["/PennFudanPed.zip"] = b"not what it was"
    with pytest.raises(ValueError, match=r"PennFudanPed\.zip from .* has the md5 checksum .*, not .*; it was deleted"):
        PennFudanDataset(tmp_path, download=True)
    assert names(tmp_path) == []
    server.status = 500
    with pytest.raises(ConnectionError, match=r"PennFudanPed\.zip cannot be reached"):
        PennFudanDataset(tmp_path, download=True)
    assert names(tmp_path) == []


def test_the_official_addresses():
    assert voc_source(2007, "trainval")[0].remote.digest == "md5:c52e279531787c972589f7e41ab4ae64"
    assert voc_source(2007, "Segmentation/test")[1] == "VOC2007-test"
    assert voc_source(2012, "train")[0].inside == "VOCdevkit/VOC2012"
    everything = [*COCO.values(), PENN_FUDAN, voc_source(2007, "test")[0], voc_source(2012, None)[0]]
    for source in everything:
        assert re.fullmatch(
            r"https?://(images\.cocodataset\.org|www\.cis\.upenn\.edu|.*\.ox\.ac\.uk)/.*", source.remote.url
        )
        assert source.remote.size or re.fullmatch(r"md5:[0-9a-f]{32}|sha1:[0-9a-f]{40}", source.remote.digest)
