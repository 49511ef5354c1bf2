"""What the measurements of Faster R-CNN are made of: trainings of several seeds, their detections in the test scenes,
proposals of every kind, scores with their spread.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from fast_rcnn_claims import claim_folder, kept
from rcnn_parts import scores
from resampling import Detections, interval
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.checkpoints import load_records, save_checkpoint, save_records
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation import proposal_recall
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
FIGURES = ("mAP", "AP", "recall 0.5", "recall 0.7")  # of a run, as far as it has them
REGION_WISE = ("RoI pooling", "heads", "NMS")  # stages of the stopwatch after the proposals


@dataclass(frozen=True)
class Bench:
    """What is measured, on which scenes, and the folder where everything that was made is kept."""

    out: Path
    images: int | None  # the first so many scenes of each split; default: all
    batches: int | None  # of the whole trainings; default: as shipped
    iterations: int  # of the short trainings
    sides: tuple[int, ...]  # of the short trainings; tested at the last
    fast: str  # checkpoint of the Fast R-CNN with selective search, the one of seed 0
    seeds: int  # whole trainings of each model: 0, 1, ...
    short_seeds: int  # short trainings of each kind

    def claim(self) -> None:
        """ValueError if the folder holds measurements with other scenes or models; the short trainings have names."""
        claim_folder(self.out, {"images": self.images, "batches": self.batches, "fast": self.fast})

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
    def searched(self) -> list[Tensor]:
        """All of selective search in each test scene."""
        model = self.fast_rcnn()
        return propose_all(lambda i, image: model.propose(image), self.test, self.out / "selective_search.safetensors")

    def fast_rcnn(self, seed: int = 0) -> FastRCNN:
        """Selective search's detector."""
        return self.trained("fast_rcnn", seed)[0] if seed else load_model(self.fast)[0]

    def joint(self, seed: int = 0) -> FasterRCNN:
        """The model that learned all at once."""
        return self.trained("faster_rcnn", seed)[0]

    def alternating(self, seed: int = 0) -> FasterRCNN:
        """The model that learned in four steps."""
        return self.trained("faster_rcnn_alternating", seed)[0]

    def trained(self, name: str, seed: int = 0) -> tuple[FasterRCNN | FastRCNN, dict]:
        """A model trained from nothing as `rcnn-lite train --model NAME --seed SEED --out OUT/NAME` does, and a note:
        its batches, threads, and the processor seconds of all threads that it took. The machine is shared, and what
        others do beside it changes the clock's; None if it was interrupted. Compare them where the threads are as many.
        """
        run = of_seed(name, seed)
        folder, checkpoint = self.out / run, self.out / f"{run}.safetensors"

        def make() -> dict:
            fresh, start = not folder.exists(), time.process_time()
            model, note = RECIPES[name](self.train, Order(folder, seed, finetune=self.batches))
            spent = round(time.process_time() - start, 1) if fresh else None
            tensors, description = model.to_checkpoint()
            save_checkpoint(checkpoint, tensors, description | note)
            plan = json.loads((folder / "stages.json").read_text())["training"]
            parts = [plan[key] for key in ("fit", "whole", "whole", "own_layers", "own_layers") if key in plan]
            batches = [part["schedule"]["iterations"] for part in parts]
            return {"processor seconds": spent, "threads": torch.get_num_threads(), "batches": batches}

        note = kept(self.out / f"{run}.json", make)
        return load_model(checkpoint)[0], note

    def unshared(self, seed: int = 0) -> tuple[RPNDetector, FastRCNN]:
        """The two networks after step 2 of the alternating training, with 8 bits a weight as all others."""
        joined, backbone = self.alternating(seed), build_backbone("lite0")
        folder = self.out / of_seed("faster_rcnn_alternating", seed)
        separate = (
            RPNDetector(backbone, settings=joined.settings),
            FastRCNN(backbone, joined.classes, detector_settings(joined.settings)),
        )
        for step, model in enumerate(separate, start=1):
            state = torch.load(folder / f"{step}.pt", weights_only=True)
            model.load_state_dict(state["module"])
        return tuple(type(model).from_checkpoint(*model.to_checkpoint(), backbone) for model in separate)

    def found(self, name: str, detect: Callable[[int, Tensor], dict], seed: int = 0) -> Detections:
        """What `detect` finds in each test scene, from the file if it is there."""
        file = self.out / "found" / f"{of_seed(name, seed)}.safetensors"
        if not file.is_file():
            images = tqdm(range(len(self.test)), name, unit="image", disable=None)
            save_records(file, [detect(i, self.test[i][0]) for i in images], {"data": self.test.fingerprint})
        return load_records(file)[0]

    def found_by(self, name: str, model: FasterRCNN, seed: int = 0) -> Detections:
        """The same by a model that makes its own proposals."""
        return self.found(name, lambda i, image: model.detect([image])[0], seed)

    def found_with(self, name: str, model, proposals: Callable[[int, Tensor], Tensor], seed: int = 0) -> Detections:
        """The same by a model that is given its proposals."""
        return self.found(name, lambda i, image: model.detect([image], [proposals(i, image)])[0], seed)

    def row(
        self,
        found: Sequence[Detections],
        base: Sequence[Detections] | None = None,
        more: Sequence[dict] | None = None,
    ) -> dict:
        """A line of a table: each training's mAP, AP and what `more` says of it, the means, how far the mAP spreads;
        with `base`, the interval of the gain over it.
        """
        more = [{}] * len(found) if more is None else more
        runs = [
            {"seed": seed} | scores(one, self.targets) | said
            for seed, (one, said) in enumerate(zip(found, more, strict=True))
        ]
        mean = {key: statistics.fmean(run[key] for run in runs) for key in FIGURES if key in runs[0]}
        values = [run["mAP"] for run in runs]
        row = {"runs": runs, "mean": mean, "mAP from .. to": [min(values), max(values)]}
        return row | ({} if base is None else {"gain": interval(found, base, self.targets)})

    def recalls(self, proposals: list[Tensor]) -> dict[str, float]:
        """{"recall 0.5", "recall 0.7"}."""
        values = proposal_recall(proposals, self.targets, RECALL_IOUS).tolist()
        return {f"recall {iou}": value for iou, value in zip(RECALL_IOUS, values, strict=True)}

    def proposals(self, name: str, model: FasterRCNN | RPNDetector, seed: int = 0) -> list[Tensor]:
        """What a model's RPN proposes in each test scene, from the file if it is there."""
        name = of_seed(name, seed)
        file = self.out / "proposals" / f"{name}.safetensors"
        return propose_all(lambda i, image: model.propose(image)[0], self.test, file, name)


def of_seed(name: str, seed: int) -> str:
    """What the training of this seed, and what it finds, is called: seed 0 goes without saying."""
    return f"{name}_seed_{seed}" if seed else name


def remember_maps(model):
    """Let a model that was just loaded compute the map of each picture once: it finds the same, and most of the time of
    looking at many sets of proposals is saved. Not for a model whose time is measured.
    """
    compute, maps = model.features, {}

    def features(picture: Tensor) -> Tensor:
        key = hash(picture.numpy().tobytes())
        if key not in maps:
            maps[key] = compute(picture)
        return maps[key]

    model.features = features
    return model


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


def quartiles(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """The three quartiles of each key. Of processor seconds: the clock's spread is mostly that of the neighbours."""
    return {key: [round(v, 5) for v in statistics.quantiles([row[key] for row in rows])] for key in rows[0]}
