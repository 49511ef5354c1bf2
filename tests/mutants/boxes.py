"""Wrong and right answers to notebook 01's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch

# ---- voc_to_boxes ----


def _voc_nothing_for_y(corners):
    boxes = corners.clone()
    boxes[:, 0] -= 1
    return boxes


def _voc_all_shifted(corners):
    return torch.tensor([[x1 - 1, y1 - 1, x2 - 1, y2 - 1] for x1, y1, x2, y2 in corners.tolist()]).reshape(-1, 4)


def _voc_max_plus_one(corners):
    boxes = corners.clone()
    boxes[:, 2:] += 1
    return boxes


def _voc_both(corners):
    boxes = corners.clone()
    boxes[:, :2] -= 1
    boxes[:, 2:] += 1
    return boxes


def _voc_width_height(corners):
    x1, y1, x2, y2 = corners.T
    return torch.stack((x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1), dim=1)


def _voc_wrong_axis(corners):
    boxes = corners.clone()
    boxes[:2] -= 1
    return boxes


def _voc_in_place(corners):
    corners[:, :2] -= 1
    return corners


def _voc_loops(corners):
    return [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in corners.tolist()]


def _voc_numpy(corners):
    return np.asarray(corners) - np.array([1, 1, 0, 0])


def _voc_torch(corners):
    boxes = corners.clone()
    boxes[:, :2] -= 1
    return boxes


# ---- box_iou ----


def _pairwise(iou):
    """A matrix from a function of two boxes, as lists."""

    def answer(boxes, gt_boxes):
        rows = [[iou(a, b) for b in gt_boxes.tolist()] for a in boxes.tolist()]
        return np.array(rows).reshape(len(boxes), len(gt_boxes))

    return answer


def _area(box, plus=0):
    return (box[2] - box[0] + plus) * (box[3] - box[1] + plus)


def _iou(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = _area(a) + _area(b) - w * h
    return w * h / union if union else 0.0


def _iou_matlab(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    return w * h / (_area(a, 1) + _area(b, 1) - w * h)


def _iou_no_max(a, b):
    shared = (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1]))
    return shared / (_area(a) + _area(b) - shared)


def _iou_late_max(a, b):
    shared = max(0, (min(a[2], b[2]) - max(a[0], b[0])) * (min(a[3], b[3]) - max(a[1], b[1])))
    return shared / (_area(a) + _area(b) - shared) if shared else 0


def _iou_double_count(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return w * h / max(_area(a) + _area(b), 1e-9)


def _iou_of_smaller(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return w * h / max(min(_area(a), _area(b)), 1e-9)


def _iou_wh(a, b):
    return _iou(
        (a[0] - a[2] / 2, a[1] - a[3] / 2, a[0] + a[2] / 2, a[1] + a[3] / 2),
        (b[0] - b[2] / 2, b[1] - b[3] / 2, b[0] + b[2] / 2, b[1] + b[3] / 2),
    )


def _iou_x_only(a, b):
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    return w / max(a[2] - a[0] + b[2] - b[0] - w, 1e-9)


def _iou_columns_first(boxes, gt_boxes):
    low = torch.maximum(gt_boxes[:, None, :2], boxes[None, :, :2])
    high = torch.minimum(gt_boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = (gt_boxes[:, 2:] - gt_boxes[:, :2]).prod(-1)[:, None] + (boxes[:, 2:] - boxes[:, :2]).prod(-1) - shared
    return torch.where(union > 0, shared / union, 0.0)


def _iou_nan(boxes, gt_boxes):
    low = torch.maximum(boxes[:, None, :2], gt_boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], gt_boxes[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    one, other = (boxes[:, 2:] - boxes[:, :2]).prod(-1), (gt_boxes[:, 2:] - gt_boxes[:, :2]).prod(-1)
    return shared / (one[:, None] + other - shared)


def _iou_rounded(boxes, gt_boxes):
    return torch.tensor([[round(_iou(a, b), 1) for b in gt_boxes.tolist()] for a in boxes.tolist()])


def _iou_no_empty(boxes, gt_boxes):
    rows = [torch.stack([torch.tensor(float(_iou(a, b))) for b in gt_boxes.tolist()]) for a in boxes.tolist()]
    return torch.stack(rows)


def _iou_numpy(boxes, gt_boxes):
    a, b = np.asarray(boxes), np.asarray(gt_boxes)
    w = np.minimum.outer(a[:, 2], b[:, 2]) - np.maximum.outer(a[:, 0], b[:, 0])
    h = np.minimum.outer(a[:, 3], b[:, 3]) - np.maximum.outer(a[:, 1], b[:, 1])
    shared = w.clip(0) * h.clip(0)
    areas = [(x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1]) for x in (a, b)]
    return shared / np.maximum(np.add.outer(*areas) - shared, 1e-9)


def _iou_torch(boxes, gt_boxes):
    a, b = boxes.unsqueeze(1), gt_boxes.unsqueeze(0)
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides[..., 0] * sides[..., 1]
    areas = [(x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (a, b)]
    return torch.nan_to_num(shared / (sum(areas) - shared))


# ---- clip_boxes ----


def _clip_minus_one(boxes, image_size):
    h, w = image_size
    return [[min(max(v, 0), m - 1) for v, m in zip(box, (w, h, w, h), strict=True)] for box in boxes.tolist()]


def _clip_hw(boxes, image_size):
    w, h = image_size
    return [[min(max(v, 0), m) for v, m in zip(box, (w, h, w, h), strict=True)] for box in boxes.tolist()]


def _clip_zero(boxes, image_size):
    return np.maximum(np.asarray(boxes), 0)


def _clip_top(boxes, image_size):
    h, w = image_size
    return np.minimum(np.asarray(boxes), [w, h, w, h])


def _clip_by_corner(boxes, image_size):
    h, w = image_size
    return [[max(x1, 0), max(y1, 0), min(x2, w), min(y2, h)] for x1, y1, x2, y2 in boxes.tolist()]


def _clip_drops(boxes, image_size):
    h, w = image_size
    clipped = np.clip(np.asarray(boxes), 0, [w, h, w, h])
    return clipped[(clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])]


def _clip_one_limit(boxes, image_size):
    return boxes.clamp(0, max(image_size))


def _clip_in_place(boxes, image_size):
    boxes[:, 0::2].clamp_(0, image_size[1])
    boxes[:, 1::2].clamp_(0, image_size[0])
    return boxes


def _clip_loops(boxes, image_size):
    h, w = image_size
    return [[min(max(v, 0), m) for v, m in zip(box, (w, h, w, h), strict=True)] for box in boxes.tolist()]


def _clip_numpy(boxes, image_size):
    h, w = image_size
    return np.clip(np.asarray(boxes), 0, [w, h, w, h])


def _clip_torch(boxes, image_size):
    limit = torch.tensor([image_size[1], image_size[0]] * 2)
    return torch.minimum(boxes.clamp(min=0), limit)


# ---- decode_boxes ----


def _decoder(move):
    """Boxes from ``move(t, cx, cy, w, h) -> (cx, cy, w, h)``, one at a time."""

    def answer(deltas, reference):
        rows = []
        for t, (x1, y1, x2, y2) in zip(deltas.tolist(), reference.tolist(), strict=True):
            cx, cy, w, h = move(t, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
        return rows

    return answer


def _decode_corner(deltas, reference):
    size = reference[:, 2:] - reference[:, :2]
    corner = reference[:, :2] + size * deltas[:, :2]
    return torch.cat((corner, corner + size * deltas[:, 2:].exp()), dim=1)


def _decode_centre_form(deltas, reference):
    size = reference[:, 2:] - reference[:, :2]
    centre = (reference[:, 2:] + reference[:, :2]) / 2
    return torch.cat((centre + size * deltas[:, :2], size * deltas[:, 2:].exp()), dim=1)


def _decode_plus(deltas, reference):
    size = reference[:, 2:] - reference[:, :2] + 1
    centre = reference[:, :2] + size / 2 + size * deltas[:, :2]
    size = size * deltas[:, 2:].exp()
    return torch.cat((centre - size / 2, centre + size / 2), dim=1)


def _decode_numpy(deltas, reference):
    t, r = np.asarray(deltas), np.asarray(reference)
    size = r[:, 2:] - r[:, :2]
    centre = (r[:, 2:] + r[:, :2]) / 2 + size * t[:, :2]
    half = size * np.exp(t[:, 2:]) / 2
    return np.hstack((centre - half, centre + half))


def _decode_torch(deltas, reference):
    x1, y1, x2, y2 = reference.unbind(1)
    tx, ty, tw, th = deltas.unbind(1)
    w, h = (x2 - x1), (y2 - y1)
    cx, cy = x1 + w / 2 + tx * w, y1 + h / 2 + ty * h
    w, h = w * tw.exp(), h * th.exp()
    return torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), dim=1)


# ---- suppressed_by ----


def _above(iou, threshold):
    return iou > threshold


def _suppressor(boxes, scores, threshold, above=_above, only_kept=True, overwrite=False, best_first=True):
    rows = boxes.tolist()
    by = list(range(len(rows)))
    order = sorted(by, key=lambda i: (-scores[i].item() if best_first else scores[i].item(), i))
    for place, i in enumerate(order):
        if only_kept and by[i] != i:
            continue
        for j in order[place + 1 :]:
            if (by[j] == j or overwrite) and above(_iou(rows[i], rows[j]), threshold):
                by[j] = i
    return by


def _by_input_order(boxes, scores, threshold):
    by = torch.arange(len(boxes))
    for i in range(len(boxes)):
        for j in range(i + 1, len(boxes)):
            if by[i] == i and by[j] == j and _iou(boxes[i].tolist(), boxes[j].tolist()) > threshold:
                by[j] = i
    return by


def _by_sorted_positions(boxes, scores, threshold):
    order = np.argsort(-np.asarray(scores), kind="stable")
    return np.array(_suppressor(boxes[order.tolist()], scores[order.tolist()], threshold), dtype=int)


def _by_kept_only(boxes, scores, threshold):
    by = _suppressor(boxes, scores, threshold)
    return [i for i in range(len(by)) if by[i] == i]


def _by_flags(boxes, scores, threshold):
    return torch.tensor([i != by for i, by in enumerate(_suppressor(boxes, scores, threshold))], dtype=torch.bool)


def _by_forever(boxes, scores, threshold):
    waiting = list(range(len(boxes)))
    by = list(range(len(boxes)))
    while waiting:
        best = max(waiting, key=lambda i: scores[i])
        for j in waiting:
            if j != best and _iou(boxes[best].tolist(), boxes[j].tolist()) > threshold:
                by[j] = best
    return by


def _by_numpy(boxes, scores, threshold):
    rows, by = boxes.numpy().astype(float), -np.ones(len(boxes), int)
    overlap = _iou_numpy(rows, rows)
    for i in np.argsort(-scores.numpy(), kind="stable"):
        if by[i] == -1:
            by[i] = i
            by[(by == -1) & (overlap[i] > threshold)] = i
    return by


# ---- batched_nms ----


def _nms_loop(boxes, scores, threshold):
    by = _suppressor(boxes, scores, threshold)
    return sorted((i for i in range(len(by)) if by[i] == i), key=lambda i: (-scores[i].item(), i))


def _batched_all(boxes, scores, labels, threshold):
    return _nms_loop(boxes, scores, threshold)


def _batched_class_by_class(boxes, scores, labels, threshold):
    kept = []
    for label in labels.unique().tolist():
        members = [i for i in range(len(labels)) if labels[i] == label]
        kept += [members[k] for k in _nms_loop(boxes[members], scores[members], threshold)]
    return kept


def _batched_positions(boxes, scores, labels, threshold):
    kept = []
    for label in labels.unique():
        kept += _nms_loop(boxes[labels == label], scores[labels == label], threshold)
    return sorted(kept, key=lambda i: -scores[i].item())


def _batched_ascending(boxes, scores, labels, threshold):
    return sorted(_batched_class_by_class(boxes, scores, labels, threshold))


def _batched_reversed(boxes, scores, labels, threshold):
    return sorted(_batched_class_by_class(boxes, scores, labels, threshold), key=lambda i: scores[i].item())


def _batched_shift_by_label(boxes, scores, labels, threshold):
    return _nms_loop(boxes + labels[:, None], scores, threshold)


def _batched_first_class(boxes, scores, labels, threshold):
    if len(labels) == 0:
        return []
    members = torch.nonzero(labels == labels[0]).squeeze(1).tolist()
    return [members[k] for k in _nms_loop(boxes[members], scores[members], threshold)]


def _batched_scores(boxes, scores, labels, threshold):
    return scores[_batched_loops(boxes, scores, labels, threshold)]


def _batched_loops(boxes, scores, labels, threshold):
    return sorted(_batched_class_by_class(boxes, scores, labels, threshold), key=lambda i: (-scores[i].item(), i))


def _batched_shift(boxes, scores, labels, threshold):
    shift = labels.to(boxes.dtype) * (boxes.max() + 1 if len(boxes) else 0)
    return torch.tensor(_nms_loop(boxes + shift[:, None], scores, threshold), dtype=torch.int64)


MUTANTS = [
    ("voc_to_boxes", "y left alone", _voc_nothing_for_y, "leave y"),
    ("voc_to_boxes", "1 off all four", _voc_all_shifted, "subtract 1 from all four"),
    ("voc_to_boxes", "1 added at the end", _voc_max_plus_one, "counts from 1"),
    ("voc_to_boxes", "both", _voc_both, "grow by a pixel"),
    ("voc_to_boxes", "width and height", _voc_width_height, "at [0, 2]"),
    ("voc_to_boxes", "rows for columns", _voc_wrong_axis, "at [0, 2] it gives 0 where 1 is right"),
    ("voc_to_boxes", "in place", _voc_in_place, "changes its argument `corners`"),
    ("box_iou", "+1 widths", _pairwise(_iou_matlab), "have a +1"),
    ("box_iou", "no cut at 0", _pairwise(_iou_no_max), "do not cut negative widths"),
    ("box_iou", "product cut at 0", _pairwise(_iou_late_max), "cut the product at 0"),
    ("box_iou", "intersection counted twice", _pairwise(_iou_double_count), "counts twice"),
    ("box_iou", "over the smaller box", _pairwise(_iou_of_smaller), "smaller area"),
    ("box_iou", "centre form", _pairwise(_iou_wh), "as centre, width and height"),
    ("box_iou", "one axis only", _pairwise(_iou_x_only), "one inside the other"),
    ("box_iou", "transposed", _iou_columns_first, "transposed"),
    ("box_iou", "0 / 0", _iou_nan, "divide 0 by 0"),
    ("box_iou", "rounded", _iou_rounded, "0.3 where 0.3333 is right"),
    ("box_iou", "no boxes forgotten", _iou_no_empty, "stops with RuntimeError"),
    ("clip_boxes", "W - 1", _clip_minus_one, "W - 1 and H - 1"),
    ("clip_boxes", "w/h swapped", _clip_hw, "height and width swapped"),
    ("clip_boxes", "0 only", _clip_zero, "at 0 only"),
    ("clip_boxes", "W and H only", _clip_top, "at W and H only"),
    ("clip_boxes", "each corner one limit", _clip_by_corner, "both limits on all four"),
    ("clip_boxes", "drops boxes", _clip_drops, "the shape is (0, 4) where (1, 4) is right"),
    ("clip_boxes", "one limit for both axes", _clip_one_limit, "where 80 is right"),
    ("clip_boxes", "in place", _clip_in_place, "changes its argument `boxes`"),
    (
        "decode_boxes",
        "shift without size",
        _decoder(lambda t, x, y, w, h: (x + t[0], y + t[1], w * math.exp(t[2]), h * math.exp(t[3]))),
        "multiply first",
    ),
    (
        "decode_boxes",
        "powers of two",
        _decoder(lambda t, x, y, w, h: (x + t[0] * w, y + t[1] * h, w * 2 ** t[2], h * 2 ** t[3])),
        "natural one",
    ),
    (
        "decode_boxes",
        "1 + t",
        _decoder(lambda t, x, y, w, h: (x + t[0] * w, y + t[1] * h, w * (1 + t[2]), h * (1 + t[3]))),
        "the factor is exp(t_w)",
    ),
    (
        "decode_boxes",
        "shift by the new size",
        _decoder(
            lambda t, x, y, w, h: (
                x + t[0] * w * math.exp(t[2]),
                y + t[1] * h * math.exp(t[3]),
                w * math.exp(t[2]),
                h * math.exp(t[3]),
            )
        ),
        "reference's own width",
    ),
    (
        "decode_boxes",
        "w/h swapped",
        _decoder(lambda t, x, y, w, h: (x + t[0] * h, y + t[1] * w, h * math.exp(t[2]), w * math.exp(t[3]))),
        "w and h swapped",
    ),
    (
        "decode_boxes",
        "minus",
        _decoder(lambda t, x, y, w, h: (x - t[0] * w, y - t[1] * h, w * math.exp(t[2]), h * math.exp(t[3]))),
        "it gives -5 where 5 is right",
    ),
    ("decode_boxes", "upper left corner kept", _decode_corner, "it gives 0 where -5 is right"),
    ("decode_boxes", "centre form", _decode_centre_form, "must be corners"),
    ("decode_boxes", "+1 widths", _decode_plus, "has a +1"),
    ("suppressed_by", "all strike out", lambda b, s, t: _suppressor(b, s, t, only_kept=False), "only kept boxes may"),
    ("suppressed_by", "the last one named", lambda b, s, t: _suppressor(b, s, t, overwrite=True), "the last of them"),
    ("suppressed_by", ">= for >", lambda b, s, t: _suppressor(b, s, t, above=lambda i, u: i >= u), "above it"),
    ("suppressed_by", "worst first", lambda b, s, t: _suppressor(b, s, t, best_first=False), "worst score"),
    ("suppressed_by", "not sorted", _by_input_order, "sort by score first"),
    ("suppressed_by", "sorted positions", _by_sorted_positions, "back with `order`"),
    ("suppressed_by", "the kept ones", _by_kept_only, "the shape is (1,) where (2,) is right"),
    ("suppressed_by", "flags", _by_flags, "must be whole numbers"),
    ("batched_nms", "labels forgotten", _batched_all, "forget the labels"),
    ("batched_nms", "class by class", _batched_class_by_class, "class after class"),
    ("batched_nms", "indices within the class", _batched_positions, "count within each class"),
    ("batched_nms", "in the order of indices", _batched_ascending, "order of their indices"),
    ("batched_nms", "worst first", _batched_reversed, "wrong way round"),
    ("batched_nms", "shift of one pixel", _batched_shift_by_label, "too little"),
    ("batched_nms", "one class only", _batched_first_class, "the shape is (1,) where (2,) is right"),
    ("batched_nms", "scores for indices", _batched_scores, "must be integers"),
]

ENDLESS = [("suppressed_by", "nothing leaves the list", _by_forever, "does not come to an end")]

RIGHT = [
    ("voc_to_boxes", "plain loops", _voc_loops),
    ("voc_to_boxes", "numpy", _voc_numpy),
    ("voc_to_boxes", "torch", _voc_torch),
    ("box_iou", "plain loops", _pairwise(_iou)),
    ("box_iou", "numpy", _iou_numpy),
    ("box_iou", "torch", _iou_torch),
    ("clip_boxes", "plain loops", _clip_loops),
    ("clip_boxes", "numpy", _clip_numpy),
    ("clip_boxes", "torch", _clip_torch),
    (
        "decode_boxes",
        "plain loops",
        _decoder(lambda t, x, y, w, h: (x + t[0] * w, y + t[1] * h, w * math.exp(t[2]), h * math.exp(t[3]))),
    ),
    ("decode_boxes", "numpy", _decode_numpy),
    ("decode_boxes", "torch", _decode_torch),
    ("suppressed_by", "plain loops", _suppressor),
    ("suppressed_by", "numpy", _by_numpy),
    ("batched_nms", "plain loops", _batched_loops),
    ("batched_nms", "torch, classes shifted apart", _batched_shift),
]
