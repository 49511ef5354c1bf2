"""The stages of training that R-CNN and SPPnet share: proposals first, SVMs and box regressors last (notebook 08).

Both papers' trainings are chains of separate programs with files between them, and so are these: each stage leaves a
file in the folder RUN and is not repeated if it is there, so that an interrupted run goes on. How the network itself is
trained, in between, is what `rcnn_training` and `sppnet_training` add.

    RUN/stages.json           what is being trained; a second call with other settings is refused
    RUN/regions.safetensors   proposals and objects of each image, see `proposals.stored`
    RUN/svms.safetensors      one SVM a class, and the rounds of mining
    RUN/ridge.safetensors     four regressors a class

Notation: K classes with background.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.checkpoints import load_checkpoint, load_records, save_checkpoint
from rcnn_lite.distributed import stage
from rcnn_lite.heads.ridge import fit_box_regressors
from rcnn_lite.heads.svm import SVMSettings, train_svms
from rcnn_lite.images import tensor_to_image
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.region_network import RegionFeatures
from rcnn_lite.models.svm_detector import DetectorSettings, SVMDetector, usable
from rcnn_lite.proposals.selective_search import selective_search
from rcnn_lite.proposals.stored import find_all


@dataclass(frozen=True)
class SVMTraining:
    """The numbers of the shared stages; sections are those of R-CNN."""

    svm: SVMSettings = field(default_factory=SVMSettings)
    ridge_iou: float = 0.6  # section 2.3 / appendix C: pairs of a proposal and an object that overlap this much
    ridge_lambda: float = 100.0  # appendix C: 1000, for ten times our pairs; the best of 10 .. 3000 on held-out scenes
    feature_norm: float = 20.0  # code: feat_norm_mean, see svm.feature_scale
    seed: int = 0


def propose(
    model: SVMDetector, dataset, file: Path, settings: SVMTraining, workers: int = 1
) -> list[dict[str, Tensor]]:
    """The first stage: for each image the usable proposals, and boxes and labels of its objects (crowds left out)."""
    find = partial(find_regions, model.settings, settings.seed)
    stage(file, lambda: find_all(find, dataset, file, f"selective search {settings.seed}", workers))
    return load_records(file)[0]


def find_regions(detector: DetectorSettings, seed: int, index: int, image: Tensor, target: dict) -> dict[str, Tensor]:
    """What `propose` finds in image (3, H, W) number `index`."""
    found = selective_search(tensor_to_image(image), rng=np.random.default_rng([seed, index]))
    single = ~target["iscrowd"].bool() if "iscrowd" in target else slice(None)
    objects = {"objects": target["boxes"][single], "labels": target["labels"][single]}
    return {"proposals": usable(found, image.shape[1:], detector)} | objects


def fit_to_features(model: SVMDetector, store: FeatureStore, folder: Path, settings: SVMTraining) -> list[dict]:
    """The last two stages, once the features are there; returns the rounds of mining (see `svm.train_svms`)."""
    model.scales.copy_(store.scales(settings.feature_norm))
    rounds = _svms(model, store, folder / "svms.safetensors", settings)
    _ridge(model, store, folder / "ridge.safetensors", settings)
    return rounds


def _svms(model: SVMDetector, store: FeatureStore, file: Path, settings: SVMTraining) -> list[dict]:
    """One SVM a class."""

    def make() -> None:
        """Mine, and keep what was found."""
        with tqdm(total=settings.svm.max_rounds, desc="SVMs", unit="round", disable=None) as bar:
            report = lambda line: (bar.set_postfix(new=sum(line["added"])), bar.update())  # noqa: E731
            layer = model.settings.layer
            scale = float(model.scales[RegionFeatures._fields.index(layer)])
            stream = lambda: store.stream(layer, scale)  # noqa: E731
            svms, rounds = train_svms(store.positives(layer, scale), stream, settings.svm, settings.seed, report)
        save_checkpoint(file, svms._asdict(), {"rounds": rounds}, half=False)

    stage(file, make)
    tensors, note = load_checkpoint(file)
    model.svm_weight.copy_(tensors["weight"])
    model.svm_bias.copy_(tensors["bias"])
    return note["rounds"]


def _ridge(model: SVMDetector, store: FeatureStore, file: Path, settings: SVMTraining) -> None:
    """Four regressors a class on pool5."""

    def make() -> None:
        """Fit, and keep what was found."""
        features, boxes, gt_boxes, labels = store.pairs(settings.ridge_iou)
        features *= model.scales[0].cpu()
        maps = fit_box_regressors(features, boxes, gt_boxes, labels, store.num_classes, settings.ridge_lambda)
        save_checkpoint(file, maps._asdict(), {"pairs": len(labels)}, half=False)

    stage(file, make)
    tensors, _ = load_checkpoint(file)
    model.ridge_weight.copy_(tensors["weight"])
    model.ridge_bias.copy_(tensors["bias"])
