"""A model's whole report on a data set: what it finds, how good that is, and how long each of its stages takes."""

import math
from functools import partial

import torch
from torch import Tensor
from tqdm import tqdm

from rcnn_lite.datasets.transforms import AnyObject, OnlyClasses
from rcnn_lite.evaluation.coco import evaluate_coco
from rcnn_lite.evaluation.inputs import MASK_THRESHOLD
from rcnn_lite.evaluation.keypoints import evaluate_keypoints
from rcnn_lite.evaluation.voc import evaluate_voc


def measure(model, data, keep: int = 50) -> tuple[dict, list[dict]]:
    """Detect in every picture of a data set: (metrics, records).

    A record holds the best `keep` detections of a picture and, of a model that is given its proposals, those that were
    looked at, in half precision where that is exact (whole pixels up to 2,048). Masks are cut at one half and not
    recorded. Metrics: mAP, AP of each class, COCO's twelve, seconds a picture of each stage; where masks or keypoints
    are found, COCO's numbers for these too. A model whose one class is "object" is measured on objects of any class,
    one that knows some of the classes on these, in the pictures that have any.
    """
    data = _as_known(data, tuple(model.classes))
    found, targets, records = [], [], []
    model.watch.seconds.clear()
    for i in tqdm(range(len(data)), desc="detecting", unit="image", disable=None):
        image, target = data[i]
        looked_at = {}
        if getattr(model, "needs_proposals", False):
            proposals = model.propose(image)
            found += model.detect([image], [proposals])
            looked_at["proposals"] = _compact(model.usable(proposals, image.shape[1:]).cpu())
        else:
            found += model.detect([image])
        targets.append(target)
        records.append({key: value[:keep].cpu() for key, value in found[-1].items() if key != "masks"} | looked_at)
        if "masks" in found[-1]:
            found[-1] = found[-1] | {"masks": found[-1]["masks"] > MASK_THRESHOLD}  # a quarter of the memory
    voc = evaluate_voc(found, targets)
    coco = evaluate_coco(found, targets)
    return {
        "images": len(data),
        "mAP": _number(voc["mAP"]),
        "mAP_07": _number(evaluate_voc(found, targets, use_07_metric=True)["mAP"]),
        "AP": {data.classes[label]: _number(value) for label, value in voc["AP"].items()},
        "COCO": {name: _number(value) for name, value in coco.items()},
        "seconds": {stage: _number(total / len(data)) for stage, total in model.watch.seconds.items()},
    } | _more(found, targets), records


def _as_known(data, classes: tuple[str, ...]):
    """The data set as seen by a model that knows these classes. ValueError where it has nothing to look for."""
    if classes == AnyObject.classes:
        return AnyObject(data)
    if not set(classes) < set(data.classes):
        return data
    few = OnlyClasses(data, [data.classes.index(name) for name in classes[1:]])
    if len(few) == 0:
        raise ValueError(f"no picture has an object of the classes {', '.join(classes[1:])}")
    return few


def _more(found: list[dict], targets: list[dict]) -> dict:
    """COCO's numbers for what there is beside boxes: {"masks": ..., "keypoints": ...} or a part of it."""
    measures = {"masks": partial(evaluate_coco, iou_type="segm"), "keypoints": evaluate_keypoints}
    there = {key: evaluate for key, evaluate in measures.items() if all(key in one for one in found) and found}
    return {key: {n: _number(v) for n, v in evaluate(found, targets).items()} for key, evaluate in there.items()}


def describe(metrics: dict) -> str:
    """The metrics of `measure` as a few lines of text."""
    coco, stages = metrics["COCO"], metrics["seconds"]
    parts = " + ".join(f"{value:.3f} {stage}" for stage, value in stages.items())
    lines = [
        f"{metrics['images']} images",
        f"mAP {_text(metrics['mAP'])} (VOC 2010), {_text(metrics['mAP_07'])} (VOC 2007, 11 points)",
        ", ".join(f"COCO {name} {_text(coco[name])}" for name in ("AP", "AP50", "AP75")),
        "AP of each class: " + ", ".join(f"{name} {_text(value)}" for name, value in metrics["AP"].items()),
        f"seconds an image: {sum(stages.values()):.2f} = {parts}",
    ]
    for name in ("masks", "keypoints"):
        if name in metrics:
            numbers = ", ".join(f"{key} {_text(metrics[name][key])}" for key in ("AP", "AP50", "AP75"))
            lines.insert(-1, f"COCO {numbers} of {name}")
    return "\n".join(lines)


def _compact(boxes: Tensor) -> Tensor:
    """In half precision if nothing is lost by it."""
    return boxes.half() if torch.equal(boxes.half().float(), boxes) else boxes


def _number(value: float) -> float | None:
    """Four places; None, which JSON can hold, for a NaN: there was nothing to measure."""
    return None if math.isnan(value) else round(value, 4)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
