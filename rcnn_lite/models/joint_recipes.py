"""How the detectors are trained that learn from losses, all at once or in the paper's four steps (see `recipes`)."""

from dataclasses import replace

from torch import nn

from rcnn_lite.models.orders import Order, looking, planned, proposing, refuse, summary

ON_PYRAMID = 1800  # batches of a detector with a pyramid, whose step costs half as much again


def train_fast_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """Fast R-CNN: see `fast_rcnn_training`. What is returned has 8 bits a weight, as its checkpoint will."""
    from torch import Generator

    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
    from rcnn_lite.models.fast_rcnn_training import FastRCNNTraining, train

    refuse(order, "fast_rcnn", "size", "layer")
    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    backbone = build_backbone(order.backbone).to(order.device)
    start = Generator().manual_seed(order.seed)
    model = FastRCNN(backbone, data.classes, looking(FastRCNNSettings(**chosen), order.looks), start)
    fit = planned(FastRCNNTraining().fit, order, len(data))
    report = lambda history: order.report(model, history, fit.schedule.iterations)  # noqa: E731
    history = train(model, data, order.folder, FastRCNNTraining(fit, order.seed), report, order.workers)
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

    return _train_jointly(FasterRCNNFPN, data.classes, data, order, ON_PYRAMID)


def train_mask_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """Mask R-CNN on the map of Faster R-CNN: see `faster_rcnn_training`."""
    from rcnn_lite.models.mask_rcnn import MaskRCNN

    return _train_jointly(MaskRCNN, data.classes, data, order)


def train_mask_rcnn_fpn(data, order: Order) -> tuple[nn.Module, dict]:
    """Mask R-CNN on a feature pyramid: see `faster_rcnn_training`."""
    from rcnn_lite.models.fpn_rcnn import MaskRCNNFPN

    return _train_jointly(MaskRCNNFPN, data.classes, data, order, ON_PYRAMID)


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
    few, count = OnlyClasses(data, labels), max(t["keypoints"].shape[1] for t in targets)
    usual = FitSettings().schedule.iterations // 3
    return _train_jointly(kind, few.classes, few, order, usual, num_keypoints=count)


def _train_jointly(
    kind: type, classes: tuple[str, ...], data, order: Order, usual: int | None = None, **chosen
) -> tuple[nn.Module, dict]:
    """Train a `kind` with these settings `chosen`, for the `usual` number of batches or what the user asked for.

    What is returned has 8 bits a weight, as its checkpoint will.
    """
    from torch import Generator

    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.faster_rcnn_training import FasterRCNNTraining, train

    refuse(order, kind.model, "size", "layer")
    backbone = build_backbone(order.backbone).to(order.device)
    settings = proposing(looking(replace(kind.Settings(), **chosen), order.looks), order)
    model = kind(backbone, classes, settings, Generator().manual_seed(order.seed))
    fit = planned(FasterRCNNTraining().fit, order, len(data), usual)
    report = lambda history: order.report(model, history, fit.schedule.iterations)  # noqa: E731
    history = train(model, data, order.folder, FasterRCNNTraining(fit, order.seed), report)
    shipped = kind.from_checkpoint(*model.to_checkpoint(), backbone).to(order.device)
    return shipped, {"losses": summary(history)}


def train_faster_rcnn_alternating(data, order: Order) -> tuple[nn.Module, dict]:
    """Faster R-CNN in the paper's four steps: see `alternating_training`."""
    from rcnn_lite.models.alternating_training import AlternatingTraining, train
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings

    refuse(order, "faster_rcnn_alternating", "size", "layer")
    backbone, histories = build_backbone(order.backbone).to(order.device), {}
    plan = AlternatingTraining(seed=order.seed)
    whole, own_layers = (planned(fit, order, len(data)) for fit in (plan.whole, plan.own_layers))
    plan = replace(plan, whole=whole, own_layers=own_layers)
    report = lambda step, history: histories.update({f"step {step}": history})  # noqa: E731
    settings = proposing(looking(FasterRCNNSettings(), order.looks), order)
    model = train(backbone, data, order.folder, settings, plan, report)
    shipped = FasterRCNN.from_checkpoint(*model.to_checkpoint(), backbone).to(order.device)
    return shipped, {"losses": {step: summary(history) for step, history in histories.items()}}
