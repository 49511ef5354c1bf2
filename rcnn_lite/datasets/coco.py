"""COCO's layout: a folder of images and one JSON file with all annotations (Lin 2014;
https://cocodataset.org/#format-data).
"""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.datasets.coco_masks import decode_segmentation
from rcnn_lite.images import image_to_tensor, read_image

KEYS = {
    "images": ("id", "file_name", "height", "width"),
    "categories": ("id", "name"),
    "annotations": ("image_id", "category_id", "bbox"),
}
"""What each entry of a section must have; areas, crowds and segmentations may be missing."""


class COCODataset:
    """Images and objects of a COCO annotation file.

    Parameters
    ----------
    images : the folder of the pictures.
    annotations : the JSON file.

    An item is (image, target) as in `rcnn_lite.datasets`, sorted by COCO's image id, which is the target's
    ``image_id``. COCO's category ids have gaps (80 classes up to 90); sorted, they become the labels 1 .. K, named by
    ``classes``, and ``category_ids[label]`` leads back. Boxes ``x y w h`` become ``x, y, x + w, y + h``. Targets have
    ``masks`` if every annotation of the file has a segmentation; a warning says so if only some have.

    Objects whose box has no area are left out; ``problems`` has a sentence for each, and a warning says how many there
    are. So are, when their target is first read, objects whose segmentation holds no pixel's centre, as a line does.
    Raises ValueError naming what is missing or broken, and where; also for a mask that lies for the most part outside
    its box.
    """

    def __init__(self, images: str | Path, annotations: str | Path):
        self.folder, self.path = Path(images), Path(annotations)
        content = _read_json(self.path)
        categories = sorted(content["categories"], key=lambda category: category["id"])
        self.category_ids = (0, *(category["id"] for category in categories))
        self.classes = ("background", *(category["name"] for category in categories))
        self._images = sorted(content["images"], key=lambda image: image["id"])
        self.problems: list[str] = []
        self._objects = self._group(content["annotations"])
        without = [item for items in self._objects.values() for item in items if not item.get("segmentation")]
        self.has_masks = not without
        self._check_pictures()
        if self.problems:
            rest = f" and {len(self.problems) - 1} more (see .problems)" if len(self.problems) > 1 else ""
            warnings.warn(f"{self.path}: left out {self.problems[0]}{rest}", stacklevel=2)
        if 0 < len(without) < sum(map(len, self._objects.values())):
            some = f"annotation {without[0].get('id')} has no segmentation"
            warnings.warn(f"{self.path}: {some}, so no target has masks", stacklevel=2)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        record = self._images[index]
        path = self.folder / record["file_name"]
        image = image_to_tensor(read_image(path))  # (3, H, W)
        if tuple(image.shape[1:]) != (record["height"], record["width"]):
            real = "{} x {}".format(*image.shape[1:])
            raise ValueError(f"{path} has {real} pixels but {self.path} says {record['height']} x {record['width']}")
        return image, self.target(index)

    def target(self, index: int) -> dict:
        """The target of an item alone, without reading its picture."""
        record = self._images[index]
        items, size = self._objects[record["id"]], (record["height"], record["width"])
        masks = None
        if self.has_masks:
            items, masks = self._masks(items, size)
        corners = torch.tensor([item["bbox"] for item in items], dtype=torch.float64).reshape(-1, 4)  # (N, 4) x y w h
        corners[:, 2:] += corners[:, :2]
        areas = [item.get("area", item["bbox"][2] * item["bbox"][3]) for item in items]
        target = {
            "boxes": corners.float(),
            "labels": torch.tensor([self.category_ids.index(i["category_id"]) for i in items], dtype=torch.int64),
            "image_id": record["id"],
            "iscrowd": torch.tensor([item.get("iscrowd", 0) for item in items], dtype=torch.int64),
            "area": torch.tensor(areas, dtype=torch.float32),
        }
        return target if masks is None else target | {"masks": torch.from_numpy(masks)}

    def _masks(self, items: list[dict], size: tuple[int, int]) -> tuple[list[dict], np.ndarray]:
        """The items that have pixels, and their masks: uint8 (N, H, W). The others go to ``problems``."""
        masks, seen = np.zeros((len(items), *size), np.uint8), []
        for item in items:
            where, mask = f"annotation {item.get('id')}", masks[len(seen)]
            try:
                mask[:] = decode_segmentation(item["segmentation"], size)
                require_in_box(mask, item)
            except ValueError as error:
                raise ValueError(f"{self.path}: {where}: {error}") from None
            if mask.any():
                seen.append(item)
            elif (problem := f"{where}, whose segmentation holds no pixel") not in self.problems:
                self.problems.append(problem)
                warnings.warn(f"{self.path}: left out {problem}", stacklevel=4)
        return seen, masks[: len(seen)]

    def _group(self, annotations: list[dict]) -> dict[int, list[dict]]:
        """Annotations by image id; the unusable ones go to ``problems``."""
        objects = {image["id"]: [] for image in self._images}
        for index, item in enumerate(annotations):
            where = f"annotations[{index}]"
            for key, known in (("image_id", objects), ("category_id", self.category_ids[1:])):
                if item[key] not in known:
                    raise ValueError(f"{self.path}: {where} has the unknown {key} {item[key]!r}")
            if not _is_box(item["bbox"]):
                raise ValueError(f"{self.path}: the bbox of {where} must be four numbers, got {item['bbox']!r}")
            if item["bbox"][2] <= 0 or item["bbox"][3] <= 0:
                self.problems.append(f"{where}, whose box has no area: x y w h = {item['bbox']}")
                continue
            objects[item["image_id"]].append(item)
        return objects

    def _check_pictures(self) -> None:
        missing = [image["file_name"] for image in self._images if not (self.folder / image["file_name"]).is_file()]
        if missing:
            raise ValueError(f"{self.folder} lacks {len(missing)} of {len(self)} pictures, the first is {missing[0]}")


def require_in_box(mask: np.ndarray, item: dict) -> None:
    """ValueError if a mask (H, W) lies for the most part outside its annotation's bbox: one of the two is another's.

    Crowds are not asked: their boxes were drawn around what they should be.
    """
    x, y, w, h = item["bbox"]
    left, top, right, bottom = (max(0, math.floor(x)), max(0, math.floor(y)), math.ceil(x + w), math.ceil(y + h))
    pixels = np.count_nonzero(mask)
    inside = np.count_nonzero(mask[top : max(0, bottom), left : max(0, right)])
    if not item.get("iscrowd") and 2 * inside < pixels:
        raise ValueError(f"of the {pixels} pixels of its segmentation only {inside} lie in its bbox {item['bbox']}")


def _is_box(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(x, int | float) and math.isfinite(x) for x in value)
    )


def _read_json(path: Path) -> dict:
    """The annotation file, with every key that is needed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"there is no annotation file {path}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    for section, keys in KEYS.items():
        if not isinstance(content, dict) or not isinstance(content.get(section), list):
            raise ValueError(f"{path} has no list '{section}'")
        for index, item in enumerate(content[section]):
            for key in keys:
                if not isinstance(item, dict) or key not in item:
                    raise ValueError(f"{path}: {section}[{index}] has no key '{key}'")
    return content
