"""The models that ship, measured: C4 against FPN (claim M3), seconds with and without masks (M6), keypoints."""

import statistics
import time
from dataclasses import fields

import torch
from fast_rcnn_claims import kept
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.datasets.transforms import OnlyClasses
from rcnn_lite.evaluation import evaluate_coco, evaluate_keypoints
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.faster_rcnn import FasterRCNN
from rcnn_lite.models.fpn_rcnn import FasterRCNNFPN
from rcnn_lite.models.loading import load_model

CHECKPOINTS = {"C4": "mask_rcnn_scenes", "FPN": "mask_rcnn_fpn_scenes"}
WITHOUT = {"C4": FasterRCNN, "FPN": FasterRCNNFPN}  # the same detectors, but for masks
TIMED = 30  # scenes
NEAR = 0.1  # of the root of an object's area: a keypoint not farther from its place is called met
MATCHED = 0.5  # IoU of the boxes


def compare_shipped(bench) -> dict:
    """M3 by the models that ship."""
    rows = {row: kept(bench.out / f"shipped_{row}.json", lambda row=row: shipped(bench, row)) for row in CHECKPOINTS}
    rows["FPN"]["gain"] = bench.interval(["shipped_FPN"], ["shipped_C4"])
    return {"base": "C4", "rows": rows}


def shipped(bench, row: str) -> dict:
    """What one of them reaches on the test scenes."""
    model, _ = load_model(CHECKPOINTS[row])
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"checkpoint": CHECKPOINTS[row], "parameters": learned} | bench.figures(f"shipped_{row}", model)


def without_masks(row: str, model):
    """The same detector without the mask branch: all else has the same weights."""
    kind = WITHOUT[row]
    settings = kind.Settings(**{f.name: getattr(model.settings, f.name) for f in fields(kind.Settings)})
    plain = kind(build_backbone(model.backbone.name), model.classes, settings)
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("mask_branch.")})
    return plain.eval()


@torch.inference_mode()
def time_masks(bench) -> dict:
    """M6: processor seconds a picture, of one thread, of each stage with and without the mask branch, taking turns; by
    how much it is longer. The clock's seconds would be those of the neighbours on a shared machine, too.
    """
    rows, count, threads = {}, {}, torch.get_num_threads()
    torch.set_num_threads(1)
    for row, name in CHECKPOINTS.items():
        both = {"with": load_model(name)[0]}
        both["without"] = without_masks(row, both["with"])
        for model in both.values():
            model.watch._now = time.process_time
        seconds, detections = {side: [] for side in both}, []
        for i in [0, *range(min(TIMED, len(bench.test)))]:  # the first warms up
            boxes = {}
            for side, model in both.items():
                model.watch.seconds.clear()
                (found,) = model.detect([bench.test[i][0]])
                boxes[side] = found["boxes"]
                stages = dict(model.watch.seconds)
                seconds[side].append(stages | {"total": sum(stages.values())})
            torch.testing.assert_close(boxes["with"], boxes["without"])
            detections.append(len(boxes["with"]))
        warm = {side: each[1:] for side, each in seconds.items()}
        shares = [a["total"] / b["total"] - 1 for a, b in zip(warm["with"], warm["without"], strict=True)]
        rows[row] = {side: middle(warm[side]) for side in ("without", "with")}
        rows[row] |= {"share": statistics.median(shares), "share quartiles": quartiles(shares)}
        count[row] = statistics.fmean(detections[1:])
    torch.set_num_threads(threads)
    return {"rows": rows, "detections a picture": count, "pictures": len(shares), "threads": 1, "seconds": "processor"}


def middle(rows: list[dict[str, float]]) -> dict[str, float]:
    """The median of each key: what others do on a shared machine spoils some pictures, not the median."""
    return {key: round(statistics.median(row[key] for row in rows), 5) for key in rows[0]}


def quartiles(values: list[float]) -> list[float]:
    """The three, of at least two values; else the value itself."""
    return statistics.quantiles(values) if len(values) > 1 else values * 3


def measure_keypoints(bench) -> dict:
    """OKS-AP of the model with keypoints, beside points at the mean place in the boxes that it found."""
    name = "keypoint_rcnn_scenes"
    model = load_model(name)[0]
    labels = [bench.test.classes.index(one) for one in model.classes[1:]]
    train, test = (OnlyClasses(data, labels) for data in (bench.train, bench.test))
    targets = [test[i][1] for i in range(len(test))]
    found = [model.detect([test[i][0]])[0] for i in range(len(test))]
    place = mean_place([train[i][1] for i in range(len(train))])
    sides = {"keypoint head": found, "mean place in the box": [at(place, one) for one in found]}
    names, (seen, _) = bench.test.keypoint_names, met(found, targets)
    return {
        "checkpoint": name,
        "test images": len(test),
        "objects": sum(len(target["labels"]) for target in targets),
        "sigma": 0.05,
        "base": "mean place in the box",
        "rows": {side: evaluate_keypoints(each, targets) for side, each in sides.items()},
        "boxes": {key: evaluate_coco(found, targets)[key] for key in ("AP", "AP50", "AP75")},
        "met": {"within": NEAR, "visible": dict(zip(names, seen.tolist(), strict=True))}
        | {
            side: dict(zip(names, (met(each, targets)[1] / seen.clamp(min=1)).tolist(), strict=True))
            for side, each in sides.items()
        },
    }


def mean_place(targets: list[dict]) -> Tensor:
    """Where in its box each keypoint is on average, from 0 to 1: (K, 2) of x and y."""
    points, boxes = (torch.cat([target[key] for target in targets]) for key in ("keypoints", "boxes"))
    inside = (points[..., :2] - boxes[:, None, :2]) / (boxes[:, 2:] - boxes[:, :2])[:, None]  # (N, K, 2)
    there = (points[..., 2:] > 0).float()
    return (inside * there).sum(0) / there.sum(0).clamp(min=1)


def at(place: Tensor, found: dict) -> dict:
    """Detections with their keypoints at the same place (K, 2) of every box."""
    boxes = found["boxes"]
    points = boxes[:, None, :2] + place * (boxes[:, 2:] - boxes[:, :2])[:, None]  # (M, K, 2)
    return found | {"keypoints": torch.cat((points, torch.ones_like(points[..., :1])), dim=2)}


def met(found: list[dict], targets: list[dict]) -> tuple[Tensor, Tensor]:
    """How often each keypoint is there, and is met by the detection that fits its object best: (K,) each."""
    counts = torch.zeros(2, targets[0]["keypoints"].shape[1])
    for one, target in zip(found, targets, strict=True):
        overlaps = box_iou(target["boxes"], one["boxes"])  # (N, M)
        for row, points in enumerate(target["keypoints"]):
            there = points[:, 2] > 0
            counts[0] += there
            if overlaps.shape[1] and overlaps[row].max() >= MATCHED:
                off = (one["keypoints"][overlaps[row].argmax(), :, :2] - points[:, :2]).norm(dim=1)
                counts[1] += there & (off <= NEAR * target["area"][row].sqrt())
    return counts[0], counts[1]
