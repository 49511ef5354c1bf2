"""What Faster R-CNN and its RPN alone share: a map, and the network that says where on it objects may be.

Notation: (H, W) of an image as given, (h, w) of the picture that the network sees, p proposals of an image.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from rcnn_lite.images import resize
from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.shared_map import SharedMapDetector, require_same_length
from rcnn_lite.proposals.rpn import ProposalCounts, RegionProposalNetwork, RPNPredictions
from rcnn_lite.regions.scales import scale_boxes


class Looked(NamedTuple):
    """What is known of one picture of a training step when the RPN has looked at it."""

    features: Tensor  # (1, C, h, w)
    size: tuple[int, int]  # of the picture
    target: dict[str, Tensor]  # the objects that can be seen, in the picture's pixels
    predictions: RPNPredictions


class ProposingDetector(SharedMapDetector):
    """A `SharedMapDetector` with a region proposal network on its map, drawn at random from `generator`.

    A subclass says what becomes of the proposals. `settings` are by default its `Settings` as they are.
    """

    def __init__(
        self, backbone: Backbone, classes: tuple[str, ...], settings=None, generator: Generator | None = None
    ):
        super().__init__(backbone, classes, settings or self.Settings())
        self.build(generator)
        self.to(self.device)

    def build(self, generator: Generator | None) -> None:
        """What stands on the backbone, drawn in this order; a subclass adds its own."""
        self.add_rpn(generator)

    def add_rpn(self, generator: Generator | None) -> None:
        """The network that proposes regions, on the map that they are pooled from."""
        stride = self.backbone.strides[-1]
        self.rpn = RegionProposalNetwork(self.channels, stride, self.settings.rpn, generator)

    def look(self, images: list[Tensor], targets: list[dict], generator: Generator | None) -> list[Looked]:
        """A training step up to the RPN's predictions, for each of its images (3, H, W)."""
        require_same_length(images, targets=targets)
        pictures = [self.draw_picture(image, generator) for image in images]
        sizes = [tuple(picture.shape[1:]) for picture in pictures]
        seen = [self.seen(t, i.shape[1:], s) for t, i, s in zip(targets, images, sizes, strict=True)]
        maps = self.maps(pictures)
        return [Looked(m, s, t, self.rpn(m)) for m, s, t in zip(maps, sizes, seen, strict=True)]

    def rpn_losses(self, looked: list[Looked], generator: Generator | None) -> dict[str, Tensor]:
        """The loss of the RPN, equation 1: {"objectness", "rpn_box_regression"}."""
        predictions, sizes = [one.predictions for one in looked], [one.size for one in looked]
        return self.rpn.losses(predictions, sizes, [one.target for one in looked], generator)

    @torch.inference_mode()
    def propose(self, image: Tensor, counts: ProposalCounts | None = None) -> tuple[Tensor, Tensor]:
        """Proposals in an image (3, H, W), best first: boxes (p, 4) in its pixels, scores (p,), probabilities.

        `counts` is ``settings.rpn.testing`` by default.
        """
        picture = resize(image.to(self.device), self.settings.short_side, self.settings.long_side)
        size = tuple(picture.shape[1:])
        with self.watch("convolutions"):
            features = self.features(picture)
        with self.watch("proposals"):
            boxes, scores = self.rpn.propose(self.rpn(features), size, counts or self.settings.rpn.testing)
        return scale_boxes(boxes, size, tuple(image.shape[1:])), scores
