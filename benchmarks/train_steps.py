"""The trainings of the course: what each is called, how it is done, what it leaves.

A training of seed s in the folder OUT leaves NAME_seed_s/ there (what it needs to be resumed), NAME_seed_s.safetensors
(the model with its command, seed, data and metrics) and NAME_seed_s.json (what it cost); the last is written last, so
that who finds it may rely on the others. The scenes are always the same, the seed is that of weights and draws.
"""

import datetime
import json
import os
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from harness import cpu_model, versions
from memory import high_water

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.evaluation.scorecard import measure
from rcnn_lite.models.recipes import RECIPES, Order

PARTS = 10  # of a training, after which it says how far it is


@dataclass(frozen=True)
class Training:
    """One of the trainings: its recipe, the checkpoint that ships of seed 0, the batches if they are not the usual."""

    name: str
    recipe: str
    ships_as: str
    finetune: int | None = None
    learns: bool = True  # False: nothing of it is a number of batches


TRAININGS = {
    each.name: each
    for each in (
        Training("mask_rcnn_fpn", "mask_rcnn_fpn", "mask_rcnn_fpn_scenes"),
        Training("mask_rcnn", "mask_rcnn", "mask_rcnn_scenes"),
        Training("rcnn", "rcnn", "rcnn_tuned_scenes"),
        Training("faster_rcnn_alternating", "faster_rcnn_alternating", "faster_rcnn_alternating_scenes"),
        Training("faster_rcnn", "faster_rcnn", "faster_rcnn_scenes"),
        Training("fast_rcnn", "fast_rcnn", "fast_rcnn_scenes"),
        Training("rcnn_untuned", "rcnn", "rcnn_scenes", finetune=0),
        Training("rpn", "rpn", "rpn_scenes"),
        Training("keypoint_rcnn", "keypoint_rcnn", "keypoint_rcnn_scenes"),
        Training("sppnet", "sppnet", "sppnet_scenes"),
        Training("hog", "hog", "hog_scenes", learns=False),
        Training("regression", "regression", "regression_scenes", learns=False),
    )
}  # long ones first: two workers are done sooner then


@dataclass(frozen=True)
class Run:
    """A training with its seed, in the folder where trainings are kept; small ones try the script."""

    training: Training
    seed: int
    out: Path
    images: int | None = None  # the first so many scenes of each split
    batches: int | None = None

    @property
    def name(self) -> str:
        return f"{self.training.name}_seed_{self.seed}"

    @property
    def folder(self) -> Path:
        return self.out / self.name

    @property
    def checkpoint(self) -> Path:
        return self.out / f"{self.name}.safetensors"

    @property
    def note(self) -> Path:
        return self.out / f"{self.name}.json"

    def done(self) -> bool:
        """Whether it need not be made again."""
        return self.note.is_file() and self.checkpoint.is_file()

    def order(self) -> Order:
        """What the recipe is asked for."""
        small = self.batches if self.training.learns else None
        batches = self.training.finetune if self.training.finetune is not None else small
        return Order(self.folder, self.seed, finetune=batches, report=self.tell)

    def tell(self, _, history: list[dict[str, float]], batches: int) -> None:
        """Ten lines in the course of a training, for those who wait."""
        done = len(history)
        if PARTS * done // batches > PARTS * (done - 1) // batches:
            print(f"{self.name}: {done} of {batches} batches", flush=True)

    def make(self, keep_features: bool = False) -> dict:
        """Train, measure on the test scenes, save; what it cost: processor seconds of all its threads, None if it was
        interrupted before, and seconds of the clock, which are those of the neighbours, too.
        """
        fresh, start, clock = not self.folder.exists(), processor_seconds(), time.perf_counter()
        train = Scenes("train", n=self.images)
        model, more = RECIPES[self.training.recipe](train, self.order())
        spent, clock = processor_seconds() - start, time.perf_counter() - clock
        metrics, _ = measure(model, Scenes("test", n=self.images))
        tensors, description = model.to_checkpoint()
        note = {
            "command": f"python benchmarks/train_all.py {shlex.join(self.arguments())}",
            "seed": self.seed,
            "data": train.fingerprint,
            "metrics": metrics,
        }
        save_checkpoint(self.checkpoint, tensors, description | note | more)
        if not keep_features:
            shutil.rmtree(self.folder / "features", ignore_errors=True)
        held = high_water()
        cost = {
            "processor seconds": round(spent, 1) if fresh else None,
            "clock seconds": round(clock, 1) if fresh else None,
            "threads": torch.get_num_threads(),
            "peak GiB": held and round(held / 2**30, 2),
            "date": datetime.date.today().isoformat(),
            "machine": f"{cpu_model()}, {versions(('torch',))}",
            "mAP": metrics["mAP"],
        }
        text = json.dumps(cost, indent=1)
        write_atomically(self.note, lambda file: file.write_text(text + "\n", encoding="utf-8"))
        return cost

    def arguments(self) -> list[str]:
        """Those of `train_all.py` that make this one alone."""
        chosen = {"--out": self.out, "--seed": self.seed, "--only": self.training.name}
        chosen |= {"--images": self.images, "--batches": self.batches}
        return [str(part) for pair in chosen.items() if pair[1] is not None for part in pair]


def processor_seconds() -> float:
    """Of all threads of this process, and of its children that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
