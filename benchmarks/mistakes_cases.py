"""Which mistakes are measured, with which detector, and the trained detectors themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from faster_rcnn_parts import of_seed, remember_maps
from torch import Tensor

from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.images import resize
from rcnn_lite.models.loading import load_model
from rcnn_lite.proposals.stored import propose_all
from rcnn_lite.regions.scales import scale_boxes

SMALL = 24.0  # pixels: objects whose area has a smaller root are marked difficult where that is measured
DETECTING, MEASURING, TRAINING = "detecting", "measuring", "training"


def small_are_difficult(targets: list[dict]) -> list[dict]:
    """The targets with their smallest objects marked as difficult: the scenes have no such mark."""
    return [target | {"difficult": target["area"] < SMALL**2} for target in targets]


def as_they_are(targets: list[dict]) -> list[dict]:
    return targets


@dataclass(frozen=True)
class Case:
    """A mistake, the detector that makes it and when, and what its targets are."""

    mistake: str
    model: str
    when: str = DETECTING
    targets: Callable[[list[dict]], list[dict]] = as_they_are

    @property
    def name(self) -> str:
        return f"{self.mistake}, {self.when}"


CASES = (
    Case("rounded_before_scaling", "fast_rcnn"),
    Case("plus_one_width", "faster_rcnn"),
    Case("unclamped_intersection", "faster_rcnn"),
    Case("anchor_sides_swapped", "faster_rcnn"),
    Case("anchors_at_the_corner", "faster_rcnn"),
    Case("corner_for_centre", "faster_rcnn"),
    Case("clip_to_last_pixel", "faster_rcnn"),
    Case("bins_floored", "faster_rcnn"),
    Case("last_cell_forgotten", "faster_rcnn"),
    Case("proposals_as_in_training", "faster_rcnn"),
    Case("deltas_stay_normalised", "faster_rcnn"),
    Case("rois_row_first", "faster_rcnn"),
    Case("nms_across_classes", "faster_rcnn"),
    Case("labels_shifted", "faster_rcnn", MEASURING),
    Case("sorted_per_image", "faster_rcnn", MEASURING),
    Case("difficult_counted", "faster_rcnn", MEASURING, small_are_difficult),
    Case("plus_one_width", "faster_rcnn", MEASURING),
    Case("half_cell_missing", "mask_rcnn"),
    Case("start_rounded", "mask_rcnn"),
    Case("mask_half_a_pixel_off", "mask_rcnn"),
    Case("mask_of_another_class", "mask_rcnn"),
)


class Models:
    """Trained detectors of several seeds, where their measurements left them."""

    def __init__(self, runs: Path, test: Scenes):
        self.runs, self.test = runs, test

    def file(self, model: str, seed: int) -> Path:
        """The checkpoint of a seed; Fast R-CNN's first is the one that ships."""
        if model == "mask_rcnn":
            return self.runs / "mask_rcnn_claims" / "short" / f"base_seed_{seed}.safetensors"
        if model == "fast_rcnn" and seed == 0:
            return checkpoint_path("fast_rcnn_scenes")
        return self.runs / "faster_rcnn_claims" / f"{of_seed(model, seed)}.safetensors"

    def seeds(self, model: str, most: int) -> list[int]:
        """Those of 0, 1, ... that are there."""
        return [seed for seed in range(most) if self.file(model, seed).is_file()]

    def detector(self, name: str, seed: int) -> "Detector":
        """A trained model that remembers the map of each picture."""
        model = remember_maps(load_model(self.file(name, seed))[0])
        given = None
        if name == "fast_rcnn":
            file = self.runs / "faster_rcnn_claims" / "selective_search.safetensors"
            given = propose_all(lambda i, image: model.propose(image), self.test, file)
        return Detector(model, given)


class Detector:
    """A model that tells which proposals it looked at: those given, or those of its RPN."""

    def __init__(self, model, given: list[Tensor] | None):
        self.model, self.given, self.seen = model, given, []
        if given is None:
            propose = model.rpn.propose
            model.rpn.propose = lambda *args: self.remember(propose(*args))

    def remember(self, proposed: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        self.seen.append(proposed[0])
        return proposed

    @torch.inference_mode()
    def look(self, image: Tensor) -> None:
        """Compute the map of a picture, to be remembered."""
        settings = self.model.settings
        side = settings.short_side if self.given is None else settings.short_sides[0]
        self.model.features(resize(image, side, settings.long_side))

    def begin(self) -> None:
        """Make again what was made when the model was loaded: a mistake may have been switched on or off since."""
        if self.given is None:
            self.model.rpn.cell_anchors = self.model.rpn.make_cell_anchors()

    @torch.inference_mode()
    def detect(self, i: int, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Detections in scene i, and proposals in its pixels."""
        if self.given is not None:
            return self.model.detect([image], [self.given[i]])[0], self.given[i]
        found, size = self.model.detect([image])[0], tuple(image.shape[1:])
        side = self.model.settings.short_side  # scenes are square
        return found, scale_boxes(self.seen.pop(), (side, side), size)
