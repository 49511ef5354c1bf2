"""Which pictures a command works with: the parts of a data set, seen at the size that the model wants."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_lite.datasets.opening import open_dataset
from rcnn_lite.datasets.parts import Part
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.datasets.shrunk import Shrunk
from rcnn_lite.datasets.survey import survey

Look = Callable[[object, str], object]
MOST_HELD_OUT, SHARE_HELD_OUT = 24, 8  # pictures to measure on in between: few, as it takes time; at most an eighth


class Parts(NamedTuple):
    """The pictures to learn from, those to measure on in between (or None), and those to measure on at the end."""

    train: object
    held_out: object | None
    test: object


@contextmanager
def unwarned() -> Iterator[None]:
    """Without the readers' warnings of what they left out: the survey says all of it, and more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def absolute(spec: str | None) -> str | None:
    """A data set's text with the whole path of its folder, so that it means the same from everywhere."""
    if spec is None or ":" not in spec:
        return spec
    kind, _, place = spec.partition(":")
    return f"{kind}:{Path(place).resolve()}" if place else spec


def open_split(spec: str, split: str, images: int | None = None, seed: int = 0):
    """One split of a data set, or its first pictures."""
    if spec == "scenes":
        return Scenes(split, n=images, seed=seed)
    with unwarned():
        data = open_dataset(spec, split)
    return data if images is None else Part(data, range(min(images, len(data))))


def look_through(data, name: str, strict: bool, say: Callable[[str], None]):
    """What can be used of a data set; what had to be left out or mended is said. The scenes are in order.

    ValueError where anything had to be, if `strict`.
    """
    if isinstance(data, Scenes):
        return data
    with unwarned():
        found = survey(data, strict=strict)
    say(f"{name}: {found}")
    return found.dataset


def open_parts(options: dict, look: Look, test_images: int | None = None) -> Parts:
    """What a run of these options (see `run_folder.settle`) learns from and is measured on, as far as it can be used.

    `look` is called with a data set and its name and returns what can be used of it. Pictures to measure on in between
    are evenly taken from the split "val", where there are all three, else from "train", which is without them then. The
    scenes hold out none: a checkpoint that ships has seen all of them.
    """
    spec, seed, count = options["data"], options["data_seed"], options["held_out"]
    train, test = open_split(spec, "train", options["images"], seed), open_split(spec, "test", test_images, seed)
    other = None if count == 0 or spec == "scenes" else _validation(spec)
    train, test = look(train, "training pictures"), look(test, "test pictures")
    if count is None:
        count = 0 if spec == "scenes" else min(MOST_HELD_OUT, len(train) // SHARE_HELD_OUT)
    if count == 0:
        return Parts(train, None, test)
    if other is not None:
        return Parts(train, look(Part(other, _evenly(len(other), count)), "held-out pictures"), test)
    if count > len(train) - 2:
        raise ValueError(f"of {len(train)} training pictures {count} cannot be held out: too few would be left")
    rows = _evenly(len(train), count)
    return Parts(Part(train, [i for i in range(len(train)) if i not in set(rows)]), Part(train, rows), test)


def _validation(spec: str):
    """The split "val", where it is another than "train" and "test"."""
    try:
        other = open_split(spec, "val")
    except ValueError:
        return None
    return None if other.fingerprint in [open_split(spec, name).fingerprint for name in ("train", "test")] else other


def _evenly(length: int, count: int) -> list[int]:
    """So many of the rows of a data set, evenly spread."""
    count = min(count, length)
    return [i * length // count for i in range(count)]


def shrunk(parts: Parts, side: int) -> Parts:
    """The same pictures, none with a shorter side above `side`."""
    return Parts(*(None if part is None else Shrunk(part, side) for part in parts))


class Renamed:
    """A data set with the labels of a model that knows its classes, and perhaps more, in another order."""

    def __init__(self, dataset, classes: tuple[str, ...]):
        self.dataset, self.classes, self.fingerprint = dataset, classes, dataset.fingerprint
        self.labels = torch.tensor([classes.index(name) for name in dataset.classes])

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        image, target = self.dataset[index]
        return image, dict(target) | {"labels": self.labels[target["labels"]]}


def known_to(data, classes: tuple[str, ...]):
    """The data set as a model with these classes can be measured on it.

    Where it knows all of them, they get its labels; where it knows some, or is about objects of any class, the
    measuring sees to it. ValueError where the model has classes that the data do not, and the other way round.
    """
    if classes in (data.classes, ("background", "object")) or set(classes) < set(data.classes):
        return data
    if unknown := [name for name in data.classes if name not in classes]:
        raise ValueError(
            f"the data have the classes {', '.join(data.classes[1:])}, the model knows {', '.join(classes[1:])}: it "
            f"cannot be measured on them, as it does not know {', '.join(unknown)}"
        )
    return Renamed(data, classes)
