"""Wrong and right answers to notebook 11's exercises on the RPN's loss and proposals, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from rcnn_lite.boxes import box_iou, clip_boxes, decode_boxes
from rcnn_lite.nms import nms

# ---- rpn_losses ----


def _losses(
    drawn=lambda k: k >= 0, n_cls=lambda labels: sum(k >= 0 for k in labels), judged=lambda k: k == 1,
    n_reg=lambda places, labels: places, weight=10.0, error=lambda d: d * d / 2 if abs(d) < 1 else abs(d) - 0.5,
    ln=math.log,
):  # fmt: skip
    """Plain loops over the anchors, with what learners change in them."""

    def answer(logits, deltas, labels, targets, locations):
        classes = boxes = 0.0
        kinds = labels.tolist()
        for i, kind in enumerate(kinds):
            p = 1 / (1 + math.exp(-float(logits[i])))
            if drawn(kind):
                classes += -ln(p) if kind == 1 else -ln(1 - p)
            if judged(kind):
                boxes += sum(error(d) for d in (deltas[i] - targets[i]).tolist())
        return classes / max(n_cls(kinds), 1), weight * boxes / max(n_reg(locations, kinds), 1)

    return answer


def _losses_torch(logits, deltas, labels, targets, locations):
    kept, positive = labels != -1, labels == 1
    classes = F.binary_cross_entropy_with_logits(logits[kept], labels[kept].float(), reduction="sum")
    boxes = F.smooth_l1_loss(deltas[positive], targets[positive], reduction="sum")
    return classes / max(int(kept.sum()), 1), 10 * boxes / locations


def _losses_numpy(logits, deltas, labels, targets, locations):
    z, t, k = logits.numpy(), (deltas - targets).numpy(), labels.numpy()
    cost = np.logaddexp(0, np.where(k == 1, -z, z))
    smooth = np.where(np.abs(t) < 1, t**2 / 2, np.abs(t) - 0.5).sum(axis=1)
    n_cls = max((k >= 0).sum(), 1)
    return float(cost[k >= 0].sum() / n_cls), float(10 * smooth[k == 1].sum() / locations)


def _losses_mean(logits, deltas, labels, targets, locations):
    """F's own means: right for the classes, the mean over all coordinates of the positives for the boxes."""
    kept, positive = labels >= 0, labels == 1
    classes = F.binary_cross_entropy_with_logits(logits[kept], labels[kept].float())
    return classes, 10 * F.smooth_l1_loss(deltas[positive], targets[positive])


def _losses_added(*args):
    return sum(_losses_torch(*args))


def _losses_no_sigmoid(logits, deltas, labels, targets, locations):
    kept = labels >= 0
    p = logits[kept].clamp(1e-6, 1 - 1e-6)
    classes = F.binary_cross_entropy(p, labels[kept].float(), reduction="sum") / max(int(kept.sum()), 1)
    return classes, _losses_torch(logits, deltas, labels, targets, locations)[1]


def _losses_weighted(logits, deltas, labels, targets, locations):
    classes, boxes = _losses_torch(logits, deltas, labels, targets, locations)
    return 10 * classes, boxes / 10


# ---- propose ----


def _steps(decode=True, order="cstnf", small=8, iou=0.7, size=lambda s: s, best=lambda z: -z):
    """A list of (logit, box) that goes through the steps: clip, small, top, NMS, first ones; learners change these."""

    def answer(logits, deltas, anchors, image_size, before_nms, after_nms):
        boxes = decode_boxes(deltas, anchors) if decode else anchors.clone()
        rows = [(float(z), box) for z, box in zip(logits, boxes, strict=True)]
        rows = sorted(rows, key=lambda row: best(row[0]))
        for step in order:
            if step == "c":
                rows = [(z, clip_boxes(box, size(image_size))) for z, box in rows]
            elif step == "s":
                rows = [(z, b) for z, b in rows if b[2] - b[0] >= small and b[3] - b[1] >= small]
            elif step == "n":
                rows = _greedy(rows, iou)
            else:
                rows = rows[: before_nms if step == "t" else after_nms]
        return torch.stack([box for _, box in rows]) if rows else torch.zeros(0, 4)

    return answer


def _greedy(rows, iou):
    kept = []
    for z, box in rows:
        if all(float(box_iou(box[None], other[None])) <= iou for _, other in kept):
            kept.append((z, box))
    return kept


def _propose_torch(logits, deltas, anchors, image_size, before_nms, after_nms):
    boxes = clip_boxes(decode_boxes(deltas, anchors), image_size)
    large = (boxes[:, 2:] - boxes[:, :2]).amin(dim=1) >= 8
    boxes, logits = boxes[large], logits[large]
    top = logits.topk(min(before_nms, len(logits)))
    return boxes[top.indices][nms(boxes[top.indices], top.values, 0.7)[:after_nms]]


