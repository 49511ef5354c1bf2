"""A COCO annotation file, read and checked: every key that is needed, of the kind that it must be."""

import json
import math
from pathlib import Path

from rcnn_lite.datasets.reading import find_file, fit_box

LARGEST = 2**16
"""No picture has a longer side."""

KEYS = {
    "images": ("id", "file_name", "height", "width"),
    "categories": ("id", "name"),
    "annotations": ("image_id", "category_id", "bbox"),
}
"""What each entry of a section must have."""

OPTIONAL = {"annotations": ("id", "area", "iscrowd")}
"""What it may have, or have as null; segmentations are checked when they are decoded."""


def _is_whole(value: object) -> bool:
    return isinstance(value, int)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_side(value: object) -> bool:
    return isinstance(value, int) and 0 < value < LARGEST


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and -1e38 < value < 1e38  # a float32 holds it; NaN is none


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(_is_number(side) for side in value)


MUST_BE = {
    **dict.fromkeys(("id", "image_id", "category_id"), ("a whole number", _is_whole)),
    **dict.fromkeys(("file_name", "name"), ("a name", _is_name)),
    **dict.fromkeys(("height", "width"), ("a number of pixels", _is_side)),
    "bbox": ("four numbers", _is_box),
    "area": ("a number", _is_number),
    "iscrowd": ("0 or 1", lambda value: value in (0, 1)),
}
"""What the value of a key must be, in words and as a test."""


def read_json(path: Path) -> dict:
    """The content of an annotation file, checked. ValueError naming the file, the entry and the key."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ValueError(f"there is no annotation file {path}") from None
    except (ValueError, RecursionError, OSError) as error:  # no JSON, no UTF-8, nested too deeply, a folder
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    for section in KEYS:
        if not isinstance(content, dict) or not isinstance(content.get(section), list):
            raise ValueError(f"{path} has no list '{section}'")
        for index, item in enumerate(content[section]):
            _require_sound(section, index, item, path)
    return content


def _require_sound(section: str, index: int, item: object, path: Path) -> None:
    """ValueError for an entry that lacks a key, or has something else there."""
    for key in KEYS[section]:
        if not isinstance(item, dict) or key not in item:
            raise ValueError(f"{path}: {section}[{index}] has no key '{key}'")
    present = [key for key in OPTIONAL.get(section, ()) if item.get(key) is not None]
    for key in (*KEYS[section], *present):
        words, is_so = MUST_BE[key]
        if not is_so(item[key]):
            raise ValueError(f"{path}: the {key} of {section}[{index}] must be {words}, got {item[key]!r:.80}")


def usable_categories(content: dict, path: Path) -> list[dict]:
    """Categories by id, each once. ValueError for an id with two names."""
    names: dict[int, str] = {}
    for category in sorted(content["categories"], key=lambda category: category["id"]):
        if names.setdefault(category["id"], category["name"]) != category["name"]:
            first = names[category["id"]]
            raise ValueError(f"{path}: category {category['id']} is called {first!r} and {category['name']!r}")
    return [{"id": number, "name": name} for number, name in names.items()]


def usable_images(content: dict, folder: Path, note) -> list[dict]:
    """Entries of pictures that are there, sorted by id, with their ``path``."""
    by_id: dict[int, list[dict]] = {}
    for image in content["images"]:
        by_id.setdefault(image["id"], []).append(image)
    found = []
    for number in sorted(by_id):
        image, *others = by_id[number]
        names = {entry["file_name"] for entry in by_id[number]}
        if len(names) > 1:
            for name in sorted(names):
                note("ambiguous picture", f"the pictures {' and '.join(sorted(names))} share the id {number}: {name}")
            continue
        if others:
            note("duplicate picture", f"picture {number} ({image['file_name']}) is listed {1 + len(others)} times")
        path = find_file(folder, image["file_name"])
        if path is None:
            note("missing picture", f"{folder} lacks {image['file_name']}")
        else:
            found.append(image | {"path": path})
    return found


def usable_objects(content: dict, images: list[dict], categories: list[dict], note) -> dict[int, list[dict]]:
    """Annotations that can be used, by image id; their ``bbox`` is ``x1 y1 x2 y2``, clipped, their ``area`` filled in.

    Those of pictures that were left out go with them, without a word of their own.
    """
    sizes = {image["id"]: (image["height"], image["width"]) for image in images}
    objects = {number: [] for number in sizes}
    listed, known = {image["id"] for image in content["images"]}, {category["id"] for category in categories}
    seen: set[int] = set()
    for index, item in enumerate(content["annotations"]):
        where, picture = f"annotations[{index}]", item["image_id"]
        if picture not in listed:
            note("unknown picture", f"{where} has the unknown image_id {picture!r}")
        elif item["category_id"] not in known:
            note("unknown category", f"{where} has the unknown category_id {item['category_id']!r}")
        elif picture in objects:
            if (number := item.get("id")) in seen:
                note("duplicate id", f"{where} has the id {number}, as one before")
            elif number is not None:
                seen.add(number)
            if usable := _usable_object(item, where, sizes[picture], note):
                objects[picture].append(usable)
    return objects


def _usable_object(item: dict, where: str, size: tuple[int, int], note) -> dict | None:
    x, y, w, h = item["bbox"]
    box, problem = fit_box([x, y, x + w, y + h], size)
    if problem:
        what = (
            "whose box has no area"
            if problem == "no area"
            else f"whose box reaches out of {size[0]} x {size[1]} pixels"
        )
        note(problem, f"{where}, {what}: x y w h = {item['bbox']}")
    if problem in ("no area", "outside"):
        return None
    area = (box[2] - box[0]) * (box[3] - box[1]) if item.get("area") is None else item["area"]
    return item | {"bbox": box, "area": area, "iscrowd": item.get("iscrowd") or 0}


def require_in_box(mask, item: dict) -> None:
    """ValueError if a mask (H, W) lies for the most part outside its box x1 y1 x2 y2: one of the two is another's.

    Crowds are not asked: their boxes were drawn around what they should be.
    """
    x1, y1, x2, y2 = item["bbox"]
    left, top, right, bottom = max(0, math.floor(x1)), max(0, math.floor(y1)), math.ceil(x2), math.ceil(y2)
    pixels = int(mask.sum())
    inside = int(mask[top : max(0, bottom), left : max(0, right)].sum())
    if not item["iscrowd"] and 2 * inside < pixels:
        raise ValueError(f"of the {pixels} pixels of its segmentation only {inside} lie in its box {item['bbox']}")
