"""PASCAL VOC's layout: a folder with Annotations/ (one XML file an image), JPEGImages/ and ImageSets/Main/ (lists of
names).

Many other sets come in this layout, with other classes. Format: VOC 2012 development kit, section 2.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import torch
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse
from torch import Tensor

from rcnn_lite.images import image_to_tensor, read_image

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@dataclass(frozen=True)
class _Annotation:
    """What one XML file says about N objects."""

    picture: Path
    size: tuple[int, int] | None  # (H, W) where it is given
    names: list[str]  # N class names
    boxes: list[list[float]]  # N boxes x1 y1 x2 y2
    difficult: list[bool]  # N


class VOCDataset:
    """Images and objects of a folder in VOC's layout.

    Parameters
    ----------
    root : the folder with Annotations/ and JPEGImages/, or one that has it as VOC* or VOCdevkit/VOC*.
    split : name of a list in ImageSets/Main/ ("train", "val", "trainval", "test"); None takes every annotation.
    classes : names by label, the first one "background". None: VOC's twenty, or, when the annotations name others, the
        names found in all annotations (not only in the split, so that labels agree between splits), sorted.

    An item is (image, target) as in `rcnn_lite.datasets`; the target has ``difficult`` bool (N,) in addition. VOC's
    pixels are counted from 1 and the last one belongs to the box, so xmin ymin xmax ymax becomes the box
    ``xmin - 1, ymin - 1, xmax, ymax``.

    Objects that cannot be used (xmax <= xmin or ymax <= ymin: a slip of the mouse) are left out; ``problems`` has a
    sentence for each, and a warning says how many there are. Raises ValueError naming the file that is missing or
    broken.
    """

    def __init__(self, root: str | Path, split: str | None = None, classes: Sequence[str] | None = None):
        self.root = _find_root(Path(root))
        self.names = _split_names(self.root, split)
        self.problems: list[str] = []
        self._annotations = [_read_annotation(self.root, name, self.problems) for name in self.names]
        if self.problems:
            warnings.warn(f"{self.root}: {_summary(self.problems)}", stacklevel=2)
        self.classes = tuple(classes) if classes is not None else self._find_classes()
        self._check_classes()

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        annotation = self._annotations[index]
        image = image_to_tensor(read_image(annotation.picture))  # (3, H, W)
        if annotation.size is not None and annotation.size != tuple(image.shape[1:]):
            given, real = "{} x {}".format(*annotation.size), "{} x {}".format(*image.shape[1:])
            raise ValueError(f"{annotation.picture} has {real} pixels but its annotation says {given}")
        return image, self.target(index)

    def target(self, index: int) -> dict:
        """The target of an item alone, without reading its picture."""
        annotation = self._annotations[index]
        boxes = torch.tensor(annotation.boxes, dtype=torch.float32).reshape(-1, 4)  # (N, 4)
        labels = [self.classes.index(name) for name in annotation.names]
        return {
            "boxes": boxes,
            "labels": torch.tensor(labels, dtype=torch.int64),
            "image_id": index % len(self),
            "iscrowd": torch.zeros(len(labels), dtype=torch.int64),
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            "difficult": torch.tensor(annotation.difficult, dtype=torch.bool),
        }

    def _find_classes(self) -> tuple[str, ...]:
        paths = sorted((self.root / "Annotations").glob("*.xml"))
        found = {_text(item, "name", path) for path in paths for item in _read_xml(path).findall("object")}
        return VOC_CLASSES if found <= set(VOC_CLASSES) else ("background", *sorted(found))

    def _check_classes(self) -> None:
        for name, annotation in zip(self.names, self._annotations, strict=True):
            for index, found in enumerate(annotation.names):
                if found not in self.classes[1:]:
                    raise ValueError(
                        f"Annotations/{name}.xml: object {index} is a {found!r}, not one of {self.classes[1:]}"
                    )


def _find_root(root: Path) -> Path:
    places = [root, *sorted(root.glob("VOC*")), *sorted(root.glob("VOCdevkit/VOC*"))]
    found = [place for place in places if (place / "Annotations").is_dir() and (place / "JPEGImages").is_dir()]
    if not found:
        raise ValueError(f"{root} has no Annotations/ and JPEGImages/, nor has a folder VOC* or VOCdevkit/VOC* in it")
    if len(found) > 1 and found[0] != root:
        raise ValueError(f"{root} has several sets, choose one: {', '.join(str(place) for place in found)}")
    return found[0]


def _split_names(root: Path, split: str | None) -> list[str]:
    if split is None:
        return sorted(path.stem for path in (root / "Annotations").glob("*.xml"))
    lists = root / "ImageSets" / "Main"
    path = lists / f"{split}.txt"
    if not path.is_file():
        known = sorted(p.stem for p in lists.glob("*.txt")) or "none"
        raise ValueError(f"there is no split {split!r}: {path} does not exist; found: {known}")
    return [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _read_annotation(root: Path, name: str, problems: list[str]) -> _Annotation:
    path = root / "Annotations" / f"{name}.xml"
    tree = _read_xml(path)
    pictures = [root / "JPEGImages" / n for n in (tree.findtext("filename") or f"{name}.jpg", f"{name}.jpg")]
    picture = next((p for p in pictures if p.is_file()), None)
    if picture is None:
        raise ValueError(f"{path} has no picture: there is no {pictures[0]}")
    names, boxes, difficult = [], [], []
    for index, item in enumerate(tree.findall("object")):
        kind = _text(item, "name", path)
        x1, y1, x2, y2 = (_number(item, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax"))
        if x2 <= x1 or y2 <= y1:
            problems.append(f"Annotations/{name}.xml: object {index} ({kind}) has no area: {x1:g} {y1:g} {x2:g} {y2:g}")
            continue
        names.append(kind)
        boxes.append([x1 - 1, y1 - 1, x2, y2])
        difficult.append((item.findtext("difficult") or "0").strip() == "1")
    size = [int(_number(tree, f"size/{side}", path, missing=0)) for side in ("height", "width")]
    return _Annotation(picture, tuple(size) if all(size) else None, names, boxes, difficult)


def _read_xml(path: Path) -> Element:
    try:
        return parse(path).getroot()
    except FileNotFoundError:
        raise ValueError(f"there is no annotation file {path}") from None
    except (ParseError, DefusedXmlException, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as XML: {error}") from error


def _text(element: Element, key: str, path: Path) -> str:
    text = element.findtext(key)
    if text is None or not text.strip():
        raise ValueError(f"{path}: an {element.tag} has no {key}")
    return text.strip()


def _number(element: Element, key: str, path: Path, missing: float | None = None) -> float:
    if missing is not None and element.find(key) is None:
        return missing
    text = _text(element, key, path)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{path}: {key} is {text!r}, not a number")
    return number


def _summary(problems: list[str]) -> str:
    rest = f" and {len(problems) - 1} more (see .problems)" if len(problems) > 1 else ""
    return f"left out {len(problems)} of the objects: {problems[0]}{rest}"
