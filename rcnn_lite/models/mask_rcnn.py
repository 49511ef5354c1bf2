"""Mask R-CNN (He et al. 2017): a third branch says which pixels of a region are the object's (notebook 14).

Faster R-CNN with RoIAlign in the place of RoI pooling, and beside the two branches that it has (figure 1):

    training   sample -+------------------> RoIAlign  7 x  7 -> fc6 -> fc7 -> classes and boxes
                       +-> the positives -> RoIAlign 14 x 14 -> convolutions -> K masks of 28 x 28 cells

    testing    proposals -> RoIAlign 7 x 7 -> fc6 -> fc7 -> classes and boxes -> NMS -> detections
                                                                                            |
               mask in the image's pixels <- that of the class <- convolutions <- RoIAlign 14 x 14

In training the three look at the same regions at once. When it is tested the masks come last, of the boxes that were
found: there are few of them, and they fit better than the proposals did (section 3.1, inference). Masks are learned,
and come back, in the pixels of the image: only boxes are scaled, which is exact.

Notation: (H, W) of an image as given, (h, w) of the picture that the network sees, N objects of a target, M detections,
K classes with background, m x m cells of a mask.
"""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from rcnn_lite.heads.mask_head import MASK_HEADS, MaskHeadSettings, competing_mask_loss, own_masks
from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.losses import mask_loss
from rcnn_lite.models.faster_rcnn import Drawn, FasterRCNN, FasterRCNNSettings
from rcnn_lite.regions.masks import mask_targets, paste_masks, require_masks, whole_pixel_boxes
from rcnn_lite.regions.scales import scale_boxes

AT_ONCE = 100  # regions whose masks are computed together: hundreds of objects take no more memory than these


@dataclass(frozen=True)
class MaskRCNNSettings(FasterRCNNSettings):
    """The numbers of Mask R-CNN. What it has of Faster R-CNN is as there, so that the two can be compared."""

    pooling: str = "roi_align"  # section 3; another of `regions.poolings` to see what alignment is worth (table 2c)
    mask_head: str = "fcn"  # table 2e: or "mlp"
    mask: MaskHeadSettings = field(default_factory=MaskHeadSettings)
    heads: RoIHeadSettings = RoIHeadSettings(score_threshold=0.05)  # code: 0.05; each detection costs a mask
    aligned_masks: bool = True  # False: targets half a pixel off, pasted into whole-pixel boxes, as torchvision does


class MaskRCNN(FasterRCNN):
    """Mask R-CNN: a backbone, K class names with "background" first, and settings.

    Called as Faster R-CNN is. `losses` has a fifth, "mask", and wants ``masks`` (N, H, W) of 0 and 1 in the targets, as
    large as the images; `detect` adds ``masks`` (M, 1, H, W) in [0, 1] of the at most ``heads.max_detections`` boxes.
    Cut them at ``settings.mask.threshold``. ValueError for a pooling or a mask head of another name.
    """

    model, title, Settings = "mask_rcnn", "Mask R-CNN", MaskRCNNSettings

    def build(self, generator: Generator | None) -> None:
        """Faster R-CNN's two stages, then the mask branch."""
        super().build(generator)
        if self.settings.mask_head not in MASK_HEADS:
            raise ValueError(f"unknown mask head {self.settings.mask_head!r}: choose one of {', '.join(MASK_HEADS)}")
        head = MASK_HEADS[self.settings.mask_head]
        self.mask_branch = head(self.channels, len(self.classes), self.settings.mask, generator)

    def seen(self, target: dict, image_size: tuple[int, int], size: tuple[int, int]) -> dict[str, Tensor]:
        """The boxes and labels of what can be seen, in the picture's pixels, and all ``masks`` as they are: "rows" says
        whose are whose.

        An object that is left out, outside the image or a crowd, is left out with its mask, which is not looked at.
        ValueError for masks of another size than the image, and for one that is empty or elsewhere than its box.
        """
        seen = super().seen(target, image_size, size)
        if len(seen["rows"]) == 0:
            return seen | {"masks": torch.zeros(0, *image_size, dtype=torch.uint8)}
        if "masks" not in target:
            raise ValueError(f"a target of {len(target['boxes'])} objects has no masks, from which {self.title} learns")
        require_masks(target["masks"], target["boxes"], image_size, seen["rows"])
        return seen | {"masks": target["masks"]}

    def region_losses(self, drawn: list[Drawn]) -> dict[str, Tensor]:
        """The multi-task loss of the second stage, section 3: L = L_cls + L_box + L_mask."""
        return super().region_losses(drawn) | self.mask_losses(drawn)

    def mask_losses(self, drawn: list[Drawn]) -> dict[str, Tensor]:
        """L_mask of the regions that are objects': {"mask"}; zero where there are none."""
        pooled, labels, targets = [], [], []
        for one in drawn:
            positive = one.sample.labels > 0
            boxes = one.sample.boxes[positive]
            pooled.append(self.pool(one.features, boxes, self.settings.mask.bins))  # (r, C, bins, bins)
            labels.append(one.sample.labels[positive])
            targets.append(self.mask_targets(one, boxes, one.sample.objects[positive]))
        loss = competing_mask_loss if self.settings.mask.competing else mask_loss
        found = loss(self.mask_branch(torch.cat(pooled)), torch.cat(labels), torch.cat(targets))
        return {"mask": self.settings.mask.loss_weight * found["mask"]}

    def mask_targets(self, one: Drawn, boxes: Tensor, objects: Tensor) -> Tensor:
        """What the branch should say of boxes (r, 4) of these of the objects that are seen: (r, m, m) in [0, 1]."""
        masks, cells = one.target["masks"], 2 * self.settings.mask.bins
        boxes = scale_boxes(boxes, one.size, tuple(masks.shape[1:]))  # in the pixels of the masks
        return mask_targets(masks, boxes, one.target["rows"][objects], cells, self.settings.aligned_masks)

    def describe(
        self, found: dict[str, Tensor], features: Tensor, size: tuple[int, int], image_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """What was found, in the pixels of the image, with its masks."""
        with self.watch("masks"):
            masks = self.masks(features, found["boxes"], found["labels"])
        found = super().describe(found, features, size, image_size)
        with self.watch("pasting"):
            boxes = found["boxes"]
            if not self.settings.aligned_masks:
                boxes = whole_pixel_boxes(boxes, masks.shape[-1])
            return found | {"masks": paste_masks(masks, boxes, image_size)}

    def masks(self, features: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """Masks of boxes (M, 4) of the picture with this map, of the classes labels (M,): (M, m, m) in [0, 1]."""
        parts = []
        for part, classes in zip(boxes.split(AT_ONCE), labels.split(AT_ONCE), strict=True):
            logits = self.mask_branch(self.pool(features, part, self.settings.mask.bins))  # (p, K, m, m)
            parts.append(own_masks(logits, classes, self.settings.mask.competing))
        return torch.cat(parts)
