"""COCO's layout: a folder of images and one JSON file with all annotations (Lin 2014;
https://cocodataset.org/#format-data).
"""

import hashlib
import warnings
from pathlib import Path

import numpy as np
import torch

from rcnn_lite.datasets.coco_files import (
    read_json,
    require_in_box,
    usable_categories,
    usable_images,
    usable_objects,
)
from rcnn_lite.datasets.coco_masks import decode_segmentation
from rcnn_lite.datasets.reading import AnnotatedPictures, fingerprint
from rcnn_lite.datasets.sources import obtain_coco


class COCODataset(AnnotatedPictures):
    """Images and objects of a COCO annotation file.

    Parameters
    ----------
    images : the folder of the pictures.
    annotations : the JSON file.
    download : fetch the official set of 2017 unless it is there: ``images`` must be .../train2017 or .../val2017, and
        ``annotations`` .../instances_train2017.json or .../instances_val2017.json.

    An item is (image, target) as in `rcnn_lite.datasets`, sorted by COCO's image id, which is the target's
    ``image_id``. COCO's category ids have gaps (80 classes up to 90); sorted, they become the labels 1 .. K, named by
    ``classes``, and ``category_ids[label]`` leads back. Boxes ``x y w h`` become ``x, y, x + w, y + h``, clipped to
    the picture. Targets have ``masks`` if every annotation of the file has a segmentation; a warning says so if only
    some have.

    Left out are pictures that are missing or share an id, and objects of unknown categories and pictures, or whose box
    has no area; ``findings`` has each, and a warning says how many there are. So are, when their target is first read,
    objects whose segmentation holds no pixel's centre, as a line does. Raises ValueError naming what is broken, and
    where; also for a mask that lies for the most part outside its box.
    """

    def __init__(self, images: str | Path, annotations: str | Path, download: bool = False):
        super().__init__()
        self.folder, self.path = Path(images), Path(annotations)
        if download:
            obtain_coco(self.folder, self.path)
        content = read_json(self.path)
        categories = usable_categories(content, self.path)
        self.category_ids = (0, *(category["id"] for category in categories))
        self.classes = ("background", *(category["name"] for category in categories))
        self._images = usable_images(content, self.folder, self.note)
        if content["images"] and not self._images:
            raise ValueError(f"{self.folder} has no picture of {self.path}: {self.problems[0]}")
        self._objects = usable_objects(content, self._images, categories, self.note)
        self._labels = {number: label for label, number in enumerate(self.category_ids)}
        self.warn(self.path)
        self.has_masks = self._have_masks()
        digest = hashlib.sha256(self.path.read_bytes()).digest()
        self.fingerprint = fingerprint(digest, [image["path"] for image in self._images])

    def __len__(self) -> int:
        return len(self._images)

    def picture(self, index: int) -> Path:
        """The file of a picture."""
        return self._images[index]["path"]

    def annotated_size(self, index: int) -> tuple[int, int]:
        """(H, W) as the annotation has it."""
        return self._images[index]["height"], self._images[index]["width"]

    def annotated(self, index: int) -> dict:
        """The target in the frame of the annotation."""
        number = self._images[index]["id"]
        items, masks = self._objects[number], None
        if self.has_masks:
            items, masks = self._masks(items, self.annotated_size(index))
        target = {
            "boxes": torch.tensor([item["bbox"] for item in items], dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor([self._labels[item["category_id"]] for item in items], dtype=torch.int64),
            "image_id": number,
            "iscrowd": torch.tensor([item["iscrowd"] for item in items], dtype=torch.int64),
            "area": torch.tensor([item["area"] for item in items], dtype=torch.float32),
        }
        return target if masks is None else target | {"masks": torch.from_numpy(masks)}

    def _have_masks(self) -> bool:
        """Whether every object has a segmentation; if only some have, that is said."""
        items = [item for items in self._objects.values() for item in items]
        without = [item for item in items if not item.get("segmentation")]
        if 0 < len(without) < len(items):
            some = f"annotation {without[0].get('id')} has no segmentation, so no target has masks"
            self.note("no masks", f"{len(without)} of {len(items)}, {some}")
            warnings.warn(f"{self.path}: {some}", stacklevel=3)
        return not without

    def _masks(self, items: list[dict], size: tuple[int, int]) -> tuple[list[dict], np.ndarray]:
        """The items that have pixels, and their masks: uint8 (N, H, W). The others go to ``findings``."""
        masks, seen = np.zeros((len(items), *size), np.uint8), []
        for item in items:
            where, mask = f"annotation {item.get('id')}", masks[len(seen)]
            try:
                mask[:] = decode_segmentation(item["segmentation"], size)
                require_in_box(mask, item)
            except ValueError as error:
                raise ValueError(f"{self.path}: {where}: {error}") from None
            problem = f"{where}, whose segmentation holds no pixel"
            if mask.any():
                seen.append(item)
            elif self.note("no pixel", problem):
                warnings.warn(f"{self.path}: left out {problem}", stacklevel=4)
        return seen, masks[: len(seen)]
