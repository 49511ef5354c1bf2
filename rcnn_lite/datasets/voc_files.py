"""The files of a set in VOC's layout: where the folders are, which names a split has, what one XML file says.

Format: VOC 2012 development kit, section 2.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from rcnn_lite.datasets.reading import find_file, fit_box, is_file
from rcnn_lite.images import read_header

LARGEST = 2**16
"""No picture has a longer side."""

FARTHEST = 1e9
"""Nor has any of the people who draw boxes been so far out."""


@dataclass
class Annotation:
    """What one XML file says about N objects. Of `numbers`, the places in the file, those left out are missing."""

    picture: Path
    size: tuple[int, int] | None  # (H, W) where it is given
    names: list[str]  # N class names
    boxes: list[list[float]]  # N boxes x1 y1 x2 y2
    difficult: list[bool]  # N
    numbers: list[int]  # N


def find_root(root: Path, year: int | None, split: str | None) -> Path:
    """The folder with Annotations/ and JPEGImages/: ``root``, or VOC* or VOCdevkit/VOC* in it, of this year.

    Of several (the official test pictures of 2007 may lie beside the others), the one that has this split.
    """
    pattern = "VOC*" if year is None else f"VOC{year}*"
    places = [root, *sorted(root.glob(pattern)), *sorted(root.glob(f"VOCdevkit/{pattern}"))]
    found = [place for place in places if (place / "Annotations").is_dir() and (place / "JPEGImages").is_dir()]
    if not found:
        where = f"a folder {pattern} or VOCdevkit/{pattern} in it"
        raise ValueError(f"{root} has no Annotations/ and JPEGImages/, nor has {where}")
    if len(found) > 1 and found[0] != root:
        found = [place for place in found if split in splits(place)] or found
        if len(found) > 1:
            raise ValueError(f"{root} has several sets, choose one: {', '.join(str(place) for place in found)}")
    return found[0]


def has_split(root: Path, year: int | None, split: str | None) -> bool:
    """Whether `find_root` finds a folder, and this split in it."""
    try:
        place = find_root(root, year, split)
    except ValueError:
        return False
    return split is None or split in splits(place)


def splits(root: Path) -> list[str]:
    """The splits that a set has: names of lists in ImageSets/Main, and FOLDER/NAME for those of other folders."""
    main = sorted(path.stem for path in (root / "ImageSets" / "Main").glob("*.txt"))
    others = sorted(path for path in (root / "ImageSets").glob("*/*.txt") if path.parent.name != "Main")
    return [*main, *(f"{path.parent.name}/{path.stem}" for path in others)]


def split_names(root: Path, split: str | None) -> list[str]:
    """The names of a split, as its list has them; without a split, those of all annotations."""
    if split is None:
        return sorted(path.stem for path in (root / "Annotations").glob("*.xml"))
    path = root / "ImageSets" / (split if "/" in split else f"Main/{split}")
    path = path.with_name(f"{path.name}.txt")
    if not path.is_file():
        raise ValueError(f"there is no split {split!r}: {path} does not exist; found: {splits(root) or 'none'}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no list of names: {error}") from error
    return [line.split()[0] for line in lines if line.strip()]


def read_annotation(root: Path, name: str, note) -> Annotation | None:
    """One picture's annotation; None if it cannot be used. ``note(kind, where)`` is told what was left out or changed.

    Raises ValueError naming a file that is neither empty nor sound.
    """
    path, where = root / "Annotations" / f"{name}.xml", f"Annotations/{name}.xml"
    if not is_file(path):
        note("missing annotation", f"there is no annotation file {path}")
        return None
    if not path.read_bytes().strip():
        note("empty annotation", f"{where} is empty")
        return None
    tree = read_xml(path)
    pictures = [tree.findtext("filename") or f"{name}.jpg", f"{name}.jpg", f"{name}.png", f"{name}.jpeg"]
    picture = next((file for n in pictures if (file := find_file(root / "JPEGImages", n))), None)
    if picture is None:
        note("missing picture", f"{path} has no picture: there is no {root / 'JPEGImages' / pictures[0]}")
        return None
    size = tuple(int(_number(tree, f"size/{side}", path, missing=0)) for side in ("height", "width"))
    if any(not 0 <= side < LARGEST for side in size):
        raise ValueError(f"{path}: no picture has {size[0]} x {size[1]} pixels")
    annotation = Annotation(picture, size if all(size) else None, [], [], [], [])
    frame = annotation.size or _displayed(picture)
    for index, item in enumerate(tree.findall("object")):
        _read_object(annotation, index, item, path, frame, note)
    return annotation


def _displayed(picture: Path) -> tuple[int, int] | None:
    """(H, W) of a picture; None if it is broken, which will be noticed when it is read."""
    try:
        return read_header(picture).displayed
    except ValueError:
        return None


def _read_object(
    annotation: Annotation, index: int, item: Element, path: Path, frame: tuple[int, int] | None, note
) -> None:
    """Add one object to its picture's annotation, if it can be used."""
    kind = text_of(item, "name", path)
    x1, y1, x2, y2 = (_number(item, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax"))
    where = f"Annotations/{path.name}: object {index} ({kind})"
    corners = f"{x1:g} {y1:g} {x2:g} {y2:g}"
    # as annotated, xmax = xmin would be one pixel wide; it is a slip of the mouse
    box, problem = ([], "no area") if x2 <= x1 or y2 <= y1 else fit_box([x1 - 1, y1 - 1, x2, y2], frame)
    if problem == "no area":
        note(problem, f"{where} has no area: {corners}")
    elif problem:
        note(problem, f"{where} reaches out of its picture: {corners}")
    if problem in ("no area", "outside"):
        return
    annotation.names.append(kind)
    annotation.boxes.append(box)
    annotation.difficult.append((item.findtext("difficult") or "0").strip() == "1")
    annotation.numbers.append(index)


def read_xml(path: Path) -> Element:
    """The root of an XML file. Entities are refused: expanded, a few lines could fill the memory."""
    try:
        return fromstring(path.read_bytes())
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:  # the last two: encodings
        raise ValueError(f"{path} cannot be read as XML: {error}") from error


def text_of(element: Element, key: str, path: Path) -> str:
    """The text of an element's child, without space around it. ValueError where there is none."""
    text = element.findtext(key)
    if text is None or not text.strip():
        raise ValueError(f"{path}: an {element.tag} has no {key}")
    return text.strip()


def _number(element: Element, key: str, path: Path, missing: float | None = None) -> float:
    if missing is not None and element.find(key) is None:
        return missing
    text = text_of(element, key, path)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < FARTHEST:  # NaN is not
        raise ValueError(f"{path}: {key} is {text!r:.60}, not a number of pixels")
    return number
