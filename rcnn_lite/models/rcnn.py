"""R-CNN (Girshick, Donahue, Darrell and Malik 2014): regions with CNN features, its figure 1 as code (notebook 08).

    1 image -> 2 region proposals -> warped regions -> 3 CNN features -> 4 linear SVMs -> NMS of each class -> box
    regression

Every region goes through the whole network by itself. Nothing here is trained end to end: the network comes from
ImageNet, SVMs and regressors are fitted to its features (`rcnn_training`).

Notation: n regions of an image, K classes with background, D and P features of the two layers used.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rcnn_lite.boxes import clip_boxes, decode_boxes, remove_small_boxes
from rcnn_lite.heads.ridge import LinearMap
from rcnn_lite.heads.svm import LinearSVMs
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.stopwatch import Stopwatch
from rcnn_lite.nms import batched_nms, nms
from rcnn_lite.proposals.selective_search import selective_search
from rcnn_lite.regions.warp import warp_regions


@dataclass(frozen=True)
class RCNNSettings:
    """The numbers of R-CNN at test time.

    Where they differ from the paper's, it is for a laptop and pictures of 256 pixels.
    """

    size: int = 96  # side of a warped region; section 2.1: 227
    context: int = 7  # pixels of context around it; section 2.1: 16 of 227
    max_proposals: int = 300  # section 2.2: about 2,000, of pictures of 500 pixels
    min_size: float = 6.0  # narrower or lower proposals are skipped; no object is so small
    proposal_iou: float = 0.8  # ours: of proposals that overlap more, only the best is looked at; 1.0 keeps all
    batch: int = 16  # regions that go through the network together: few, so that the maps stay in the cache
    score_threshold: float = -1.0  # appendix B: what scores below the margin is a clear no
    nms_iou: float = 0.3  # section 2.2 says "learned threshold"; code: 0.3
    max_detections: int = 100
    regress: bool = True  # section 2.3, appendix C
    nms_first: bool = False  # True: suppress by the boxes as proposed; code: as regressed, which is better here too


class RegionFeatures(NamedTuple):
    """What the network says of n regions: `pool5` (n, P), the last map laid flat, and `fc` (n, D), the layer after."""

    pool5: Tensor
    fc: Tensor


class RCNN(nn.Module):
    """R-CNN with a fixed backbone: `backbone`, K class names with "background" first, and settings.

    Fresh from the constructor its SVMs never fire; `rcnn_training.train` or `from_checkpoint` fills them.
    """

    def __init__(self, backbone: Backbone, classes: tuple[str, ...], settings: RCNNSettings = RCNNSettings()):
        super().__init__()
        self.backbone, self.classes, self.settings = backbone.fused(), tuple(classes), settings
        self.watch = Stopwatch()
        # Factors of pool5 and fc that bring both to the same mean norm, see svm.feature_scale.
        self.register_buffer("scales", torch.ones(2, device=self.device))
        with torch.no_grad():
            sample = self.extract(torch.zeros(1, 3, settings.size, settings.size, device=self.device))
        k, d, p = len(classes), sample.fc.shape[1], sample.pool5.shape[1]
        self.register_buffer("svm_weight", torch.zeros(k, d, device=self.device))
        self.register_buffer("svm_bias", torch.full((k,), -float("inf"), device=self.device))
        self.register_buffer("ridge_weight", torch.zeros(k, p, 4, device=self.device))
        self.register_buffer("ridge_bias", torch.zeros(k, 4, device=self.device))

    @property
    def device(self) -> torch.device:
        """Where the backbone lives; images and proposals are moved there."""
        return self.backbone.mean.device

    @torch.inference_mode()
    def detect(self, images: list[Tensor], proposals: list[Tensor] | None = None) -> list[dict[str, Tensor]]:
        """Detections in each image, best first: dicts of boxes (M, 4), labels (M,), scores (M,), in the image's pixels.

        Parameters
        ----------
        images : (3, H, W) tensors in [0, 1], of any sizes.
        proposals : (n, 4) boxes for each image, best first; default: selective search.

        A score is the SVM's: above 0 means yes. `watch.seconds` adds up where the time goes.
        """
        if proposals is None:
            proposals = [self.propose(image) for image in images]
        if len(images) != len(proposals):
            raise ValueError(f"there are {len(images)} images and proposals for {len(proposals)}")
        return [self.detect_in(image.to(self.device), p) for image, p in zip(images, proposals, strict=True)]

    def detect_in(self, image: Tensor, proposals: Tensor) -> dict[str, Tensor]:
        """`detect` for one image: the pipeline of figure 1 after the proposals."""
        boxes = self.usable(proposals, image.shape[1:])  # (n, 4)
        features = self.features(image, boxes)  # (n, P), (n, D)
        with self.watch("SVM"):
            scores = LinearSVMs(self.svm_weight, self.svm_bias).scores(features.fc)  # (n, K)
            rows, labels = torch.nonzero(scores > self.settings.score_threshold, as_tuple=True)  # (M,) each
            scores = scores[rows, labels]  # (M,)
        with self.watch("regression"):
            moved = (
                self.regress(features.pool5, boxes)[labels, rows] if self.settings.regress else boxes[rows]
            )  # (M, 4)
            moved = clip_boxes(moved, image.shape[1:])
        with self.watch("NMS"):
            judged = boxes[rows] if self.settings.nms_first else moved
            kept = batched_nms(judged, scores, labels, self.settings.nms_iou)[: self.settings.max_detections]
        return {"boxes": moved[kept], "labels": labels[kept], "scores": scores[kept]}

    def propose(self, image: Tensor) -> Tensor:
        """Selective search in a (3, H, W) image: (n, 4), best first."""
        with self.watch("proposals"):
            return selective_search(tensor_to_image(image))

    def usable(self, proposals: Tensor, image_size: tuple[int, int]) -> Tensor:
        """The best `max_proposals` that are large enough inside the picture and no near copies of each other.

        The network's time goes into proposals, so 300 different ones are worth more than 300 of which many are alike.
        """
        boxes = clip_boxes(proposals.to(self.device), tuple(image_size))
        boxes = boxes[remove_small_boxes(boxes, self.settings.min_size)]
        ranks = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=boxes.dtype)  # best first
        return boxes[nms(boxes, ranks, self.settings.proposal_iou)[: self.settings.max_proposals]]

    def features(self, image: Tensor, boxes: Tensor) -> RegionFeatures:
        """Warp n boxes of an image and put each through the network: (3, H, W), (n, 4) -> (n, P), (n, D)."""
        mean, parts = self.backbone.mean.flatten(), []
        for some in boxes.split(self.settings.batch) if len(boxes) else (boxes,):
            with self.watch("warp"):
                crops = warp_regions(image, some, self.settings.size, self.settings.context, fill=mean)
            with self.watch("CNN"):
                parts.append(self.extract(crops))
        return RegionFeatures(*map(torch.cat, zip(*parts, strict=True)))

    def extract(self, crops: Tensor) -> RegionFeatures:
        """Features of warped regions (n, 3, S, S), each layer at the scale that SVMs and ridge were fitted with."""
        last = self.backbone(crops.contiguous(memory_format=torch.channels_last))[-1]  # (n, C, s, s)
        return RegionFeatures(last.flatten(1) * self.scales[0], self.backbone.embedding(last) * self.scales[1])

    def regress(self, pool5: Tensor, boxes: Tensor) -> Tensor:
        """Where the regressor of each class moves each box: (n, P), (n, 4) -> (K, n, 4)."""
        deltas = LinearMap(self.ridge_weight, self.ridge_bias).predict(pool5)  # (K, n, 4)
        return decode_boxes(deltas, boxes.expand_as(deltas))

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model.

        The backbone is ImageNet's, by name.
        """
        tensors = {name: value for name, value in self.state_dict().items() if not name.startswith("backbone.")}
        description = {"model": "rcnn", "backbone": self.backbone.name, "classes": list(self.classes)}
        return tensors, description | {"settings": asdict(self.settings)}

    @classmethod
    def from_checkpoint(cls, tensors: dict[str, Tensor], description: dict, backbone: Backbone | None = None) -> "RCNN":
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        backbone = backbone or build_backbone(description["backbone"])
        model = cls(backbone, description["classes"], RCNNSettings(**description["settings"]))
        own = {name: value for name, value in model.state_dict().items() if not name.startswith("backbone.")}
        if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in tensors.items()}:
            raise ValueError(f"the checkpoint's tensors {sorted(tensors)} do not fit its description of an R-CNN")
        model.load_state_dict(tensors, strict=False)
        return model
