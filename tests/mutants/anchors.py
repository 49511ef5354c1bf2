"""Wrong and right answers to notebook 11's exercises on anchors and their labels, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch

# ---- cell_anchors ----


def _cell(height=lambda s, r: s * math.sqrt(r), width=lambda s, r: s / math.sqrt(r), half=0.5, order="r", value=float):
    """Plain loops over ratios and sizes, with what learners change in them."""

    def answer(sizes, ratios):
        s, r = sizes.tolist(), ratios.tolist()
        pairs = [(a, b) for b in r for a in s] if order == "r" else [(a, b) for a in s for b in r]
        rows = []
        for size, ratio in pairs:
            w, h = width(size, ratio) * half, height(size, ratio) * half
            rows.append([value(v) for v in (-w, -h, w, h)])
        return torch.tensor(rows)

    return answer


def _cell_numpy(sizes, ratios):
    area = sizes.numpy()[None, :] ** 2
    w = np.sqrt(area / ratios.numpy()[:, None]).ravel()
    h = w * np.repeat(ratios.numpy(), len(sizes))
    return np.stack((-w, -h, w, h), axis=1) / 2


def _cell_py_faster(sizes, ratios):
    """The base anchor [0, 0, 15, 15] of 16 pixels counted inclusively: centred at 7.5."""
    w, h = (sizes / ratios[:, None].sqrt()).flatten(), (sizes * ratios[:, None].sqrt()).flatten()
    return torch.stack((7.5 - (w - 1) / 2, 7.5 - (h - 1) / 2, 7.5 + (w - 1) / 2, 7.5 + (h - 1) / 2), dim=1)


def _cell_row_first(sizes, ratios):
    anchors = _cell()(sizes, ratios)
    return anchors[:, [1, 0, 3, 2]]


def _cell_corner(sizes, ratios):
    anchors = _cell()(sizes, ratios)
    return anchors - anchors[:, :2].repeat(1, 2)


def _cell_table(sizes, ratios):
    return _cell()(sizes, ratios).reshape(len(ratios), len(sizes), 4)


# ---- all_anchors ----


def _grid(centre=lambda i, stride: (i + 0.5) * stride, order="yxa", size=lambda s: s, box=lambda x, y: (x, y, x, y)):
    """Plain loops over rows, columns and anchors, with what learners change in them."""

    def answer(cell_anchors, feature_size, stride):
        height, width = size(feature_size)
        places = {"y": range(height), "x": range(width), "a": range(len(cell_anchors))}
        rows = []
        for first in places[order[0]]:
            for second in places[order[1]]:
                for third in places[order[2]]:
                    at = dict(zip(order, (first, second, third), strict=True))
                    shift = box(centre(at["x"], stride), centre(at["y"], stride))
                    rows.append([a + b for a, b in zip(cell_anchors[at["a"]].tolist(), shift, strict=True)])
        return torch.tensor(rows)

    return answer


def _grid_torch(cell_anchors, feature_size, stride):
    y = (torch.arange(feature_size[0]) + 0.5) * stride
    x = (torch.arange(feature_size[1]) + 0.5) * stride
    centres = torch.cartesian_prod(y, x)[:, [1, 0, 1, 0]]
    return (centres[:, None] + cell_anchors).reshape(-1, 4)


def _grid_numpy(cell_anchors, feature_size, stride):
    x, y = np.meshgrid(np.arange(feature_size[1]), np.arange(feature_size[0]))
    shifts = np.stack((x, y, x, y), axis=2) * stride + stride / 2
    return (shifts[:, :, None, :] + cell_anchors.numpy()).reshape(-1, 4)


def _grid_ij(cell_anchors, feature_size, stride):
    """meshgrid(x, y) with indexing="ij" goes down the columns."""
    x, y = torch.meshgrid(torch.arange(feature_size[1]), torch.arange(feature_size[0]), indexing="ij")
    shifts = torch.stack((x, y, x, y), dim=-1) * stride + stride / 2
    return (shifts[:, :, None] + cell_anchors).reshape(-1, 4)


def _grid_in_place(cell_anchors, feature_size, stride):
    rows = []
    for y in range(feature_size[0]):
        for x in range(feature_size[1]):
            cell_anchors += torch.tensor([x, y, x, y]) * stride + stride / 2
            rows.append(cell_anchors.clone())
    return torch.cat(rows)


def _grid_linspace(cell_anchors, feature_size, stride):
    """Spread from one end of the picture to the other."""
    y = torch.linspace(0, feature_size[0] * stride, feature_size[0])
    x = torch.linspace(0, feature_size[1] * stride, feature_size[1])
    centres = torch.cartesian_prod(y, x)[:, [1, 0, 1, 0]]
    return (centres[:, None] + cell_anchors).reshape(-1, 4)


# ---- label_anchors ----


def _labels(kinds="ab", low=0.3, outside=-1, ties=True, touch=True, last=False, inner=True):
    """Plain loops over objects and anchors, with what learners change in them."""

    def answer(overlaps, inside):
        table, allowed = overlaps.tolist(), inside.tolist()
        n, m = overlaps.shape
        labels = [-1] * n
        for i in range(n):
            highest = max(table[i], default=0.0)
            if "b" in kinds and highest > 0.7:
                labels[i] = 1
            elif highest < low:
                labels[i] = 0
        for j in range(m if "a" in kinds else 0):
            rivals = [i for i in range(n) if allowed[i] or not inner]
            best = max((table[i][j] for i in rivals), default=0.0)
            winners = [i for i in rivals if table[i][j] == best and (best > 0 or not touch)]
            for i in winners if ties else winners[:1]:
                if not (last and max(table[i]) < low):
                    labels[i] = 1
        return torch.tensor([label if ok else outside for label, ok in zip(labels, allowed, strict=True)])

    return answer


def _labels_numpy(overlaps, inside):
    table = np.where(inside.numpy()[:, None], overlaps.numpy(), -1.0)
    highest = table.max(axis=1, initial=-1.0)
    best = table.max(axis=0, initial=0.0)
    positive = (highest >= 0.7) | ((table == best) & (best > 0)).any(axis=1)
    labels = np.where(positive, 1, np.where(highest < 0.3, 0, -1))
    return np.where(inside.numpy(), labels, -1)


def _labels_crash(overlaps, inside):
    best = overlaps.max(dim=1).values
    labels = torch.full((len(overlaps),), -1)
    labels[best < 0.3] = 0
    labels[best > 0.7] = 1
    labels[overlaps.argmax(dim=0)] = 1
    labels[~inside] = -1
    return labels


def _labels_one_best(overlaps, inside):
    """The best anchor of the whole picture, instead of one for each object."""
    labels = _labels(kinds="b")(overlaps, inside)
    own = torch.where(inside[:, None], overlaps, 0.0)
    if own.numel() and own.max() > 0:
        labels[(own == own.max()).any(dim=1)] = 1
    return labels


def _labels_floats(overlaps, inside):
    return _labels()(overlaps, inside).float()


def _labels_rcnn(overlaps, inside):
    """Fast R-CNN's thresholds: 0.5, and background from 0.1."""
    labels = _labels()(overlaps, inside)
    best = overlaps.amax(dim=1) if overlaps.shape[1] else torch.zeros(len(overlaps))
    labels[inside & (best >= 0.5)] = 1
    return labels


