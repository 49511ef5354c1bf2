"""The region proposal network alone: a detector of one class, "object" (notebook 11).

Where there is one class only, a face, a line of text, a cell, the objectness is the score and the second stage can be
left away. It is also the first and the third step of Faster R-CNN's alternating training.

    image -> convolutions -> map -> region proposal network -> proposals -> NMS -> detections
"""

import torch
from torch import Generator, Tensor

from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.faster_rcnn import FasterRCNNSettings
from rcnn_lite.models.proposing import ProposingDetector
from rcnn_lite.nms import nms


class RPNDetector(ProposingDetector):
    """A backbone and an RPN; settings are those of Faster R-CNN, of which it is the first half.

    The RPN starts at random, drawn from `generator`; `rcnn_lite.training.fit` or `from_checkpoint` fills it.
    """

    model, title, Settings = "rpn", "RPN", FasterRCNNSettings

    def __init__(
        self,
        backbone: Backbone,
        classes: tuple[str, str] = ("background", "object"),
        settings: FasterRCNNSettings | None = None,
        generator: Generator | None = None,
    ):
        super().__init__(backbone, classes, settings, generator)

    def losses(
        self, images: list[Tensor], targets: list[dict], generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """The loss of the RPN for a batch of images (3, H, W): {"objectness", "rpn_box_regression"}.

        Of the targets only the boxes count: an object is an object.
        """
        return self.rpn_losses(self.look(images, targets, generator), generator)

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
