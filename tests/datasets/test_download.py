"""Fetching large files: resumed, checked, and clear about what went wrong. Everything is served by this machine."""

import hashlib
import socket

import numpy as np
import pytest
from faulty_server import serving

from rcnn_lite.datasets import download
from rcnn_lite.datasets.download import RemoteFile, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA1 = f"sha1:{hashlib.sha1(CONTENT).hexdigest()}"


@pytest.fixture
def server(monkeypatch):
    """A server of CONTENT as set.bin; no pauses between attempts, no proxy."""
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving({"/set.bin": CONTENT}) as server:
        yield server


def remote(server, digest=SHA1, **more):
    return RemoteFile(f"{server.url}/set.bin", digest, **more)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256"])
def test_a_whole_file(server, tmp_path, method):
    digest = f"{method}:{hashlib.new(method, CONTENT).hexdigest()}"
    path = fetch(remote(server, digest, size=len(CONTENT)), tmp_path / "new")
    assert path == tmp_path / "new" / "set.bin"
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "new") == ["set.bin"]
    fetch(remote(server, digest), tmp_path / "new")  # it is there
    assert server.requests == [("/set.bin", None)]


def test_a_connection_that_breaks_off_is_taken_up_again(server, tmp_path):
    server.breaks = [100_000, 0, 50_000]
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, "bytes=100000-", "bytes=100000-", "bytes=150000-"]


def test_an_interrupted_download_goes_on_the_next_time(server, tmp_path, monkeypatch):
    def interrupted(self, *_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        server.breaks = [100_000]
        patch.setattr(download.time, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(remote(server), tmp_path)
    assert names(tmp_path) == ["set.bin.part"]
    assert (tmp_path / "set.bin.part").read_bytes() == CONTENT[:100_000]
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert server.requests[-1] == ("/set.bin", "bytes=100000-")
    assert names(tmp_path) == ["set.bin"]


def test_all_received_but_not_yet_renamed(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(CONTENT)
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    (tmp_path / "b").mkdir()
    (tmp_path / "b/set.bin.part").write_bytes(CONTENT + b"more")  # of another version: begun again
    assert fetch(remote(server), tmp_path / "b").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_anew(server, tmp_path):
    server.ranges, server.breaks = False, [100_000]
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_server_without_ranges_that_breaks_off_again_and_again(server, tmp_path):
    server.ranges, server.breaks = False, [100_000, 90_000, 100_000, 95_000, 99_999, 80_000]
    with pytest.raises(ConnectionError, match=r"cannot be reached: the connection ended after \d+ of 300000 bytes"):
        fetch(remote(server), tmp_path)
    assert len(server.requests) == download.ATTEMPTS


def test_a_wrong_checksum(server, tmp_path):
    with pytest.raises(
        ValueError, match=rf"set\.bin from http.* has the sha1 checksum {SHA1[5:]}, not 123; it was del"
    ):
        fetch(remote(server, "sha1:123"), tmp_path)
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match=r"has 300,000 bytes, not 5; it was deleted"):
        fetch(remote(server, "", size=5), tmp_path)
    (tmp_path / "set.bin").write_bytes(b"something else")  # brought by other means
    with pytest.raises(ValueError, match=r"set\.bin has the sha1 checksum .*: delete it and try again"):
        fetch(remote(server), tmp_path)
    assert names(tmp_path) == ["set.bin"]  # not ours to delete


def test_a_half_received_file_of_another_version_is_not_kept(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match="checksum"):
        fetch(remote(server), tmp_path)
    assert fetch(remote(server), tmp_path).read_bytes() == CONTENT


def test_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:  # bound but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/set.bin"
        sentence = r"set\.bin cannot be reached: .*refused.*\. Without a network, bring .* and put it at .*set\.bin$"
        with pytest.raises(ConnectionError, match=sentence):
            fetch(RemoteFile(url), tmp_path)
        assert names(tmp_path) == []
        (tmp_path / "set.bin.part").write_bytes(CONTENT[:200_000])
        with pytest.raises(ConnectionError, match=r"0\.2 MB are kept, and the next try goes on from there"):
            fetch(RemoteFile(url), tmp_path)
        (tmp_path / "set.bin").write_bytes(CONTENT)  # as it says
        assert fetch(RemoteFile(url, SHA1), tmp_path).read_bytes() == CONTENT


def test_a_server_that_refuses(server, tmp_path):
    server.status = 404
    with pytest.raises(ConnectionError, match=r"set\.bin is not to be had: 404 Not Found"):
        fetch(remote(server), tmp_path)
    assert len(server.requests) == 1
    server.status = 503
    with pytest.raises(ConnectionError, match=r"cannot be reached: .*Service Unavailable"):
        fetch(remote(server), tmp_path)
    assert len(server.requests) == 1 + download.ATTEMPTS


def test_a_full_disk_is_not_blamed_on_the_network(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "_receive", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fetch(remote(server), tmp_path)
    assert not isinstance(caught.value, ConnectionError)


def test_progress_starts_where_it_broke_off(server, tmp_path, monkeypatch):
    bars = []
    monkeypatch.setattr(download, "tqdm", lambda **options: bars.append(options) or Bar())
    (tmp_path / "set.bin.part").write_bytes(CONTENT[:200_000])
    fetch(remote(server), tmp_path)
    assert (bars[0]["desc"], bars[0]["initial"], bars[0]["total"]) == ("set.bin", 200_000, 300_000)
    assert sum(Bar.updates) == 100_000


class Bar:
    """Counts."""

    updates = []

    def __enter__(self):
        self.updates.clear()
        return self

    def __exit__(self, *_):
        return None

    def update(self, count):
        """One more block."""
        self.updates.append(count)
