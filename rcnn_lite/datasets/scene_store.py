"""One file that holds the made scenes of a split, read through a memory map and checked before use.

Layout: 8 bytes magic, length and CRC-32 of the header (two little-endian uint32), the header as JSON, then, from the
next multiple of 4096 on, the pictures uint8 (n, H, W, 3) and the owner maps uint8 (n, H, W). The header holds the
fingerprint of what the scenes were made from, a CRC-32 of every scene and the annotations.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcnn_lite.cache import write_atomically

MAGIC = b"RCNNSCN1"
PREFIX = struct.Struct("<8sII")
ALIGNMENT = 4096


@dataclass(frozen=True)
class Stored:
    """n scenes: ``images`` uint8 (n, H, W, 3), ``owners`` uint8 (n, H, W), ``annotations`` a list of n dicts."""

    images: np.ndarray
    owners: np.ndarray
    annotations: list[dict]


class OutdatedStore(Exception):
    """The file is whole but was made from something else: other outlines, photographs, code or parameters."""


class CorruptStore(Exception):
    """The file is truncated, or its bytes are not those that were written."""


def _check(image: np.ndarray, owner: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(owner), zlib.crc32(np.ascontiguousarray(image)))


def write_store(path: Path, scenes: Stored, fingerprint: str) -> None:
    """Write all or nothing of ``scenes`` to ``path``."""
    header = {
        "fingerprint": fingerprint,
        "shape": scenes.owners.shape,
        "checks": [_check(image, owner) for image, owner in zip(scenes.images, scenes.owners, strict=True)],
        "annotations": scenes.annotations,
    }
    text = json.dumps(header, separators=(",", ":")).encode()

    def write(temporary: Path) -> None:
        """Header, then the arrays, each at an aligned place."""
        with temporary.open("wb") as file:
            file.write(PREFIX.pack(MAGIC, len(text), zlib.crc32(text)) + text)
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            file.write(np.ascontiguousarray(scenes.images))
            file.write(np.ascontiguousarray(scenes.owners))

    write_atomically(path, write)


def _read_header(path: Path) -> tuple[dict, int]:
    """The header and the position of the pictures."""
    with path.open("rb") as file:
        prefix = file.read(PREFIX.size)
        if len(prefix) < PREFIX.size or not prefix.startswith(MAGIC):
            raise CorruptStore("it does not begin as a file of scenes does")
        _, length, check = PREFIX.unpack(prefix)
        text = file.read(length)
    if len(text) != length or zlib.crc32(text) != check:
        raise CorruptStore("its header is damaged")
    start = PREFIX.size + length
    return json.loads(text), start + -start % ALIGNMENT


def read_store(path: Path, fingerprint: str, n: int) -> Stored:
    """The first ``n`` scenes of a file, verified; their pixels stay in the file until they are looked at.

    Raises CorruptStore or OutdatedStore with a sentence about what is wrong; FileNotFoundError when there is no file.
    """
    header, start = _read_header(path)
    if header["fingerprint"] != fingerprint:
        raise OutdatedStore("it was made from other outlines, photographs or code")
    total, height, width = header["shape"]
    pixels = total * height * width
    if path.stat().st_size != start + 4 * pixels:
        raise CorruptStore(f"it has {path.stat().st_size} bytes where {start + 4 * pixels} belong")
    images = np.memmap(path, np.uint8, "r", start, (total, height, width, 3))[:n]
    owners = np.memmap(path, np.uint8, "r", start + 3 * pixels, (total, height, width))[:n]
    for index, check in enumerate(header["checks"][:n]):
        if _check(images[index], owners[index]) != check:
            raise CorruptStore(f"the checksum of scene {index} is wrong")
    return Stored(images, owners, header["annotations"][:n])
