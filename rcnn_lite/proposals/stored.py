"""Proposals of a whole data set in a file, which knows the data set that they belong to."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from rcnn_lite.checkpoints import load_records, save_records

SAVE_EVERY = 50  # so many pictures are lost at most when the command is interrupted


def propose_all(
    propose: Callable[[int, Tensor], Tensor], dataset, file: str | Path, method: str = "selective search"
) -> list[Tensor]:
    """Proposals (n, 4) of each picture of a data set: read from `file` if they are there, else made and kept there.

    Parameters
    ----------
    propose : (index, image (3, H, W)) -> boxes (n, 4), best first.
    dataset : pairs of an image and a target, with a ``fingerprint``: text that changes with its pictures.
    method : what makes the proposals, with its settings; written into the file.

    An interrupted call goes on where it was. Raises ValueError if the file holds the proposals of other pictures or of
    another method.
    """
    file = Path(file)
    records = _read(file, dataset, method) if file.is_file() else []
    rest = range(len(records), len(dataset))
    for i in tqdm(rest, "proposals", total=len(dataset), initial=len(records), unit="image", disable=None):
        records.append({"proposals": propose(i, dataset[i][0]).cpu()})
        if (i + 1) % SAVE_EVERY == 0 or i + 1 == len(dataset):
            save_records(file, records, {"method": method, "data": dataset.fingerprint})
    return [record["proposals"] for record in records[: len(dataset)]]


def load_proposals(file: str | Path, dataset) -> list[Tensor]:
    """Proposals (n, 4) of each picture of `dataset` from a file of `propose_all`.

    Raises ValueError if the file is missing, damaged, unfinished, or belongs to another image set.
    """
    records = _read(Path(file), dataset)
    if len(records) < len(dataset):
        raise ValueError(f"{file} has the proposals of {len(records)} pictures only, the data set has {len(dataset)}")
    return [record["proposals"] for record in records[: len(dataset)]]


def _read(file: Path, dataset, method: str | None = None) -> list[dict[str, Tensor]]:
    records, note = load_records(file)
    if note.get("data") != dataset.fingerprint:
        raise ValueError(
            f"{file} holds the proposals of another image set: its fingerprint is {note.get('data')!r}, "
            f"that of this data set {dataset.fingerprint!r}"
        )
    if method is not None and note.get("method") != method:
        raise ValueError(
            f"{file} was made by {note.get('method')!r}, not by {method!r}: remove it or name another file"
        )
    return records
