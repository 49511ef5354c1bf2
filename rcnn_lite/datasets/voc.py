"""PASCAL VOC's layout: a folder with Annotations/ (one XML file an image), JPEGImages/ and ImageSets/Main/ (lists of
names); for some images, SegmentationObject/ has the pixels of each object.

Many other sets come in this layout, with other classes. Format: VOC 2012 development kit, section 2.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from rcnn_lite.datasets.reading import AnnotatedPictures, fingerprint
from rcnn_lite.datasets.sources import obtain, voc_source
from rcnn_lite.datasets.voc_files import (
    Annotation,
    find_root,
    has_split,
    read_annotation,
    read_xml,
    split_names,
    text_of,
)
from rcnn_lite.datasets.voc_masks import object_masks

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class VOCDataset(AnnotatedPictures):
    """Images and objects of a folder in VOC's layout.

    Parameters
    ----------
    root : the folder with Annotations/ and JPEGImages/, or one that has it as VOC* or VOCdevkit/VOC*.
    split : name of a list in ImageSets/Main/ ("train", "val", "trainval", "test"), or of another folder with it
        ("Segmentation/train"); None takes every annotation.
    classes : names by label, the first one "background". None: VOC's twenty, or, when the annotations name others, the
        names found in all annotations (not only in the split, so that labels agree between splits), sorted.
    year : 2007 or 2012, where root holds several sets, or the one to fetch.
    download : fetch the official set of this year into root, unless it is there. Interrupted, it goes on the next time.

    Targets have ``masks`` if every picture of the split has a file in SegmentationObject/, as those of the lists in
    ImageSets/Segmentation do; objects without pixels of their own are left out then.

    An item is (image, target) as in `rcnn_lite.datasets`; the target has ``difficult`` bool (N,) in addition. VOC's
    pixels are counted from 1 and the last one belongs to the box, so xmin ymin xmax ymax becomes the box
    ``xmin - 1, ymin - 1, xmax, ymax``.

    Left out are objects that cannot be used (xmax <= xmin or ymax <= ymin: a slip of the mouse; of no known class) and
    pictures whose file or annotation is missing or empty; boxes are clipped to their picture. ``findings`` has each,
    and a warning says how many there are. Raises ValueError naming a file that is broken.
    """

    def __init__(
        self,
        root: str | Path,
        split: str | None = None,
        classes: Sequence[str] | None = None,
        year: int | None = None,
        download: bool = False,
    ):
        super().__init__()
        if download and not has_split(Path(root), year, split):
            source, folder = voc_source(year, split)
            obtain(source, Path(root) / folder)
        self.root = find_root(Path(root), year, split)
        self.names, self._annotations = self._read(split_names(self.root, split))
        if split is None:
            used = {annotation.picture.stem for annotation in self._annotations}
            self.note_unannotated(self.root / "JPEGImages", used | set(split_names(self.root, None)))
        self.classes = tuple(classes) if classes is not None else self._find_classes()
        self._check_classes()
        self.has_masks = all(self._mask_file(index).is_file() for index in range(len(self)))
        self.fingerprint = self._fingerprint()
        self.warn(self.root)

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> Path:
        """The file of a picture."""
        return self._annotations[index].picture

    def annotated_size(self, index: int) -> tuple[int, int] | None:
        """(H, W) as the annotation has it, if it says."""
        return self._annotations[index].size

    def annotated(self, index: int) -> dict:
        """The target in the frame of the annotation."""
        annotation = self._annotations[index]
        boxes = torch.tensor(annotation.boxes, dtype=torch.float32).reshape(-1, 4)  # (N, 4)
        labels = [self.classes.index(name) for name in annotation.names]
        target = {
            "boxes": boxes,
            "labels": torch.tensor(labels, dtype=torch.int64),
            "image_id": index,
            "iscrowd": torch.zeros(len(labels), dtype=torch.int64),
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            "difficult": torch.tensor(annotation.difficult, dtype=torch.bool),
        }
        return self._with_masks(target, index) if self.has_masks else target

    def _with_masks(self, target: dict, index: int) -> dict:
        """The objects of a target that have pixels of their own; their area is the number of these."""
        file = self._mask_file(index)
        masks, found = object_masks(file, target["boxes"], self.annotated_size(index))
        for row in (~found).nonzero().flatten().tolist():
            number = self._annotations[index].numbers[row]
            self.note("no mask", f"{file.name} has no pixels for object {number} of its annotation")
        kept = {key: value[found] for key, value in target.items() if key != "image_id"}
        return kept | {"image_id": index, "masks": masks[found], "area": masks[found].sum(dim=(1, 2)).float()}

    def _mask_file(self, index: int) -> Path:
        return self.root / "SegmentationObject" / f"{self.names[index]}.png"

    def _read(self, names: list[str]) -> tuple[list[str], list[Annotation]]:
        """The names that can be used, and their annotations."""
        found: dict[str, Annotation] = {}
        for name in names:
            if name in found:
                self.note("duplicate picture", f"{name} stands in the list twice")
            elif annotation := read_annotation(self.root, name, self.note):
                found[name] = annotation
        if names and not found:
            raise ValueError(f"{self.root} has no picture that can be used: {self.problems[0]}")
        return list(found), list(found.values())

    def _find_classes(self) -> tuple[str, ...]:
        paths = [path for path in sorted((self.root / "Annotations").glob("*.xml")) if path.is_file()]
        paths = [path for path in paths if path.read_bytes().strip()]
        found = {text_of(item, "name", path) for path in paths for item in read_xml(path).findall("object")}
        if "background" in found:
            raise ValueError(f"{self.root}: an object is of the class 'background', which means none")
        return VOC_CLASSES if found <= set(VOC_CLASSES) else ("background", *sorted(found))

    def _check_classes(self) -> None:
        """Leave out the objects that are of none of the classes."""
        for name, annotation in zip(self.names, self._annotations, strict=True):
            known = [found in self.classes[1:] for found in annotation.names]
            for found, number, keep in zip(annotation.names, annotation.numbers, known, strict=True):
                if not keep:
                    what = f"object {number} is a {found!r}, not one of {self.classes[1:]}"
                    self.note("unknown category", f"Annotations/{name}.xml: {what}")
            for key in ("names", "boxes", "difficult", "numbers"):
                values = getattr(annotation, key)
                setattr(annotation, key, [value for value, keep in zip(values, known, strict=True) if keep])

    def _fingerprint(self) -> str:
        content = [
            (name, a.size, a.names, a.boxes, a.difficult) for name, a in zip(self.names, self._annotations, strict=True)
        ]
        pictures = [annotation.picture for annotation in self._annotations]
        return fingerprint(repr((self.classes, content)).encode("utf-8", "surrogateescape"), pictures)
