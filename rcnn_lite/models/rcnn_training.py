"""Training an R-CNN: proposals -> network -> features -> SVMs -> box regressors, each stage a file (notebook 08).

The paper's training is a chain of separate programs with files between them, and so is this: `train` walks through the
stages, skips those whose file is there already, and so resumes an interrupted run. The first and the last two, which
SPPnet has too, are in `svm_training`.

    RUN/stages.json           what is being trained; a second call with other settings is refused
    RUN/regions.safetensors   proposals and objects of each image
    RUN/network.safetensors   what fine-tuning changed in the network, and the new layer that it was trained with
    RUN/features/             what the network says of each region, see `feature_store`
    RUN/svms.safetensors      one SVM a class, and the rounds of mining
    RUN/ridge.safetensors     four regressors a class

Notation: K classes with background.
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.distributed import stage
from rcnn_lite.models.differences import pack_difference
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.finetuning import FinetuningSettings, RegionClassifier, Windows, finetune
from rcnn_lite.models.rcnn import RCNN
from rcnn_lite.models.runs import claim
from rcnn_lite.models.svm_training import SVMTraining, fit_to_features, propose
from rcnn_lite.training import Report


@dataclass(frozen=True)
class RCNNTraining(SVMTraining):
    """The numbers of R-CNN's training."""

    finetuning: FinetuningSettings = field(default_factory=FinetuningSettings)


def train(
    model: RCNN,
    dataset,
    folder: str | Path,
    settings: RCNNTraining = RCNNTraining(),
    workers: int = 1,
    report: Report = lambda history: None,
) -> list[dict]:
    """Fit the SVMs and regressors of `model` to a dataset's (image, target) pairs, stage by stage, in `folder`.

    Returns the rounds of hard-negative mining (see `svm.train_svms`). `workers` processes share the selective search
    and, without a GPU, the features; `report` is called with the losses of fine-tuning so far.
    Raises ValueError if the folder holds a run with other settings or data.
    """
    folder = Path(folder)
    claim(folder, model, dataset, settings)
    regions = propose(model, dataset, folder / "regions.safetensors", settings, workers)
    fine_tune(model, dataset, regions, folder, settings, report)
    store = FeatureStore(folder / "features", regions, model.layer_sizes, len(model.classes))
    store.fill(model, dataset, workers)
    return fit_to_features(model, store, folder, settings)


def fine_tune(
    model: RCNN,
    dataset,
    regions: list[dict[str, Tensor]],
    folder: Path,
    settings: RCNNTraining,
    report: Report = lambda history: None,
) -> None:
    """Stage 2: fine-tune the network; what it changed is packed at once, so that all later stages see what ships."""
    file, tuning = folder / "network.safetensors", settings.finetuning
    if not tuning.iterations:
        return
    if not file.is_file():
        generator = torch.Generator().manual_seed(settings.seed)
        images = [(dataset[i][0] * 255).round().to(torch.uint8) for i in range(len(dataset))]
        network = copy.deepcopy(model.network)
        classifier = RegionClassifier(network, model.layer_sizes[2], len(model.classes), generator).to(model.device)
        windows = Windows(regions, tuning.positive_iou)
        crop = lambda i, boxes: model.crop(images[i].float() / 255, boxes)  # noqa: E731
        history = finetune(classifier, windows, crop, tuning, generator, folder / "network.pt", report)
        difference = pack_difference(network.backbone.state_dict(), model.backbone.state_dict())
        layer = {f"new_layer.{name}": value for name, value in classifier.new_layer.state_dict().items()}
        losses = [line["classification"] for line in history]
        stage(file, lambda: save_checkpoint(file, difference | layer, {"losses": losses}, half=False))
    tensors, _ = load_checkpoint(file)
    model.tune({name: value for name, value in tensors.items() if not name.startswith("new_layer.")})
