"""Keypoints instead of masks: what has to change of Mask R-CNN for another question (notebook 14).

Mask R-CNN (He et al. 2017), section 5: where is the left ear? A branch like that of the masks, on the same regions, at
the same place of the figure:

    training   the positives that have keypoints -> RoIAlign 14 x 14 -> convolutions -> K maps of 56 x 56 cells
    testing    the detections                    -> RoIAlign 14 x 14 -> convolutions -> K maps -> their largest cells

Keypoints are (N, K, 3) of x, y and visibility: 0 not annotated, 1 hidden, 2 visible. A class that has none has K rows
of zeros.

Notation: (H, W) of an image as given, (h, w) of the picture that the network sees, N objects of a target, M detections,
K keypoints, m x m cells of a map.
"""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from rcnn_lite.heads.keypoint_head import (
    KeypointHead,
    KeypointHeadSettings,
    decode_keypoints,
    keypoint_loss,
    keypoint_targets,
)
from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.models.faster_rcnn import Drawn, FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.fpn_rcnn import OnPyramid, OnPyramidSettings
from rcnn_lite.regions.scales import scale_points

AT_ONCE = 100  # regions whose maps are computed together


@dataclass(frozen=True)
class KeypointRCNNSettings(FasterRCNNSettings):
    """The numbers of a detector with keypoints. What it has of Faster R-CNN is as there."""

    pooling: str = "roi_align"  # section 3
    num_keypoints: int = 17  # K; those of people in COCO
    keypoint_labels: tuple[int, ...] = ()  # classes that have keypoints; () for all
    heads: RoIHeadSettings = field(default_factory=lambda: RoIHeadSettings(width=64))  # few classes are easier to tell
    keypoint: KeypointHeadSettings = field(default_factory=KeypointHeadSettings)
    shrink: bool = False  # True: maps finer than the pixels of their box are shrunk to these, as torchvision does


class KeypointRCNN(FasterRCNN):
    """A detector of objects and their keypoints: a backbone, K class names with "background" first, and settings.

    Called as Faster R-CNN is. `losses` has a fifth, "keypoint", and wants ``keypoints`` (N, K, 3) in the targets;
    `detect` adds ``keypoints`` (M, K, 3): x and y in the image's pixels, and a score, a logit. Rows of classes without
    keypoints are zeros.
    """

    model, title, Settings = "keypoint_rcnn", "Keypoint R-CNN", KeypointRCNNSettings

    def build(self, generator: Generator | None) -> None:
        """Faster R-CNN's two stages, then the keypoint branch."""
        super().build(generator)
        s = self.settings
        self.keypoint_branch = KeypointHead(self.channels, s.num_keypoints, s.keypoint, generator)

    def seen(self, target: dict, image_size: tuple[int, int], size: tuple[int, int]) -> dict[str, Tensor]:
        """The boxes, labels and ``keypoints`` of what can be seen, in the picture's pixels.

        ValueError for a target of objects without ``keypoints``, or with another number of them.
        """
        seen, count = super().seen(target, image_size, size), self.settings.num_keypoints
        if len(seen["rows"]) == 0:
            return seen | {"keypoints": torch.zeros(0, count, 3, device=self.device)}
        if "keypoints" not in target:
            raise ValueError(f"a target of {len(target['boxes'])} objects has no keypoints: {self.title} learns them")
        points, expected = target["keypoints"].to(self.device), (len(target["boxes"]), count, 3)
        if points.shape != expected:
            raise ValueError(f"keypoints must have shape {expected}, got {tuple(points.shape)}")
        return seen | {"keypoints": scale_points(points[seen["rows"]], image_size, size)}

    def region_losses(self, drawn: list[Drawn]) -> dict[str, Tensor]:
        """The losses of the second stage, and of the keypoints."""
        return super().region_losses(drawn) | self.keypoint_losses(drawn)

    def keypoint_losses(self, drawn: list[Drawn]) -> dict[str, Tensor]:
        """Those of the regions whose object has keypoints: {"keypoint"}; zero where there are none."""
        pooled, cells, valid = [], [], []
        for one in drawn:
            annotated = (one.target["keypoints"][..., 2] > 0).any(dim=1)  # (N,)
            rows = torch.nonzero(one.sample.labels > 0).flatten()
            rows = rows[annotated[one.sample.objects[rows]]]
            boxes, points = one.sample.boxes[rows], one.target["keypoints"][one.sample.objects[rows]]
            pooled.append(self.pool(one.features, boxes, self.settings.keypoint.bins))  # (r, C, bins, bins)
            for kept, values in zip((cells, valid), self.keypoint_targets(points, boxes), strict=True):
                kept.append(values)  # (r, K)
        loss = keypoint_loss(self.keypoint_branch(torch.cat(pooled)), torch.cat(cells), torch.cat(valid))
        return {"keypoint": self.settings.keypoint.loss_weight * loss["keypoint"]}

    def keypoint_targets(self, points: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """In which of the m m cells of its region each keypoint is: index (r, K), valid (r, K)."""
        return keypoint_targets(points, boxes, 4 * self.settings.keypoint.bins)

    def describe(
        self, found: dict[str, Tensor], features: Tensor, size: tuple[int, int], image_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """What was found, in the pixels of the image, with its keypoints."""
        with self.watch("keypoints"):
            points = self.keypoints(features, found["boxes"], found["labels"])
        found = super().describe(found, features, size, image_size)
        return found | {"keypoints": scale_points(points, size, image_size)}

    def keypoints(self, features: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Keypoints of boxes (M, 4) of the picture with this map, of the classes labels (M,): (M, K, 3)."""
        s, points = self.settings, boxes.new_zeros(len(boxes), self.settings.num_keypoints, 3)
        having = torch.isin(labels, labels.new_tensor(s.keypoint_labels or range(len(self.classes))))
        for rows in torch.nonzero(having).flatten().split(AT_ONCE):
            maps = self.keypoint_branch(self.pool(features, boxes[rows], s.keypoint.bins))  # (p, K, m, m)
            points[rows] = decode_keypoints(maps, boxes[rows], s.shrink)
        return points


@dataclass(frozen=True)
class KeypointRCNNFPNSettings(OnPyramidSettings, KeypointRCNNSettings):
    """Those of `KeypointRCNN`, on a pyramid."""


class KeypointRCNNFPN(OnPyramid, KeypointRCNN):
    """Keypoints on a feature pyramid."""

    model, title, Settings = "keypoint_rcnn_fpn", "Keypoint R-CNN with a feature pyramid", KeypointRCNNFPNSettings
