"""Training an SPPnet: proposals -> pyramids -> fc layers -> SVMs -> box regressors, each stage a file (notebook 09).

A chain of stages like R-CNN's, and but for those in the middle the same ones (`svm_training`). The convolutions are
never trained: a batch of 128 regions comes from about a hundred pictures, and each region looks at most of its picture,
so that going back through the pooling would cost a hundred whole pictures a batch. What does not change can be made
once: the pyramids of all regions are stored, and the fc layers learn from rows of that table, in milliseconds a batch.
(Their mirror images would be a second table as large; the fc layers learn without, as the SVMs and regressors do.)

    RUN/stages.json           what is being trained; a second call with other settings is refused
    RUN/regions.safetensors   proposals and objects of each image
    RUN/features/pool5.f16    the pyramid of each region, see `feature_store`
    RUN/network.safetensors   fc6 and fc7, and the new layer that they were trained with
    RUN/features/fc*.f16      what they say of each region
    RUN/svms.safetensors      one SVM a class, and the rounds of mining
    RUN/ridge.safetensors     four regressors a class

Notation: K classes with background, P numbers in a pyramid.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.distributed import share, stage
from rcnn_lite.models.differences import pack_difference
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.finetuning import Windows
from rcnn_lite.models.runs import claim
from rcnn_lite.models.sppnet import PooledLayers, SPPNet
from rcnn_lite.models.svm_training import SVMTraining, fit_to_features, propose
from rcnn_lite.training import History, Report, Schedule, optimise

SAMPLE = 4000  # rows that mean and deviation of the pyramids are taken from


@dataclass(frozen=True)
class LayerSettings:
    """The numbers of SPPnet section 4.1; the learning rate is AdamW's, the paper's optimiser was SGD."""

    iterations: int = 600  # 0 leaves the fc layers out: the SVMs must see pool5
    positives: int = 32
    backgrounds: int = 96
    positive_iou: float = 0.5
    rate: float = 1e-3  # all layers are new


@dataclass(frozen=True)
class SPPTraining(SVMTraining):
    """The numbers of SPPnet's training."""

    layers: LayerSettings = field(default_factory=LayerSettings)


def train(
    model: SPPNet,
    dataset,
    folder: str | Path,
    settings: SPPTraining = SPPTraining(),
    workers: int = 1,
    report: Report = lambda history: None,
) -> list[dict]:
    """Fit fc layers, SVMs and regressors of `model` to a dataset's (image, target) pairs, stage by stage, in `folder`.

    Returns the rounds of hard-negative mining (see `svm.train_svms`). `workers` processes share the selective search
    and, without a GPU, the pyramids; `report` is called with the losses of the layers so far. Raises ValueError
    if the folder holds a run with other settings or data, and if the SVMs are to see layers that are not trained.
    """
    folder = Path(folder)
    if not settings.layers.iterations and model.settings.layer != "pool5":
        raise ValueError(f"{model.settings.layer} starts from nothing: without iterations the SVMs can only see pool5")
    claim(folder, model, dataset, settings)
    regions = propose(model, dataset, folder / "regions.safetensors", settings, workers)
    store = FeatureStore(folder / "features", regions, model.layer_sizes, len(model.classes))
    pyramids = partial(describe_pyramids, model, dataset, store.all_boxes())
    store.fill_layers(("pool5",), pyramids, "pyramids", workers if model.device.type == "cpu" else 1)
    learn_layers(model, store, folder, settings, report)
    describe = lambda i: model.network.layers(store.image(i, "pool5").to(model.device))  # noqa: E731
    store.fill_layers(("fc6", "fc7"), describe, "done")
    return fit_to_features(model, store, folder, settings)


def describe_pyramids(model: SPPNet, dataset, boxes: list[Tensor], image: int) -> tuple[Tensor]:
    """The pyramids of an image's regions: (n, P)."""
    return (model.pyramids(dataset[image][0].to(model.device), boxes[image].to(model.device)),)


def learn_layers(model: SPPNet, store: FeatureStore, folder: Path, settings: SPPTraining, report: Report) -> None:
    """The third stage: train fc6 and fc7, and pack them at once, so that all later stages see what ships."""
    file, chosen = folder / "network.safetensors", settings.layers
    if not chosen.iterations:
        return
    if not file.is_file():
        generator = Generator().manual_seed(settings.seed)
        classifier = PyramidClassifier(model.settings.width, store, generator).to(model.device)
        history = learn(classifier, store, chosen, generator, folder / "network.pt", report)
        weights = classifier.layers.state_dict()
        difference = pack_difference(weights, {name: torch.zeros_like(value) for name, value in weights.items()})
        layer = {f"new_layer.{name}": value for name, value in classifier.new_layer.state_dict().items()}
        losses = [line["classification"] for line in history]
        stage(file, lambda: save_checkpoint(file, difference | layer, {"losses": losses}, half=False))
    tensors, _ = load_checkpoint(file)
    model.tune({name: value for name, value in tensors.items() if not name.startswith("new_layer.")})


class PyramidClassifier(nn.Module):
    """fc6, fc7 and a new layer, as they start: pyramids (n, P) -> logits (n, K)."""

    def __init__(self, width: int, store: FeatureStore, generator: Generator):
        super().__init__()
        count, size = store.layers.pool5.shape
        self.layers, self.new_layer = PooledLayers(size, width), nn.Linear(width, store.num_classes)
        sample = store.rows(torch.arange(0, count, max(1, count // SAMPLE)), "pool5")
        self.layers.mean.copy_(sample.mean(dim=0))
        self.layers.gain.copy_(1 / sample.std(dim=0, correction=0).clamp(min=1e-3))  # a number that never changes is 0
        with torch.no_grad():
            for layer in (self.layers.fc6, self.layers.fc7):
                layer.weight.normal_(0, math.sqrt(2 / layer.in_features), generator=generator)  # He et al. 2015
            self.new_layer.weight.normal_(0, 0.01, generator=generator)
            self.new_layer.bias.zero_()

    def forward(self, pool5: Tensor) -> Tensor:
        """(n, P) -> (n, K)."""
        return self.new_layer(self.layers(pool5)[1])


def learn(
    classifier: PyramidClassifier,
    store: FeatureStore,
    settings: LayerSettings,
    generator: Generator,
    file: Path,
    report: Report = lambda history: None,
) -> History:
    """Train `classifier` in place on batches of 32 + 96 rows of the store; returns the loss of each iteration.

    `file` is where the state is kept; a second call goes on from there. `report` is called with the losses so far.
    """
    windows = Windows(store.regions, settings.positive_iou)  # in the order of the store's rows
    device = classifier.new_layer.weight.device

    def step(generator: Generator) -> dict[str, Tensor]:
        """Draw a batch; the loss of what the classifier says of it."""
        rows = share(windows.draw(settings.positives, settings.backgrounds, generator))
        logits = classifier(store.rows(rows, "pool5").to(device))  # (n, K)
        return {"classification": F.cross_entropy(logits, windows.labels[rows].to(device))}

    groups = [{"params": classifier.parameters(), "lr": settings.rate}]
    return optimise(step, classifier, groups, Schedule(settings.iterations), generator, file, report)
