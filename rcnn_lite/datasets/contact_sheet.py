"""One picture to judge `Scenes` by eye: ``python -m rcnn_lite.datasets.contact_sheet``.

First the untouched photographs with the outlines drawn over them, then scenes of both splits, each as it is and,
below, with boxes, visible masks and keypoints.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rcnn_lite.cache import write_atomically
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.images import tensor_to_image
from rcnn_lite.paths import data_path

GAP = 4
COLOURS = (  # by label, from 1 on; easily told apart
    *("#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231"),
    *("#f032e6", "#42d4f4", "#bfef45", "#fabed4", "#dcbeff"),
)


def annotated(
    image: np.ndarray, target: dict, classes: tuple[str, ...], zoom: float = 1.0, boxes: bool = True
) -> Image.Image:
    """The picture, enlarged, with the border of every visible mask, the boxes with their class names, and the
    keypoints.

    uint8 (H, W, 3) and a target of `Scenes` -> PIL picture of zoom H x zoom W pixels.
    """
    size = (round(image.shape[1] * zoom), round(image.shape[0] * zoom))
    picture = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=11)
    for k, label in enumerate(target["labels"].tolist()):
        colour = COLOURS[label - 1]
        mask = Image.fromarray(target["masks"][k].numpy() * 255).resize(size, Image.Resampling.BILINEAR)
        picture.paste(colour, mask=Image.fromarray(_border(np.asarray(mask) > 127)))
        x1, y1, x2, y2 = (zoom * value for value in target["boxes"][k].tolist())
        if boxes:
            draw.rectangle((x1, y1, x2 - 1, y2 - 1), outline=colour)
            left, top, right, bottom = draw.textbbox((x1 + 2, max(y1 - 12, 0)), classes[label], font=font)
            draw.rectangle((left - 2, top - 1, right + 1, bottom + 1), fill=colour)
            draw.text((x1 + 2, max(y1 - 12, 0)), classes[label], fill="black", font=font)
        for x, y, visibility in (target["keypoints"][k] * zoom).tolist():
            if visibility > 0:
                filled = colour if visibility > 1.5 * zoom else None
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=filled, outline="black")
    return picture


def _border(mask: np.ndarray) -> np.ndarray:
    """Pixels of a mask that touch the outside: bool (H, W) -> uint8 (H, W), 0 or 255."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return (mask & ~inner).astype(np.uint8) * 255


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Pictures from left to right."""
    size = (sum(picture.width + GAP for picture in pictures), max(picture.height for picture in pictures))
    row, left = Image.new("RGB", size, "#202020"), 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + GAP
    return row


def below(pictures: list[Image.Image]) -> Image.Image:
    """Pictures from top to bottom."""
    size = (max(picture.width for picture in pictures), sum(picture.height + GAP for picture in pictures))
    column, top = Image.new("RGB", size, "#202020"), 0
    for picture in pictures:
        column.paste(picture, (0, top))
        top += picture.height + GAP
    return column


def contact_sheet(scenes: int = 7, photograph_height: int = 250) -> Image.Image:
    """The whole sheet: ten photographs in two rows, then ``scenes`` scenes of "train" and of "test" twice each."""
    data = Scenes("photographs")
    parts = []
    for image, target in (data[k] for k in range(len(data))):
        plain = tensor_to_image(image)
        many = len(target["labels"]) > 8  # the coins: their names would hide them
        parts.append(annotated(plain, target, data.classes, photograph_height / plain.shape[0], boxes=not many))
    sheets = [beside(parts[:5]), beside(parts[5:])]
    for split in ("train", "test"):
        data = Scenes(split, n=scenes)
        items = [data[k] for k in range(scenes)]
        plain = [Image.fromarray(tensor_to_image(image)) for image, _ in items]
        drawn = [annotated(tensor_to_image(image), target, data.classes) for image, target in items]
        sheets += [beside(plain), beside(drawn)]
    return below(sheets)


def main() -> None:
    """Write the sheet to ``data/scenes_contact_sheet.jpg`` or elsewhere."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=data_path("scenes_contact_sheet.jpg"))
    output = parser.parse_args().output
    sheet = contact_sheet()
    write_atomically(output, lambda path: sheet.save(path, quality=82))
    print(f"{output}: {sheet.width} x {sheet.height} pixels, {output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
