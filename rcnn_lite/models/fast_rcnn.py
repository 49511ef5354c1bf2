"""Fast R-CNN (Girshick 2015): the convolutions once an image, all regions from their map, all trained at once
(notebook 10). Its figure 1 as code:

    1 image -> convolutions, once ----+
                                      +-> RoI pooling -> fc6 -> fc7 -> class scores, and a box for each class
    2 region proposals ---------------+

Notation: n proposals of an image, R RoIs of a batch, C channels of the map, K classes with background.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from rcnn_lite.boxes import clip_boxes, remove_small_boxes
from rcnn_lite.distributed import in_turn
from rcnn_lite.heads.box_head import truncated_svd
from rcnn_lite.heads.roi_heads import RoIHeads, RoIHeadSettings
from rcnn_lite.images import resize, tensor_to_image
from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.shared_map import SharedMapDetector, require_same_length
from rcnn_lite.proposals.selective_search import selective_search
from rcnn_lite.regions.roi_pool import roi_pool
from rcnn_lite.regions.rois import boxes_to_rois
from rcnn_lite.regions.scales import nearest_scale, scale_boxes


@dataclass(frozen=True)
class FastRCNNSettings:
    """The numbers of Fast R-CNN. Where they differ from the paper's, it is for a laptop and pictures of 256 pixels."""

    training_sides: tuple[int, ...] = (256, 384, 512)  # a step draws one for each picture (section 2.4)
    short_sides: tuple[int, ...] = (512,)  # section 5: 600; several make an image pyramid at test time (section 2.4)
    long_side: int = 1000  # section 5
    roi_side: int = 112  # of a pyramid, the scale where a region has about so many pixels squared; section 2.4: 224
    stride: int = 16  # of the map that all regions share, as VGG16's conv5
    frozen_stages: int = 3  # section 4.5: the first convolutions need no learning
    max_proposals: int = 2000  # section 5
    min_size: float = 6.0  # narrower or lower proposals are skipped; no object is so small
    heads: RoIHeadSettings = field(default_factory=RoIHeadSettings)


