"""What the measurements of Faster R-CNN are made of: trainings, proposals of every kind, scores with their spread."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from fast_rcnn_claims import kept
from rcnn_parts import RESAMPLES, scores
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.checkpoints import load_records, save_checkpoint, save_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import evaluate_voc, proposal_recall
from rcnn_lite.images import resize
from rcnn_lite.models.alternating_training import detector_settings
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fast_rcnn import FastRCNN
from rcnn_lite.models.faster_rcnn import FasterRCNN
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.recipes import RECIPES, Order
from rcnn_lite.models.rpn_detector import RPNDetector
from rcnn_lite.proposals.rpn import ProposalCounts, RPNPredictions
from rcnn_lite.proposals.stored import propose_all
from rcnn_lite.regions.scales import scale_boxes

RECALL_IOUS = (0.5, 0.7)
REGION_WISE = ("RoI pooling", "heads", "NMS")  # stages of the stopwatch after the proposals
Detections = list[dict[str, Tensor]]


@dataclass(frozen=True)
class Bench:
    """What is measured, on which scenes, and the folder where everything that was made is kept."""

    out: Path
    images: int | None  # the first so many scenes of each split; default: all
    batches: int | None  # of the whole trainings; default: as shipped
    iterations: int  # of the short trainings
    sides: tuple[int, ...]  # of the short trainings; tested at the last
    fast: str  # checkpoint of the Fast R-CNN with selective search

    def claim(self) -> None:
        """ValueError if the folder holds measurements with other scenes or models; the short trainings have names."""
        wanted = {"images": self.images, "batches": self.batches, "fast": self.fast}
        before = kept(self.out / "bench.json", lambda: wanted)
        if other := [name for name, value in wanted.items() if before[name] != value]:
            raise ValueError(f"{self.out} holds measurements with another value of {other[0]}: choose another folder")

    @cached_property
    def train(self) -> Scenes:
        return Scenes("train", n=self.images)

    @cached_property
    def test(self) -> Scenes:
        return Scenes("test", n=self.images)

    @cached_property
    def targets(self) -> list[dict]:
        return [self.test[i][1] for i in range(len(self.test))]

    @cached_property
    def fast_rcnn(self) -> FastRCNN:
        """Selective search's detector."""
        return load_model(self.fast)[0]

    @cached_property
    def searched(self) -> list[Tensor]:
        """All of selective search in each test scene."""
        search = lambda i, image: self.fast_rcnn.propose(image)  # noqa: E731
        return propose_all(search, self.test, self.out / "selective_search.safetensors")

    @cached_property
    def joint(self) -> FasterRCNN:
        return self.trained("faster_rcnn")[0]

    @cached_property
    def alternating(self) -> FasterRCNN:
        return self.trained("faster_rcnn_alternating")[0]

    def trained(self, name: str) -> tuple[FasterRCNN, dict]:
        """A model trained from nothing as `rcnn-lite train --model NAME --out OUT/NAME` does; its batches, and the
        processor seconds of all threads that it took: the machine is shared, and what others do beside it changes the
        clock's. None if it was interrupted.
        """
        folder, checkpoint = self.out / name, self.out / f"{name}.safetensors"

        def make() -> dict:
            fresh, start = not folder.exists(), time.process_time()
            model, note = RECIPES[name](self.train, Order(folder, finetune=self.batches))
            spent = round(time.process_time() - start, 1) if fresh else None
            tensors, description = model.to_checkpoint()
            save_checkpoint(checkpoint, tensors, description | note)
            plan = json.loads((folder / "stages.json").read_text())["training"]
            parts = [plan[key] for key in ("fit", "whole", "whole", "own_layers", "own_layers") if key in plan]
            return {"processor seconds": spent, "batches": [part["schedule"]["iterations"] for part in parts]}

        note = kept(self.out / f"{name}.json", make)
        return load_model(checkpoint)[0], note

    def unshared(self) -> tuple[RPNDetector, FastRCNN]:
        """The two networks after step 2 of the alternating training, with 8 bits a weight as all others."""
        joined, backbone = self.alternating, build_backbone("lite0")
        separate = (
            RPNDetector(backbone, settings=joined.settings),
            FastRCNN(backbone, joined.classes, detector_settings(joined.settings)),
        )
        for step, model in enumerate(separate, start=1):
            state = torch.load(self.out / "faster_rcnn_alternating" / f"{step}.pt", weights_only=True)
            model.load_state_dict(state["module"])
        return tuple(type(model).from_checkpoint(*model.to_checkpoint(), backbone) for model in separate)

    def found(self, name: str, detect: Callable[[int, Tensor], dict]) -> Detections:
        """What `detect` finds in each test scene, from the file if it is there."""
        file = self.out / "found" / f"{name}.safetensors"
        if not file.is_file():
            images = tqdm(range(len(self.test)), name, unit="image", disable=None)
            save_records(file, [detect(i, self.test[i][0]) for i in images], {"data": self.test.fingerprint})
        return load_records(file)[0]

    def found_with(self, name: str, model, proposals: list[Tensor]) -> Detections:
        """The same by a model that is given its proposals."""
        return self.found(name, lambda i, image: model.detect([image], [proposals[i]])[0])

    def row(self, found: Sequence[Detections], base: Sequence[Detections] | None = None) -> dict:
        """Means over runs of mAP and AP; with `base`, the interval of the gain over it."""
        each = [scores(one, self.targets) for one in found]
        row = {key: sum(one[key] for one in each) / len(each) for key in each[0]}
        return row | ({} if base is None else {"gain": interval(found, base, self.targets)})

    def recalls(self, proposals: list[Tensor]) -> dict[str, float]:
        """{"recall 0.5", "recall 0.7"}."""
        values = proposal_recall(proposals, self.targets, RECALL_IOUS).tolist()
        return {f"recall {iou}": value for iou, value in zip(RECALL_IOUS, values, strict=True)}

    def proposals(self, model: FasterRCNN | RPNDetector) -> list[Tensor]:
        """What a model's RPN proposes in each test scene."""
        return [model.propose(self.test[i][0])[0] for i in range(len(self.test))]


