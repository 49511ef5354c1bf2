"""`rcnn-lite detect`: what a detector finds in picture files, drawn and written down."""

import argparse
import glob
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.images import read_image
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.pictures import coco_results, detect_in_picture, draw_on_picture

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")  # what is a picture in a folder
SIDE = 256  # of the scenes: larger pictures are shrunk to it for a model that does not say what it was trained on


def run(args: argparse.Namespace) -> int:
    """Everything that the command does; 1 if a picture could not be read."""
    paths = picture_files(args.images)
    model, metadata = load_model(args.checkpoint, args.device)
    side = args.short_side or metadata.get("picture_side", SIDE)
    worth_drawing = model.confident if args.min_score is None else args.min_score
    results, pictures = [], []
    for number, path in enumerate(tqdm(paths, desc="detecting", unit="image", disable=None), start=1):
        try:
            image = read_image(path)
        except ValueError as error:
            tqdm.write(f"rcnn-lite: {error}", file=sys.stderr)
            continue
        found = detect_in_picture(model, image, side)
        results += coco_results(found, number, path.name)
        pictures.append({"id": number, "file_name": path.name, "height": image.shape[0], "width": image.shape[1]})
        drawn = draw_on_picture(image, found, model.classes, worth_drawing)
        name = f"{number:04d}_{path.stem}.jpg"  # files of the same name from two folders stay apart
        write_atomically(args.out / name, lambda file, drawn=drawn: drawn.save(file, quality=92))
    write_json(args.out / "detections.json", results)
    categories = [{"id": label, "name": name} for label, name in enumerate(model.classes) if label]
    write_json(args.out / "pictures.json", {"images": pictures, "categories": categories, "annotations": []})
    print(f"{len(pictures)} of {len(paths)} pictures done: {args.out}")
    return int(len(pictures) < len(paths))


def picture_files(names: Sequence[str]) -> list[Path]:
    """The files meant by names of files and folders, and by patterns: sorted within each, none twice.

    A name that is nothing of these stays: reading it will say that it is missing. ValueError for a folder or a pattern
    without pictures.
    """
    files: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        elif path.is_file() or not glob.has_magic(name):
            found = [path]
        else:
            found = sorted(Path(p) for p in glob.glob(name, recursive=True) if Path(p).is_file())
        if not found:
            raise ValueError(f"there is no picture in {name}")
        files |= dict.fromkeys(found)
    return list(files)


def write_json(file: Path, content: object) -> None:
    """As one file, all or nothing."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_atomically(file, lambda temporary: temporary.write_text(text, encoding="utf-8"))
