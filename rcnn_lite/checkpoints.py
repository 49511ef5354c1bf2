"""Checkpoints: tensors and a few words about them in one safetensors file.

A safetensors file is a JSON header and raw numbers; reading one cannot run code, unlike a pickle. The header of ours
says what made the tensors: the command, its seed, the fingerprint of the data, the metrics that it reached. Floating
tensors are stored in half precision and come back as float32; everything else is stored as it is.
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rcnn_lite.cache import write_atomically
from rcnn_lite.paths import data_path

FORMAT = "rcnn_lite checkpoint"
FORMAT_VERSION = 1


def save_checkpoint(path: str | Path, tensors: dict[str, Tensor], metadata: dict, half: bool = True) -> None:
    """Write tensors and metadata to `path`; whoever reads it sees the old file or the whole new one.

    Parameters
    ----------
    tensors : name -> tensor, on any device. Floating ones are rounded to half precision unless `half` is False.
    metadata : name -> anything that JSON can hold. Customary names: command, seed, data, metrics.

    Raises
    ------
    ValueError : metadata that JSON cannot hold; a value too large for half precision (beyond 65,504).
    """
    try:
        header = json.dumps(metadata, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the metadata of {path} cannot be written as JSON: {error}") from error
    stored = {name: _packed(name, tensor, half) for name, tensor in tensors.items()}
    note = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "metadata": header}  # safetensors holds strings
    write_atomically(path, lambda temporary: save_file(stored, temporary, metadata=note))


def load_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read what `save_checkpoint` wrote: (tensors, metadata). Half precision comes back as float32, on the CPU.

    Raises
    ------
    ValueError : no such file, a damaged file, a file of another program, or of a newer version of this one.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no checkpoint {path}")
    try:
        with safe_open(path, framework="pt") as file:
            note = file.metadata() or {}
            _require_ours(path, note)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = _metadata(path, note.get("metadata", ""))
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}") from error
    return {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}, metadata


def save_records(path: str | Path, records: list[dict[str, Tensor]], metadata: dict) -> None:
    """Write one dict of tensors an image (detections, proposals, targets), exactly, as a checkpoint file.

    All records have the same keys. Under each key the tensors of all images are stored end to end, and under
    "key/counts" how many rows belong to each image.
    """
    keys = records[0].keys() if records else ()
    for index, record in enumerate(records):
        if record.keys() != keys:
            raise ValueError(f"records[{index}] has the keys {sorted(record)}, records[0] has {sorted(keys)}")
    tensors = {key: torch.cat([record[key].cpu() for record in records]) for key in keys}
    counts = {f"{key}/counts": torch.tensor([len(record[key]) for record in records]) for key in keys}
    save_checkpoint(path, tensors | counts, metadata, half=False)


def load_records(path: str | Path) -> tuple[list[dict[str, Tensor]], dict]:
    """Read what `save_records` wrote: (records, metadata)."""
    tensors, metadata = load_checkpoint(path)
    keys = [key for key in tensors if f"{key}/counts" in tensors]
    try:
        split = [tensors[key].split(tensors[f"{key}/counts"].tolist()) for key in keys]
        return [dict(zip(keys, row, strict=True)) for row in zip(*split, strict=True)], metadata
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} holds no records: the counts do not fit ({error})") from error


def checkpoint_path(name: str | Path) -> Path:
    """The file meant by `name`: an existing file's path, else the checkpoint of that name which ships with the project.

    >>> checkpoint_path("rcnn_scenes").parts[-3:]
    ('data', 'checkpoints', 'rcnn_scenes.safetensors')
    """
    path = Path(name)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    return data_path(f"checkpoints/{path}.safetensors")


def _packed(name: str, tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous().clone()  # safetensors refuses tensors that share memory
    if not (half and tensor.is_floating_point()):
        return tensor
    packed = tensor.half()
    if bool((torch.isinf(packed) & torch.isfinite(tensor)).any()):
        raise ValueError(f"{name} has a value beyond half precision: {float(tensor.abs().max()):.4g}")
    return packed


def _metadata(path: Path, text: str) -> dict:
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:  # no JSON, a number of thousands of digits, nested too deeply
        raise ValueError(f"{path} is damaged or no safetensors file: its metadata is no JSON ({error})") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"{path} is damaged: its metadata is {text:.60}, which names nothing")
    return metadata


def _require_ours(path: Path, note: dict) -> None:
    if note.get("format") != FORMAT:
        raise ValueError(f"{path} is a safetensors file, but not a checkpoint of rcnn_lite")
    version = note.get("format_version", "0")
    if not version.isdecimal() or len(version) > 9 or int(version) > FORMAT_VERSION:
        raise ValueError(
            f"{path} has checkpoint format {version:.20}, and this version of rcnn_lite "
            f"reads up to {FORMAT_VERSION}: update rcnn_lite"
        )
