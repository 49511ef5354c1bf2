"""Faster R-CNN (Ren et al. 2015): the map that regions are pooled from also says where they are (notebook 12).

Its figure 2 as code:

    image -> convolutions -> map -+-> region proposal network -> proposals -+
                                  |                                         v
                                  +------------------------------> RoI pooling -> fc6 -> fc7 -> classes and boxes

The RPN works in the pixels of the picture that the network sees, and so do the proposals; only what is found is mapped
back to the image.

Notation: p proposals of an image, R RoIs of a batch, C channels of the map, K classes with background.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from rcnn_lite.boxes import clip_boxes, remove_small_boxes
from rcnn_lite.heads.roi_heads import RoIHeads, RoIHeadSettings, RoISample
from rcnn_lite.images import resize
from rcnn_lite.models.proposing import ProposingDetector
from rcnn_lite.models.shared_map import require_same_length
from rcnn_lite.proposals.rpn import RPNSettings
from rcnn_lite.regions.poolings import POOLINGS
from rcnn_lite.regions.rois import boxes_to_rois
from rcnn_lite.regions.scales import scale_boxes


@dataclass(frozen=True)
class FasterRCNNSettings:
    """The numbers of Faster R-CNN. Where they differ from the paper's, it is for a laptop and scenes of 256 pixels."""

    training_sides: tuple[int, ...] = (256, 384, 512)  # a step draws one for each picture, as Fast R-CNN does here
    short_side: int = 512  # section 3.3: 600
    long_side: int = 1000  # section 3.3
    stride: int = 16  # of the map that all regions share, as VGG16's conv5
    frozen_stages: int = 3  # section 3.3: "the layers of conv3_1 and up" learn
    pooling: str = "roi_pool"  # or another of `regions.poolings`
    rpn: RPNSettings = field(default_factory=RPNSettings)
    heads: RoIHeadSettings = field(default_factory=RoIHeadSettings)


class Drawn(NamedTuple):
    """What is known of one picture of a training step when its second stage begins."""

    features: Tensor  # (1, C, h, w)
    size: tuple[int, int]  # of the picture
    target: dict[str, Tensor]  # the objects that can be seen, in the picture's pixels
    sample: RoISample  # the regions that are looked at


class FasterRCNN(ProposingDetector):
    """Faster R-CNN: a backbone, K class names with "background" first, and settings, by default `Settings` as they are.

    RPN and heads start at random, drawn from `generator`; `faster_rcnn_training` trains all at once,
    `alternating_training` in the paper's four steps. ValueError for a pooling of another name.
    """

    model, title, Settings = "faster_rcnn", "Faster R-CNN", FasterRCNNSettings

    def build(self, generator: Generator | None) -> None:
        """The RPN, then the second stage; a subclass adds its own."""
        if self.settings.pooling not in POOLINGS:
            raise ValueError(f"unknown pooling {self.settings.pooling!r}: choose one of {', '.join(POOLINGS)}")
        super().build(generator)
        self.roi_heads = RoIHeads(self.channels, len(self.classes), self.settings.heads, generator)

    def losses(
        self, images: list[Tensor], targets: list[dict], generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """The four losses of a batch of images (3, H, W): {"objectness", "rpn_box_regression", "classification",
        "box_regression"}.

        Approximate joint training (section 3.2): proposals are made by the RPN as it is now and are constants to what
        follows. Images without objects are legal: they teach what is background.
        """
        looked = self.look(images, targets, generator)
        losses, drawn = self.rpn_losses(looked, generator), []
        for features, size, target, predictions in looked:
            proposals, _ = self.rpn.propose(predictions, size, self.settings.rpn.training)
            sample = self.roi_heads.sample(proposals, target, generator)
            drawn.append(Drawn(features, size, target, sample))
        return losses | self.region_losses(drawn)

    def region_losses(self, drawn: list[Drawn]) -> dict[str, Tensor]:
        """The losses of the second stage: {"classification", "box_regression"}; a subclass adds its own."""
        pooled = torch.cat([self.pool(one.features, one.sample.boxes) for one in drawn])
        return self.roi_heads.losses(pooled, [one.sample for one in drawn])

    @torch.inference_mode()
    def detect(self, images: list[Tensor], proposals: list[Tensor] | None = None) -> list[dict[str, Tensor]]:
        """Detections in each image, best first: dicts of boxes (M, 4), labels (M,), scores (M,), in the image's pixels.

        Parameters
        ----------
        images : (3, H, W) tensors in [0, 1], of any sizes.
        proposals : (n, 4) boxes for each image, in its pixels; default: those of the RPN.

        A score is a probability. `watch.seconds` adds up where the time goes.
        """
        given = [None] * len(images) if proposals is None else proposals
        require_same_length(images, proposals=given)
        return [self.detect_in(image.to(self.device), boxes) for image, boxes in zip(images, given, strict=True)]

    def detect_in(self, image: Tensor, proposals: Tensor | None = None) -> dict[str, Tensor]:
        """`detect` for one image: figure 2 from left to right."""
        picture = resize(image, self.settings.short_side, self.settings.long_side)
        image_size, size = tuple(image.shape[1:]), tuple(picture.shape[1:])
        with self.watch("convolutions"):
            features = self.features(picture)  # (1, C, h, w)
        with self.watch("proposals"):
            if proposals is None:
                boxes, _ = self.rpn.propose(self.rpn(features), size, self.settings.rpn.testing)  # (p, 4)
            else:
                boxes = self.usable(scale_boxes(proposals.to(self.device), image_size, size), size)
        with self.watch("RoI pooling"):
            pooled = self.pool(features, boxes)  # (p, C, bins, bins)
        with self.watch("heads"):
            logits, deltas = self.roi_heads(pooled)  # (p, K), (p, K, 4)
        with self.watch("NMS"):
            found = self.roi_heads.decide(logits, deltas, boxes, size)
        return self.describe(found, features, size, image_size)

    def describe(
        self, found: dict[str, Tensor], features: Tensor, size: tuple[int, int], image_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """What was found in a picture (h, w), in the pixels of the image (H, W); a subclass has more to say of it."""
        return found | {"boxes": scale_boxes(found["boxes"], size, image_size)}

    def pool(self, features: Tensor, boxes: Tensor, bins: int | None = None) -> Tensor:
        """RoI features of boxes (n, 4) of the picture whose map is (1, C, h, w): (n, C, bins, bins).

        `bins` is ``settings.heads.bins`` by default.
        """
        pooling, stride = POOLINGS[self.settings.pooling], self.backbone.strides[-1]
        return pooling(features, boxes_to_rois([boxes]), bins or self.settings.heads.bins, 1 / stride)

    def usable(self, proposals: Tensor, size: tuple[int, int]) -> Tensor:
        """Boxes that came from elsewhere, as those of the RPN are: inside the picture and not too small."""
        boxes = clip_boxes(proposals, size)
        return boxes[remove_small_boxes(boxes, self.settings.rpn.min_size)]
