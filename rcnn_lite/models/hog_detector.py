"""Before R-CNN: one HOG template a class slides over an image pyramid (Dalal and Triggs 2005; notebook 03).

    1 image -> 2 pyramid -> 3 HOG of each level, once -> 4 every window scored by a linear SVM -> NMS of each class

All windows share the features of their level: the score of a template at every position is one correlation. What a
window may look like is fixed: one aspect ratio a class, sizes from the pyramid, positions a cell apart.

Notation: K classes with background, a template of a x b cells, that is (a - 1) x (b - 1) blocks of 36 numbers.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_lite.models.stopwatch import Stopwatch
from rcnn_lite.nms import batched_nms
from rcnn_lite.proposals.sliding_window import pyramid, pyramid_scales, sliding_windows
from rcnn_lite.regions.hog import CHANNELS, hog_blocks


@dataclass(frozen=True)
class HOGSettings:
    """The numbers of the detector at test time. Dalal and Triggs look for pedestrians at least 96 pixels high."""

    cell: int = 6  # pixels; section 6.3: 6 to 8. With 4, twice the time and the same mAP on held-out scenes
    per_octave: int = 3  # levels from one size to twice that size
    score_threshold: float = -1.0  # as in R-CNN: what scores below the margin is a clear no
    max_candidates: int = 500  # windows of a class that NMS gets to see, the best ones
    nms_iou: float = 0.3
    max_detections: int = 100


class HOGDetector(nn.Module):
    """A template a class: K class names with "background" first, the cells (rows, columns) of each template as (K, 2),
    where the background's row is ignored, and settings.

    Fresh from the constructor it never fires; `hog_training.train` or `from_checkpoint` fills it.
    """

    confident = -0.2  # detections of at least this score are worth drawing: an SVM's margin reaches from -1 to 1

    def __init__(self, classes: tuple[str, ...], shapes: Tensor, settings: HOGSettings = HOGSettings()):
        super().__init__()
        shapes = torch.as_tensor(shapes, dtype=torch.int64)
        if shapes.shape != (len(classes), 2) or bool((shapes[1:] < 2).any()):
            raise ValueError(f"shapes must hold rows and columns, at least 2, for each of {len(classes)} classes")
        self.classes, self.settings, self.watch = tuple(classes), settings, Stopwatch()
        rows, columns = (shapes.amax(dim=0) - 1).clamp(min=1).tolist()
        self.register_buffer("shapes", shapes)
        self.register_buffer("weight", torch.zeros(len(classes), CHANNELS, rows, columns))  # the upper left part counts
        self.register_buffer("bias", torch.full((len(classes),), -float("inf")))

    @property
    def device(self) -> torch.device:
        """Where the templates live. HOG itself is counted on the CPU."""
        return self.bias.device

    def template(self, label: int) -> Tensor:
        """The SVM's weights of a class as a template (36, a - 1, b - 1)."""
        rows, columns = self.shapes[label].tolist()
        return self.weight[label, :, : rows - 1, : columns - 1]

    def window(self, label: int) -> tuple[int, int]:
        """Height and width of the template of a class, in pixels of a level."""
        height, width = (self.shapes[label] * self.settings.cell).tolist()
        return height, width

    def scales(self, image_size: tuple[int, int], label: int | None = None) -> list[float]:
        """The levels into which the template of a class fits; without a class, those into which some template fits."""
        labels = range(1, len(self.classes)) if label is None else (label,)
        fitting = (pyramid_scales(image_size, self.window(k), self.settings.per_octave) for k in labels)
        return max(fitting, key=len, default=[])

    @torch.inference_mode()
    def detect(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        """Detections in each image (3, H, W), best first: dicts of boxes (M, 4), labels (M,), scores (M,), in pixels.

        A score is the SVM's: above 0 means yes. `watch.seconds` adds up where the time goes.
        """
        return [self.detect_in(image) for image in images]

    def detect_in(self, image: Tensor) -> dict[str, Tensor]:
        """`detect` for one image: the pipeline at the top of this file."""
        maps, settings = self.maps(image), self.settings
        with self.watch("templates"):
            found = [self.candidates(maps, image.shape[1:], label) for label in range(1, len(self.classes))]
        with self.watch("NMS"):
            boxes, labels, scores = map(torch.cat, zip(*found, strict=True))
            kept = batched_nms(boxes, scores, labels, settings.nms_iou)[: settings.max_detections]
        return {"boxes": boxes[kept], "labels": labels[kept], "scores": scores[kept]}

    def maps(self, image: Tensor) -> list[Tensor]:
        """HOG of every level of an image (3, H, W): blocks (36, R, C) each, shared by all windows and classes."""
        with self.watch("pyramid"):
            levels = pyramid(image, self.scales(image.shape[1:]))
        with self.watch("HOG"):
            return [hog_blocks(level, self.settings.cell).to(self.device) for level in levels]

    def scores(self, maps: list[Tensor], label: int) -> list[Tensor]:
        """Scores of a class at every position of its window in every level into which it fits: (rows, columns) each."""
        template, bias = self.template(label), self.bias[label]
        rows, columns = template.shape[1:]
        fitting = [m for m in maps if m.shape[1] >= rows and m.shape[2] >= columns]
        return [F.conv2d(m[None], template[None])[0, 0] + bias for m in fitting]

    def windows(self, image_size: tuple[int, int], label: int) -> Tensor:
        """The boxes that belong to `scores` of an image (H, W), laid end to end: (N, 4)."""
        scales = self.scales(image_size, label)
        return sliding_windows(tuple(image_size), self.window(label), self.settings.cell, scales).to(self.device)

    def candidates(self, maps: list[Tensor], image_size: tuple[int, int], label: int) -> tuple[Tensor, Tensor, Tensor]:
        """The best windows of a class above the threshold: boxes (M, 4), labels (M,), scores (M,)."""
        scores = torch.cat([self.bias[:0], *(s.flatten() for s in self.scores(maps, label))])  # (N,)
        scores, best = scores.topk(min(self.settings.max_candidates, len(scores)))
        best = best[scores > self.settings.score_threshold]
        boxes = self.windows(image_size, label)[best]
        return boxes, torch.full((len(best),), label, device=self.device), scores[: len(best)]

    def to_checkpoint(self) -> tuple[dict[str, Tensor], dict]:
        """Tensors and description from which `from_checkpoint` makes the same model."""
        description = {"model": "hog", "classes": list(self.classes), "settings": asdict(self.settings)}
        return dict(self.state_dict()), description

    @classmethod
    def from_checkpoint(cls, tensors: dict[str, Tensor], description: dict) -> "HOGDetector":
        """The model that `to_checkpoint` described; ValueError where the two do not fit."""
        model = cls(description["classes"], tensors["shapes"], HOGSettings(**description["settings"]))
        own = {name: value.shape for name, value in model.state_dict().items()}
        if own != {name: value.shape for name, value in tensors.items()}:
            raise ValueError(f"the checkpoint's tensors {sorted(tensors)} do not fit its description of a HOG detector")
        model.load_state_dict(tensors)
        return model
