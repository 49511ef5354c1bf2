"""Fast R-CNN with one thing changed at a time: claims F4 (truncated SVD), F5 (frozen convolutions), F6 (softmax or
SVMs) and F7 (one scale or a pyramid).
"""

import time
from dataclasses import replace
from pathlib import Path

import torch
from rcnn_parts import scores, spread
from torch import Generator, Tensor
from tqdm import tqdm

from rcnn_lite.boxes import clip_boxes, decode_boxes
from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.heads.svm import LinearSVMs, feature_scale, train_svms
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fast_rcnn import FastRCNN, FastRCNNSettings
from rcnn_lite.models.fast_rcnn_training import FastRCNNTraining, train
from rcnn_lite.models.feature_store import class_overlaps
from rcnn_lite.models.loading import load_model
from rcnn_lite.nms import batched_nms
from rcnn_lite.proposals.stored import load_proposals, propose_all

RANKS = ((512, 512), (256, 128), (128, 64), (64, 32), (32, 16), (16, 8))  # of fc6 and fc7; the first is nearly whole
SVM_PROPOSALS = 300  # of each training scene, among which hard negatives are sought
HELD_OUT = 120  # scenes on which the test scale was chosen
CANDIDATES = (320, 384, 448, 512, 576)  # shorter sides among which it was chosen
FEATURE_NORM = 20.0  # as for R-CNN's SVMs


def measure_variants(out: Path, train_data: Scenes, test: Scenes) -> dict:
    """All four claims on the test scenes, all boxes of selective search."""
    base = load_model(out / "fast_rcnn.safetensors")[0]
    proposals = propose_all(lambda i, image: base.propose(image), test, out / "test_proposals.safetensors")
    targets = [test[i][1] for i in range(len(test))]
    found = detect(base, test, proposals)
    frozen = trained(out / "frozen", train_data, frozen_stages=len(base.backbone.stages))
    return {
        "as it is": found.row(targets),
        "scale, held-out scenes": choose_scale(base),
        "F4 truncated": [
            {"ranks": ranks} | detect(base.truncated(*ranks), test, proposals).row(targets, found) for ranks in RANKS
        ],
        "F5 convolutions frozen": detect(frozen, test, proposals).row(targets, found),
        "F6 SVMs": detect(WithSVMs(base, out, train_data), test, proposals).row(targets, found),
        "F7": compare_scales(base, test, proposals, targets),
    }


class Found:
    """Detections in all test scenes, and the seconds a picture that they took."""

    def __init__(self, detections: list[dict], stages: dict[str, float]):
        self.detections, self.stages = detections, stages

    def row(self, targets: list[dict], base: "Found | None" = None) -> dict:
        """mAP, AP, seconds, and the spread of the gain over `base`."""
        row = scores(self.detections, targets) | {"seconds": self.stages, "total seconds": sum(self.stages.values())}
        return row | ({"gain": spread(self.detections, base.detections, targets)} if base else {})


def detect(model, test: Scenes, proposals: list[Tensor]) -> Found:
    """One picture after another, from given proposals."""
    model.detect([test[0][0]], [proposals[0]])  # untimed: what allocates does so before the clock runs
    model.watch.seconds.clear()
    found = [model.detect([test[i][0]], [proposals[i]])[0] for i in tqdm(range(len(test)), "detecting", disable=None)]
    return Found(found, {stage: round(total / len(test), 5) for stage, total in model.watch.seconds.items()})


def trained(folder: Path, data: Scenes, **settings) -> FastRCNN:
    """A Fast R-CNN with other settings, trained as the one that ships; from its checkpoint if it is there."""
    file = folder / "model.safetensors"
    if not file.is_file():
        start, chosen = time.perf_counter(), replace(FastRCNNSettings(), **settings)
        model = FastRCNN(build_backbone("lite0"), data.classes, chosen, Generator().manual_seed(0))
        train(model, data, folder, FastRCNNTraining())
        tensors, description = model.to_checkpoint()
        save_checkpoint(file, tensors, description | {"seconds": round(time.perf_counter() - start, 1)})
    return load_model(file)[0]