MUTANTS = [
    ("cell_anchors", "w / h", _cell(lambda s, r: s / math.sqrt(r), lambda s, r: s * math.sqrt(r)), "Here it is h / w"),
    ("cell_anchors", "no root", _cell(lambda s, r: s * r, lambda s, r: s), "square root on both sides"),
    ("cell_anchors", "ratio squared", _cell(lambda s, r: s * r, lambda s, r: s / r), "h / w is r^2"),
    ("cell_anchors", "sizes first", _cell(order="s"), "all its sizes"),
    ("cell_anchors", "from the corner", _cell_corner, "must lie around it"),
    ("cell_anchors", "whole sides", _cell(half=1.0), "Take halves"),
    ("cell_anchors", "rounded", _cell(value=round), ""),
    ("cell_anchors", "rounded floats", _cell(value=lambda v: float(round(v))), "nothing is rounded"),
    ("cell_anchors", "y first", _cell_row_first, "Here it is h / w"),
    ("cell_anchors", "size is the area", _cell(lambda s, r: math.sqrt(s * r), lambda s, r: math.sqrt(s / r)), ""),
    ("cell_anchors", "the authors' corners", _cell_py_faster, ""),
    ("cell_anchors", "a table", _cell_table, "the shape is"),
    ("all_anchors", "at the corner", _grid(lambda i, stride: i * stride), "half a stride further"),
    ("all_anchors", "half a pixel", _grid(lambda i, stride: i * stride + 0.5), "stride / 2"),
    ("all_anchors", "by columns", _grid(order="xya"), "row by row"),
    ("all_anchors", "meshgrid the other way", _grid_ij, "row by row"),
    ("all_anchors", "anchor by anchor", _grid(order="ayx"), "stay together"),
    ("all_anchors", "y first", _grid(box=lambda x, y: (y, x, y, x)), ""),
    ("all_anchors", "(W, H)", _grid(size=lambda s: s[::-1]), "rows before columns"),
    ("all_anchors", "no stride", _grid(lambda i, stride: i + 0.5), "you shift by cells"),
    ("all_anchors", "one corner shifted", _grid(box=lambda x, y: (x, y, 0, 0)), "x1 and y1 only"),
    ("all_anchors", "adds up in place", _grid_in_place, "changes its argument"),
    ("all_anchors", "spread to the border", _grid_linspace, ""),
    ("label_anchors", "above 0.7 only", _labels(kinds="b"), "its best anchor is positive too"),
    ("label_anchors", "best only", _labels(kinds="a"), "All that overlap one by 0.7"),
    ("label_anchors", "no ignored band", _labels(low=0.7), "is neither: -1"),
    ("label_anchors", "first of ties", _labels(ties=False), "all that tie are positive"),
    ("label_anchors", "out of reach", _labels(touch=False), "has no best one"),
    ("label_anchors", "best across the border", _labels(inner=False), "Look among those inside"),
    ("label_anchors", "border ignored", lambda o, i: _labels()(o, torch.ones_like(i)), "in training they are ignored"),
    ("label_anchors", "outside is background", _labels(outside=0), "-1, not 0"),
    ("label_anchors", "background last", _labels(last=True), "Being the best"),
    ("label_anchors", "one best for all", _labels_one_best, ""),
    ("label_anchors", "argmax, and no objects", _labels_crash, ""),
    ("label_anchors", "Fast R-CNN's 0.5", _labels_rcnn, ""),
    ("label_anchors", "floats", _labels_floats, "must be integers"),
]

ENDLESS = []

RIGHT = [
    ("cell_anchors", "plain loops", _cell()),
    ("cell_anchors", "numpy, from the area", _cell_numpy),
    ("all_anchors", "plain loops", _grid()),
    ("all_anchors", "torch", _grid_torch),
    ("all_anchors", "numpy", _grid_numpy),
    ("label_anchors", "plain loops", _labels()),
    ("label_anchors", "numpy", _labels_numpy),
]
