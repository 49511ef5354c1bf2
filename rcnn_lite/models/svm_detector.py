"""What R-CNN and SPPnet share: everything after the features of a region (notebooks 06 to 08).

    proposals -> features of each -> linear SVMs -> box regression -> NMS of each class

The two papers differ in one step, how a proposal becomes features: R-CNN warps its pixels and runs the network on them
(`rcnn`), SPPnet pools a window of a map that all proposals share (`sppnet`). So each of them is this detector with its
own `features`.

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
from rcnn_lite.models.region_network import RegionFeatures
from rcnn_lite.models.stopwatch import Stopwatch
from rcnn_lite.nms import batched_nms, nms
from rcnn_lite.proposals.selective_search import selective_search


@dataclass(frozen=True)
class DetectorSettings:
    """The numbers that R-CNN and SPPnet share at test time; sections are those of R-CNN."""

    layer: str = "fc6"  # what the SVMs see: pool5, fc6 or fc7; section 3.2 compares them
    max_proposals: int = 300  # section 2.2: about 2,000, of pictures of 500 pixels
    min_size: float = 6.0  # narrower or lower proposals are skipped; no object is so small
    proposal_iou: float = 0.8  # ours: of proposals that overlap more, only the best is looked at; 1.0 keeps all
    score_threshold: float = -1.0  # appendix B: what scores below the margin is a clear no
    nms_iou: float = 0.3  # section 2.2 says "learned threshold"; code: 0.3
    max_detections: int = 100
    regress: bool = True  # section 2.3, appendix C
    nms_first: bool = False  # True: suppress by the boxes as proposed; code: as regressed, which is better here too


class SVMDetector(nn.Module):
    """SVMs and regressors on features that a subclass makes; it has `features`, `tune`, and the three names below.

    `network` has the `backbone` and all other layers; `sizes` are the numbers in pool5, fc6 and fc7; of K class names
    "background" comes first. Fresh from the constructor the SVMs never fire; training or `from_checkpoint` fills them.
    """

    model: str  # by which checkpoints know it
    title: str  # by which people know it
    Settings: type[DetectorSettings]
    needs_proposals = True  # a program of its own makes them
    confident = -0.2  # detections of at least this score are worth drawing: an SVM's margin reaches from -1 to 1

    def __init__(self, network: nn.Module, sizes: tuple[int, int, int], classes, settings: DetectorSettings):
        super().__init__()
        if settings.layer not in RegionFeatures._fields:
            raise ValueError(f"unknown layer {settings.layer!r}: choose one of {', '.join(RegionFeatures._fields)}")
        self.network, self.classes, self.settings = network, tuple(classes), settings
        self.layer_sizes = sizes = RegionFeatures(*sizes)  # P, D6, D7
        self.watch, self.tuned = Stopwatch(), {}  # tuned: what was added to the network's weights, see `tune`
        # Factors of pool5, fc6, fc7 that bring all to the same mean norm, see svm.feature_scale.
        self.register_buffer("scales", torch.ones(3, device=self.device))
        k, d, p = len(self.classes), getattr(sizes, settings.layer), sizes.pool5
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
        """`detect` for one image: the pipeline after the proposals."""
        boxes = self.usable(proposals, image.shape[1:])  # (n, 4)
        return self.decide(self.features(image, boxes), boxes, image.shape[1:])

    def features(self, image: Tensor, boxes: Tensor) -> RegionFeatures:
        """Features of n boxes of an image, scaled: (3, H, W), (n, 4) -> (n, P), (n, D6), (n, D7)."""
        raise NotImplementedError

    def scaled(self, features: RegionFeatures) -> RegionFeatures:
        """Each layer at the scale that SVMs and ridge were fitted with."""
        return RegionFeatures(*(values * scale for values, scale in zip(features, self.scales, strict=True)))

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
        return usable(proposals.to(self.device), image_size, self.settings)

    def regress(self, pool5: Tensor, boxes: Tensor) -> Tensor:
        """Where the regressor of each class moves each box: (n, P), (n, 4) -> (K, n, 4)."""
        deltas = LinearMap(self.ridge_weight, self.ridge_bias).predict(pool5)  # (K, n, 4)
        return decode_boxes(deltas, boxes.expand_as(deltas))

    def tune(self, difference: dict[str, Tensor]) -> None:
        """Add to the network what training changed, as `differences.pack_difference` packed it, and keep it."""
        raise NotImplementedError

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model.

        The backbone is ImageNet's, by name; `tuned` holds what training changed in the network (see `differences`).
        """
        tensors = {name: value for name, value in self.state_dict().items() if not name.startswith("network.")}
        tensors |= {f"tuned/{name}": value for name, value in self.tuned.items()}
        description = {"model": self.model, "backbone": self.backbone.name, "classes": list(self.classes)}
        return tensors, description | {"settings": asdict(self.settings)}

    @classmethod
    def from_checkpoint(cls, tensors: dict[str, Tensor], description: dict, backbone: Backbone | None = None):
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        backbone = backbone or build_backbone(description["backbone"])
        model = cls(backbone, description["classes"], cls.Settings(**description["settings"]))
        tuned = {name.removeprefix("tuned/"): t for name, t in tensors.items() if name.startswith("tuned/")}
        rest = {name: value for name, value in tensors.items() if not name.startswith("tuned/")}
        own = {name: value for name, value in model.state_dict().items() if not name.startswith("network.")}
        if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in rest.items()}:
            raise ValueError(f"the checkpoint's tensors {sorted(tensors)} do not fit its description of an {cls.title}")
        model.load_state_dict(rest, strict=False)
        model.tune(tuned)
        return model


def usable(proposals: Tensor, image_size: tuple[int, int], settings: DetectorSettings) -> Tensor:
    """`SVMDetector.usable` for a detector with these settings: (n, 4) -> (m, 4)."""
    boxes = clip_boxes(proposals, tuple(image_size))
    boxes = boxes[remove_small_boxes(boxes, settings.min_size)]
    ranks = torch.arange(len(boxes), 0, -1, device=boxes.device, dtype=boxes.dtype)  # best first
    return boxes[nms(boxes, ranks, settings.proposal_iou, limit=settings.max_proposals)]
