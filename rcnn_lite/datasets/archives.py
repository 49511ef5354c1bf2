"""Unpacking archives from elsewhere: wholly or not at all, and never outside their folder."""

import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from tqdm import tqdm


def unpack(archive: str | Path, inside: str, target: str | Path) -> None:
    """Unpack the folder ``inside`` of a .tar or .zip file, which becomes the folder ``target``.

    It is unpacked beside and renamed when all of it is there, so a ``target`` that exists is complete, whatever
    interrupts this.

    Raises
    ------
    ValueError : ``target`` exists; the archive is broken, has no folder ``inside``, or has a member that would lie
        outside its folder (a path with .. or from the root) or is neither file nor folder (a link, a device); nothing
        is kept then.
    """
    archive, target = Path(archive), Path(target)
    if target.exists():
        raise ValueError(f"{target} is there already")
    staging = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir(parents=True)
    try:
        (_unpack_tar if tarfile.is_tarfile(archive) else _unpack_zip)(archive, staging)
        if not (staging / inside).is_dir():
            raise ValueError(f"{archive} has no folder {inside}")
        (staging / inside).replace(target)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(f"{archive} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as file:
        for member in tqdm(file, desc=f"unpacking {archive.name}", unit="file", disable=None):
            _require_inside(member.name, archive)
            if not (member.isfile() or member.isdir()):
                raise ValueError(f"{archive} has a member that is neither file nor folder: {member.name!r}")
            file.extract(member, folder, filter="data")


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        for member in members:
            _require_inside(member.filename, archive)
        for member in tqdm(members, desc=f"unpacking {archive.name}", unit="file", disable=None):
            file.extract(member, folder)


def _require_inside(name: str, archive: Path) -> None:
    """ValueError for a name that leads out of its folder, on any system."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or path.root or ".." in path.parts:
            raise ValueError(f"{archive} has a member that would lie outside its folder: {name!r}")
