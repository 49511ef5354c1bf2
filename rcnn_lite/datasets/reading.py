"""What all readers of annotated pictures share: the frame of the boxes, and a list of what was found.

A camera that was turned stores the pixels as its sensor had them, with a note (EXIF) of how to turn the picture. Every
picture is read upright. Its boxes may have been drawn on either: most tools show the picture upright, some do not look
at the note. The size that an annotation gives tells which: it is that of the picture upright, and the boxes are right;
or that of the stored pixels, and boxes and masks are turned with them. Where both are the same (a square picture, one
that stands on its head or is mirrored) or no size is given, they are taken for upright, as browsers show it.
"""

import hashlib
import unicodedata
import warnings
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from torch import Tensor

from rcnn_lite.boxes import flip_boxes
from rcnn_lite.datasets.findings import KINDS, Finding, OtherSize, summarise
from rcnn_lite.images import Header, image_to_tensor, read_header, read_image

SLACK = 0.5
"""Boxes that reach out of their picture by no more pixels are clipped without a word: rounding."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")
"""What picture files are called."""


class AnnotatedPictures(ABC):
    """A data set of picture files. Its items are (image, target) as in `rcnn_lite.datasets`.

    Attributes
    ----------
    classes : names by label; ``findings``: what was not in order, see `rcnn_lite.datasets.findings`; ``has_masks``:
    whether targets have masks; ``fingerprint``: text that changes with the annotations, the names of the pictures or
    the sizes of their files.
    """

    classes: tuple[str, ...]
    fingerprint: str
    has_masks = False

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}  # in order, each once

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def picture(self, index: int) -> Path:
        """The file of a picture."""

    @abstractmethod
    def annotated_size(self, index: int) -> tuple[int, int] | None:
        """(H, W) as the annotation has it, if it says."""

    @abstractmethod
    def annotated(self, index: int) -> dict:
        """The target as it was annotated, before EXIF is thought of."""

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        index = range(len(self))[index]
        image = image_to_tensor(read_image(self.picture(index)))  # (3, H, W)
        return image, self.target(index)

    def target(self, index: int) -> dict:
        """The target of an item alone, in the frame of the upright picture, of which only the header is read.

        `OtherSize`, a ValueError, where the picture has another size than its annotation says.
        """
        index = range(len(self))[index]
        header = self._turned_header(index)
        target = self.annotated(index)
        if header is None:
            return target
        self.note("stored frame", self.picture(index).name)
        return turn_upright(target, header)

    def _turned_header(self, index: int) -> Header | None:
        """The header of a picture whose annotation is in the frame of the stored pixels, else None."""
        size, path = self.annotated_size(index), self.picture(index)
        if size is None:
            return None
        header = read_header(path)
        if size == header.displayed:
            return None
        if size == header.stored:
            return header
        raise OtherSize(path, header.displayed, size)

    @property
    def findings(self) -> list[Finding]:
        """All that was found until now."""
        return list(self._found)

    @property
    def problems(self) -> list[str]:
        """A phrase for each finding for which something was left out or changed."""
        return [finding.where for finding in self._found if KINDS[finding.kind].alters]

    def note(self, kind: str, where: str) -> bool:
        """Keep a finding; True if it is new."""
        new = Finding(kind, where) not in self._found
        self._found[Finding(kind, where)] = None
        return new

    def note_unannotated(self, folder: Path, annotated: set[str]) -> None:
        """Keep a finding for each picture file whose stem is not among those that are annotated."""
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES and path.stem not in annotated:
                self.note("not annotated", path.name)

    def warn(self, place: str | Path, stacklevel: int = 3) -> None:
        """One warning about all problems, if there are any."""
        if lines := summarise([finding for finding in self._found if KINDS[finding.kind].alters]):
            warnings.warn(f"{place}: {'; '.join(lines)} (see .findings)", stacklevel=stacklevel)


def turn_upright(target: dict, header: Header) -> dict:
    """Boxes and masks of the stored pixels -> of the upright picture, for the orientations 5 to 8 that lay it down.

    Columns become rows; then orientations 6 and 7 are mirrored left to right, 7 and 8 top to bottom.

    >>> import torch
    >>> turn_upright({"boxes": torch.tensor([[0.0, 0.0, 3.0, 1.0]])}, Header((4, 10), 6, "RGB"))["boxes"]
    tensor([[3., 0., 4., 3.]])
    """
    height, width = header.displayed
    boxes, turned = target["boxes"][:, [1, 0, 3, 2]], dict(target)
    masks = target["masks"].transpose(1, 2) if "masks" in target else None
    if header.orientation in (6, 7):
        boxes = flip_boxes(boxes, width)
        masks = masks if masks is None else masks.flip(2)
    if header.orientation in (7, 8):
        boxes = flip_boxes(boxes[:, [1, 0, 3, 2]], height)[:, [1, 0, 3, 2]]
        masks = masks if masks is None else masks.flip(1)
    turned["boxes"] = boxes
    return turned if masks is None else turned | {"masks": masks.contiguous()}


def fit_box(box: list[float], size: tuple[int, int] | None) -> tuple[list[float], str | None]:
    """A box x1 y1 x2 y2 clipped to its picture (H, W), and the kind of finding that it is, if any.

    What counts is what a float32 keeps of it: a width of a billionth is none.

    >>> fit_box([-2.0, 1.0, 5.0, 9.0], (8, 10)), fit_box([11.0, 1.0, 12.0, 9.0], (8, 10))[1]
    (([0, 1.0, 5.0, 8], 'partly outside'), 'outside')
    """
    x1, y1, x2, y2 = np.float32(box).tolist()
    if x2 <= x1 or y2 <= y1:
        return box, "no area"
    if size is None:
        return box, None
    height, width = size
    clipped = [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)]
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        return box, "outside"
    far = max(abs(a - b) for a, b in zip(box, clipped, strict=True)) > SLACK
    return clipped, "partly outside" if far else None


def find_file(folder: Path, name: str) -> Path | None:
    """The file that an annotation names, or None.

    Accents can be written in two ways, and systems differ; paths from Windows have backslashes.
    """
    spellings = dict.fromkeys(form(name) for form in (str, _composed, _decomposed))
    paths = (folder / spelling for s in spellings for spelling in (s, s.replace("\\", "/")))
    return next((path for path in paths if is_file(path)), None)


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is no error."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def fingerprint(annotations: bytes, pictures: list[Path]) -> str:
    """16 hexadecimal digits of the annotations, and of the names and sizes of the picture files."""
    digest = hashlib.sha256(annotations)
    for path in pictures:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
