"""Localisation as plain regression: one look at the whole picture, one box a class (notebook 03).

    1 image -> 2 CNN, once -> 3 a linear SVM a class: is it there? -> 4 a linear map a class: where?

No regions, no windows, no NMS. It is the shortest answer to "where", and one that R-CNN's introduction sets aside: this
strategy "may not fare well in practice" (30.5 % mAP for Szegedy, Toshev and Erhan 2013, against 58.5 %). Theirs is less
simple than this one: it regresses a coarse mask, five times a picture and class, at several scales, and refines each
box on a second look. OverFeat (Sermanet 2014) regresses boxes too, but at every window of a pyramid.

What it cannot do, however well it is trained: find two objects of a class, since it has one answer; and the answer that
minimises the squared error between two possibilities lies between them.

Notation: K classes with background, P = 320 g^2 features of the last map (g x g cells) and D of the embedding.
"""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_lite.boxes import clip_boxes
from rcnn_lite.heads.ridge import LinearMap
from rcnn_lite.heads.svm import LinearSVMs
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.stopwatch import Stopwatch


@dataclass(frozen=True)
class RegressionSettings:
    """The numbers of the detector at test time."""

    size: int = 256  # every picture is stretched to a square of so many pixels
    grid: int = 4  # the last map is averaged to so many cells a side: where something is must survive, little else
    score_threshold: float = -1.0  # as in R-CNN: what scores below the margin is a clear no


class PictureFeatures(NamedTuple):
    """What the network says of N pictures: `map` (N, P), its last map laid flat, and `fc` (N, D), the layer after."""

    map: Tensor
    fc: Tensor


class RegressionOnly(nn.Module):
    """A fixed backbone, K class names with "background" first, and settings.

    Fresh from the constructor it never fires; `regression_training.train` or `from_checkpoint` fills it.
    """

    confident = -0.2  # detections of at least this score are worth drawing: an SVM's margin reaches from -1 to 1

    def __init__(
        self, backbone: Backbone, classes: tuple[str, ...], settings: RegressionSettings = RegressionSettings()
    ):
        super().__init__()
        self.backbone, self.classes, self.settings = backbone.fused(), tuple(classes), settings
        self.watch = Stopwatch()
        self.register_buffer("scales", torch.ones(2, device=self.device))  # of map and fc, see svm.feature_scale
        k, p, d = len(classes), backbone.channels[-1] * settings.grid**2, backbone.embedding_size
        self.register_buffer("svm_weight", torch.zeros(k, d, device=self.device))
        self.register_buffer("svm_bias", torch.full((k,), -float("inf"), device=self.device))
        self.register_buffer("ridge_weight", torch.zeros(k, p, 4, device=self.device))
        self.register_buffer("ridge_bias", torch.zeros(k, 4, device=self.device))

    @property
    def device(self) -> torch.device:
        """Where the backbone lives; images are moved there."""
        return self.backbone.mean.device

    @torch.inference_mode()
    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        """Detections in each image (3, H, W), best first: dicts of boxes (M, 4), labels (M,), scores (M,), in pixels.

        At most one a class. A score is the SVM's: above 0 means that the class is there.
        """
        return [self.detect_in(image.to(self.device)) for image in images]

    def detect_in(self, image: Tensor) -> dict[str, Tensor]:
        """`detect` for one image."""
        with self.watch("CNN"):
            features = self.features(image)
        with self.watch("SVM"):
            scores = LinearSVMs(self.svm_weight, self.svm_bias).scores(features.fc)[0]  # (K,)
            labels = torch.nonzero(scores > self.settings.score_threshold).flatten()  # (M,)
            labels = labels[scores[labels].argsort(descending=True, stable=True)]
        with self.watch("regression"):
            boxes = self.boxes(features.map, image.shape[1:])[labels, 0]  # (M, 4)
        return {"boxes": boxes, "labels": labels, "scores": scores[labels]}

    def features(self, image: Tensor) -> PictureFeatures:
        """One pass of the whole image (3, H, W): features (1, P), (1, D), at the scales that were fitted with."""
        square = (self.settings.size, self.settings.size)
        if tuple(image.shape[1:]) != square:
            image = F.interpolate(image[None], square, mode="bilinear", antialias=True)[0]
        last = self.backbone(image[None].contiguous(memory_format=torch.channels_last))[-1]  # (1, C, s, s)
        cells = F.adaptive_avg_pool2d(last, self.settings.grid)  # (1, C, g, g)
        return PictureFeatures(cells.flatten(1) * self.scales[0], self.backbone.embedding(last) * self.scales[1])

    def boxes(self, features: Tensor, image_size: tuple[int, int]) -> Tensor:
        """The box of each class for N pictures of one size: (N, P) -> (K, N, 4), in pixels, inside the picture."""
        corners = LinearMap(self.ridge_weight, self.ridge_bias).predict(features)  # (K, N, 4), 0 .. 1 is the picture
        return to_pixels(corners, image_size)

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model, the backbone's by name."""
        tensors = {name: value for name, value in self.state_dict().items() if not name.startswith("backbone.")}
        description = {"model": "regression", "backbone": self.backbone.name, "classes": list(self.classes)}
        return tensors, description | {"settings": asdict(self.settings)}

    @classmethod
    def from_checkpoint(
        cls, tensors: dict[str, Tensor], description: dict, backbone: Backbone | None = None
    ) -> "RegressionOnly":
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        backbone = backbone or build_backbone(description["backbone"])
        model = cls(backbone, description["classes"], RegressionSettings(**description["settings"]))
        own = {name: value for name, value in model.state_dict().items() if not name.startswith("backbone.")}
        if {n: v.shape for n, v in own.items()} != {n: v.shape for n, v in tensors.items()}:
            raise ValueError(f"the checkpoint's tensors {sorted(tensors)} do not fit its description of a regression")
        model.load_state_dict(tensors, strict=False)
        return model


def to_unit(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Boxes (..., 4) in pixels of a picture (H, W) -> corners from 0 to 1: x over W, y over H.

    >>> to_unit(torch.tensor([[16.0, 8.0, 32.0, 24.0]]), image_size=(32, 64))
    tensor([[0.2500, 0.2500, 0.5000, 0.7500]])
    """
    height, width = image_size
    return boxes / boxes.new_tensor([width, height, width, height])


def to_pixels(corners: Tensor, image_size: tuple[int, int]) -> Tensor:
    """The way back from `to_unit`, for what a linear map answers: nothing keeps its corners in order or in the picture.

    Corners that come out the wrong way round are swapped, what sticks out of the picture is cut off.

    >>> to_pixels(torch.tensor([[0.50, 0.25, 0.25, 1.75]]), image_size=(32, 64))
    tensor([[16.,  8., 32., 32.]])
    """
    height, width = image_size
    boxes = corners * corners.new_tensor([width, height, width, height])
    ordered = torch.cat((boxes[..., :2].minimum(boxes[..., 2:]), boxes[..., :2].maximum(boxes[..., 2:])), dim=-1)
    return clip_boxes(ordered, tuple(image_size))