def _propose_numpy(logits, deltas, anchors, image_size, before_nms, after_nms):
    a, d, scores = anchors.numpy(), deltas.numpy(), logits.numpy()
    sides = a[:, 2:] - a[:, :2]
    centres = (a[:, 2:] + a[:, :2]) / 2 + d[:, :2] * sides
    half = sides * np.exp(d[:, 2:]) / 2
    boxes = np.concatenate((centres - half, centres + half), axis=1)
    boxes = np.clip(boxes, 0, [image_size[1], image_size[0]] * 2)
    rows = [i for i in np.argsort(-scores) if min(boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]) >= 8]
    kept = _greedy([(scores[i], torch.from_numpy(boxes[i])) for i in rows[:before_nms]], 0.7)[:after_nms]
    return np.array([box.numpy() for _, box in kept]).reshape(-1, 4)


def _propose_last_pixel(logits, deltas, anchors, image_size, before_nms, after_nms):
    return _steps(size=lambda s: (s[0] - 1, s[1] - 1))(logits, deltas, anchors, image_size, before_nms, after_nms)


def _propose_unsorted(logits, deltas, anchors, image_size, before_nms, after_nms):
    boxes = _propose_torch(logits, deltas, anchors, image_size, before_nms, after_nms)
    return boxes.flip(0)


def _propose_positive_only(logits, deltas, anchors, image_size, before_nms, after_nms):
    """A threshold at p = 1/2, as one would detect: the paper ranks, it does not cut."""
    chosen = logits > 0
    return _propose_torch(logits[chosen], deltas[chosen], anchors[chosen], image_size, before_nms, after_nms)


def _propose_scores_too(*args):
    boxes = _propose_torch(*args)
    return boxes, args[0][: len(boxes)]


MUTANTS = [
    (
        "rpn_losses",
        "ignored as background",
        _losses(drawn=lambda k: True, n_cls=len),
        "ignored anchors as background",
    ),
    ("rpn_losses", "all anchors", _losses(n_cls=len), "N_cls is the mini-batch"),
    ("rpn_losses", "boxes of background", _losses(judged=lambda k: k >= 0), "switches L_reg off"),
    (
        "rpn_losses",
        "boxes by N_cls",
        _losses(n_reg=lambda n, k: sum(v >= 0 for v in k)),
        "divide the box term by N_cls",
    ),
    ("rpn_losses", "boxes by positives", _losses(n_reg=lambda n, k: sum(v == 1 for v in k)), "number of positives"),
    ("rpn_losses", "no lambda", _losses(weight=1.0), "lambda is missing"),
    ("rpn_losses", "lambda before the classes", _losses_weighted, "stands before the box term"),
    ("rpn_losses", "mean over x y w h", _losses(weight=2.5), "L_reg is their sum"),
    ("rpn_losses", "squared error", _losses(error=lambda d: d * d / 2), "a line beyond 1"),
    ("rpn_losses", "absolute error", _losses(error=abs), ""),
    ("rpn_losses", "log to base 2", _losses(ln=math.log2), ""),
    ("rpn_losses", "sums", _losses(n_cls=lambda k: 1, n_reg=lambda n, k: 1), "you return sums"),
    ("rpn_losses", "torch's means", _losses_mean, ""),
    ("rpn_losses", "no sigmoid", _losses_no_sigmoid, ""),
    ("rpn_losses", "one sum", _losses_added, ""),
    ("propose", "anchors", _steps(decode=False), "the deltas are not applied"),
    ("propose", "not clipped", _steps(order="stnf"), "reach beyond the picture"),
    ("propose", "(W, H)", _steps(size=lambda s: s[::-1]), "image_size is (H, W)"),
    ("propose", "W - 1", _propose_last_pixel, ""),
    ("propose", "small before clipping", _steps(order="sctnf"), "clip first"),
    ("propose", "small stay", _steps(order="ctnf"), "drop them"),
    ("propose", "small take places", _steps(order="ctsnf"), "Drop them first"),
    ("propose", "no NMS", _steps(order="cstf"), "NMS is missing"),
    ("propose", "last count before NMS", _steps(order="cstfn"), "which leaves fewer"),
    ("propose", "all into NMS", _steps(order="csnf"), "all boxes go into NMS"),
    ("propose", "all out of NMS", _steps(order="cstn"), "all that NMS leaves"),
    ("propose", "worst first", _steps(best=lambda z: z), "the best comes first"),
    ("propose", "result reversed", _propose_unsorted, ""),
    ("propose", "NMS of the second stage", _steps(iou=0.3), ""),
    ("propose", "only p > 1/2", _propose_positive_only, ""),
    ("propose", "scores too", _propose_scores_too, ""),
]

ENDLESS = []

RIGHT = [
    ("rpn_losses", "plain loops", _losses()),
    ("rpn_losses", "torch", _losses_torch),
    ("rpn_losses", "numpy", _losses_numpy),
    ("propose", "plain loops", _steps()),
    ("propose", "torch", _propose_torch),
    ("propose", "numpy", _propose_numpy),
]
