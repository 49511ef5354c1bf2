"""The Penn-Fudan set: 170 photographs of streets with 345 pedestrians (Wang, Shi, Song and Shen, ACCV 2007;
https://www.cis.upenn.edu/~jshi/ped_html/).

    PennFudanPed/PNGImages/NAME.png           the photographs
    PennFudanPed/Annotation/NAME.txt          boxes, in sentences ("PASCAL Annotation Version 1.00")
    PennFudanPed/PedMasks/NAME_mask.png       0, or the number of the pedestrian that a pixel belongs to
"""

import re
from pathlib import Path
from typing import NamedTuple

import torch

from rcnn_lite.datasets.findings import OtherSize
from rcnn_lite.datasets.reading import AnnotatedPictures, find_file, fingerprint, fit_box
from rcnn_lite.datasets.sources import PENN_FUDAN, obtain
from rcnn_lite.images import read_numbers

NUMBER = r"(-?\d{1,6}(?:\.\d{1,6})?)"
PICTURE = re.compile(r'^Image filename\s*:\s*"([^"\n]{1,200})"', re.MULTILINE)
SIZE = re.compile(r"^Image size \(X x Y x C\)\s*:\s*(\d{1,5}) x (\d{1,5}) x", re.MULTILINE)
COUNT = re.compile(r"^Objects with ground truth\s*:\s*(\d{1,4})\b", re.MULTILINE)
BOX = re.compile(
    rf"^Bounding box for object (\d{{1,4}})\b[^\n:]*:\s*\({NUMBER}, {NUMBER}\) - \({NUMBER}, {NUMBER}\)", re.MULTILINE
)


class Pedestrians(NamedTuple):
    """What one text file says: its picture, (H, W), and for each object its number and its box x1 y1 x2 y2."""

    picture: Path
    size: tuple[int, int]
    numbers: list[int]
    boxes: list[list[float]]


class PennFudanDataset(AnnotatedPictures):
    """Photographs with pedestrians, and their masks.

    Parameters
    ----------
    root : the folder PennFudanPed, or the one that holds it.
    download : fetch it into root, as the folder PennFudanPed, unless it is there.

    An item is (image, target) as in `rcnn_lite.datasets`, in the order of ``names``; each object has label 1,
    "pedestrian". Pixels are counted from 1 and the last belongs to the box, as in VOC, so (Xmin, Ymin) - (Xmax, Ymax)
    becomes the box ``xmin - 1, ymin - 1, xmax, ymax``. Object k of the text is the pixels k of the mask file; its area
    is their number.

    Left out are pictures whose file, mask or annotation is missing or empty, and objects whose box or mask is;
    ``findings`` has each, and a warning says how many there are. Raises ValueError naming a file that is broken.
    """

    classes = ("background", "pedestrian")
    has_masks = True

    def __init__(self, root: str | Path, download: bool = False):
        super().__init__()
        root = Path(root)
        if download and not (root / "Annotation").is_dir():
            obtain(PENN_FUDAN, root / "PennFudanPed")
        self.root = root if (root / "Annotation").is_dir() else root / "PennFudanPed"
        if not (self.root / "Annotation").is_dir():
            raise ValueError(f"{root} has no Annotation/, nor has a folder PennFudanPed in it")
        texts = sorted(path for path in (self.root / "Annotation").glob("*.txt") if path.is_file())
        if (self.root / "PNGImages").is_dir():
            self.note_unannotated(self.root / "PNGImages", {text.stem for text in texts})
        found = {text.stem: pedestrians for text in texts if (pedestrians := self._read(text))}
        if not found:
            raise ValueError(f"{self.root} has no picture that can be used: {(self.problems or ['no annotation'])[0]}")
        self.names, self._people = list(found), list(found.values())
        self.fingerprint = fingerprint(
            repr([(n, p[1:]) for n, p in found.items()]).encode(), [p.picture for p in self._people]
        )
        self.warn(self.root)

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> Path:
        """The file of a picture."""
        return self._people[index].picture

    def annotated_size(self, index: int) -> tuple[int, int]:
        """(H, W) as the annotation has it."""
        return self._people[index].size

    def annotated(self, index: int) -> dict:
        """The target in the frame of the annotation."""
        people, name = self._people[index], self.names[index]
        numbers = torch.tensor(read_numbers(self._mask_file(name)))  # (H, W)
        if tuple(numbers.shape) != people.size:
            raise OtherSize(self._mask_file(name), tuple(numbers.shape), people.size)
        masks = numbers == torch.tensor(people.numbers, dtype=torch.int32)[:, None, None]  # (N, H, W)
        seen = masks.flatten(1).any(dim=1)
        for number, there in zip(people.numbers, seen.tolist(), strict=True):
            if not there:
                self.note("no pixel", f"{self._mask_file(name).name} has no pixel of object {number}")
        masks = masks[seen]
        return {
            "boxes": torch.tensor(people.boxes, dtype=torch.float32).reshape(-1, 4)[seen],
            "labels": torch.ones(len(masks), dtype=torch.int64),
            "masks": masks.to(torch.uint8),
            "image_id": index,
            "iscrowd": torch.zeros(len(masks), dtype=torch.int64),
            "area": masks.sum(dim=(1, 2)).float(),
        }

    def _mask_file(self, name: str) -> Path:
        return self.root / "PedMasks" / f"{name}_mask.png"

    def _read(self, path: Path) -> Pedestrians | None:
        """One text file; None if its picture cannot be used."""
        where = f"Annotation/{path.name}"
        text = _text(path)
        if not text.strip():
            self.note("empty annotation", f"{where} is empty")
            return None
        named = PICTURE.search(text)
        names = [Path(named[1].replace("\\", "/")).name] if named else []
        picture = next(
            (file for n in (*names, f"{path.stem}.png") if (file := find_file(self.root / "PNGImages", n))), None
        )
        if picture is None or not self._mask_file(path.stem).is_file():
            lost = self._mask_file(path.stem) if picture else self.root / "PNGImages" / f"{path.stem}.png"
            self.note("missing picture", f"there is no {lost}")
            return None
        size, count, boxes = SIZE.search(text), COUNT.search(text), BOX.findall(text)
        if size is None or count is None:
            raise ValueError(
                f"{path} is no annotation of Penn-Fudan: it has no line 'Image size' or 'Objects with ground truth'"
            )
        if int(count[1]) != len(boxes):
            raise ValueError(f"{path} announces {count[1]} objects and has {len(boxes)} bounding boxes")
        people = Pedestrians(picture, (int(size[2]), int(size[1])), [], [])
        for number, *corners in boxes:
            self._add(people, int(number), [float(corner) for corner in corners], where)
        return people

    def _add(self, people: Pedestrians, number: int, corners: list[float], where: str) -> None:
        x1, y1, x2, y2 = corners
        box, problem = ([], "no area") if x2 <= x1 or y2 <= y1 else fit_box([x1 - 1, y1 - 1, x2, y2], people.size)
        said = f"({x1:g}, {y1:g}) - ({x2:g}, {y2:g})"
        if number in people.numbers:
            problem = "duplicate object"
        if problem:
            self.note(problem, f"{where}: object {number}: {said}")
        if problem in (None, "partly outside"):
            people.numbers.append(number)
            people.boxes.append(box)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read as text: {error}") from error