def choose_scale(model: FastRCNN) -> list[dict]:
    """Accuracy at several test scales in scenes that nobody was trained on, drawn as the training scenes are."""
    held, chosen, rows = Scenes("train", n=HELD_OUT, seed=1), model.settings, []
    proposals, targets = [model.propose(held[i][0]) for i in range(len(held))], [held[i][1] for i in range(len(held))]
    for side in CANDIDATES:
        model.settings = replace(chosen, short_sides=(side,))
        rows.append({"side": side} | detect(model, held, proposals).row(targets))
    model.settings = chosen
    return rows


def compare_scales(model: FastRCNN, test: Scenes, proposals: list[Tensor], targets: list[dict]) -> dict:
    """The model, trained at scales drawn at random, tested at each and with the pyramid of all (section 5.2)."""
    chosen, sides = model.settings, model.settings.training_sides
    model.settings = replace(chosen, short_sides=sides)
    pyramid, rows = detect(model, test, proposals), {}
    for side in sides:
        model.settings = replace(chosen, short_sides=(side,))
        single = detect(model, test, proposals)
        rows[str(side)] = single.row(targets) | {
            "gain of the pyramid": spread(pyramid.detections, single.detections, targets)
        }
    model.settings = chosen
    return {"pyramid": pyramid.row(targets), "single": rows, "sides": sides}


class WithSVMs:
    """A trained Fast R-CNN whose softmax is replaced by SVMs on fc7, fitted as R-CNN fits its own (section 5.4)."""

    def __init__(self, model: FastRCNN, out: Path, data: Scenes):
        self.model, self.watch, file = model, model.watch, out / "svms.safetensors"
        if not file.is_file():
            svms, scale, rounds = self._fit(data, load_proposals(out / "fast_rcnn" / "proposals.safetensors", data))
            save_checkpoint(file, svms._asdict(), {"scale": scale, "rounds": rounds}, half=False)
        tensors, note = load_checkpoint(file)
        self.svms, self.scale = LinearSVMs(**tensors), note["scale"]

    @torch.inference_mode()
    def _fit(self, data: Scenes, proposals: list[Tensor]) -> tuple[LinearSVMs, float, list[dict]]:
        """Positives are objects, negatives are mined among proposals: `heads.svm` as for R-CNN."""
        count, objects, labels, walk = len(data.classes), [], [], []
        for i in tqdm(range(len(data)), "fc7", disable=None):
            image, target = data[i]
            boxes = self.model.usable(proposals[i], image.shape[1:])[:SVM_PROPOSALS]
            fc7 = self._fc7(image, torch.cat((target["boxes"], boxes)))
            objects.append(fc7[: len(target["boxes"])])
            labels.append(target["labels"])
            region = {"proposals": boxes, "objects": target["boxes"], "labels": target["labels"]}
            walk.append((fc7[len(target["boxes"]) :], class_overlaps(region, count)))
        objects, labels = torch.cat(objects), torch.cat(labels)
        scale = feature_scale(torch.cat([fc7 for fc7, _ in walk]), FEATURE_NORM)
        positives = [objects[labels == k] * scale for k in range(count)]
        svms, rounds = train_svms(positives, lambda: ((fc7 * scale, overlaps) for fc7, overlaps in walk))
        return svms, scale, rounds

    def _fc7(self, image: Tensor, boxes: Tensor) -> Tensor:
        return self.model.roi_heads.box_head(self.model.pool(image, boxes, self.model.settings.short_sides))

    @torch.inference_mode()
    def detect(self, images: list[Tensor], proposals: list[Tensor]) -> list[dict[str, Tensor]]:
        """As `FastRCNN.detect`, with the SVMs' scores: the margin is the threshold, as in R-CNN."""
        return [self._detect_in(image, boxes) for image, boxes in zip(images, proposals, strict=True)]

    def _detect_in(self, image: Tensor, proposals: Tensor) -> dict[str, Tensor]:
        heads, size = self.model.roi_heads, tuple(image.shape[1:])
        boxes = self.model.usable(proposals, size)
        fc7 = self._fc7(image, boxes)
        _, deltas = heads.box_predictor(fc7)
        values = self.svms.scores(fc7 * self.scale)
        rows, labels = torch.nonzero(values > -1, as_tuple=True)
        moved = clip_boxes(decode_boxes(deltas[rows, labels] * heads.delta_std, boxes[rows]), size)
        kept = batched_nms(moved, values[rows, labels], labels, heads.settings.nms_iou)[: heads.settings.max_detections]
        return {"boxes": moved[kept], "labels": labels[kept], "scores": values[rows, labels][kept]}
