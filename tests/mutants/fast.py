"""Wrong and right answers to notebook 10's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---- smooth_l1 ----


def _smooth_numpy(inside=lambda x, b: x**2 / (2 * b), outside=lambda x, b: np.abs(x) - b / 2, absolute=True):
    """np.where, with what learners change in it."""

    def answer(x, beta):
        values = x.numpy()
        near = (np.abs(values) if absolute else values) < beta
        return np.where(near, inside(values, beta), outside(values, beta))

    return answer


def _smooth_loops(x, beta):
    values = [0.5 * v * v / beta if abs(v) < beta else abs(v) - 0.5 * beta for v in x.flatten().tolist()]
    return torch.tensor(values).reshape(x.shape)


def _smooth_functional(x, beta):
    return F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=beta)


def _smooth_huber(x, beta):
    return F.huber_loss(x, torch.zeros_like(x), reduction="none", delta=beta)


def _smooth_mean(x, beta):
    return F.smooth_l1_loss(x, torch.zeros_like(x), beta=beta)


def _smooth_writes(x, beta):
    x[x < 0] *= -1
    return torch.where(x < beta, x * x / (2 * beta), x - beta / 2)


# ---- multi_task_loss ----


def _batch(judged=lambda u: u > 0, row=lambda u: u, divide=lambda n, p: n, size=sum, loss=None, ln=math.log):
    """Plain loops over the RoIs, with what learners change in them."""
    loss = loss or (lambda d: 0.5 * d * d if abs(d) < 1 else abs(d) - 0.5)

    def answer(class_logits, deltas, labels, targets):
        classification = box = positives = 0.0
        for r in range(len(labels)):
            u = int(labels[r])
            powers = [math.exp(z) for z in class_logits[r].tolist()]
            classification += -ln(powers[u] / sum(powers))
            if judged(u):
                box += size([loss(float(deltas[r, row(u), i] - targets[r, i])) for i in range(4)])
                positives += 1
        return classification / len(labels), box / max(divide(len(labels), positives), 1)

    return answer


def _batch_torch(class_logits, deltas, labels, targets):
    classification = F.cross_entropy(class_logits, labels)
    own = deltas[torch.arange(len(labels)), labels]
    errors = F.smooth_l1_loss(own, targets, reduction="none").sum(dim=1)
    return classification, torch.where(labels >= 1, errors, 0).mean()


def _batch_softmax_twice(class_logits, deltas, labels, targets):
    return F.cross_entropy(class_logits.softmax(dim=1), labels), _batch_torch(class_logits, deltas, labels, targets)[1]


def _batch_nll(class_logits, deltas, labels, targets):
    return F.nll_loss(class_logits, labels), _batch_torch(class_logits, deltas, labels, targets)[1]


def _batch_one_sum(class_logits, deltas, labels, targets):
    return sum(_batch_torch(class_logits, deltas, labels, targets))


def _batch_best_class(class_logits, deltas, labels, targets):
    best = class_logits.argmax(dim=1)
    errors = F.smooth_l1_loss(deltas[torch.arange(len(best)), best], targets, reduction="none").sum(dim=1)
    return F.cross_entropy(class_logits, labels), (errors * (labels > 0)).mean()


# ---- label_rois ----


def _rois(low=0.1, high=0.5, strict=False, name=lambda gt, m: int(gt[m]), most=0.25, fill=True, drawn=(0,)):
    """Plain loops over boxes and objects, with what learners change in them."""

    def answer(overlaps, gt_labels, samples):
        labels = []
        for row in overlaps.tolist():
            best = max(row, default=0.0)
            if best > high or (best == high and not strict):
                labels.append(name(gt_labels, row.index(best)))
            else:
                labels.append(0 if np.float32(best) >= np.float32(low) else -1)
        positives = min(sum(u > 0 for u in labels), int(most * samples))
        rest = samples - positives if fill else int(0.75 * samples)
        return labels, positives, min(sum(u in drawn for u in labels), rest)

    return answer


def _rois_numpy(overlaps, gt_labels, samples):
    table = np.concatenate((overlaps.numpy(), np.zeros((len(overlaps), 1), np.float32)), axis=1)
    best, which = table.max(axis=1), table.argmax(axis=1)
    classes = np.append(gt_labels.numpy(), 0)[which]
    labels = np.select([best >= 0.5, best >= 0.1], [classes, 0], -1)
    positives = min((labels > 0).sum(), samples // 4)
    return labels, positives, min((labels == 0).sum(), samples - positives)


def _rois_no_objects(overlaps, gt_labels, samples):
    best, which = overlaps.max(dim=1)
    labels = torch.where(best >= 0.5, gt_labels[which], torch.where(best >= 0.1, 0, -1))
    positives = min(int((labels > 0).sum()), samples // 4)
    return labels, positives, min(int((labels == 0).sum()), samples - positives)


def _rois_first(overlaps, gt_labels, samples):
    found = torch.zeros(len(overlaps), 1) if overlaps.shape[1] == 0 else overlaps[:, :1]
    return _rois()(found, gt_labels, samples)


# ---- flip ----


def _flip_torch(corners=lambda x1, x2, w: (w - x2, w - x1), axis=2):
    def answer(boxes, masks, width):
        left, right = corners(boxes[:, 0], boxes[:, 2], width)
        return torch.stack((left, boxes[:, 1], right, boxes[:, 3]), dim=1), torch.flip(masks, (axis,))

    return answer


def _flip_numpy(boxes, masks, width):
    rows = boxes.numpy().copy()
    rows[:, [0, 2]] = width - rows[:, [2, 0]]
    return rows, masks.numpy()[:, :, ::-1]


def _flip_loops(boxes, masks, width):
    rows = [[width - x2, y1, width - x1, y2] for x1, y1, x2, y2 in boxes.tolist()]
    return torch.tensor(rows).reshape(-1, 4), torch.stack([m.flip(1) for m in masks]) if len(masks) else masks


def _flip_in_place(boxes, masks, width):
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return boxes, masks.flip(2)


def _flip_shared_memory(boxes, masks, width):
    boxes = boxes.numpy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return boxes, masks.flip(2)


def _flip_boxes_only(boxes, masks, width):
    return _flip_numpy(boxes, masks, width)[0], masks


def _flip_overwritten(boxes, masks, width):
    rows = boxes.clone()
    rows[:, 0] = width - rows[:, 2]
    rows[:, 2] = width - rows[:, 0]
    return rows, masks.flip(2)


# ---- scale_of ----


def _scale_loops(measure=lambda w, h, f: (w * f) * (h * f), goal=lambda s: s * s, value=lambda f, k: k, best=min):
    """Plain loops over boxes and factors, with what learners change in them."""

    def answer(boxes, factors, side):
        found = []
        for x1, y1, x2, y2 in boxes.tolist():
            off = [abs(measure(x2 - x1, y2 - y1, f) - goal(side)) for f in factors]
            found.append(value(factors, off.index(best(off))))
        return found

    return answer


def _scale_numpy(boxes, factors, side):
    sides = boxes.numpy()[:, 2:] - boxes.numpy()[:, :2]
    areas = sides.prod(axis=1)[:, None] * np.array(factors) ** 2
    return np.abs(areas - side**2).argmin(axis=1)


def _scale_below(boxes, factors, side):
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    fits = areas[:, None] * torch.tensor(factors) ** 2 <= side**2
    return (fits.sum(dim=1) - 1).clamp(min=0)


MUTANTS = [
    ("smooth_l1", "whole square", _smooth_numpy(inside=lambda x, b: x**2 / b), "half of it is right"),
    ("smooth_l1", "step", _smooth_numpy(outside=lambda x, b: np.abs(x)), "subtracting beta / 2"),
    (
        "smooth_l1",
        "the slides' version",
        _smooth_numpy(inside=lambda x, b: x**2 / b, outside=lambda x, b: np.abs(x)),
        "kink",
    ),
    ("smooth_l1", "sign", _smooth_numpy(outside=lambda x, b: x - b / 2, absolute=False), "not |x|"),
    ("smooth_l1", "no beta", lambda x, beta: F.smooth_l1_loss(x, 0 * x, reduction="none"), "whatever it is"),
    ("smooth_l1", "sum", lambda x, beta: _smooth_functional(x, beta).sum(), "each number"),
    ("smooth_l1", "mean", _smooth_mean, ""),
    ("smooth_l1", "square", lambda x, beta: 0.5 * x**2 / beta, "parabola everywhere"),
    ("smooth_l1", "Huber, which is beta times as large", _smooth_huber, ""),
    ("smooth_l1", "writes into x", _smooth_writes, "change"),
    ("multi_task_loss", "boxes of background", _batch(judged=lambda u: True), "[u >= 1]"),
    ("multi_task_loss", "divided by positives", _batch(divide=lambda n, p: p), "number of positives"),
    ("multi_task_loss", "mean over x y w h", _batch(size=lambda four: sum(four) / 4), "equation 2 sums"),
    ("multi_task_loss", "row u - 1", _batch(row=lambda u: u - 1), "class u is row u"),
    ("multi_task_loss", "row 1 for all", _batch(row=lambda u: 1), ""),
    ("multi_task_loss", "squared error", _batch(loss=lambda d: 0.5 * d * d), "squared error"),
    ("multi_task_loss", "absolute error", _batch(loss=abs), ""),
    ("multi_task_loss", "log to base 2", _batch(ln=math.log2), ""),
    ("multi_task_loss", "softmax twice", _batch_softmax_twice, ""),
    ("multi_task_loss", "logits for log probabilities", _batch_nll, "the softmax is missing"),
    ("multi_task_loss", "one sum", _batch_one_sum, ""),
    ("multi_task_loss", "box of the likeliest class", _batch_best_class, "true class u that counts"),
    ("label_rois", "background from 0", _rois(low=0.0), "Below 0.1 it is ignored"),
    ("label_rois", "above 0.5", _rois(strict=True), "exactly 0.5 is positive"),
    ("label_rois", "positives as 1", _rois(name=lambda gt, m: 1), "1 for every positive"),
    ("label_rois", "index for class", _rois(name=lambda gt, m: m), "index of the object"),
    ("label_rois", "all positives", _rois(most=1.0), "at most a quarter"),
    ("label_rois", "three quarters background", _rois(fill=False), "background fills the batch"),
    ("label_rois", "ignored are drawn", _rois(drawn=(0, -1)), "never drawn"),
    ("label_rois", "R-CNN's fine-tuning: one below 0.5", _rois(low=-1.0), "Below 0.1 it is ignored"),
    ("label_rois", "first object only", _rois_first, ""),
    ("label_rois", "crashes without objects", _rois_no_objects, "stops with"),
    ("flip", "corners not swapped", _flip_torch(corners=lambda x1, x2, w: (w - x1, w - x2)), "swap them"),
    ("flip", "W - 1", _flip_torch(corners=lambda x1, x2, w: (w - 1 - x2, w - 1 - x1)), "the last edge lies at W"),
    ("flip", "masks upside down", _flip_torch(axis=1), "upside down"),
    ("flip", "order of the masks", _flip_torch(axis=0), ""),
    ("flip", "boxes only", _flip_boxes_only, "leave the masks"),
    ("flip", "boxes as they were", _flip_torch(corners=lambda x1, x2, w: (x1, x2)), ""),
    ("flip", "writes into the boxes", _flip_in_place, "change"),
    ("flip", "numpy shares the memory", _flip_shared_memory, "change"),
    ("flip", "x1 is overwritten before it is used", _flip_overwritten, ""),
    ("scale_of", "sides", _scale_loops(lambda w, h, f: math.sqrt(w * h) * f, lambda s: s), "compares areas"),
    ("scale_of", "area times the factor", _scale_loops(lambda w, h, f: w * h * f), "square"),
    ("scale_of", "width only", _scale_loops(lambda w, h, f: (w * f) ** 2), "width alone"),
    ("scale_of", "side not squared", _scale_loops(goal=lambda s: s), "not with its square"),
    ("scale_of", "factor", _scale_loops(value=lambda factors, k: factors[k]), "its index"),
    ("scale_of", "farthest", _scale_loops(best=max), ""),
    ("scale_of", "largest that fits", _scale_below, ""),
    ("scale_of", "longer side", _scale_loops(lambda w, h, f: (max(w, h) * f) ** 2), ""),
]

ENDLESS = []

RIGHT = [
    ("smooth_l1", "numpy", _smooth_numpy()),
    ("smooth_l1", "plain loops", _smooth_loops),
    ("smooth_l1", "torch", _smooth_functional),
    ("multi_task_loss", "plain loops", _batch()),
    ("multi_task_loss", "torch", _batch_torch),
    ("label_rois", "plain loops", _rois()),
    ("label_rois", "numpy", _rois_numpy),
    ("flip", "torch", _flip_torch()),
    ("flip", "numpy", _flip_numpy),
    ("flip", "plain loops", _flip_loops),
    ("scale_of", "plain loops", _scale_loops()),
    ("scale_of", "numpy", _scale_numpy),
]
