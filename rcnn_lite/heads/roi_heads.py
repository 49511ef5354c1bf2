"""The second stage of Fast and Faster R-CNN: what is in a region, and where exactly (notebook 10).

Figure 1 of Fast R-CNN after the RoI pooling layer, with what training and testing need around it: which regions a step
looks at, and how scores and moved boxes become detections. Where the regions come from, and how they are pooled, is the
model's affair. Names of the layers are torchvision's.

Notation: R RoIs of a batch, n proposals and M objects of one image, K classes with background.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from rcnn_lite.boxes import clip_boxes, decode_boxes, encode_boxes, remove_small_boxes
from rcnn_lite.heads.box_head import FastRCNNPredictor, TwoMLPHead
from rcnn_lite.losses import detection_loss
from rcnn_lite.matching import match_boxes, sample_labels
from rcnn_lite.nms import batched_nms

MIN_SIDE = 0.01  # pixels: a box that was moved out of the picture has no width or height left


@dataclass(frozen=True)
class RoIHeadSettings:
    """The numbers of the second stage; sections are those of Fast R-CNN."""

    bins: int = 7  # section 2.1: H = W = 7 for VGG16
    width: int = 512  # numbers between the two fully connected layers; VGG16 has 4,096
    rois_per_image: int = 64  # section 2.3: R / N = 128 / 2
    positive_fraction: float = 0.25  # section 2.3
    positive_iou: float = 0.5  # section 2.3
    background_iou: tuple[float, float] = (0.1, 0.5)  # section 2.3: [0.1, 0.5), a kind of hard-negative mining
    delta_std: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)  # section 2.3: targets get unit variance
    loss_weight: float = 1.0  # section 2.3: lambda
    beta: float = 1.0  # equation 3: smooth L1; torchvision has 1/9
    score_threshold: float = 0.01  # code: none; what is unsure counts for average precision too
    nms_iou: float = 0.3  # code: as in R-CNN
    max_detections: int = 100


class RoISample(NamedTuple):
    """The regions of one image that a training step looks at: r boxes (r, 4), labels (r,), deltas (r, 4), normalised,
    and objects (r,), which of the M objects each is a region of.

    Positives come first. Deltas of background are zero; the loss does not look at them. Its object is -1.
    """

    boxes: Tensor
    labels: Tensor
    deltas: Tensor
    objects: Tensor


class RoIHeads(nn.Module):
    """Pooled features of ``channels`` x bins x bins -> class scores and a box for each of K classes."""

    def __init__(
        self,
        channels: int,
        num_classes: int,
        settings: RoIHeadSettings = RoIHeadSettings(),
        generator: Generator | None = None,
    ):
        super().__init__()
        self.settings = settings
        self.box_head = TwoMLPHead(channels * settings.bins**2, settings.width, generator)
        self.box_predictor = FastRCNNPredictor(settings.width, num_classes, generator)
        self.register_buffer("delta_std", torch.tensor(settings.delta_std), persistent=False)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features (R, C, bins, bins) -> class logits (R, K), normalised deltas (R, K, 4)."""
        return self.box_predictor(self.box_head(pooled))

    def sample(self, proposals: Tensor, target: dict[str, Tensor], generator: Generator | None) -> RoISample:
        """The mini-batch of one image, section 2.3: proposals (n, 4) and objects, the perfect proposals, are judged by
        their best IoU with an object; a quarter at most are positive.

        Crowds are no objects. An image without objects has no region in [0.1, 0.5), so its sample is empty.
        """
        single = ~target["iscrowd"].bool() if "iscrowd" in target else torch.ones_like(target["labels"], dtype=bool)
        gt_boxes, gt_labels, gt_rows = target["boxes"][single], target["labels"][single], torch.nonzero(single)[:, 0]
        boxes, s = torch.cat((gt_boxes, proposals)), self.settings
        matched, sides = match_boxes(boxes, gt_boxes, s.positive_iou, s.background_iou)
        positives, negatives = sample_labels(sides, s.rois_per_image, s.positive_fraction, generator)
        rows = torch.cat((positives, negatives))
        labels, deltas, objects = torch.zeros_like(rows), boxes.new_zeros(len(rows), 4), torch.full_like(rows, -1)
        labels[: len(positives)] = gt_labels[matched[positives]]
        objects[: len(positives)] = gt_rows[matched[positives]]
        deltas[: len(positives)] = encode_boxes(gt_boxes[matched[positives]], boxes[positives]) / self.delta_std
        return RoISample(boxes[rows], labels, deltas, objects)

    def losses(self, pooled: Tensor, samples: list[RoISample]) -> dict[str, Tensor]:
        """The multi-task loss of a batch, equation 1: pooled (R, C, bins, bins), the samples one after another."""
        labels, deltas = (torch.cat([getattr(s, name) for s in samples]) for name in ("labels", "deltas"))
        return detection_loss(*self(pooled), labels, deltas, self.settings.loss_weight, self.settings.beta)

    def decide(self, logits: Tensor, deltas: Tensor, boxes: Tensor, image_size: tuple[int, int]) -> dict[str, Tensor]:
        """Detections of one image, best first, from what `forward` said of its n boxes (section 2.2, end).

        Each box may be several classes; each class has moved it for itself, and NMS runs over each by itself.
        """
        probabilities = logits.softmax(dim=1)  # (n, K)
        rows, labels = torch.nonzero(probabilities[:, 1:] > self.settings.score_threshold, as_tuple=True)
        labels = labels + 1  # background is no detection
        moved = decode_boxes(deltas[rows, labels] * self.delta_std, boxes[rows])  # (m, 4)
        moved, scores = clip_boxes(moved, image_size), probabilities[rows, labels]
        inside = remove_small_boxes(moved, MIN_SIDE)
        moved, scores, labels = moved[inside], scores[inside], labels[inside]
        kept = batched_nms(moved, scores, labels, self.settings.nms_iou)[: self.settings.max_detections]
        return {"boxes": moved[kept], "labels": labels[kept], "scores": scores[kept]}
