"""Detecting in pictures of any size: shrink, detect, map back, write down, draw."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageColor, ImageDraw, ImageFont
from torch import Tensor

from rcnn_lite.images import image_to_tensor, resize
from rcnn_lite.regions.run_lengths import encode_runs
from rcnn_lite.regions.scales import scale_points

RED, GREEN = "#e41a1c", "#43cc93"  # the colours of detections, and of what is annotated, in all figures


def detect_in_picture(model, image: np.ndarray, short_side: int = 256) -> dict[str, Tensor]:
    """Detections of a model in a uint8 picture (H, W, 3), in the picture's own pixels, on the CPU.

    A picture whose shorter side is above `short_side` is shrunk to that (with smoothing) before, and what was found is
    enlarged after: a detector finds objects of the sizes that it was trained on. Masks (M, 1, H, W) come back as bool,
    cut at one half.
    """
    pixels = image_to_tensor(image)
    height, width = pixels.shape[1:]
    if short_side < min(height, width):
        pixels = resize(pixels, short_side)
    (found,) = model.detect([pixels.to(model.device)])
    found = {key: value.cpu() for key, value in found.items()}
    stretch = torch.tensor([width / pixels.shape[2], height / pixels.shape[1]]).repeat(2)  # x, y, x, y
    if "masks" in found:
        found["masks"] = _enlarge(found["masks"], (height, width))
    if "keypoints" in found:
        found["keypoints"] = scale_points(found["keypoints"], tuple(pixels.shape[1:]), (height, width))
    return found | {"boxes": found["boxes"] * stretch}


def _enlarge(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks (M, 1, h, w) in [0, 1] at another size, cut at one half: (M, 1, H, W) bool, one at a time."""
    cut = torch.zeros(len(masks), 1, *size, dtype=torch.bool)
    for mask, enlarged in zip(masks, cut, strict=True):
        enlarged[:] = F.interpolate(mask[None], size, mode="bilinear")[0] > 0.5
    return cut


def coco_results(found: dict[str, Tensor], image_id: int, file_name: str) -> list[dict]:
    """Detections as entries of a COCO results file: bbox is x y width height, category_id the label; a mask is a
    segmentation of packed run lengths, keypoints are x y score, one after the other. `file_name` is ours.

    >>> found = {"boxes": torch.tensor([[1.0, 2, 4, 6]]), "labels": torch.tensor([3]), "scores": torch.tensor([0.5])}
    >>> coco_results(found, 7, "a.jpg")
    [{'image_id': 7, 'file_name': 'a.jpg', 'category_id': 3, 'bbox': [1.0, 2.0, 3.0, 4.0], 'score': 0.5}]
    """
    results, values = [], (found[key].tolist() for key in ("boxes", "labels", "scores"))
    for i, ((x1, y1, x2, y2), label, score) in enumerate(zip(*values, strict=True)):
        bbox = [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)]
        one = {
            "image_id": image_id,
            "file_name": file_name,
            "category_id": label,
            "bbox": bbox,
            "score": round(score, 4),
        }
        if "masks" in found:
            one["segmentation"] = encode_runs(found["masks"][i, 0].numpy())
        if "keypoints" in found:
            one["keypoints"] = [round(value, 2) for value in found["keypoints"][i].flatten().tolist()]
        results.append(one)
    return results


def draw_on_picture(
    image: np.ndarray, found: dict[str, Tensor], classes: tuple[str, ...], min_score: float = 0.0, color: str = RED
) -> Image.Image:
    """The picture with a box, name and score for each detection of at least `min_score`, the best on top.

    Where there are masks (M, 1, H, W), bool, they are tinted; keypoints are dots. What has no ``scores`` is drawn
    without them.
    """
    scores = found.get("scores", torch.ones(len(found["boxes"])))
    shown = torch.nonzero(scores >= min_score).flatten().tolist()
    if "masks" in found and shown:
        inside = found["masks"][shown, 0].any(dim=0).numpy()  # (H, W)
        tinted = 0.6 * image + 0.4 * np.array(ImageColor.getrgb(color))
        image = np.where(inside[..., None], tinted, image).astype(np.uint8)
    picture = Image.fromarray(image)
    pen, unit = ImageDraw.Draw(picture), max(1, round(min(picture.size) / 250))  # line width grows with the picture
    for i in reversed(shown):
        for x, y, _ in found["keypoints"][i].tolist() if "keypoints" in found else ():
            if (x, y) != (0, 0):  # a class without keypoints has zeros
                pen.ellipse((x - 2 * unit, y - 2 * unit, x + 2 * unit, y + 2 * unit), fill="white", outline=color)
        text = classes[int(found["labels"][i])] + (f" {float(scores[i]):.2f}" if "scores" in found else "")
        _draw_box(pen, found["boxes"][i].tolist(), text, color, unit)
    return picture


def _draw_box(pen: ImageDraw.ImageDraw, box: list[float], text: str, color: str, unit: int) -> None:
    """A box with its text in the upper left corner, all `unit` times as large as on a small picture."""
    x1, y1, x2, y2 = box
    font = ImageFont.load_default(11 * unit)
    pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=color, width=unit)
    pen.rectangle(pen.textbbox((x1 + unit, y1 + unit), text, font=font), fill=color)
    pen.text((x1 + unit, y1 + unit), text, fill="white", font=font)
