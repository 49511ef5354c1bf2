"""The detectors of the scoreboard, where their trainings are, and what is measured of each."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from resampling import resampled
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.checkpoints import checkpoint_path
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import evaluate_coco, evaluate_voc, proposal_recall
from rcnn_lite.evaluation.inputs import MASK_THRESHOLD
from rcnn_lite.models.loading import load_model


@dataclass(frozen=True)
class System:
    """A detector of the family: what its trainings are called, the checkpoint that ships, the notebook about it."""

    name: str
    title: str
    ships_as: str
    notebook: int


SYSTEMS = (
    System("hog", "sliding window, HOG", "hog_scenes", 3),
    System("regression", "regression only", "regression_scenes", 3),
    System("rcnn", "R-CNN", "rcnn_tuned_scenes", 8),
    System("sppnet", "SPPnet", "sppnet_scenes", 9),
    System("fast_rcnn", "Fast R-CNN", "fast_rcnn_scenes", 10),
    System("faster_rcnn_alternating", "Faster R-CNN, alternating", "faster_rcnn_alternating_scenes", 12),
    System("faster_rcnn", "Faster R-CNN, joint", "faster_rcnn_scenes", 12),
    System("mask_rcnn", "Mask R-CNN, C4", "mask_rcnn_scenes", 14),
    System("mask_rcnn_fpn", "Mask R-CNN, FPN", "mask_rcnn_fpn_scenes", 15),
)


UNTUNED = System("rcnn_untuned", "R-CNN, not fine-tuned", "rcnn_scenes", 8)  # no row of the table: for R1


@dataclass(frozen=True)
class Variant:
    """A detector with one thing changed when it is tested, and the claim that asks for it; what it is compared with, by
    default the detector as it is.
    """

    name: str
    of: System
    claim: str
    change: Callable
    base: "Variant | None" = None


def truncated(model):
    """fc6 and fc7 by the best half and quarter of their singular values (Fast R-CNN, section 4.4)."""
    return model.truncated(256, 128)


def with_pyramid(model):
    """All scales that it was trained at (Fast R-CNN, section 5.2)."""
    model.settings = replace(model.settings, short_sides=model.settings.training_sides)
    return model


def without_regression(model):
    """Boxes as they were proposed (R-CNN, table 2)."""
    model.settings = replace(model.settings, regress=False)
    return model


_BY_NAME = {system.name: system for system in SYSTEMS}
_NOT_MOVED = Variant("rcnn_without_regression", _BY_NAME["rcnn"], "R3", without_regression)
VARIANTS = (
    Variant("fast_rcnn_truncated", _BY_NAME["fast_rcnn"], "F4", truncated),
    Variant("fast_rcnn_pyramid", _BY_NAME["fast_rcnn"], "F7", with_pyramid),
    _NOT_MOVED,
    Variant("rcnn_untuned_without_regression", UNTUNED, "R1", without_regression, _NOT_MOVED),
)
RECALL_IOUS = (0.5, 0.7)
COCO = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


@dataclass(frozen=True)
class Places:
    """Where trainings are looked for, the first that has one counts; then, of seed 0, what ships."""

    folders: tuple[Path, ...]
    shipped: bool = True

    def checkpoint(self, system: System, seed: int) -> Path | None:
        """The model of a seed, None if it was not trained. What ships was trained with seed 0."""
        if seed == 0 and self.shipped:
            return checkpoint_path(system.ships_as)
        names = [f"{system.name}_seed_{seed}.safetensors"]
        return next((file for file in self.all_of(names) if file.is_file()), None)

    def cost(self, system: System, seed: int) -> float | None:
        """Processor seconds of a training; None if they are not known."""
        names = [f"{system.name}_seed_{seed}.json"] + ([f"{system.name}.json"] if seed == 0 else [])
        notes = [json.loads(file.read_text(encoding="utf-8")) for file in self.all_of(names) if file.is_file()]
        return next((note["processor seconds"] for note in notes if note["processor seconds"]), None)

    def all_of(self, names: list[str]) -> list[Path]:
        return [folder / name for folder in self.folders for name in names]


def measure(checkpoint: Path, test: Scenes, name: str, change: Callable = lambda model: model) -> dict:
    """What a trained detector, changed or not, reaches in the test scenes, and how long it takes: the stages' processor
    seconds, the median over the pictures, of one thread. "draws" are its mAP in other sets of scenes, always the same.
    """
    model = change(load_model(checkpoint)[0])
    model.watch._now = time.process_time
    look_at(model, test[0][0])  # untimed: what compiles does so before the clock runs
    found, proposals, seconds = [], [], []
    for i in tqdm(range(len(test)), name, unit="image", disable=None):
        model.watch.seconds.clear()
        one, boxes = look_at(model, test[i][0])
        seconds.append(dict(model.watch.seconds))
        found.append(one | {"masks": one["masks"] > MASK_THRESHOLD} if "masks" in one else one)
        proposals.append(boxes)
    targets = [test[i][1] for i in range(len(test))]
    stages = {stage: round(statistics.median(each.get(stage, 0.0) for each in seconds), 5) for stage in seconds[0]}
    total = statistics.median(sum(each.values()) for each in seconds)
    draws = [round(value, 5) for value in resampled(found, targets).tolist()]
    return {
        "figures": accuracy(found, targets) | recalls(proposals, targets),
        "seconds": stages,
        "total seconds": round(total, 5),
        "parameters": sum(v.numel() for v in model.state_dict().values() if v.is_floating_point()),
        "bytes of checkpoint": checkpoint.stat().st_size,
        "draws": draws,
    }


@torch.inference_mode()
def look_at(model, image: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
    """Detections in an image, and the regions that were looked at, if there are any: those that were given and used,
    those of the RPN, the windows of all classes.
    """
    if getattr(model, "needs_proposals", False):
        boxes = model.propose(image)
        return model.detect([image], [boxes])[0], model.usable(boxes, image.shape[1:])
    found, spent = model.detect([image])[0], dict(model.watch.seconds)
    if hasattr(model, "rpn"):
        boxes = model.propose(image)[0]
    elif hasattr(model, "windows"):
        boxes = torch.cat([model.windows(image.shape[1:], label) for label in range(1, len(model.classes))])
    else:
        boxes = None
    model.watch.seconds.clear()
    model.watch.seconds.update(spent)  # to ask for the regions once more costs nothing
    return found, boxes


def accuracy(found: list[dict], targets: list[dict]) -> dict[str, float]:
    """mAP by both rules of VOC, COCO's twelve numbers, and those of the masks."""
    values = {"mAP": evaluate_voc(found, targets)["mAP"]}
    values["mAP 07"] = evaluate_voc(found, targets, use_07_metric=True)["mAP"]
    coco = evaluate_coco(found, targets)
    values |= {name: coco[name] for name in COCO}
    if "masks" in found[0]:
        masks = evaluate_coco(found, targets, iou_type="segm")
        values |= {f"mask {name}": masks[name] for name in COCO}
    return {name: round(float(value), 5) for name, value in values.items()}


def recalls(proposals: list[Tensor | None], targets: list[dict]) -> dict[str, float]:
    """Regions a picture, and the share of objects that one covers: {"proposals", "recall 0.5", "recall 0.7"}."""
    if proposals[0] is None:
        return {}
    values = proposal_recall(proposals, targets, RECALL_IOUS).tolist()
    count = {"proposals": round(sum(map(len, proposals)) / len(proposals), 1)}
    return count | {f"recall {iou}": round(value, 5) for iou, value in zip(RECALL_IOUS, values, strict=True)}
