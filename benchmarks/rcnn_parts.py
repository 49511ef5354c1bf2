"""What the ablations of R-CNN are made of: one network's features, and detectors fitted to parts of them."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.evaluation import evaluate_coco, evaluate_voc
from rcnn_lite.heads.ridge import fit_box_regressors
from rcnn_lite.heads.svm import LinearSVMs, SVMSettings, feature_scale, train_svms
from rcnn_lite.models.feature_store import FeatureStore
from rcnn_lite.models.rcnn import RCNN
from rcnn_lite.models.rcnn_training import RCNNTraining
from rcnn_lite.models.region_network import RegionFeatures

RESAMPLES = 200  # of the test scenes, for the spread of a difference
IMAGE_SIZE = (256, 256)  # of every scene
LAYERS = RegionFeatures._fields


class SoftmaxRCNN(RCNN):
    """R-CNN that believes the layer that the network was fine-tuned with, instead of SVMs (appendix B)."""

    def score(self, features: RegionFeatures) -> Tensor:
        """(n, K) probabilities; the background's is of no use."""
        weight, bias = self.new_layer
        probabilities = (features.fc7 / self.scales[2] @ weight.T + bias).softmax(dim=1)  # (n, K)
        probabilities[:, 0] = -float("inf")
        return probabilities


class AveragedRCNN(RCNN):
    """R-CNN whose SVMs see the last map averaged over its positions: (n, C) instead of pool5's (n, C s s)."""

    def score(self, features: RegionFeatures) -> Tensor:
        """(n, K)."""
        return self.svms.scores(
            average_positions(features.pool5 / self.scales[0], self.backbone.channels[-1]) * self.scale
        )


def average_positions(pool5: Tensor, channels: int) -> Tensor:
    """(n, C s s) -> (n, C)."""
    return pool5.reshape(len(pool5), channels, pool5.shape[1] // channels).mean(dim=2)


class Bench:
    """One network with its features of the training and the test images, and a folder for what is fitted to them."""

    def __init__(self, model: RCNN, name: str, out: Path, train: list[dict], test: list[dict]):
        self.model, self.name, self.out = model, name, out
        classes = len(model.classes)
        self.train = FeatureStore(out / f"{name}_train", train, model.layer_sizes, classes)
        self.test = FeatureStore(out / f"{name}_test", test, model.layer_sizes, classes)

    def fill(self, train_images, test_images) -> "Bench":
        """Extract what is missing."""
        self.train.fill(self.model, train_images)
        self.test.fill(self.model, test_images)
        self.scales = self.train.scales(RCNNTraining().feature_norm)
        return self

    def fit_svms(self, store: FeatureStore, layer: str, settings: SVMSettings, note: str) -> dict[str, Tensor]:
        """SVMs on one layer of some images, from the file if they are there."""
        file = self.out / f"svms_{self.name}_{layer}_{note}.safetensors"
        if not file.is_file():
            print(f"fitting {file.stem}", flush=True)
            scale = float(self.scales[LAYERS.index(layer)])
            svms, rounds = train_svms(store.positives(layer, scale), lambda: store.stream(layer, scale), settings)
            save_checkpoint(file, svms._asdict(), {"rounds": rounds}, half=False)
        return load_checkpoint(file)[0]

    def fit_ridge(self, store: FeatureStore, lam: float, note: str) -> dict[str, Tensor]:
        """Box regressors on pool5 of some images, from the file if they are there."""
        file = self.out / f"ridge_{self.name}_{note}_{lam:g}.safetensors"
        if not file.is_file():
            print(f"fitting {file.stem}", flush=True)
            features, boxes, gt_boxes, labels = store.pairs(RCNNTraining().ridge_iou)
            maps = fit_box_regressors(features * self.scales[0], boxes, gt_boxes, labels, store.num_classes, lam)
            save_checkpoint(file, maps._asdict(), {"pairs": len(labels)}, half=False)
        return load_checkpoint(file)[0]

    def detector(self, kind: type[RCNN], layer: str, svms: dict, ridge: dict, **settings) -> RCNN:
        """An R-CNN of this network with fitted parts."""
        settings = replace(self.model.settings, layer=layer, **settings)
        model = kind(self.model.backbone, self.model.classes, settings)
        model.scales.copy_(self.scales)
        model.svm_weight.copy_(svms["weight"]), model.svm_bias.copy_(svms["bias"])
        model.ridge_weight.copy_(ridge["weight"]), model.ridge_bias.copy_(ridge["bias"])
        return model

    def averaged_detector(self, ridge: dict, **settings) -> AveragedRCNN:
        """SVMs on the last map averaged over its positions: what is lost when only the channels are left."""
        file, channels = self.out / f"svms_{self.name}_averaged_all.safetensors", self.model.backbone.channels[-1]
        positives = [average_positions(p, channels) for p in self.train.positives("pool5")]
        scale = feature_scale(torch.cat(positives), RCNNTraining().feature_norm)

        def stream():
            for features, overlaps in self.train.stream("pool5"):
                yield average_positions(features, channels) * scale, overlaps

        if not file.is_file():
            svms, rounds = train_svms([p * scale for p in positives], stream)
            save_checkpoint(file, svms._asdict(), {"rounds": rounds}, half=False)
        none = {"weight": torch.zeros(len(self.model.classes), self.model.layer_sizes[1]), "bias": torch.zeros(1)}
        model = self.detector(AveragedRCNN, "fc6", none, ridge, **settings)
        model.svms, model.scale = LinearSVMs(**load_checkpoint(file)[0]), scale
        return model

    def softmax_detector(self, svms: dict, ridge: dict, **settings) -> SoftmaxRCNN:
        """The same with the new layer of fine-tuning in the place of the SVMs."""
        model = self.detector(SoftmaxRCNN, "fc7", svms, ridge, **settings)
        tensors, _ = load_checkpoint(self.out / "network.safetensors")
        model.new_layer = tensors["new_layer.weight"], tensors["new_layer.bias"]
        return model


@torch.inference_mode()
def detect(model: RCNN, store: FeatureStore) -> list[dict[str, Tensor]]:
    """What a detector finds in the images of a store, from their stored features."""
    found = []
    for i, region in enumerate(store.regions):
        layers = (store.proposals(i, layer) * scale for layer, scale in zip(LAYERS, model.scales, strict=True))
        found.append(model.decide(RegionFeatures(*layers), region["proposals"], IMAGE_SIZE))
    return found


def scores(found: list[dict], targets: list[dict]) -> dict[str, float]:
    """mAP (VOC 2010) and COCO's AP."""
    return {"mAP": evaluate_voc(found, targets)["mAP"], "AP": evaluate_coco(found, targets)["AP"]}


def spread(a: list[dict], b: list[dict], targets: list[dict]) -> list[float]:
    """The middle 95 % of mAP(a) - mAP(b) over sets of images drawn with replacement (notebook 02)."""
    generator, gains = torch.Generator().manual_seed(0), []
    for _ in range(RESAMPLES):
        rows = torch.randint(len(targets), (len(targets),), generator=generator).tolist()
        maps = [evaluate_voc([d[i] for i in rows], [targets[i] for i in rows])["mAP"] for d in (a, b)]
        gains.append(maps[0] - maps[1])
    return torch.tensor(gains).quantile(torch.tensor([0.025, 0.975])).tolist()
