"""What the measurements of Mask R-CNN are made of: short trainings of several seeds, kept one file each, what they
reach on the test scenes, and how much that depends on which scenes these are.
"""

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from fast_rcnn_claims import claim_folder, kept
from mask_rcnn_variants import VARIANTS, settings_of
from rcnn_parts import RESAMPLES
from torch import Generator, Tensor
from tqdm import tqdm

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation.coco import SIMILARITIES, accumulate, judge_image
from rcnn_lite.evaluation.inputs import image_pairs
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train
from rcnn_lite.models.loading import load_model
from rcnn_lite.models.recipes import summary

NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
KINDS = {"mask": "segm", "box": "bbox"}


@dataclass(frozen=True)
class MaskBench:
    """Which scenes and trainings are looked at, and the folder where everything that was made is kept."""

    out: Path
    images: int | None  # the first so many scenes of each split; default: all
    iterations: int  # of the short trainings
    side: int  # of their pictures
    seeds: int  # 0, 1, ... of each short training
    training: bool = True  # False: trainings that are missing stay so

    def claim(self) -> None:
        """ValueError if the folder holds measurements with other scenes or trainings."""
        claim_folder(self.out, {"images": self.images, "iterations": self.iterations, "side": self.side})

    @cached_property
    def train(self) -> Scenes:
        return Scenes("train", n=self.images)

    @cached_property
    def test(self) -> Scenes:
        return Scenes("test", n=self.images)

    def short(self, variant: str, seed: int) -> dict | None:
        """One short training and what came of it; None if it is not there and none shall be made.

        An interrupted one goes on from its last state; then its seconds are not known.
        """
        name = f"{variant}_seed_{seed}"
        folder, checkpoint = self.out / "short" / name, self.out / "short" / f"{name}.safetensors"
        file = self.out / "short" / f"{name}.json"
        if not (self.training or file.is_file()):
            return None

        def make() -> dict:
            print(f"{name} {time.strftime('%H:%M:%S')}", flush=True)
            fresh, start = not folder.exists(), time.process_time()
            kind, settings = VARIANTS[variant].kind, settings_of(variant, self.side)
            model = kind(build_backbone("lite0"), self.train.classes, settings, Generator().manual_seed(seed))
            plan = FasterRCNNTraining(seed=seed)
            schedule = replace(plan.fit.schedule, iterations=self.iterations)
            history = train(model, self.train, folder, replace(plan, fit=replace(plan.fit, schedule=schedule)))
            spent = round(time.process_time() - start, 1) if fresh else None
            save_checkpoint(checkpoint, *model.to_checkpoint())
            made = {"processor seconds": spent, "losses": summary(history, 20), "parameters": learned(model)}
            figures = self.figures(name, load_model(checkpoint)[0])
            shutil.rmtree(folder)  # the optimiser's state is three times the weights
            return figures | made

        return {"seed": seed} | kept(file, make)

    def runs(self, variant: str) -> list[dict]:
        """All short trainings of one kind that are there."""
        return [run for seed in range(self.seeds) if (run := self.short(variant, seed))]

    def figures(self, name: str, model) -> dict[str, float]:
        """COCO's numbers, "mask AP" and so on, in the test scenes; those of other scenes that might have been drawn are
        kept beside it.
        """
        draws, figures = {}, {"detections": 0.0}
        for kind, judged in judge(model, self.test, name).items():
            numbers = accumulate(judged).numbers()
            figures |= {f"{kind} {key}": round(numbers[key], 5) for key in NUMBERS}
            figures["detections"] = sum(len(image.labels) for image in judged) / len(judged)
            draws[kind] = resampled(judged)
        save_checkpoint(self.draws_file(name), draws, {"data": self.test.fingerprint}, half=False)
        return figures

    def draws_file(self, name: str) -> Path:
        """Where the numbers of resampled scenes are kept."""
        return self.out / "draws" / f"{name}.safetensors"

    def interval(self, names: Sequence[str], base: Sequence[str]) -> dict[str, list[float]]:
        """The middle 95 % of the gain of some runs, on average, over that of others, number by number."""
        one, other = (self.mean_draws(each) for each in (names, base))
        gains = {}
        for kind in sorted(set(one) & set(other), reverse=True):
            bounds = (one[kind] - other[kind]).nanquantile(torch.tensor([0.025, 0.975]).double(), dim=0)  # (2, numbers)
            known = {key: bounds[:, i].tolist() for i, key in enumerate(NUMBERS) if not bounds[:, i].isnan().any()}
            gains |= {f"{kind} {key}": [round(v, 5) for v in each] for key, each in known.items()}
        return gains

    def mean_draws(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Mean over runs of their numbers in resampled scenes: {kind: (RESAMPLES, numbers)}."""
        tensors = [load_checkpoint(self.draws_file(name))[0] for name in names]
        return {kind: torch.stack([one[kind] for one in tensors]).double().mean(dim=0) for kind in tensors[0]}

    def table(self, rows: dict[str, str], base: str) -> dict | None:
        """{"base", "rows"} from {row: variant}; a row without a training is left out. None without the base or anything
        to compare it with. A gain is over the base's trainings of the same seeds.
        """
        runs = {row: each for row, variant in rows.items() if (each := self.runs(variant))}
        if base not in runs or len(runs) < 2:
            return None
        table = {row: summarised(each) for row, each in runs.items()}
        for row, each in runs.items():
            seeds = sorted({run["seed"] for run in each} & {run["seed"] for run in runs[base]})
            if row != base and seeds:
                names = ([f"{rows[one]}_seed_{seed}" for seed in seeds] for one in (row, base))
                table[row]["gain"] = self.interval(*names)
        return {"base": base, "rows": table}


def learned(model) -> int:
    """How many numbers of a model are learned."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def summarised(runs: list[dict]) -> dict:
    """A row of a table: each training by itself, the means, how far they lie apart."""
    keys = [f"{kind} {key}" for kind in KINDS for key in NUMBERS if f"{kind} {key}" in runs[0]]
    values = {key: [run[key] for run in runs] for key in keys}
    return {
        "runs": runs,
        "mean": {key: statistics.fmean(each) for key, each in values.items()},
        "from .. to": {key: [min(each), max(each)] for key, each in values.items()},
    }


def judge(model, data, name: str) -> dict[str, list]:
    """Which of a model's detections in each picture are right, by boxes and, if it finds them, by masks."""
    judged = {}
    for i in tqdm(range(len(data)), name, unit="image", disable=None):
        image, target = data[i]
        found = model.detect([image])
        for kind, iou_type in KINDS.items():
            similarity = SIMILARITIES[iou_type]
            if similarity.key in found[0]:
                ((detection, truth),) = image_pairs(found, [target], similarity.key, len(data.classes))
                judged.setdefault(kind, []).append(judge_image(detection, truth, similarity))
    return judged


def resampled(judged: list) -> Tensor:
    """The numbers in sets of images drawn with replacement, always the same: (RESAMPLES, numbers); NaN: undefined."""
    generator, rows = Generator().manual_seed(0), []
    for _ in range(RESAMPLES):
        drawn = torch.randint(len(judged), (len(judged),), generator=generator).tolist()
        numbers = accumulate([judged[i] for i in drawn]).numbers()
        rows.append([numbers[key] if numbers[key] >= 0 else float("nan") for key in NUMBERS])
    return torch.tensor(rows)
