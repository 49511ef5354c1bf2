"""A look at every picture and every annotation of a data set before training: what was found and what was done."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from rcnn_lite.datasets.findings import KINDS, Finding, OtherSize, summarise
from rcnn_lite.datasets.opening import open_dataset
from rcnn_lite.datasets.parts import Part
from rcnn_lite.images import Header, check_pixels, read_header


@dataclass(frozen=True)
class Survey:
    """What was found in a data set.

    Attributes
    ----------
    dataset : what can be learned from: the data set itself, or its `Part` without the pictures that cannot be read.
    pictures : how many there are in it; ``objects``: how many of each class name.
    findings : everything that was found, in order; ``counts``: how many of each kind, see `findings.KINDS`.

    Printed, it says all that, a line a kind of finding.
    """

    dataset: object
    pictures: int
    objects: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind; kinds without any are missing."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS if kind in found}

    @property
    def altered(self) -> tuple[Finding, ...]:
        """Those for which something was left out or changed."""
        return tuple(finding for finding in self.findings if KINDS[finding.kind].alters)

    def require_clean(self) -> None:
        """ValueError if anything had to be left out or changed. That pictures are grey, say, is no reason."""
        if lines := summarise(list(self.altered)):
            raise ValueError("the data set is not in order: " + "; ".join(lines))

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {name}" for name, count in self.objects.items() if count)
        first = f"{self.pictures:,} pictures with {sum(self.objects.values()):,} objects" + (
            f": {kinds}" if kinds else ""
        )
        return "\n  ".join([first, *(summarise(list(self.findings)) or ["nothing else was found"])])


def survey(dataset, split: str | None = None, strict: bool = False) -> Survey:
    """Read every picture and every annotation once, with a progress bar.

    Parameters
    ----------
    dataset : a data set, or the text that `open_dataset` understands; ``split`` goes with the text.
    strict : ValueError, saying what was found, if anything had to be left out or changed.
    """
    dataset = open_dataset(dataset, split) if isinstance(dataset, str) else dataset
    origin, rows = _origin(dataset)
    usable, objects, findings = [], Counter(), []
    for index, (row, noticed) in enumerate(zip(rows, _pictures(origin, rows), strict=True)):
        findings += noticed
        if any(KINDS[finding.kind].alters for finding in noticed):
            continue
        try:
            target = origin.target(row)
        except ValueError as error:
            kind = "other size" if isinstance(error, OtherSize) else "broken annotation"
            findings.append(Finding(kind, str(error)))
            continue
        usable.append(index)
        objects.update(target["labels"].tolist())
        findings += _in_target(target, f"picture {_name(origin, row)}")
    own = list(getattr(origin, "findings", []))  # last: reading the targets may have added some
    found = Survey(
        dataset if len(usable) == len(dataset) else Part(dataset, usable),
        len(usable),
        {name: objects[label] for label, name in enumerate(dataset.classes) if label},
        tuple(own + findings),
    )
    if not usable:
        raise ValueError(f"no picture can be used: {'; '.join(summarise(list(found.findings))) or 'there is none'}")
    if strict:
        found.require_clean()
    return found


def _origin(dataset) -> tuple[object, list[int]]:
    """The whole data set behind a `Part`, and the rows of it that are meant."""
    rows = list(range(len(dataset)))
    while isinstance(dataset, Part):
        dataset, rows = dataset.dataset, [dataset.rows[row] for row in rows]
    return dataset, rows


def _name(origin, row: int) -> str:
    return origin.picture(row).name if hasattr(origin, "picture") else str(row)


def _pictures(origin, rows: list[int]):
    """For each row what its picture file shows, in order; four files are read at a time."""
    bar = tqdm(rows, desc="looking at the pictures", unit="picture", disable=None)
    if not hasattr(origin, "picture"):  # the scenes, which are made
        yield from ([] for _ in bar)
        return
    paths = iter([origin.picture(row) for row in rows])
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(look_at, path) for path in islice(paths, 16)]
        for _ in bar:
            yield waiting.pop(0).result()
            waiting += [pool.submit(look_at, path) for path in islice(paths, 1)]


def look_at(path: Path) -> list[Finding]:
    """What one picture file shows: that it is broken, or of what sort its pixels are."""
    try:
        header = read_header(path)
        check_pixels(path)
    except ValueError as error:
        return [Finding("broken picture", str(error))]
    kinds = [*_sorts(header), *([] if path.name.isascii() else ["not ASCII"])]
    return [Finding(kind, path.name) for kind in kinds]


def _sorts(header: Header) -> list[str]:
    """The kinds of finding that a sound picture is."""
    found = ["turned"] if header.orientation != 1 else []
    if header.mode.startswith(("I", "F")):
        found.append("16-bit")
    if header.mode in ("1", "L", "LA", "I", "F") or header.mode.startswith("I;"):
        found.append("greyscale")
    if header.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        found.append("transparent")
    if header.mode == "CMYK":
        found.append("CMYK")
    return found


def _in_target(target: dict, where: str) -> list[Finding]:
    """Objects that are worth knowing of."""
    found = [Finding("crowd", where)] * int(target["iscrowd"].sum())
    if "difficult" in target:
        found += [Finding("difficult", where)] * int(target["difficult"].sum())
    return found if len(target["labels"]) else [Finding("no objects", where)]
