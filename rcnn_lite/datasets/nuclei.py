"""The layout of the 2018 Data Science Bowl: a folder for each microscope picture, and in it a file for each nucleus
(Caicedo et al. 2019; https://www.kaggle.com/c/data-science-bowl-2018).

    ROOT/ID/images/ID.png        the picture, RGBA
    ROOT/ID/masks/*.png          as large as the picture, above 0 where this nucleus is
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rcnn_lite.datasets.reading import AnnotatedPictures, fingerprint
from rcnn_lite.images import read_header, read_numbers


class Nucleus(NamedTuple):
    """The part of a mask that is not empty: pixels bool (h, w), of which the first is pixel (left, top)."""

    left: int
    top: int
    pixels: np.ndarray


class NucleiDataset(AnnotatedPictures):
    """Pictures of cells, and their nuclei, each outlined in a file of its own.

    Parameters
    ----------
    root : the folder of the pictures' folders, such as ``stage1_train``.

    An item is (image, target) as in `rcnn_lite.datasets`, in the order of the folders' names; ``names`` has them, and
    ``image_id`` is the place in it. Each object has label 1, "nucleus"; its box just holds its pixels, and its area is
    their number. Masks are kept as the files have them: where two nuclei overlap, a pixel belongs to both. A picture
    whose folder of masks has no file has no objects.

    All masks are read once, here, and kept in a window each: of 1,000 nuclei a megabyte, not a gigabyte. An empty one
    is left out; ``findings`` has each, and a warning says how many there are. Raises ValueError for a
    folder without pictures, and for a picture that has no folder of masks, more than one file, or a mask of another
    size.
    """

    classes = ("background", "nucleus")
    has_masks = True

    def __init__(self, root: str | Path):
        super().__init__()
        self.root = Path(root)
        folders = sorted(p for p in self.root.iterdir() if p.is_dir()) if self.root.is_dir() else []
        if not folders:
            raise ValueError(f"{self.root} has no folders of pictures (ROOT/ID/images and ROOT/ID/masks)")
        self.names = [folder.name for folder in folders]
        self.pictures = [_picture_file(folder) for folder in folders]
        read = [self._read(*one) for one in zip(folders, self.pictures, strict=True)]
        self._sizes = [size for size, _ in read]  # (H, W) of the masks
        self._nuclei = [nuclei for _, nuclei in read]
        content = [
            (name, [(n.left, n.top, n.pixels.sum()) for n in self._nuclei[i]]) for i, name in enumerate(self.names)
        ]
        self.fingerprint = fingerprint(repr(content).encode("utf-8", "surrogateescape"), self.pictures)
        self.warn(self.root)

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> Path:
        """The file of a picture."""
        return self.pictures[index]

    def annotated_size(self, index: int) -> tuple[int, int]:
        """(H, W) of the masks."""
        return self._sizes[index]

    def annotated(self, index: int) -> dict:
        """The target in the frame of the masks."""
        nuclei = self._nuclei[index]
        boxes = [[n.left, n.top, n.left + n.pixels.shape[1], n.top + n.pixels.shape[0]] for n in nuclei]
        masks = np.zeros((len(nuclei), *self._sizes[index]), np.uint8)
        for mask, (x1, y1, x2, y2), nucleus in zip(masks, boxes, nuclei, strict=True):
            mask[y1:y2, x1:x2] = nucleus.pixels
        return {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.ones(len(nuclei), dtype=torch.int64),
            "masks": torch.from_numpy(masks),
            "image_id": index,
            "iscrowd": torch.zeros(len(nuclei), dtype=torch.int64),
            "area": torch.tensor([n.pixels.sum() for n in nuclei], dtype=torch.float32),
        }

    def _read(self, folder: Path, picture: Path) -> tuple[tuple[int, int], list[Nucleus]]:
        """(H, W) of one picture's masks, and its nuclei; empty masks are noted."""
        if not (folder / "masks").is_dir():
            raise ValueError(f"{folder} has no folder 'masks'")
        header = read_header(picture)
        size, nuclei = None, []
        for file in sorted((folder / "masks").glob("*.png")):
            mask = read_numbers(file) > 0
            if size is None and mask.shape in (header.displayed, header.stored):
                size = mask.shape  # where EXIF turns the picture, it decides which
            if mask.shape != size:
                sizes = " pixels but the picture ".join("{} x {}".format(*s) for s in (mask.shape, header.displayed))
                raise ValueError(f"{file} has {sizes}")
            if not mask.any():
                self.note("no pixel", f"{file}, in which no pixel belongs to a nucleus")
                continue
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            nuclei.append(Nucleus(int(columns[0]), int(rows[0]), window.copy()))
        return size or header.displayed, nuclei


def _picture_file(folder: Path) -> Path:
    files = sorted((folder / "images").glob("*.png"))
    if len(files) != 1:
        raise ValueError(f"{folder / 'images'} must have one picture (*.png), it has {len(files)}")
    return files[0]
