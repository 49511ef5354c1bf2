"""The mistakes of notebook 07: some make regressors that ruin boxes, one makes regressors that nobody would suspect.

Importing this module adds them to `rcnn_lite.checks.mistakes`: ``with mistake("targets_inverted"): ...`` switches one
on.
"""

import torch

from rcnn_lite.boxes import encode_boxes, require_positive_area
from rcnn_lite.checks.mistakes import MISTAKES, Mistake, mistake, mistakes
from rcnn_lite.heads.ridge import LinearMap, fit_box_regressors, fit_ridge

__all__ = ["mistake", "mistakes"]


def fit_ridge_unpenalised(X, Y, lam=1000.0) -> LinearMap:
    """lambda is as good as 0."""
    return fit_ridge(X, Y, 1e-6)


def encode_inverted(boxes, reference):
    """The deltas that carry the object onto the proposal."""
    return encode_boxes(reference, boxes)


def encode_by_object(boxes, reference):
    """The shift counts in widths and heights of the object, where decoding counts in those of the proposal."""
    deltas = encode_boxes(boxes, reference)
    require_positive_area(boxes)
    ratio = (reference[..., 2:] - reference[..., :2]) / (boxes[..., 2:] - boxes[..., :2])
    return torch.cat((deltas[..., :2] * ratio, deltas[..., 2:]), dim=-1)


def fit_one_class_off(features, boxes, gt_boxes, labels, num_classes, lam=1000.0) -> LinearMap:
    """Row k of the maps is that of class k - 1."""
    maps = fit_box_regressors(features, boxes, gt_boxes, labels, num_classes, lam)
    return LinearMap(maps.weight.roll(1, dims=0), maps.bias.roll(1, dims=0))


_TABLE = (
    Mistake(
        "no_penalty",
        "The penalty is forgotten: lambda is as good as 0.",
        {"heads.ridge.fit_ridge": fit_ridge_unpenalised},
    ),
    Mistake(
        "targets_inverted",
        "The targets carry the object onto the proposal: every move goes the wrong way.",
        {"boxes.encode_boxes": encode_inverted},
    ),
    Mistake(
        "targets_by_object",
        "The targets are divided by the object's width and height, the decoded ones multiplied by the proposal's.",
        {"boxes.encode_boxes": encode_by_object},
    ),
    Mistake(
        "maps_one_off",
        "The maps are stored one class further, so a cat's box is moved as a camera's.",
        {"heads.ridge.fit_box_regressors": fit_one_class_off},
    ),
)
MISTAKES.update({each.name: each for each in _TABLE})