class FastRCNN(SharedMapDetector):
    """Fast R-CNN: a backbone, K class names with "background" first, and settings.

    The heads start at random, drawn from `generator`; `rcnn_lite.training.fit` or `from_checkpoint` fills them.
    """

    model, title, Settings = "fast_rcnn", "Fast R-CNN", FastRCNNSettings
    needs_proposals = True  # a program of its own makes them

    def __init__(
        self,
        backbone: Backbone,
        classes: tuple[str, ...],
        settings: FastRCNNSettings = FastRCNNSettings(),
        generator: Generator | None = None,
    ):
        super().__init__(backbone, classes, settings)
        channels = self.backbone.channels[-1]
        self.roi_heads = RoIHeads(channels, len(classes), settings.heads, generator).to(self.device)

    def losses(
        self, images: list[Tensor], targets: list[dict], proposals: list[Tensor], generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """The multi-task loss of a batch of N images (3, H, W): {"classification", "box_regression"}.

        Of each image a mini-batch of regions is drawn (hierarchical sampling, section 2.3), and one of the training
        scales (section 2.4). Images without objects or without proposals are legal: the first have no region to learn
        from, the second their objects.
        """
        require_same_length(images, targets=targets, proposals=proposals)
        samples, pictures = [], []
        for image, target, boxes in zip(images, targets, proposals, strict=True):
            size = tuple(image.shape[1:])
            target = self.seen(target, size, size)
            with in_turn(generator):  # both draws of a picture before those of the next
                samples.append(self.roi_heads.sample(self.usable(boxes, size), target, generator))
                pictures.append(self.draw_picture(image, generator))
        maps = self.maps(pictures)
        seen = zip(maps, pictures, samples, images, strict=True)
        pooled = [self._pool([m], [picture], sample.boxes, image) for m, picture, sample, image in seen]
        return self.roi_heads.losses(torch.cat(pooled), samples)

    @torch.inference_mode()
    def detect(self, images: list[Tensor], proposals: list[Tensor] | None = None) -> list[dict[str, Tensor]]:
        """Detections in each image, best first: dicts of boxes (M, 4), labels (M,), scores (M,), in the image's pixels.

        Parameters
        ----------
        images : (3, H, W) tensors in [0, 1], of any sizes.
        proposals : (n, 4) boxes for each image, best first; default: selective search.

        A score is a probability. `watch.seconds` adds up where the time goes.
        """
        if proposals is None:
            proposals = [self.propose(image) for image in images]
        require_same_length(images, proposals=proposals)
        return [self.detect_in(image.to(self.device), boxes) for image, boxes in zip(images, proposals, strict=True)]

    def detect_in(self, image: Tensor, proposals: Tensor) -> dict[str, Tensor]:
        """`detect` for one image: figure 1 from left to right."""
        boxes = self.usable(proposals, image.shape[1:])  # (n, 4)
        pooled = self.pool(image, boxes, self.settings.short_sides)  # (n, C, bins, bins)
        with self.watch("heads"):
            logits, deltas = self.roi_heads(pooled)  # (n, K), (n, K, 4)
        with self.watch("NMS"):
            return self.roi_heads.decide(logits, deltas, boxes, tuple(image.shape[1:]))

    def propose(self, image: Tensor) -> Tensor:
        """Selective search in a (3, H, W) image: (n, 4), best first."""
        with self.watch("proposals"):
            return selective_search(tensor_to_image(image))

    def usable(self, proposals: Tensor, image_size: tuple[int, int]) -> Tensor:
        """The best `max_proposals` that are large enough inside the picture."""
        boxes = clip_boxes(proposals.to(self.device), tuple(image_size))
        return boxes[remove_small_boxes(boxes, self.settings.min_size)][: self.settings.max_proposals]

    def pool(self, image: Tensor, boxes: Tensor, short_sides: tuple[int, ...]) -> Tensor:
        """RoI features of n boxes of an image, (3, H, W), (n, 4) -> (n, C, bins, bins), each from the scale of the
        pyramid that suits it.
        """
        pictures = [resize(image, side, self.settings.long_side) for side in short_sides]
        with self.watch("convolutions"):
            maps = self.maps(pictures)
        with self.watch("RoI pooling"):
            return self._pool(maps, pictures, boxes, image)

    def _pool(self, maps: list[Tensor], pictures: list[Tensor], boxes: Tensor, image: Tensor) -> Tensor:
        """RoI features of boxes of `image`, which was resized to `pictures`, that have these maps."""
        size = tuple(image.shape[1:])
        factors = [(picture.shape[1] * picture.shape[2] / (size[0] * size[1])) ** 0.5 for picture in pictures]
        level = nearest_scale(boxes, factors, self.settings.roi_side)  # (n,)
        rows = [torch.nonzero(level == i).flatten() for i in range(len(maps))]
        parts = []
        for features, picture, chosen in zip(maps, pictures, rows, strict=True):
            rois = boxes_to_rois([scale_boxes(boxes[chosen], size, tuple(picture.shape[1:]))])
            parts.append(roi_pool(features, rois, self.settings.heads.bins, 1 / self.backbone.strides[-1]))
        return torch.cat(parts).index_select(0, torch.cat(rows).argsort())  # in the order of the boxes

    def truncated(self, rank6: int, rank7: int) -> "FastRCNN":
        """A copy whose fc6 and fc7 are two thin layers each (section 3.1; the paper keeps 1,024 and 256 of 4,096)."""
        thin = copy.deepcopy(self)
        head = thin.roi_heads.box_head
        head.fc6, head.fc7 = truncated_svd(head.fc6, rank6), truncated_svd(head.fc7, rank7)
        return thin
