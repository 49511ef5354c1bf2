"""Proposals of a whole data set in a file, which knows the data set that they belong to.

    proposals.safetensors     what was found in each picture, when all are done
    proposals.parts/          until then:
        what.json             in which data set it is found, and how
        000017.safetensors    what was found in picture 17

So a call that is interrupted goes on, and repeats at most the pictures that it was working on.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint, save_records
from rcnn_lite.distributed import leads, meet
from rcnn_lite.workers import for_each

Record = dict[str, Tensor]
Find = Callable[[int, Tensor, dict], Record]  # index, image (3, H, W), target -> tensors by name


def propose_all(
    propose: Callable[[int, Tensor], Tensor],
    dataset,
    file: str | Path,
    method: str = "selective search",
    workers: int = 1,
) -> list[Tensor]:
    """Proposals (n, 4) of each picture of a data set: read from `file` if they are there, else made and kept there.

    Parameters
    ----------
    propose : (index, image (3, H, W)) -> boxes (n, 4), best first.
    dataset : pairs of an image and a target, with a ``fingerprint``: text that changes with its pictures.
    method : what makes the proposals, with its settings; written into the file.
    workers : processes that it is spread over; see `workers.for_each`, also for what `propose` must be then.

    An interrupted call goes on where it was. Raises ValueError if the file holds the proposals of other pictures or of
    another method, and for an image that cannot be used.
    """
    file = Path(file)
    if leads():
        find_all(partial(_proposals, propose), dataset, file, method, workers)
    meet()
    return load_proposals(file, dataset)


def find_all(find: Find, dataset, file: Path, method: str, workers: int = 1) -> None:
    """See that `file` has what `find` finds in each picture, tensors by name; the rest is as in `propose_all`."""
    records = _read(file, dataset, method) if file.is_file() else []
    if len(records) >= len(dataset):
        return
    what, parts = _what(dataset, method), _Parts(find, dataset, file.with_suffix(".parts"))
    parts.claim(what)
    rest = range(len(records), len(dataset))
    for_each(parts, [i for i in rest if not parts.file(i).is_file()], "proposals", len(dataset), workers)
    save_records(file, records + [load_checkpoint(parts.file(i))[0] for i in rest], what)
    shutil.rmtree(parts.folder)


def _proposals(propose: Callable[[int, Tensor], Tensor], index: int, image: Tensor, target: dict) -> Record:
    return {"proposals": propose(index, image).cpu()}


@dataclass(frozen=True)
class _Parts:
    """A folder with a file for each picture. Called with a picture's number it makes that picture's."""

    find: Find
    dataset: object
    folder: Path

    def file(self, picture: int) -> Path:
        """A picture's file."""
        return self.folder / f"{picture:06d}.safetensors"

    def claim(self, what: dict) -> None:
        """Write down what the files belong to, or refuse with a ValueError if they belong to something else."""
        note = self.folder / "what.json"
        if not note.is_file():
            write_atomically(note, lambda temporary: temporary.write_text(json.dumps(what)))
        if (before := json.loads(note.read_text())) != what:
            raise ValueError(f"{self.folder} holds proposals unfinished by {before}, not by {what}: remove it first")

    def __call__(self, picture: int) -> None:
        image, target = self.dataset[picture]
        save_checkpoint(self.file(picture), self.find(picture, image, target), {}, half=False)


def load_proposals(file: str | Path, dataset) -> list[Tensor]:
    """Proposals (n, 4) of each picture of `dataset` from a file of `propose_all`.

    Raises ValueError if the file is missing, damaged, unfinished, or belongs to another image set.
    """
    records = _read(Path(file), dataset)
    if len(records) < len(dataset):
        raise ValueError(f"{file} has the proposals of {len(records)} pictures only, the data set has {len(dataset)}")
    return [record["proposals"] for record in records[: len(dataset)]]


def _what(dataset, method: str) -> dict[str, str]:
    return {"method": method, "data": getattr(dataset, "fingerprint", "")}


def _read(file: Path, dataset, method: str | None = None) -> list[Record]:
    records, note = load_records(file)
    expected = _what(dataset, method)
    if note.get("data") != expected["data"]:
        raise ValueError(
            f"{file} holds the proposals of another image set: its fingerprint is {note.get('data')!r}, "
            f"that of this data set {expected['data']!r}"
        )
    if method is not None and note.get("method") != method:
        raise ValueError(
            f"{file} was made by {note.get('method')!r}, not by {method!r}: remove it or name another file"
        )
    return records
