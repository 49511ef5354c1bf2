"""Wrong and right answers to notebook 05's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

from rcnn_lite.boxes import box_iou

# ---- source_coordinates ----


def _points_loops(edges, size, context):
    rows = []
    for low, high in edges.tolist():
        step = (high - low) / (size - 2 * context)
        rows.append([low + (i + 0.5 - context) * step for i in range(size)])
    return torch.tensor(rows).reshape(-1, size)


def _points_linspace(edges, size, context):
    low, high = edges.numpy().astype(float).T
    around = context * (high - low) / (size - 2 * context)
    borders = np.linspace(low - around, high + around, size + 1, axis=1)
    return (borders[:, :-1] + borders[:, 1:]) / 2


def _points_no_half(edges, size, context):
    step = (edges[:, 1:] - edges[:, :1]) / (size - 2 * context)
    return edges[:, :1] + (torch.arange(size) - context) * step


def _points_no_context(edges, size, context):
    return torch.stack([lo + (torch.arange(size) + 0.5) / size * (hi - lo) for lo, hi in edges.tolist()])


def _points_one_side(edges, size, context):
    step = (edges[:, 1] - edges[:, 0]) / (size - context)
    return edges[:, :1] + (torch.arange(size) - context + 0.5) * step[:, None]


def _points_image_pixels(edges, size, context):
    low, high = edges[:, 0] - context, edges[:, 1] + context
    return torch.stack([(lo + (torch.arange(size) + 0.5) * (hi - lo) / size) for lo, hi in zip(low, high, strict=True)])


def _points_ends(edges, size, context):
    around = context * (edges[:, 1] - edges[:, 0]) / (size - 2 * context)
    rows = zip(edges[:, 0] - around, edges[:, 1] + around, strict=True)
    return torch.stack([torch.linspace(float(lo), float(hi), size) for lo, hi in rows])


def _points_plus(edges, size, context):
    step = (edges[:, 1:] - edges[:, :1]) / (size - 2 * context)
    return edges[:, :1] + (torch.arange(size) + 0.5 + context) * step


# ---- tightest_squares ----


def _squares_loops(boxes):
    result = []
    for x1, y1, x2, y2 in boxes.tolist():
        side, cx, cy = max(x2 - x1, y2 - y1), (x1 + x2) / 2, (y1 + y2) / 2
        result.append([cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2])
    return torch.tensor(result).reshape(-1, 4)


def _squares_numpy(boxes):
    low, high = boxes.numpy()[:, :2], boxes.numpy()[:, 2:]
    missing = ((high - low).max(axis=1, keepdims=True) - (high - low)) / 2
    return np.hstack((low - missing, high + missing))


def _squares_smaller(boxes):
    rows = boxes.tolist()
    sides = [min(x2 - x1, y2 - y1) / 2 for x1, y1, x2, y2 in rows]
    middles = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in rows]
    return torch.tensor([[x - s, y - s, x + s, y + s] for (x, y), s in zip(middles, sides, strict=True)])


def _squares_corner(boxes):
    squares = boxes.clone()
    side = (boxes[:, 2:] - boxes[:, :2]).max(dim=1).values
    squares[:, 2], squares[:, 3] = boxes[:, 0] + side, boxes[:, 1] + side
    return squares


def _squares_only_tall(boxes):
    squares = boxes.clone()
    more = (boxes[:, 3] - boxes[:, 1]) - (boxes[:, 2] - boxes[:, 0])
    squares[:, 0] -= more / 2
    squares[:, 2] += more / 2
    return squares


def _squares_twice(boxes):
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True)
    return torch.cat((centre - side, centre + side), 1)


def _squares_cut(boxes):
    return torch.as_tensor(_squares_numpy(boxes)).clamp(min=0)


# ---- region_labels ----


def _iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0, width) * max(0, height)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _labels_loops(boxes, gt_boxes, gt_labels):
    labels = []
    for box in boxes.tolist():
        best, label = 0.0, 0
        for gt, name in zip(gt_boxes.tolist(), gt_labels.tolist(), strict=True):
            if _iou(box, gt) > best:
                best, label = _iou(box, gt), name
        labels.append(label if best >= 0.5 else 0)
    return torch.tensor(labels, dtype=torch.int64)


def _labels_numpy(boxes, gt_boxes, gt_labels):
    if len(gt_boxes) == 0:
        return np.zeros(len(boxes), int)
    overlaps = box_iou(boxes, gt_boxes).numpy()
    return np.where(overlaps.max(axis=1) >= 0.5, gt_labels.numpy()[overlaps.argmax(axis=1)], 0)


def _labels_strict(boxes, gt_boxes, gt_labels):
    if len(gt_boxes) == 0:
        return torch.zeros(len(boxes), dtype=torch.int64)
    overlap, nearest = box_iou(boxes, gt_boxes).max(dim=1)
    return gt_labels[nearest] * (overlap > 0.5)


def _labels_no_threshold(boxes, gt_boxes, gt_labels):
    return gt_labels[box_iou(boxes, gt_boxes).argmax(dim=1)]


def _labels_no_objects(boxes, gt_boxes, gt_labels):
    overlap, nearest = box_iou(boxes, gt_boxes).max(dim=1)
    return torch.where(overlap >= 0.5, gt_labels[nearest], 0)


def _labels_first(boxes, gt_boxes, gt_labels):
    labels = []
    for box in boxes.tolist():
        hits = [n for g, n in zip(gt_boxes.tolist(), gt_labels.tolist(), strict=True) if _iou(box, g) >= 0.5]
        labels.append(hits[0] if hits else 0)
    return torch.tensor(labels, dtype=torch.int64)


def _labels_band(boxes, gt_boxes, gt_labels):
    labels = torch.as_tensor(_labels_numpy(boxes, gt_boxes, gt_labels))
    if len(gt_boxes):
        overlap = box_iou(boxes, gt_boxes).amax(dim=1)
        labels[(overlap >= 0.3) & (overlap < 0.5)] = -1
    return labels


def _labels_binary(boxes, gt_boxes, gt_labels):
    return (torch.as_tensor(_labels_numpy(boxes, gt_boxes, gt_labels)) > 0).int()


def _labels_matrix(boxes, gt_boxes, gt_labels):
    return torch.where(box_iou(boxes, gt_boxes) >= 0.5, gt_labels, 0)


# ---- draw_batch ----


def _batch_loops(labels, positive_chance, background_chance):
    positives = [i for i, label in enumerate(labels.tolist()) if label > 0]
    backgrounds = [i for i, label in enumerate(labels.tolist()) if label == 0]
    rows = []
    for pool, chances in ((positives, positive_chance), (backgrounds, background_chance)):
        if pool:
            rows += [pool[int(chance * len(pool))] for chance in chances.tolist()]
    return torch.tensor(rows, dtype=torch.int64)


def _batch_numpy(labels, positive_chance, background_chance):
    labels, rows = labels.numpy(), []
    for pool, chance in ((np.flatnonzero(labels), positive_chance), (np.flatnonzero(labels == 0), background_chance)):
        if len(pool):
            rows.append(pool[np.floor(chance.numpy() * len(pool)).astype(int)])
    return np.concatenate(rows)


def _batch_places(labels, positive_chance, background_chance):
    positives, backgrounds = int((labels > 0).sum()), int((labels == 0).sum())
    first = [int(c * positives) for c in positive_chance.tolist() if positives]
    return torch.tensor(first + [int(c * backgrounds) for c in background_chance.tolist() if backgrounds])


def _batch_swapped(labels, positive_chance, background_chance):
    return _batch_loops((labels == 0).long(), background_chance, positive_chance)


def _batch_uniform(labels, positive_chance, background_chance):
    return (torch.cat((positive_chance, background_chance)) * len(labels)).long()


def _batch_one(labels, positive_chance, background_chance):
    kept = torch.where(labels > 1, -1, labels)
    return _batch_loops(kept, positive_chance, background_chance)


def _batch_of_labels(labels, positive_chance, background_chance):
    return labels[_batch_loops(labels, positive_chance, background_chance)]


def _batch_unique(labels, positive_chance, background_chance):
    rows = _batch_loops(labels, positive_chance, background_chance).tolist()
    return torch.tensor(sorted(set(rows), key=rows.index))


def _batch_first_ones(labels, positive_chance, background_chance):
    positives, backgrounds = torch.nonzero(labels > 0).flatten(), torch.nonzero(labels == 0).flatten()
    return torch.cat((positives[: len(positive_chance)], backgrounds[: len(background_chance)]))


def _batch_forever(labels, positive_chance, background_chance):
    rows = []
    while len(rows) < len(positive_chance) + len(background_chance):
        rows += [i for i in rows if labels[i] > 0]
    return torch.tensor(rows)


MUTANTS = [
    ("source_coordinates", "half a pixel", _points_no_half, "leave out the 1/2"),
    ("source_coordinates", "no context", _points_no_context, "spread the box over all S pixels"),
    ("source_coordinates", "context on one side", _points_one_side, "divide by S - p"),
    ("source_coordinates", "context of the image", _points_image_pixels, "counted in warped pixels"),
    ("source_coordinates", "end to end", _points_ends, "S - 1 steps"),
    ("source_coordinates", "wrong sign", _points_plus, "right:"),
    ("tightest_squares", "shorter side", _squares_smaller, "take the shorter side"),
    ("tightest_squares", "from the corner", _squares_corner, "keep the upper left corner"),
    ("tightest_squares", "tall boxes only", _squares_only_tall, "8 wide, 4 high"),
    ("tightest_squares", "twice too large", _squares_twice, "twice too large"),
    ("tightest_squares", "cut at the border", _squares_cut, "cut the square at 0"),
    ("region_labels", "above 0.5", _labels_strict, "exactly 0.5 is positive too"),
    ("region_labels", "no threshold", _labels_no_threshold, "below an IoU of 0.5 it is background"),
    ("region_labels", "no objects", _labels_no_objects, "stops with"),
    ("region_labels", "first object", _labels_first, "overlaps *most*"),
    ("region_labels", "ignored band", _labels_band, "as the SVMs do later"),
    ("region_labels", "yes or no", _labels_binary, "tells the classes apart"),
    ("region_labels", "all pairs", _labels_matrix, "shape"),
    ("draw_batch", "places in the pool", _batch_places, "places within the list"),
    ("draw_batch", "backgrounds first", _batch_swapped, "put the backgrounds first"),
    ("draw_batch", "from all regions", _batch_uniform, "draw from all regions"),
    ("draw_batch", "one class", _batch_one, "every label above 0"),
    ("draw_batch", "labels", _batch_of_labels, "the rows are asked for"),
    ("draw_batch", "no repeats", _batch_unique, "must be repeated"),
    ("draw_batch", "the first ones", _batch_first_ones, "right:"),
]

ENDLESS = [("draw_batch", "a list that never fills", _batch_forever, "does not come to an end")]

RIGHT = [
    ("source_coordinates", "plain loops", _points_loops),
    ("source_coordinates", "numpy, edges of the pixels", _points_linspace),
    ("tightest_squares", "plain loops", _squares_loops),
    ("tightest_squares", "numpy", _squares_numpy),
    ("region_labels", "plain loops", _labels_loops),
    ("region_labels", "numpy", _labels_numpy),
    ("draw_batch", "plain loops", _batch_loops),
    ("draw_batch", "numpy", _batch_numpy),
]
