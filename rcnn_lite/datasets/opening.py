"""A data set by a short text: ``scenes``, ``coco:DIR``, ``voc:DIR``, ``penn_fudan:DIR`` or ``nuclei:DIR``.

Splits are ``train`` and ``test``, as far as the folder has them; ``None`` is all of it.

- ``scenes``: the splits of `Scenes`.
- ``coco:DIR``: the annotation files are DIR/annotations/*.json, DIR/*.json or DIR/SPLIT/*.json; that of a split has its
  name as a word in its own (instances_train2017.json, train.json; train/_annotations.coco.json). The pictures are
  looked for in DIR/images, DIR/SPLIT, the folder called as the file says (train2017), the file's own folder and DIR.
- ``voc:DIR``: the lists of DIR/ImageSets/Main.
- ``penn_fudan:DIR``, ``nuclei:DIR``: they have no splits.

A folder with ``val`` instead of ``test`` (or the other way round) answers to both names. Where there are no splits at
all, every fifth picture is held out, from the first on (`hold_out`), and is the test split.
"""

import re
from pathlib import Path

from rcnn_lite.datasets.coco import COCODataset
from rcnn_lite.datasets.coco_files import read_json
from rcnn_lite.datasets.nuclei import NucleiDataset
from rcnn_lite.datasets.parts import hold_out
from rcnn_lite.datasets.penn_fudan import PennFudanDataset
from rcnn_lite.datasets.reading import find_file
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.datasets.voc_files import find_root, splits

OTHER_NAME = {"val": "test", "test": "val"}
FEW = 20
"""So many pictures are looked for to tell which folder has them."""


def open_dataset(spec: str, split: str | None = None):
    """The data set meant by ``spec`` (see above), or one split of it.

    It has ``classes``, ``fingerprint``, ``len``, ``[i] -> (image, target)`` and ``target(i)``, which reads no picture.
    ValueError for an unknown kind, an unknown split, and whatever is broken in the folder.
    """
    kind, _, place = spec.partition(":")
    if kind not in OPENERS:
        raise ValueError(f"a data set is given as {', '.join(FORMS)}; got {spec!r}")
    if kind != "scenes" and not place:
        raise ValueError(f"{spec!r} names no folder: write {kind}:DIR")
    if kind == "scenes" and place:
        raise ValueError(f"the scenes lie in no folder, got {spec!r}: write scenes")
    if place and not Path(place).is_dir():
        raise ValueError(f"there is no folder {place}")
    return OPENERS[kind](Path(place), split)


def _scenes(_: Path, split: str | None) -> Scenes:
    if split is None:
        raise ValueError("the scenes have the splits train, test and photographs: name one")
    return Scenes(split)


def _voc(folder: Path, split: str | None):
    known = splits(find_root(folder, None, split))
    if split is None or split in known:
        return VOCDataset(folder, split)
    if OTHER_NAME.get(split) in known:
        return VOCDataset(folder, OTHER_NAME[split])
    if {"train", "val", "test"} & set(known):
        raise ValueError(f"{folder} has no split {split!r}, it has {', '.join(known)}")
    return _held_out(VOCDataset(folder), split)


def _coco(folder: Path, split: str | None):
    files = sorted({*folder.glob("annotations/*.json"), *folder.glob("*.json"), *folder.glob("*/_annotations*.json")})
    if not files:
        raise ValueError(f"there is no annotation file *.json in {folder / 'annotations'} or {folder}")
    for name in (split, OTHER_NAME.get(split)):
        if of_split := [file for file in files if name and name in _words(file, folder)]:
            return _coco_file(folder, _choose(of_split, folder))
    if any({"train", "val", "test"} & _words(file, folder) for file in files) and (split or len(files) > 1):
        raise ValueError(
            f"{folder} has no split {split!r}, it has {', '.join(str(f.relative_to(folder)) for f in files)}"
        )
    return _held_out(_coco_file(folder, _choose(files, folder)), split)


def _words(file: Path, folder: Path) -> set[str]:
    """The words in the names of an annotation file and of its folder: instances_val2017 is about instances and val."""
    text = file.relative_to(folder).with_suffix("").as_posix().lower()
    return set(re.split(r"[^a-z]+", text))


def _choose(files: list[Path], folder: Path) -> Path:
    """The one file, or the one of instances among keypoints and captions."""
    instances = [file for file in files if "instances" in _words(file, folder)]
    chosen = instances if len(files) > 1 else files
    if len(chosen) != 1:
        raise ValueError(
            f"{folder} has several annotation files: {', '.join(str(f.relative_to(folder)) for f in files)}"
        )
    return chosen[0]


def _coco_file(folder: Path, file: Path) -> COCODataset:
    """The data set of an annotation file, with the first folder that has any of its first pictures."""
    name = file.stem.removeprefix("instances_")
    images = folder / "images"
    places = [
        images / name,
        images,
        folder / name,
        *sorted(p for p in images.glob("*") if p.is_dir()),
        file.parent,
        folder,
    ]
    few = [image["file_name"] for image in read_json(file)["images"][:FEW]]
    for place in places:
        if not few or any(find_file(place, picture) for picture in few):
            return COCODataset(place, file)
    raise ValueError(
        f"the pictures of {file}, such as {few[0]}, are not in {', '.join(map(str, dict.fromkeys(places)))}"
    )


def _penn_fudan(folder: Path, split: str | None):
    return _held_out(PennFudanDataset(folder), split)


def _nuclei(folder: Path, split: str | None):
    inner = folder / "stage1_train"
    return _held_out(NucleiDataset(inner if inner.is_dir() else folder), split)


def _held_out(dataset, split: str | None):
    if split is None:
        return dataset
    train, test = hold_out(dataset)
    parts = {"train": train, "test": test, "val": test}
    if split not in parts:
        raise ValueError(f"there is no split {split!r}: without lists of its own a folder has train and test")
    return parts[split]


OPENERS = {"scenes": _scenes, "coco": _coco, "voc": _voc, "penn_fudan": _penn_fudan, "nuclei": _nuclei}
FORMS = tuple(kind if kind == "scenes" else f"{kind}:DIR" for kind in OPENERS)
"""How a data set can be given, for a command's help."""
