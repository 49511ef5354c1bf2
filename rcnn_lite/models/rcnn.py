"""R-CNN (Girshick, Donahue, Darrell and Malik 2014): regions with CNN features, its figure 1 as code (notebook 08).

    1 image -> 2 region proposals -> warped regions -> 3 CNN features -> 4 linear SVMs -> NMS of each class -> box
    regression

Every region goes through the whole network by itself. Nothing here is trained end to end: the network comes from
ImageNet and may be fine-tuned, SVMs and regressors are fitted to its features afterwards (`rcnn_training`).

Notation: n regions of an image, K classes with background, D features of the layer that the SVMs see, P of pool5.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from rcnn_lite.boxes import clip_boxes, decode_boxes, remove_small_boxes
from rcnn_lite.heads.ridge import LinearMap
from rcnn_lite.heads.svm import LinearSVMs
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.differences import apply_difference
from rcnn_lite.models.region_network import RegionFeatures, RegionNetwork
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
    layer: str = "fc6"  # what the SVMs see: pool5, fc6 or fc7; section 3.2 compares them
    max_proposals: int = 300  # section 2.2: about 2,000, of pictures of 500 pixels
    min_size: float = 6.0  # narrower or lower proposals are skipped; no object is so small
    proposal_iou: float = 0.8  # ours: of proposals that overlap more, only the best is looked at; 1.0 keeps all
    batch: int = 16  # regions that go through the network together: few, so that the maps stay in the cache
    score_threshold: float = -1.0  # appendix B: what scores below the margin is a clear no
    nms_iou: float = 0.3  # section 2.2 says "learned threshold"; code: 0.3
    max_detections: int = 100
    regress: bool = True  # section 2.3, appendix C
    nms_first: bool = False  # True: suppress by the boxes as proposed; code: as regressed, which is better here too


class RCNN(nn.Module):
    """R-CNN: a backbone, K class names with "background" first, and settings.

    Fresh from the constructor its SVMs never fire; `rcnn_training.train` or `from_checkpoint` fills them.
    """

    def __init__(self, backbone: Backbone, classes: tuple[str, ...], settings: RCNNSettings = RCNNSettings()):
        super().__init__()
        if settings.layer not in RegionFeatures._fields:
            raise ValueError(f"unknown layer {settings.layer!r}: choose one of {', '.join(RegionFeatures._fields)}")
        self.network, self.classes, self.settings = RegionNetwork(backbone.fused()), tuple(classes), settings
        self.watch, self.tuned = Stopwatch(), {}  # tuned: what was added to the network's weights, see `tune`
        # Factors of pool5, fc6, fc7 that bring all to the same mean norm, see svm.feature_scale.
        self.register_buffer("scales", torch.ones(3, device=self.device))
        with torch.no_grad():
            sample = self.extract(torch.zeros(1, 3, settings.size, settings.size, device=self.device))
        self.layer_sizes = tuple(values.shape[1] for values in sample)  # P, D6, D7
        k, d, p = len(classes), getattr(sample, settings.layer).shape[1], sample.pool5.shape[1]
        self.register_buffer("svm_weight", torch.zeros(k, d, device=self.device))
        self.register_buffer("svm_bias", torch.full((k,), -float("inf"), device=self.device))
        self.register_buffer("ridge_weight", torch.zeros(k, p, 4, device=self.device))
        self.register_buffer("ridge_bias", torch.zeros(k, 4, device=self.device))

    @property
    def backbone(self) -> Backbone:
        """The convolutions and what follows them, made for inference."""
        return self.network.backbone

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
        return self.decide(self.features(image, boxes), boxes, image.shape[1:])

    def decide(self, features: RegionFeatures, boxes: Tensor, image_size: tuple[int, int]) -> dict[str, Tensor]:
        """From features to detections: score n boxes, move those that are not rejected, suppress, keep the best."""
        with self.watch("SVM"):
            scores = self.score(features)  # (n, K)
            rows, labels = torch.nonzero(scores > self.settings.score_threshold, as_tuple=True)  # (M,) each
            scores = scores[rows, labels]  # (M,)
        with self.watch("regression"):
            moved = (
                self.regress(features.pool5, boxes)[labels, rows] if self.settings.regress else boxes[rows]
            )  # (M, 4)
            moved = clip_boxes(moved, tuple(image_size))
        with self.watch("NMS"):
            judged = boxes[rows] if self.settings.nms_first else moved
            kept = batched_nms(judged, scores, labels, self.settings.nms_iou)[: self.settings.max_detections]
        return {"boxes": moved[kept], "labels": labels[kept], "scores": scores[kept]}

    def score(self, features: RegionFeatures) -> Tensor:
        """What the SVMs say of n regions: (n, K); above 0 means yes."""
        return LinearSVMs(self.svm_weight, self.svm_bias).scores(getattr(features, self.settings.layer))

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
        """Warp n boxes of an image and put each through the network: (3, H, W), (n, 4) -> (n, P), (n, D6), (n, D7)."""
        parts = []
        for some in boxes.split(self.settings.batch) if len(boxes) else (boxes,):
            with self.watch("warp"):
                crops = self.crop(image, some)
            with self.watch("CNN"):
                parts.append(self.extract(crops))
        return RegionFeatures(*map(torch.cat, zip(*parts, strict=True)))

    def crop(self, image: Tensor, boxes: Tensor) -> Tensor:
        """Warped regions as the network wants them: (3, H, W), (n, 4) -> (n, 3, S, S)."""
        mean = self.backbone.mean.flatten()
        return warp_regions(image, boxes, self.settings.size, self.settings.context, fill=mean)

    def extract(self, crops: Tensor) -> RegionFeatures:
        """Features of warped regions (n, 3, S, S), each layer at the scale that SVMs and ridge were fitted with."""
        features = self.network(crops.contiguous(memory_format=torch.channels_last))
        return RegionFeatures(*(values * scale for values, scale in zip(features, self.scales, strict=True)))

    def regress(self, pool5: Tensor, boxes: Tensor) -> Tensor:
        """Where the regressor of each class moves each box: (n, P), (n, 4) -> (K, n, 4)."""
        deltas = LinearMap(self.ridge_weight, self.ridge_bias).predict(pool5)  # (K, n, 4)
        return decode_boxes(deltas, boxes.expand_as(deltas))

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model.

        The backbone is ImageNet's, by name; `tuned` holds what fine-tuning changed in it (see `differences`).
        """
        tensors = {name: value for name, value in self.state_dict().items() if not name.startswith("network.")}
        tensors |= {f"tuned/{name}": value for name, value in self.tuned.items()}
        description = {"model": "rcnn", "backbone": self.backbone.name, "classes": list(self.classes)}
        return tensors, description | {"settings": asdict(self.settings)}

    @classmethod
    def from_checkpoint(cls, tensors: dict[str, Tensor], description: dict, backbone: Backbone | None = None) -> "RCNN":
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        backbone = backbone or build_backbone(description["backbone"])
        model = cls(backbone, description["classes"], RCNNSettings(**description["settings"]))
        tuned = {name.removeprefix("tuned/"): t for name, t in tensors.items() if name.startswith("tuned/")}
        rest = {name: value for name, value in tensors.items() if not name.startswith("tuned/")}
        own = {name: value for name, value in model.state_dict().items() if not name.startswith("network.")}
        if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in rest.items()}:
            raise ValueError(f"the checkpoint's tensors {sorted(tensors)} do not fit its description of an R-CNN")
        model.load_state_dict(rest, strict=False)
        model.tune(tuned)
        return model

    def tune(self, difference: dict[str, Tensor]) -> None:
        """Add to the network what fine-tuning changed, as `differences.pack_difference` packed it."""
        self.backbone.load_state_dict(apply_difference(difference, self.backbone.state_dict()))
        self.tuned = difference
