"""Unpacking: wholly or not at all, and never outside the folder."""

import io
import tarfile
import zipfile

import pytest

from rcnn_lite.datasets import archives
from rcnn_lite.datasets.archives import unpack

FILES = {"top/a.txt": b"first", "top/deep/b.txt": b"second", "other/c.txt": b"third"}


def tar(path, files=None, **kinds):
    with tarfile.open(path, "w") as archive:
        for name, content in (FILES if files is None else files).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in kinds.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return path


def zipped(path, files=None):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (FILES if files is None else files).items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("make", [tar, zipped])
def test_the_wanted_folder_takes_its_new_name(make, tmp_path):
    unpack(make(tmp_path / "archive"), "top", tmp_path / "set")
    assert tree(tmp_path) == ["archive", "set", "set/a.txt", "set/deep", "set/deep/b.txt"]
    assert (tmp_path / "set/deep/b.txt").read_bytes() == b"second"
    with pytest.raises(ValueError, match="set is there already"):
        unpack(tmp_path / "archive", "top", tmp_path / "set")


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize(
    "name", ["../evil.txt", "top/../../evil.txt", "/evil.txt", "C:\\evil.txt", "top\\..\\..\\evil"]
)
def test_members_outside_are_refused(make, name, tmp_path):
    (tmp_path / "in").mkdir()
    archive = make(tmp_path / "in" / "archive", {"top/a.txt": b"first", name: b"evil"})
    with pytest.raises(ValueError, match=r"archive has a member that would lie outside its folder: '.*evil"):
        unpack(archive, "top", tmp_path / "in" / "set")
    assert tree(tmp_path) == ["in", "in/archive"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    archive = tar(tmp_path / "archive", {"top/link": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(ValueError, match=r"archive has a member that is neither file nor folder: 'top/link'"):
        unpack(archive, "top", tmp_path / "set")
    assert tree(tmp_path) == ["archive"]


@pytest.mark.parametrize("make", [tar, zipped])
def test_broken_archives_leave_nothing(make, tmp_path):
    archive = make(tmp_path / "archive", {f"top/{i}.txt": bytes([i]) * 3000 for i in range(9)})
    whole = archive.read_bytes()
    for length in (0, 10, 700, 8000, 20_000):
        archive.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"archive (cannot be unpacked|has no folder)"):
            unpack(archive, "top", tmp_path / "set")
        assert tree(tmp_path) == ["archive"]


def test_a_damaged_byte_in_a_zip_is_noticed(tmp_path):
    archive = zipped(tmp_path / "archive", {"top/a.txt": b"abcdefgh" * 100})
    content = bytearray(archive.read_bytes())
    content[200] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be unpacked: Bad CRC-32"):
        unpack(archive, "top", tmp_path / "set")
    assert tree(tmp_path) == ["archive"]


def test_the_folder_must_be_in_it(tmp_path):
    with pytest.raises(ValueError, match="archive has no folder VOC2007"):
        unpack(tar(tmp_path / "archive"), "VOC2007", tmp_path / "set")
    assert tree(tmp_path) == ["archive"]


@pytest.mark.parametrize("make", [tar, zipped])
def test_interrupted_unpacking_leaves_no_half_folder(make, tmp_path, monkeypatch):
    def interrupted(members, **_):
        yield next(iter(members))
        assert tree(tmp_path) != ["archive"]  # something is there by now
        raise KeyboardInterrupt

    monkeypatch.setattr(archives, "tqdm", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(make(tmp_path / "archive"), "top", tmp_path / "set")
    assert tree(tmp_path) == ["archive"]


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    (tmp_path / ".set.unpacking" / "top").mkdir(parents=True)
    (tmp_path / ".set.unpacking" / "top" / "half.txt").write_text("hal")
    unpack(tar(tmp_path / "archive"), "top", tmp_path / "set")
    assert tree(tmp_path) == ["archive", "set", "set/a.txt", "set/deep", "set/deep/b.txt"]
