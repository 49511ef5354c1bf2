"""How each model is trained: what `rcnn-lite train --model NAME` does before it measures and saves.

A recipe is a function of a data set and an `Order` that returns the trained model and what its checkpoint should say of
the training beyond what the command line writes there (command, seed, data, metrics). Each imports what it needs when
it runs. Those of detectors that are trained end to end, from losses, are in `joint_recipes`.
"""

from torch import nn

from rcnn_lite.models.joint_recipes import (
    ON_PYRAMID,
    train_fast_rcnn,
    train_faster_rcnn,
    train_faster_rcnn_alternating,
    train_faster_rcnn_fpn,
    train_keypoint_rcnn,
    train_keypoint_rcnn_fpn,
    train_mask_rcnn,
    train_mask_rcnn_fpn,
    train_rpn,
)
from rcnn_lite.models.orders import Order, refuse, summary

__all__ = ["IN_STAGES", "ON_PYRAMID", "RECIPES", "Order", "summary"]
__all__ += ["train_hog", "train_rcnn", "train_regression", "train_sppnet"]


def train_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """R-CNN: see `rcnn_training`."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.finetuning import FinetuningSettings
    from rcnn_lite.models.rcnn import RCNN, RCNNSettings
    from rcnn_lite.models.rcnn_training import RCNNTraining, train

    refuse(order, "rcnn", "batch")
    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    if order.size:
        chosen |= {"size": order.size, "context": round(order.size * 16 / 227)}  # the paper's share of context
    if order.layer:
        chosen |= {"layer": order.layer}
    model = RCNN(build_backbone(order.backbone).to(order.device), data.classes, RCNNSettings(**chosen))
    tuning = FinetuningSettings() if order.finetune is None else FinetuningSettings(iterations=order.finetune)
    plan = RCNNTraining(finetuning=tuning, seed=order.seed)
    report = lambda history: order.report(None, history, tuning.iterations)  # noqa: E731
    return model, {"rounds": train(model, data, order.folder, plan, order.workers, report)}


def train_sppnet(data, order: Order) -> tuple[nn.Module, dict]:
    """SPPnet: see `sppnet_training`."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.sppnet import SPPNet, SPPSettings
    from rcnn_lite.models.sppnet_training import LayerSettings, SPPTraining, train

    refuse(order, "sppnet", "size", "batch")
    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    if order.layer:
        chosen |= {"layer": order.layer}
    model = SPPNet(build_backbone(order.backbone).to(order.device), data.classes, SPPSettings(**chosen))
    layers = LayerSettings() if order.finetune is None else LayerSettings(iterations=order.finetune)
    plan = SPPTraining(layers=layers, seed=order.seed)
    report = lambda history: order.report(None, history, layers.iterations)  # noqa: E731
    return model, {"rounds": train(model, data, order.folder, plan, order.workers, report)}


def train_hog(data, order: Order) -> tuple[nn.Module, dict]:
    """HOG templates on an image pyramid: see `hog_training`. It has no stages to resume."""
    from rcnn_lite.models.hog_training import HOGTraining, train

    refuse(order, "hog", "backbone", "size", "proposals", "finetune", "batch", "layer", "device")
    model, rounds = train(data, HOGTraining(seed=order.seed))
    return model, {"rounds": rounds}


def train_regression(data, order: Order) -> tuple[nn.Module, dict]:
    """Localisation as plain regression: see `regression_training`. It has no stages to resume, and nothing random."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.regression_only import RegressionOnly
    from rcnn_lite.models.regression_training import train

    refuse(order, "regression", "size", "proposals", "finetune", "batch", "layer")
    model = RegressionOnly(build_backbone(order.backbone).to(order.device), data.classes)
    return model, train(model, data)


RECIPES = {
    "rcnn": train_rcnn,
    "sppnet": train_sppnet,
    "fast_rcnn": train_fast_rcnn,
    "rpn": train_rpn,
    "faster_rcnn": train_faster_rcnn,
    "faster_rcnn_alternating": train_faster_rcnn_alternating,
    "faster_rcnn_fpn": train_faster_rcnn_fpn,
    "mask_rcnn": train_mask_rcnn,
    "mask_rcnn_fpn": train_mask_rcnn_fpn,
    "keypoint_rcnn": train_keypoint_rcnn,
    "keypoint_rcnn_fpn": train_keypoint_rcnn_fpn,
    "hog": train_hog,
    "regression": train_regression,
}
IN_STAGES = ("rcnn", "sppnet", "faster_rcnn_alternating", "hog", "regression")
"""Models that can detect nothing before all of their training is done: no best one in the course of it is kept."""
