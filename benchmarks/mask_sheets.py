"""Sheets of pictures with annotated and with found masks, to be looked at."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from torch import Tensor

from rcnn_lite.datasets.parts import Part
from rcnn_lite.plotting import DETECTION, GROUND_TRUTH, draw_boxes, show_image

matplotlib.use("Agg")
SURE = 0.5  # detections of at least this score are drawn


def draw_sheets(folder: Path, data: Part, found: list[dict[str, Tensor]], classes: tuple[str, ...]) -> None:
    """PNGs of four held-out pictures each: annotated objects on the left, those found with some certainty right."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(data), 4):
        rows = range(first, min(first + 4, len(data)))
        figure, axes = pyplot.subplots(len(rows), 2, figsize=(12, 5.5 * len(rows)), squeeze=False)
        for (left, right), row in zip(axes, rows, strict=True):
            (image, target), sure = data[row], found[row]["scores"] >= SURE
            colour_masks(show_image(left, image, f"{row}: {len(target['labels'])} annotated"), target["masks"])
            colour_masks(show_image(right, image, f"{int(sure.sum())} found"), found[row]["masks"][sure, 0])
            if len(classes) > 2:
                draw_boxes(left, target["boxes"], GROUND_TRUTH, [classes[k] for k in target["labels"].tolist()])
                names = [
                    f"{classes[k]} {s:.2f}"
                    for k, s in zip(*(found[row][n][sure].tolist() for n in ("labels", "scores")), strict=True)
                ]
                draw_boxes(right, found[row]["boxes"][sure], DETECTION, names)
        figure.tight_layout()
        figure.savefig(folder / f"{first // 4}.png", dpi=60)
        pyplot.close(figure)


def colour_masks(ax, masks: Tensor) -> None:
    """Lay masks (N, H, W) over a picture, each in a colour of its own, the first on top."""
    height, width = masks.shape[1:]
    layer, palette = np.zeros((height, width, 4), np.float32), pyplot.get_cmap("hsv")
    for index, mask in reversed(list(enumerate(masks.bool().numpy()))):
        layer[mask] = (*palette(index * 0.618 % 1)[:3], 0.55)
    ax.imshow(layer, extent=(0, width, height, 0), interpolation="nearest")
