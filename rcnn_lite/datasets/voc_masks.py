"""VOC's SegmentationObject/: a picture whose pixels are numbers of objects, matched with the boxes of the annotation.

0 is background and 255 the border that belongs to nobody. The numbers mostly follow the order of the objects in the
annotation, but not where an object has no pixels of its own; so a number goes to the box that its pixels fill best.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.datasets.findings import OtherSize
from rcnn_lite.images import read_numbers

BORDER = 255
MIN_IOU = 0.25
"""Pixels whose own box overlaps an annotated one less are not that object's. So little, because boxes are drawn around
the border, a few pixels wide, which takes most of a small object."""


def object_masks(path: Path, boxes: Tensor, size: tuple[int, int] | None) -> tuple[Tensor, Tensor]:
    """Masks for boxes (N, 4) from a file of object numbers: uint8 (N, H, W), all 0 where no pixels fit, and which
    have one: bool (N,).

    Best overlaps first, each box and each number once. `OtherSize` for a file of another size.
    """
    numbers = read_numbers(path)  # (H, W)
    if size is not None and numbers.shape != size:
        raise OtherSize(path, numbers.shape, size)
    present = [number for number in np.unique(numbers).tolist() if number not in (0, BORDER)]
    iou = box_iou(boxes, torch.tensor([_box(numbers == number) for number in present]).reshape(-1, 4))  # (N, K)
    masks, found = torch.zeros(len(boxes), *numbers.shape, dtype=torch.uint8), torch.zeros(len(boxes), dtype=torch.bool)
    while iou.numel() and float(iou.max()) >= MIN_IOU:
        row, column = divmod(int(iou.argmax()), iou.shape[1])
        masks[row], found[row] = torch.from_numpy(numbers == present[column]), True
        iou[row], iou[:, column] = 0, 0
    return masks, found


def _box(mask: np.ndarray) -> list[float]:
    """The box that just holds the pixels of a mask (H, W)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]
