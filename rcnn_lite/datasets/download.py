"""A large file from the network: with progress, resumed where it broke off, and checked before anyone sees it.

The bytes go to NAME.part; only when they are complete and have the right checksum does the file get its name.
"""

import hashlib
import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

BLOCK = 1 << 16
TIMEOUT = 30.0
"""Seconds of silence after which a connection counts as broken."""
ATTEMPTS = 4
"""So often is it tried to go on without having received anything new."""
PAUSE = 1.0
"""Seconds before the second attempt; twice as many before each further one."""
NETWORK = (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)
"""After these it is worth trying again."""


class RemoteFile(NamedTuple):
    """A file and how to recognise it.

    url : where it is; its last part is the file's name.
    digest : "md5:HEX", "sha1:HEX" or "sha256:HEX"; empty where the publisher and others give none.
    size : bytes; None if unknown.
    """

    url: str
    digest: str = ""
    size: int | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def fetch(remote: RemoteFile, folder: str | Path) -> Path:
    """The file in ``folder``, fetched unless it is there already; it is checked in any case.

    Interrupted, it leaves NAME.part, and the next call goes on from there if the server can. A file that was brought
    here by other means under its own name is used as well.

    Raises
    ------
    ConnectionError : no connection, or one that breaks off again and again; says what is there and what can be done.
    ValueError : the file is there but has another size or checksum; what was received is deleted.
    """
    folder = Path(folder)
    path, part = folder / remote.name, folder / f"{remote.name}.part"
    if path.is_file():
        if problem := _problem(path, remote):
            raise ValueError(f"{path} {problem}: delete it and try again")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    _receive_all(remote, part)
    if problem := _problem(part, remote):
        part.unlink()
        raise ValueError(f"{remote.name} from {remote.url} {problem}; it was deleted: try again")
    part.replace(path)
    return path


def _receive_all(remote: RemoteFile, part: Path) -> None:
    """Receive until the server says that this is all; begin again where a connection broke off."""
    fruitless, most = 0, _length(part)
    while True:
        try:
            return _receive(remote, part)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise ConnectionError(f"{remote.url} is not to be had: {error.code} {error.reason}") from error
            reason = error
        except NETWORK as error:  # no others: a full disk, say, is for the caller
            reason = error
        fruitless = 1 if _length(part) > most else fruitless + 1  # a server may begin anew each time
        most = max(most, _length(part))
        if fruitless == ATTEMPTS:
            raise ConnectionError(_how_to_go_on(remote, part, reason)) from reason
        time.sleep(PAUSE * 2 ** (fruitless - 1))


def _receive(remote: RemoteFile, part: Path) -> None:
    """One connection: append what is still missing to ``part``. ConnectionError if it ends early."""
    have = _length(part)
    headers = {"User-Agent": "rcnn_lite"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(urllib.request.Request(remote.url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        if error.headers.get("Content-Range", "") == f"bytes */{have}":
            return  # there is no more
        part.unlink()
        raise ConnectionError(f"what was received of {remote.name} is longer than the file") from error
    with answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends it from the beginning
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdecimal() else remote.size
        bar = tqdm(desc=remote.name, initial=have, total=total, unit="B", unit_scale=True, disable=None)
        with part.open("ab" if have else "wb") as file, bar:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    if total is not None and _length(part) < total:
        raise ConnectionError(f"the connection ended after {_length(part)} of {total} bytes")


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _problem(path: Path, remote: RemoteFile) -> str | None:
    """Why this is not the file that is meant, in words."""
    if remote.size is not None and _length(path) != remote.size:
        return f"has {_length(path):,} bytes, not {remote.size:,}"
    if remote.digest:
        method, _, expected = remote.digest.partition(":")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.new(method, usedforsecurity=False)).hexdigest()
        if found != expected:
            return f"has the {method} checksum {found}, not {expected}"
    return None


def _how_to_go_on(remote: RemoteFile, part: Path, reason: Exception) -> str:
    why = getattr(reason, "reason", reason)
    kept = f"; {_length(part) / 1e6:.1f} MB are kept, and the next try goes on from there" if _length(part) else ""
    return (
        f"{remote.url} cannot be reached: {why}{kept}. Without a network, bring the file by other means and put it at "
        f"{part.with_suffix('')}"
    )
