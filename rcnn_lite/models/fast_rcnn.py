"""Fast R-CNN (Girshick 2015): the convolutions once an image, all regions from their map, all trained at once
(notebook 10). Its figure 1 as code:

    1 image -> convolutions, once ----+
                                      +-> RoI pooling -> fc6 -> fc7 -> class scores, and a box for each class
    2 region proposals ---------------+

Notation: n proposals of an image, R RoIs of a batch, C channels of the map, K classes with background.
"""

import copy
from dataclasses import asdict, dataclass, field

import torch
from torch import Generator, Tensor, nn

from rcnn_lite.boxes import clip_boxes, remove_small_boxes
from rcnn_lite.heads.box_head import truncated_svd
from rcnn_lite.heads.roi_heads import RoIHeads, RoIHeadSettings
from rcnn_lite.images import resize, tensor_to_image
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.differences import apply_difference, pack_difference
from rcnn_lite.models.stopwatch import Stopwatch
from rcnn_lite.proposals.selective_search import selective_search
from rcnn_lite.regions.roi_pool import roi_pool
from rcnn_lite.regions.rois import boxes_to_rois
from rcnn_lite.regions.scales import nearest_scale, scale_boxes


@dataclass(frozen=True)
class FastRCNNSettings:
    """The numbers of Fast R-CNN. Where they differ from the paper's, it is for a laptop and pictures of 256 pixels."""

    short_sides: tuple[int, ...] = (384,)  # section 5: 600; several make an image pyramid (section 2.4)
    long_side: int = 640  # section 5: 1,000
    roi_side: int = 112  # of a pyramid, the scale where a region has about so many pixels squared; section 2.4: 224
    stride: int = 16  # of the map that all regions share, as VGG16's conv5
    frozen_stages: int = 3  # section 4.5: the first convolutions need no learning
    max_proposals: int = 2000  # section 5
    min_size: float = 6.0  # narrower or lower proposals are skipped; no object is so small
    heads: RoIHeadSettings = field(default_factory=RoIHeadSettings)


class FastRCNN(nn.Module):
    """Fast R-CNN: a backbone, K class names with "background" first, and settings.

    The heads start at random, drawn from `generator`; `rcnn_lite.training.fit` or `from_checkpoint` fills them. Batch
    normalisation is folded into the convolutions: two images a step are too few to renew it.
    """

    confident = 0.5  # detections of at least this score are worth drawing: a probability

    def __init__(
        self,
        backbone: Backbone,
        classes: tuple[str, ...],
        settings: FastRCNNSettings = FastRCNNSettings(),
        generator: Generator | None = None,
    ):
        super().__init__()
        self.classes, self.settings, self.watch = tuple(classes), settings, Stopwatch()
        shared = sum(stride <= settings.stride for stride in backbone.strides)
        self.backbone = backbone.fused().trunk(shared)
        self.original = {f"backbone.{name}": value.clone() for name, value in self.backbone.state_dict().items()}
        self.backbone.stages[settings.frozen_stages :].requires_grad_(True)
        channels = self.backbone.channels[-1]
        self.roi_heads = RoIHeads(channels, len(classes), settings.heads, generator).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the model lives; images, targets and proposals are moved there."""
        return self.backbone.mean.device

    def losses(
        self, images: list[Tensor], targets: list[dict], proposals: list[Tensor], generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """The multi-task loss of a batch of N images (3, H, W): {"classification", "box_regression"}.

        Of each image a mini-batch of regions is drawn (hierarchical sampling, section 2.3) and, of several scales, one
        (section 2.4). Images without objects or without proposals are legal: the first have no region to learn from,
        the second their objects.
        """
        self._require_same_length(images, targets=targets, proposals=proposals)
        samples, pictures = [], []
        for image, target, boxes in zip(images, targets, proposals, strict=True):
            target = {key: v.to(self.device) if isinstance(v, Tensor) else v for key, v in target.items()}
            samples.append(self.roi_heads.sample(self.usable(boxes, image.shape[1:]), target, generator))
            drawn = int(torch.randint(len(self.settings.short_sides), (), generator=generator))
            pictures.append(resize(image.to(self.device), self.settings.short_sides[drawn], self.settings.long_side))
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
        self._require_same_length(images, proposals=proposals)
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

    def maps(self, pictures: list[Tensor]) -> list[Tensor]:
        """The map of each picture (3, h, w), that all its regions share: (1, C, ~h / stride, ~w / stride).

        Pictures of one size go through the convolutions together, others by themselves: nothing is padded.
        """
        if len({picture.shape for picture in pictures}) == 1:
            batch = torch.stack(pictures).contiguous(memory_format=torch.channels_last)
            return list(self.backbone(batch)[-1].split(1))
        return [self.features(picture) for picture in pictures]

    def features(self, picture: Tensor) -> Tensor:
        """`maps` of one picture: (3, h, w) -> (1, C, ~h / stride, ~w / stride)."""
        return self.maps([picture])[0]

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

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model.

        The backbone is there by name; what training changed in it, and the heads, in 8 bits a number (`differences`).
        """
        tensors = pack_difference(self.state_dict(), self._start())
        description = {"model": "fast_rcnn", "backbone": self.backbone.name, "classes": list(self.classes)}
        return tensors, description | {"settings": asdict(self.settings)}

    @classmethod
    def from_checkpoint(
        cls, tensors: dict[str, Tensor], description: dict, backbone: Backbone | None = None
    ) -> "FastRCNN":
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        settings = dict(description["settings"])
        heads = {name: tuple(v) if isinstance(v, list) else v for name, v in settings.pop("heads").items()}
        settings |= {"short_sides": tuple(settings["short_sides"]), "heads": RoIHeadSettings(**heads)}
        backbone = backbone or build_backbone(description["backbone"])
        model = cls(backbone, description["classes"], FastRCNNSettings(**settings))
        layers = {f"roi_heads.{name}" for name, value in model.roi_heads.named_parameters() if value.ndim == 2}
        if missing := sorted(layers - tensors.keys()):
            raise ValueError(f"the checkpoint lacks {missing[0]}: it does not fit its description of a Fast R-CNN")
        model.load_state_dict(apply_difference(tensors, model._start()))
        return model.eval()

    def _start(self) -> dict[str, Tensor]:
        """What a checkpoint holds the difference to: the backbone as it came, and heads of zeros."""
        return {name: self.original.get(name, torch.zeros_like(value)) for name, value in self.state_dict().items()}

    def _require_same_length(self, images: list[Tensor], **others: list) -> None:
        for name, values in others.items():
            if len(values) != len(images):
                raise ValueError(f"there are {len(images)} images and {name} for {len(values)}")
