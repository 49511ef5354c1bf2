"""Files that can be made again: where they live, and how they are written so that nothing half-written stays behind."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

READABLE = 0o644
"""Whoever may enter the folder may read the file, also where its writer (safetensors, say) made it private."""


def cache_dir() -> Path:
    """Folder, made if missing, for what is made once and reused: ``RCNN_LITE_CACHE``, else ``~/.cache/rcnn_lite``."""
    folder = Path(os.environ.get("RCNN_LITE_CACHE") or Path.home() / ".cache" / "rcnn_lite")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``.

    Whoever reads ``path`` sees the old file or the whole new one. If ``write`` raises or is interrupted, the
    temporary file is removed and ``path`` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}{path.suffix}")
    try:
        write(temporary)
        temporary.chmod(READABLE)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
