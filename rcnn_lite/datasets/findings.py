"""What may be found in a folder of annotated pictures, and what is done about each.

Folders that people made are never quite in order. The readers of this package leave out what cannot be used, mend what
can be, and keep a `Finding` for each: nothing is passed over in silence.
"""

from pathlib import Path
from typing import NamedTuple


class Kind(NamedTuple):
    """One sort of finding: its name for one and for many, what is done, and whether that alters the data."""

    one: str
    many: str
    done: str
    alters: bool = True


KINDS = {
    # pictures that are left out
    "missing picture": Kind("picture is missing", "pictures are missing", "left out"),
    "broken picture": Kind("picture is cut short or broken", "pictures are cut short or broken", "left out"),
    "other size": Kind(
        "picture has another size than annotated", "pictures have another size than annotated", "left out"
    ),
    "missing annotation": Kind("annotation file is missing", "annotation files are missing", "picture left out"),
    "empty annotation": Kind("annotation file is empty", "annotation files are empty", "picture left out"),
    "broken annotation": Kind("annotation is broken", "annotations are broken", "picture left out"),
    "duplicate picture": Kind("picture is listed twice", "pictures are listed twice", "used once"),
    "ambiguous picture": Kind("picture shares its id", "pictures share their ids", "left out: whose objects?"),
    # objects
    "no area": Kind("box has no area", "boxes have no area", "object left out"),
    "outside": Kind("box lies outside its picture", "boxes lie outside their pictures", "object left out"),
    "partly outside": Kind("box reaches out of its picture", "boxes reach out of their pictures", "clipped"),
    "no pixel": Kind("mask has no pixel", "masks have no pixel", "object left out"),
    "no mask": Kind("object has no mask", "objects have no mask", "object left out"),
    "unknown category": Kind("object is of an unknown category", "objects are of unknown categories", "left out"),
    "unknown picture": Kind("object belongs to no picture", "objects belong to no picture", "left out"),
    "duplicate object": Kind("object is there twice", "objects are there twice", "used once"),
    # worth knowing
    "duplicate id": Kind(
        "object has another's id", "objects have another's id", "kept, ids of objects are not used", False
    ),
    "stored frame": Kind(
        "annotation is that of a picture not yet turned", "annotations are those of pictures not yet turned", "turned"
    ),
    "turned": Kind("picture is turned by EXIF", "pictures are turned by EXIF", "read upright", False),
    "greyscale": Kind("picture is greyscale", "pictures are greyscale", "grey in three channels", False),
    "16-bit": Kind("picture has 16 bits", "pictures have 16 bits", "scaled to 8", False),
    "transparent": Kind("picture is RGBA", "pictures are RGBA", "put on white", False),
    "CMYK": Kind("picture is CMYK", "pictures are CMYK", "converted to RGB", False),
    "not annotated": Kind("picture has no annotation", "pictures have no annotation", "not used", False),
    "no objects": Kind("picture has no objects", "pictures have no objects", "kept, all of it is background", False),
    "crowd": Kind("object is a crowd", "objects are crowds", "not learned, not counted", False),
    "difficult": Kind("object is difficult", "objects are difficult", "not counted", False),
    "no masks": Kind("file has masks for some objects only", "files have masks for some only", "no masks used", False),
    "not ASCII": Kind("file name is not ASCII", "file names are not ASCII", "read as it is", False),
}
"""Every sort of finding, in the order in which they are reported."""


class Finding(NamedTuple):
    """One thing that was found: a key of `KINDS`, and a phrase saying where and what."""

    kind: str
    where: str


class OtherSize(ValueError):
    """A picture or mask has another size than its annotation says, both (H, W)."""

    def __init__(self, file: Path, real: tuple[int, int], annotated: tuple[int, int]):
        super().__init__("{} has {} x {} pixels but its annotation says {} x {}".format(file, *real, *annotated))


def summarise(findings: list[Finding]) -> list[str]:
    """A line for each kind that was found: how many, what was done, and the first.

    >>> summarise([Finding("no area", "a.xml: object 1 (cat)"), Finding("no area", "b.xml: object 4 (dog)")])
    ['2 boxes have no area (object left out): a.xml: object 1 (cat), ...']
    """
    lines = []
    for name, kind in KINDS.items():
        places = [finding.where for finding in findings if finding.kind == name]
        if places:
            what = kind.one if len(places) == 1 else kind.many
            more = ", ..." if len(places) > 1 else ""
            first = places[0].encode("utf-8", "backslashreplace").decode()  # a file name need not be text
            lines.append(f"{len(places):,} {what} ({kind.done}): {first}{more}")
    return lines
