"""How each model is trained: what `rcnn-lite train --model NAME` does before it measures and saves.

A recipe is a function of a data set and an `Order` that returns the trained model and what its checkpoint should say of
the training beyond what the command line writes there (command, seed, data, metrics). Each imports what it needs when
it runs.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

ON_PYRAMID = 1800  # batches of a detector with a pyramid, whose step costs half as much again


@dataclass(frozen=True)
class Order:
    """What the user asked for. None stands for the model's own choice."""

    folder: Path  # of the run: stages that it already holds are not repeated
    seed: int = 0
    backbone: str = "lite0"
    size: int | None = None  # side of a warped region
    proposals: int | None = None  # regions looked at in a picture
    finetune: int | None = None  # batches of fine-tuning
    layer: str | None = None  # what the SVMs see
    device: str = "cpu"


def train_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """R-CNN: see `rcnn_training`."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.finetuning import FinetuningSettings
    from rcnn_lite.models.rcnn import RCNN, RCNNSettings
    from rcnn_lite.models.rcnn_training import RCNNTraining, train

    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    if order.size:
        chosen |= {"size": order.size, "context": round(order.size * 16 / 227)}  # the paper's share of context
    if order.layer:
        chosen |= {"layer": order.layer}
    model = RCNN(build_backbone(order.backbone).to(order.device), data.classes, RCNNSettings(**chosen))
    tuning = FinetuningSettings() if order.finetune is None else FinetuningSettings(iterations=order.finetune)
    return model, {"rounds": train(model, data, order.folder, RCNNTraining(finetuning=tuning, seed=order.seed))}


def train_sppnet(data, order: Order) -> tuple[nn.Module, dict]:
    """SPPnet: see `sppnet_training`."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.sppnet import SPPNet, SPPSettings
    from rcnn_lite.models.sppnet_training import LayerSettings, SPPTraining, train

    _refuse(order, "sppnet", "size")
    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    if order.layer:
        chosen |= {"layer": order.layer}
    model = SPPNet(build_backbone(order.backbone).to(order.device), data.classes, SPPSettings(**chosen))
    layers = LayerSettings() if order.finetune is None else LayerSettings(iterations=order.finetune)
    return model, {"rounds": train(model, data, order.folder, SPPTraining(layers=layers, seed=order.seed))}


def train_fast_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """Fast R-CNN: see `fast_rcnn_training`. What is returned has 8 bits a weight, as its checkpoint will."""
    from torch import Generator

    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
    from rcnn_lite.models.fast_rcnn_training import FastRCNNTraining, train

    _refuse(order, "fast_rcnn", "size", "layer")
    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    backbone = build_backbone(order.backbone).to(order.device)
    start = Generator().manual_seed(order.seed)
    model = FastRCNN(backbone, data.classes, FastRCNNSettings(**chosen), start)
    settings = FastRCNNTraining(seed=order.seed)
    history = train(model, data, order.folder, replace(settings, fit=shortened(settings.fit, order)))
    shipped = FastRCNN.from_checkpoint(*model.to_checkpoint(), backbone).to(order.device)
    return shipped, {"losses": summary(history)}


def train_rpn(data, order: Order) -> tuple[nn.Module, dict]:
    """The region proposal network alone, a detector of one class: see `faster_rcnn_training`."""
    from rcnn_lite.models.rpn_detector import RPNDetector

    return _train_jointly(RPNDetector, ("background", "object"), data, order)


def train_faster_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """Faster R-CNN, all at once: see `faster_rcnn_training`."""
    from rcnn_lite.models.faster_rcnn import FasterRCNN

    return _train_jointly(FasterRCNN, data.classes, data, order)


def train_faster_rcnn_fpn(data, order: Order) -> tuple[nn.Module, dict]:
    """Faster R-CNN on a feature pyramid: see `faster_rcnn_training`."""
    from rcnn_lite.models.fpn_rcnn import FasterRCNNFPN

    return _train_jointly(FasterRCNNFPN, data.classes, data, _usually(order, ON_PYRAMID))


def train_mask_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """Mask R-CNN on the map of Faster R-CNN: see `faster_rcnn_training`."""
    from rcnn_lite.models.mask_rcnn import MaskRCNN

    return _train_jointly(MaskRCNN, data.classes, data, order)


def train_mask_rcnn_fpn(data, order: Order) -> tuple[nn.Module, dict]:
    """Mask R-CNN on a feature pyramid: see `faster_rcnn_training`."""
    from rcnn_lite.models.fpn_rcnn import MaskRCNNFPN

    return _train_jointly(MaskRCNNFPN, data.classes, data, _usually(order, ON_PYRAMID))


def train_keypoint_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """Keypoints on the map of Faster R-CNN, of the classes that have any: see `faster_rcnn_training`."""
    from rcnn_lite.models.keypoint_rcnn import KeypointRCNN

    return _train_keypoints(KeypointRCNN, data, order)


def train_keypoint_rcnn_fpn(data, order: Order) -> tuple[nn.Module, dict]:
    """Keypoints on a feature pyramid, of the classes that have any: see `faster_rcnn_training`."""
    from rcnn_lite.models.keypoint_rcnn import KeypointRCNNFPN

    return _train_keypoints(KeypointRCNNFPN, data, order)


