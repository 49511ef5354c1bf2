"""Training `RegressionOnly`: two linear fits to the features of whole pictures (notebook 03).

Whether a class is there: a linear SVM a class, all pictures with it against all without. Where: ridge regression from
the picture's map to the corners of the class's largest object, over the pictures that have one. Each picture is used
twice, as it is and mirrored. The ridge's penalty is chosen on training pictures that the fit has not seen.

Notation: N pictures (with their mirror images), K classes with background, P and D features of map and embedding.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.boxes import box_area, box_iou, flip_boxes
from rcnn_lite.heads.ridge import LinearMap, fit_ridge
from rcnn_lite.heads.svm import SVMSettings, feature_scale, fit_svms
from rcnn_lite.models.regression_only import RegressionOnly, to_pixels, to_unit


@dataclass(frozen=True)
class RegressionTraining:
    """The numbers of the training."""

    svm: SVMSettings = field(default_factory=SVMSettings)
    lambdas: tuple[float, ...] = (10.0, 100.0, 1000.0, 10000.0, 100000.0)  # candidates for the ridge's penalty
    hold_out: int = 5  # to choose among them, every fifth picture is held out; the final fit has all
    feature_norm: float = 20.0  # as for R-CNN, see svm.feature_scale


def train(model: RegressionOnly, dataset, settings: RegressionTraining = RegressionTraining()) -> dict:
    """Fit a fresh model to a dataset of (image, target) pairs.

    Returns ``lambda``, the penalty chosen, and ``held_out``, for each candidate the mean IoU of the boxes on the
    pictures held out (None without any). A class without objects never fires.
    """
    maps, fc, targets = _features(model, dataset)
    model.scales.copy_(torch.tensor([feature_scale(x, settings.feature_norm) for x in (maps, fc)]))
    maps, fc = maps * model.scales[0], fc * model.scales[1]  # (N, P), (N, D)
    wanted, there = largest_objects(targets, len(model.classes))  # (N, K, 4), (N, K)
    svms = fit_svms(*([fc[flag] for flag in flags.T] for flags in (there, ~there)), settings.svm)
    model.svm_weight.copy_(svms.weight)
    model.svm_bias.copy_(svms.bias)
    held_out = (torch.arange(len(maps)) // 2) % settings.hold_out == settings.hold_out - 1  # a picture and its mirror
    quality = {}
    for lam in settings.lambdas:
        fitted = fit_boxes(maps[~held_out], wanted[~held_out], there[~held_out], lam)
        quality[lam] = mean_overlap(fitted, maps[held_out], wanted[held_out], there[held_out])
    chosen = max(settings.lambdas, key=lambda lam: quality[lam] or 0.0)
    final = fit_boxes(maps, wanted, there, chosen)
    model.ridge_weight.copy_(final.weight)
    model.ridge_bias.copy_(final.bias)
    return {"lambda": chosen, "held_out": {f"{lam:g}": value for lam, value in quality.items()}}


def largest_objects(targets: list[dict], num_classes: int) -> tuple[Tensor, Tensor]:
    """What the regression has to learn: boxes (N, K, 4) of the largest object of each class, and whether there is one
    (N, K), bool. Where there is none the box is 0.
    """
    wanted, there = torch.zeros(len(targets), num_classes, 4), torch.zeros(len(targets), num_classes, dtype=torch.bool)
    for i, target in enumerate(targets):
        for k in target["labels"].unique().tolist():
            boxes = target["boxes"][target["labels"] == k]
            wanted[i, k], there[i, k] = boxes[box_area(boxes).argmax()], True
    return wanted, there


def fit_boxes(maps: Tensor, wanted: Tensor, there: Tensor, lam: float) -> LinearMap:
    """A ridge regression a class: (N, P), (N, K, 4), (N, K) -> weight (K, P, 4), bias (K, 4)."""
    fits = [fit_ridge(maps[there[:, k]], wanted[there[:, k], k], lam) for k in range(there.shape[1])]
    return LinearMap(torch.stack([f.weight for f in fits]), torch.stack([f.bias for f in fits]))


def mean_overlap(fitted: LinearMap, maps: Tensor, wanted: Tensor, there: Tensor) -> float | None:
    """Mean IoU of the boxes with those wanted, over all pictures and the classes that are there; None without any."""
    boxes = to_pixels(fitted.predict(maps), (1, 1)).transpose(0, 1)[there]  # (n, 4)
    if len(boxes) == 0:
        return None
    pairs = zip(boxes, wanted[there], strict=True)
    return round(sum(float(box_iou(a[None], b[None])) for a, b in pairs) / len(boxes), 4)


@torch.inference_mode()
def _features(model: RegressionOnly, dataset) -> tuple[Tensor, Tensor, list[dict]]:
    """Features and objects (corners from 0 to 1) of each picture, followed by those of its mirror image."""
    maps, fc, targets = [], [], []
    for i in tqdm(range(len(dataset)), desc="features", unit="image", disable=None):
        image, target = dataset[i]
        single = ~target["iscrowd"].bool() if "iscrowd" in target else slice(None)
        labels = target["labels"][single]
        boxes = to_unit(target["boxes"][single], image.shape[1:])
        for picture, objects in ((image, boxes), (image.flip(2), flip_boxes(boxes, width=1))):
            features = model.features(picture.to(model.device))
            maps.append(features.map.cpu())
            fc.append(features.fc.cpu())
            targets.append({"boxes": objects, "labels": labels})
    return torch.cat(maps), torch.cat(fc), targets
