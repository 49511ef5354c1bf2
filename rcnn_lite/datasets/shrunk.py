"""Photographs of millions of pixels, as small as a detector looks at them anyway."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_lite.images import resize
from rcnn_lite.regions.scales import scale_boxes, scale_points


class Shrunk:
    """A data set whose pictures with a shorter side above `short_side` are shrunk to that, with all that is known.

    Boxes, masks, keypoints and areas are of the shrunk picture. Smaller pictures stay as they are. ValueError for a
    side of less than a pixel.
    """

    def __init__(self, dataset, short_side: int):
        if short_side < 1:
            raise ValueError(f"short_side must be at least 1 pixel, got {short_side}")
        self.dataset, self.short_side, self.classes = dataset, short_side, dataset.classes
        self.fingerprint = f"{getattr(dataset, 'fingerprint', '')} at most {short_side}"
        self.keypoint_flip = getattr(dataset, "keypoint_flip", None)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        image, target = self.dataset[index]
        before = tuple(image.shape[1:])
        if min(before) <= self.short_side:
            return image, target
        image = resize(image, self.short_side)
        return image, shrink_target(target, before, tuple(image.shape[1:]))


def shrink_target(target: dict, before: tuple[int, int], after: tuple[int, int]) -> dict:
    """A target of a picture (H, W) for the same picture at another size (h, w)."""
    scaled = dict(target) | {"boxes": scale_boxes(target["boxes"], before, after)}
    if "area" in target:
        scaled["area"] = target["area"] * (after[0] * after[1] / (before[0] * before[1]))
    if "keypoints" in target:
        scaled["keypoints"] = scale_points(target["keypoints"], before, after)
    if "masks" in target:
        scaled["masks"] = shrink_masks(target["masks"], after)
    return scaled


def shrink_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks (N, H, W) of 0 and 1 -> uint8 (N, h, w), 1 where at least half of what a pixel covers is inside.

    Of an object so thin that no pixel is half covered, those that are covered most are kept: no object vanishes.
    """
    small = masks.new_zeros((len(masks), *size), dtype=torch.uint8)
    for mask, shrunk in zip(masks, small, strict=True):  # one at a time: a dozen of ten million pixels fill a laptop
        covered = F.adaptive_avg_pool2d(mask[None, None].float(), size)[0, 0]  # (h, w) in [0, 1]
        shrunk[:] = (covered > 0) & (covered >= covered.max().clamp(max=0.5))
    return small
