"""Checkpoints: a round trip, what the header holds, and every kind of file that is not one."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file

from rcnn_lite.checkpoints import checkpoint_path, load_checkpoint, load_records, save_checkpoint, save_records
from rcnn_lite.paths import data_path

METADATA = {"command": "rcnn-lite train", "seed": 0, "metrics": {"mAP": 0.5}, "classes": ["background", "cat"]}


def test_round_trip(tmp_path, generator):
    tensors = {
        "weight": torch.randn(4, 5, generator=generator),
        "labels": torch.arange(3),
        "mask": torch.ones(2, dtype=torch.uint8),
    }
    save_checkpoint(tmp_path / "folder" / "a.safetensors", tensors, METADATA)
    found, metadata = load_checkpoint(tmp_path / "folder" / "a.safetensors")
    assert metadata == METADATA
    assert found["weight"].dtype == torch.float32
    torch.testing.assert_close(found["weight"], tensors["weight"], rtol=2**-11, atol=0)  # half: 11 significant bits
    assert torch.equal(found["labels"], tensors["labels"])
    assert found["mask"].dtype == torch.uint8


def test_half_precision_halves_the_file_and_full_keeps_every_bit(tmp_path, generator):
    tensors = {"weight": torch.randn(1000, generator=generator)}
    save_checkpoint(tmp_path / "half", tensors, {})
    save_checkpoint(tmp_path / "full", tensors, {}, half=False)
    assert 2000 < (tmp_path / "half").stat().st_size < 2500 < 4000 < (tmp_path / "full").stat().st_size
    assert torch.equal(load_checkpoint(tmp_path / "full")[0]["weight"], tensors["weight"])


def test_views_infinities_and_nothing_at_all(tmp_path):
    base = torch.arange(6.0).reshape(2, 3)
    save_checkpoint(tmp_path / "a", {"a": base.t(), "b": base[0], "c": torch.tensor([-float("inf")])}, {})
    found, _ = load_checkpoint(tmp_path / "a")
    assert torch.equal(found["a"], base.t())
    assert found["c"].tolist() == [-float("inf")]
    save_checkpoint(tmp_path / "empty", {}, {})
    assert load_checkpoint(tmp_path / "empty") == ({}, {})


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, {"x": torch.ones(1)}, {"which": "old"})

    def disk_full(tensors, filename, metadata):
        filename.write_bytes(b"half of i")
        raise OSError("no space left on device")

    monkeypatch.setattr("rcnn_lite.checkpoints.save_file", disk_full)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(path, {"x": torch.zeros(1)}, {"which": "new"})
    assert load_checkpoint(path)[1] == {"which": "old"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_values_that_cannot_be_stored_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"bias has a value beyond half precision: 7e\+04"):
        save_checkpoint(tmp_path / "a", {"bias": torch.tensor([70000.0])}, {})
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        save_checkpoint(tmp_path / "a", {}, {"path": tmp_path})
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        save_checkpoint(tmp_path / "a", {}, {"mAP": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_every_truncation_is_a_clear_error(tmp_path):
    path = tmp_path / "whole"
    save_checkpoint(path, {"x": torch.ones(50)}, METADATA)
    content = path.read_bytes()
    cut = tmp_path / "cut"
    for length in range(0, len(content), 7):
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match="cut is damaged"):
            load_checkpoint(cut)


class _Bomb:
    def __reduce__(self):
        return (open, ("exploded", "w"))


def test_a_pickle_is_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pth").write_bytes(pickle.dumps(_Bomb()))
    torch.save({"x": _Bomb()}, tmp_path / "torch.pth")
    for name in ("model.pth", "torch.pth"):
        with pytest.raises(ValueError, match=f"{name} is damaged or no safetensors file"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_foreign_and_newer_files_are_named(tmp_path):
    save_file({"x": torch.ones(1)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match="foreign is a safetensors file, but not a checkpoint of rcnn_lite"):
        load_checkpoint(tmp_path / "foreign")
    note = {"format": "rcnn_lite checkpoint", "format_version": "99", "metadata": "{}"}
    save_file({}, tmp_path / "newer", metadata=note)
    with pytest.raises(ValueError, match="newer has checkpoint format 99.*reads up to 1"):
        load_checkpoint(tmp_path / "newer")
    with pytest.raises(ValueError, match="there is no checkpoint .*absent"):
        load_checkpoint(tmp_path / "absent")


def test_the_header_can_be_read_by_any_json_reader(tmp_path):
    save_checkpoint(tmp_path / "a", {"x": torch.ones(1)}, METADATA)
    content = (tmp_path / "a").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    note = json.loads(content[8 : 8 + length])["__metadata__"]
    assert note["format_version"] == "1"
    assert json.loads(note["metadata"]) == METADATA


def test_records_keep_images_apart_and_every_bit(tmp_path, generator):
    records = [
        {"boxes": torch.rand(n, 4, generator=generator) * 256, "labels": torch.arange(m)}
        for n, m in [(3, 1), (0, 0), (2, 5)]
    ]
    save_records(tmp_path / "a", records, {"split": "test"})
    found, metadata = load_records(tmp_path / "a")
    assert metadata == {"split": "test"}
    assert len(found) == 3
    for one, other in zip(records, found, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    save_records(tmp_path / "none", [], {})
    assert load_records(tmp_path / "none") == ([], {})


def test_records_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"records\[1\] has the keys \['b'\], records\[0\] has \['a'\]"):
        save_records(tmp_path / "a", [{"a": torch.ones(1)}, {"b": torch.ones(1)}], {})
    save_checkpoint(tmp_path / "a", {"x": torch.ones(3), "x/counts": torch.tensor([1, 1])}, {})
    with pytest.raises(ValueError, match="a holds no records: the counts do not fit"):
        load_records(tmp_path / "a")


def test_names_of_shipped_checkpoints(tmp_path):
    assert checkpoint_path("rcnn_scenes") == data_path("checkpoints/rcnn_scenes.safetensors")
    assert checkpoint_path("runs/a/rcnn.safetensors").parts == ("runs", "a", "rcnn.safetensors")
    assert checkpoint_path(tmp_path / "mine") == tmp_path / "mine"


@pytest.mark.parametrize(
    ("version", "metadata", "sentence"),
    [
        ("x", "{}", r"odd has checkpoint format x, and this version"),
        ("\u00b2", "{}", r"odd has checkpoint format"),
        ("9" * 5000, "{}", r"odd has checkpoint format 99999"),
        ("1", "[" * 100_000, r"odd is damaged .*no JSON"),
        ("1", "9" * 5000, r"odd is damaged .*no JSON"),
        ("1", "{", r"odd is damaged .*no JSON"),
        ("1", "[1]", r"odd is damaged: its metadata is \[1\]"),
    ],
    ids=["no number", "a square", "long", "deep", "digits", "cut", "list"],
)
def test_a_sound_file_with_an_odd_header(tmp_path, version, metadata, sentence):
    note = {"format": "rcnn_lite checkpoint", "format_version": version, "metadata": metadata}
    save_file({"x": torch.zeros(1)}, tmp_path / "odd", metadata=note)
    with pytest.raises(ValueError, match=sentence):
        load_checkpoint(tmp_path / "odd")
