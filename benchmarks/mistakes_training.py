"""Short trainings of Faster R-CNN with a mistake switched on, and of one without: at one size, a few batches."""

import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from torch import Generator

from rcnn_lite.checkpoints import save_checkpoint
from rcnn_lite.checks.mistakes import mistake
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train
from rcnn_lite.models.loading import load_model

TRAINED = ("log2_for_ln", "boxes_one_class_off", "one_kind_of_positives", "beta_buried")
SIDE = 384  # of the pictures


def trained(folder: Path, name: str, seed: int, data: Scenes, batches: int) -> FasterRCNN:
    """A detector that learned with a mistake, or without one if no mistake has this name; from its file if it is there.

    An interrupted training goes on from its last state.
    """
    file = folder / f"{name}_seed_{seed}_{batches}.safetensors"
    if not file.is_file():
        with nullcontext() if name == "right" else mistake(name):
            model = fitted(file.with_suffix(""), seed, data, batches)
        save_checkpoint(file, *model.to_checkpoint())
        shutil.rmtree(file.with_suffix(""))  # the optimiser's state is three times the weights
    return load_model(file)[0]


def fitted(folder: Path, seed: int, data: Scenes, batches: int) -> FasterRCNN:
    """A model after so many batches; anchors shrink with the pictures."""
    usual = FasterRCNNSettings()
    factor = SIDE / usual.short_side
    rpn = replace(usual.rpn, anchor_sizes=tuple(size * factor for size in usual.rpn.anchor_sizes))
    settings = replace(usual, training_sides=(SIDE,), short_side=SIDE, rpn=rpn)
    model = FasterRCNN(build_backbone("lite0"), data.classes, settings, Generator().manual_seed(seed))
    plan = FasterRCNNTraining(seed=seed)
    schedule = replace(plan.fit.schedule, iterations=batches)
    train(model, data, folder, replace(plan, fit=replace(plan.fit, schedule=schedule)))
    return model
