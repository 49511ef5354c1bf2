"""The region proposal network alone: a detector of one class, "object" (notebook 11).

Where there is one class only, a face, a line of text, a cell, the objectness is the score and the second stage can be
left away. It is also the first and the third step of Faster R-CNN's alternating training.

    image -> convolutions -> map -> region proposal network -> proposals -> NMS -> detections
"""

import torch
from torch import Generator, Tensor

from rcnn_lite.images import resize
from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.faster_rcnn import FasterRCNNSettings
from rcnn_lite.models.shared_map import SharedMapDetector, require_same_length
from rcnn_lite.nms import nms
from rcnn_lite.proposals.rpn import ProposalCounts, RegionProposalNetwork
from rcnn_lite.regions.scales import scale_boxes


class RPNDetector(SharedMapDetector):
    """A backbone and an RPN; settings are those of Faster R-CNN, of which it is the first half.

    The RPN starts at random, drawn from `generator`; `rcnn_lite.training.fit` or `from_checkpoint` fills it.
    """

    model, title, Settings = "rpn", "RPN", FasterRCNNSettings

    def __init__(
        self,
        backbone: Backbone,
        classes: tuple[str, str] = ("background", "object"),
        settings: FasterRCNNSettings = FasterRCNNSettings(),
        generator: Generator | None = None,
    ):
        super().__init__(backbone, classes, settings)
        channels, stride = self.backbone.channels[-1], self.backbone.strides[-1]
        self.rpn = RegionProposalNetwork(channels, stride, settings.rpn, generator).to(self.device)

    def losses(
        self, images: list[Tensor], targets: list[dict], generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """The loss of the RPN for a batch of images (3, H, W): {"objectness", "rpn_box_regression"}.

        Of the targets only the boxes count: an object is an object.
        """
        require_same_length(images, targets=targets)
        pictures = [self.draw_picture(image, generator) for image in images]
        sizes = [tuple(picture.shape[1:]) for picture in pictures]
        seen = [self.seen(t, i.shape[1:], s) for t, i, s in zip(targets, images, sizes, strict=True)]
        predictions = [self.rpn(features) for features in self.maps(pictures)]
        return self.rpn.losses(predictions, sizes, seen, generator)

    @torch.inference_mode()
    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        """Detections in each image, best first: dicts of boxes (M, 4), labels (M,), all 1, and scores (M,).

        Proposals may overlap by 0.7; what is left after NMS at the detectors' threshold are the objects.
        """
        return [self.detect_in(image) for image in images]

    def detect_in(self, image: Tensor) -> dict[str, Tensor]:
        """`detect` for one image (3, H, W)."""
        boxes, scores = self.propose(image)
        with self.watch("NMS"):
            kept = nms(boxes, scores, self.settings.heads.nms_iou, limit=self.settings.heads.max_detections)
        return {"boxes": boxes[kept], "labels": torch.ones_like(kept), "scores": scores[kept]}

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
