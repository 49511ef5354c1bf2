"""Training an R-CNN: proposals -> network -> features -> SVMs -> box regressors, each stage a file (notebook 08).

The paper's training is a chain of separate programs with files between them, and so is this: `train` walks through the
stages, skips those whose file is there already, and so resumes an interrupted run.

    RUN/stages.json           what is being trained; a second call with other settings is refused
    RUN/regions.safetensors   proposals and objects of each image
    RUN/network.safetensors   what fine-tuning changed in the network, and the new layer that it was trained with
    RUN/features/             what the network says of each region, see `feature_store`
    RUN/svms.safetensors      one SVM a class, and the rounds of mining
    RUN/ridge.safetensors     four regressors a class

Notation: K classes with background.
"""

import copy
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint, save_records
from rcnn_lite.heads.ridge import fit_box_regressors
from rcnn_lite.heads.svm import SVMSettings, train_svms
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.differences import pack_difference
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.finetuning import FinetuningSettings, RegionClassifier, Windows, finetune
from rcnn_lite.models.rcnn import RCNN
from rcnn_lite.models.region_network import RegionFeatures
from rcnn_lite.proposals.selective_search import selective_search


@dataclass(frozen=True)
class RCNNTraining:
    """The numbers of R-CNN's training."""

    finetuning: FinetuningSettings = field(default_factory=FinetuningSettings)
    svm: SVMSettings = field(default_factory=SVMSettings)
    ridge_iou: float = 0.6  # section 2.3 / appendix C: pairs of a proposal and an object that overlap this much
    ridge_lambda: float = 100.0  # appendix C: 1000, for ten times our pairs; the best of 10 .. 3000 on held-out scenes
    feature_norm: float = 20.0  # code: feat_norm_mean, see svm.feature_scale
    seed: int = 0


def train(model: RCNN, dataset, folder: str | Path, settings: RCNNTraining = RCNNTraining()) -> list[dict]:
    """Fit the SVMs and regressors of `model` to a dataset's (image, target) pairs, stage by stage, in `folder`.

    Returns the rounds of hard-negative mining (see `svm.train_svms`). Raises ValueError if the folder holds a run with
    other settings or data.
    """
    folder = Path(folder)
    _claim(folder, model, dataset, settings)
    regions = propose(model, dataset, folder / "regions.safetensors", settings)
    fine_tune(model, dataset, regions, folder, settings)
    store = FeatureStore(folder / "features", regions, model.layer_sizes, len(model.classes))
    store.fill(model, dataset)
    model.scales.copy_(store.scales(settings.feature_norm))
    rounds = _svms(model, store, folder / "svms.safetensors", settings)
    _ridge(model, store, folder / "ridge.safetensors", settings)
    return rounds


def _claim(folder: Path, model: RCNN, dataset, settings: RCNNTraining) -> None:
    """Write down what is trained here, or refuse if it was something else."""
    what = model.to_checkpoint()[1] | {"training": asdict(settings), "images": len(dataset)}
    what["data"] = getattr(dataset, "fingerprint", "")
    file = folder / "stages.json"
    if file.is_file():
        before = json.loads(file.read_text())
        if other := sorted(key for key in what | before if what.get(key) != before.get(key)):
            raise ValueError(f"{folder} holds a run that differs in {', '.join(other)}: choose another folder")
        return
    write_atomically(file, lambda temporary: temporary.write_text(json.dumps(what, indent=1)))


def propose(model: RCNN, dataset, file: Path, settings: RCNNTraining) -> list[dict[str, Tensor]]:
    """Stage 1, proposals: for each image the usable ones, and boxes and labels of its objects (crowds left out)."""
    if not file.is_file():
        records = []
        for i in tqdm(range(len(dataset)), desc="proposals", unit="image", disable=None):
            image, target = dataset[i]
            rng = np.random.default_rng([settings.seed, i])
            proposals = model.usable(selective_search(tensor_to_image(image), rng=rng), image.shape[1:]).cpu()
            single = ~target["iscrowd"].bool() if "iscrowd" in target else slice(None)
            objects = {"objects": target["boxes"][single], "labels": target["labels"][single]}
            records.append({"proposals": proposals} | objects)
        save_records(file, records, {"stage": "proposals"})
    return load_records(file)[0]


def fine_tune(model: RCNN, dataset, regions: list[dict[str, Tensor]], folder: Path, settings: RCNNTraining) -> None:
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
        history = finetune(classifier, windows, crop, tuning, generator, folder / "network.pt")
        difference = pack_difference(network.backbone.state_dict(), model.backbone.state_dict())
        layer = {f"new_layer.{name}": value for name, value in classifier.new_layer.state_dict().items()}
        save_checkpoint(file, difference | layer, {"losses": [line["classification"] for line in history]}, half=False)
    tensors, _ = load_checkpoint(file)
    model.tune({name: value for name, value in tensors.items() if not name.startswith("new_layer.")})


def _svms(model: RCNN, store: FeatureStore, file: Path, settings: RCNNTraining) -> list[dict]:
    """Stage 4: one SVM a class."""
    if not file.is_file():
        with tqdm(total=settings.svm.max_rounds, desc="SVMs", unit="round", disable=None) as bar:
            report = lambda line: (bar.set_postfix(new=sum(line["added"])), bar.update())  # noqa: E731
            layer = model.settings.layer
            scale = float(model.scales[RegionFeatures._fields.index(layer)])
            stream = lambda: store.stream(layer, scale)  # noqa: E731
            svms, rounds = train_svms(store.positives(layer, scale), stream, settings.svm, settings.seed, report)
        save_checkpoint(file, svms._asdict(), {"rounds": rounds}, half=False)
    tensors, note = load_checkpoint(file)
    model.svm_weight.copy_(tensors["weight"])
    model.svm_bias.copy_(tensors["bias"])
    return note["rounds"]


def _ridge(model: RCNN, store: FeatureStore, file: Path, settings: RCNNTraining) -> None:
    """Stage 5: four regressors a class on pool5."""
    if not file.is_file():
        features, boxes, gt_boxes, labels = store.pairs(settings.ridge_iou)
        features *= model.scales[0].cpu()
        maps = fit_box_regressors(features, boxes, gt_boxes, labels, store.num_classes, settings.ridge_lambda)
        save_checkpoint(file, maps._asdict(), {"pairs": len(labels)}, half=False)
    tensors, _ = load_checkpoint(file)
    model.ridge_weight.copy_(tensors["weight"])
    model.ridge_bias.copy_(tensors["bias"])