def _train_keypoints(kind: type, data, order: Order) -> tuple[nn.Module, dict]:
    """The same on the objects that have keypoints; a third of the batches, unless the user asks for another number."""
    from rcnn_lite.datasets.transforms import OnlyClasses
    from rcnn_lite.training import FitSettings

    targets = [data[i][1] for i in range(len(data))]
    annotated = [t["labels"][(t["keypoints"][..., 2] > 0).any(dim=1)].tolist() for t in targets]
    if not (labels := sorted(set(sum(annotated, [])))):
        raise ValueError("no object of the data set has keypoints")
    order = _usually(order, FitSettings().schedule.iterations // 3)
    few = OnlyClasses(data, labels)
    return _train_jointly(kind, few.classes, few, order, num_keypoints=max(t["keypoints"].shape[1] for t in targets))


def _train_jointly(kind: type, classes: tuple[str, ...], data, order: Order, **chosen) -> tuple[nn.Module, dict]:
    """Train a `kind` with these settings `chosen`. What is returned has 8 bits a weight, as its checkpoint will."""
    from torch import Generator

    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train

    _refuse(order, kind.model, "size", "layer")
    backbone = build_backbone(order.backbone).to(order.device)
    settings = _proposing(order, replace(kind.Settings(), **chosen))
    model = kind(backbone, classes, settings, Generator().manual_seed(order.seed))
    plan = FasterRCNNTraining(seed=order.seed)
    history = train(model, data, order.folder, replace(plan, fit=shortened(plan.fit, order)))
    shipped = kind.from_checkpoint(*model.to_checkpoint(), backbone).to(order.device)
    return shipped, {"losses": summary(history)}


def train_faster_rcnn_alternating(data, order: Order) -> tuple[nn.Module, dict]:
    """Faster R-CNN in the paper's four steps: see `alternating_training`."""
    from rcnn_lite.models.alternating_training import AlternatingTraining, train
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings

    _refuse(order, "faster_rcnn_alternating", "size", "layer")
    backbone, histories = build_backbone(order.backbone).to(order.device), {}
    plan = AlternatingTraining(seed=order.seed)
    plan = replace(plan, whole=shortened(plan.whole, order), own_layers=shortened(plan.own_layers, order))
    report = lambda step, history: histories.update({f"step {step}": history})  # noqa: E731
    model = train(backbone, data, order.folder, _proposing(order, FasterRCNNSettings()), plan, report)
    shipped = FasterRCNN.from_checkpoint(*model.to_checkpoint(), backbone).to(order.device)
    return shipped, {"losses": {step: summary(history) for step, history in histories.items()}}


def _proposing(order: Order, settings):
    """Settings of a detector with an RPN, with the number of proposals that the user asked for."""
    if not order.proposals:
        return settings
    testing = settings.rpn.testing._replace(after_nms=order.proposals)
    return replace(settings, rpn=replace(settings.rpn, testing=testing))


def _usually(order: Order, batches: int) -> Order:
    """So many batches, unless the user asks for another number."""
    return replace(order, finetune=batches) if order.finetune is None else order


def shortened(fit, order: Order):
    """Settings of `training.fit` with the number of batches that the user asked for."""
    if order.finetune is None:
        return fit
    return replace(fit, schedule=replace(fit.schedule, iterations=order.finetune))


def summary(history: list[dict[str, float]], parts: int = 50) -> dict[str, list[float]]:
    """The course of the losses in `parts` means, by name: what a checkpoint's header keeps of its training.

    >>> summary([{"loss": 4.0}, {"loss": 2.0}, {"loss": 1.0}, {"loss": 1.0}], parts=2)
    {'loss': [3.0, 1.0]}
    """
    edges = [round(i * len(history) / parts) for i in range(parts + 1)]
    spans = [history[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True) if b > a]
    return {name: [round(sum(h[name] for h in span) / len(span), 4) for span in spans] for name in history[0]}


def train_hog(data, order: Order) -> tuple[nn.Module, dict]:
    """HOG templates on an image pyramid: see `hog_training`. It has no stages to resume."""
    from rcnn_lite.models.hog_training import HOGTraining, train

    _refuse(order, "hog", "backbone", "size", "proposals", "finetune", "layer", "device")
    model, rounds = train(data, HOGTraining(seed=order.seed))
    return model, {"rounds": rounds}


def train_regression(data, order: Order) -> tuple[nn.Module, dict]:
    """Localisation as plain regression: see `regression_training`. It has no stages to resume, and nothing random."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.regression_only import RegressionOnly
    from rcnn_lite.models.regression_training import train

    _refuse(order, "regression", "size", "proposals", "finetune", "layer")
    model = RegressionOnly(build_backbone(order.backbone).to(order.device), data.classes)
    return model, train(model, data)


def _refuse(order: Order, model: str, *options: str) -> None:
    """A choice that the model does not have is an error, not silence."""
    for option in options:
        if getattr(order, option) != getattr(Order(order.folder), option):
            raise ValueError(f"--{option} means nothing to --model {model}")


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