def interval(a: Sequence[Detections], b: Sequence[Detections], targets: list[dict]) -> list[float]:
    """The middle 95 % of mAP(a) - mAP(b), means over their runs, over sets of images drawn with replacement."""
    gain = sum(resampled(one, targets) for one in a) / len(a) - sum(resampled(one, targets) for one in b) / len(b)
    return gain.quantile(torch.tensor([0.025, 0.975], dtype=gain.dtype)).tolist()


def resampled(found: Detections, targets: list[dict]) -> Tensor:
    """mAP in sets of images drawn with replacement, always the same: (RESAMPLES,)."""
    generator, values = torch.Generator().manual_seed(0), []
    for _ in range(RESAMPLES):
        rows = torch.randint(len(targets), (len(targets),), generator=generator).tolist()
        values.append(evaluate_voc([found[i] for i in rows], [targets[i] for i in rows])["mAP"])
    return torch.tensor(values, dtype=torch.float64)


@torch.inference_mode()
def propose(
    model: FasterRCNN,
    image: Tensor,
    counts: ProposalCounts,
    nms_iou: float | None = None,
    change: Callable[[RPNPredictions], RPNPredictions] = lambda seen: seen,
) -> Tensor:
    """Proposals (p, 4) of a model in an image (3, H, W) with other counts, another NMS, or changed predictions."""
    picture, usual = resize(image, model.settings.short_side, model.settings.long_side), model.rpn.settings
    size = tuple(picture.shape[1:])
    model.rpn.settings = usual if nms_iou is None else replace(usual, nms_iou=nms_iou)
    try:
        boxes, _ = model.rpn.propose(change(model.rpn(model.features(picture))), size, counts)
    finally:
        model.rpn.settings = usual
    return scale_boxes(boxes, size, tuple(image.shape[1:]))


def stage_seconds(watch, stages: Sequence[str], work: Callable[[], object]) -> float:
    """Seconds that `work` spends in some stages of a model's stopwatch."""
    watch.seconds.clear()
    work()
    return sum(watch.seconds[stage] for stage in stages)


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    """The median of each key: what others do on a shared machine spoils some pictures, not the median."""
    return {key: round(statistics.median(row[key] for row in rows), 5) for key in rows[0]}
