"""A contact sheet of a few pictures: what is annotated (left, green) and what was found (right, red)."""

from pathlib import Path

from PIL import Image
from torch import Tensor

from rcnn_lite.cache import write_atomically
from rcnn_lite.datasets.contact_sheet import below, beside
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.pictures import GREEN, detect_in_picture, draw_on_picture

SHOWN, HEIGHT = 6, 240  # pictures, and pixels that each is high


def save_examples(file: Path, model, data) -> None:
    """Draw up to six pictures of a data set, evenly spread, two in a row."""
    count = min(SHOWN, len(data))
    pairs = [example(model, *data[i * len(data) // count], data.classes) for i in range(count)]
    sheet = below([beside(pairs[i : i + 2]) for i in range(0, count, 2)])
    write_atomically(file, lambda temporary: sheet.save(temporary))


def example(model, image: Tensor, target: dict, classes: tuple[str, ...]) -> Image.Image:
    """One picture twice, side by side; `classes` are those of the target."""
    pixels = tensor_to_image(image)
    annotated = {key: target[key] for key in ("boxes", "labels")}
    if "masks" in target:
        annotated["masks"] = target["masks"][:, None].bool()
    found = detect_in_picture(model, pixels, min(pixels.shape[:2]))
    left = draw_on_picture(pixels, annotated, classes, color=GREEN)
    return beside([smaller(left), smaller(draw_on_picture(pixels, found, model.classes, model.confident))])


def smaller(picture: Image.Image) -> Image.Image:
    """As high as all others."""
    return picture.resize((max(1, round(picture.width * HEIGHT / picture.height)), HEIGHT), Image.Resampling.LANCZOS)
