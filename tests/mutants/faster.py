"""Wrong and right answers to notebook 12's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---- theta_of ----


def _theta(
    limits=lambda h, w, s: (w * s, h * s), scale=lambda a, b, n: (b - a) / n, centre=lambda a, b, n: (a + b) / n - 1
):
    """Plain loops over boxes, with what learners change in them."""

    def answer(boxes, map_size, stride):
        width, height = limits(*map_size, stride)
        rows = [
            [[scale(x1, x2, width), 0.0, centre(x1, x2, width)], [0.0, scale(y1, y2, height), centre(y1, y2, height)]]
            for x1, y1, x2, y2 in boxes.tolist()
        ]
        return torch.tensor(rows).reshape(-1, 2, 3)

    return answer


def _theta_numpy(boxes, map_size, stride):
    size = np.array([map_size[1], map_size[0]]) * stride
    corners = 2 * boxes.numpy().reshape(-1, 2, 2) / size - 1
    theta = np.zeros((len(boxes), 2, 3), np.float32)
    theta[:, [0, 1], [0, 1]] = (corners[:, 1] - corners[:, 0]) / 2
    theta[:, :, 2] = corners.mean(axis=1)
    return theta


def _theta_square(boxes, map_size, stride):
    return _theta(limits=lambda h, w, s: (w * s, w * s))(boxes, map_size, stride)


def _theta_rows(boxes, map_size, stride):
    return _theta()(boxes[:, [1, 0, 3, 2]], map_size[::-1], stride)


def _theta_divides_in_place(boxes, map_size, stride):
    boxes /= stride
    return _theta()(boxes, map_size, 1)


def _theta_one(boxes, map_size, stride):
    return _theta()(boxes, map_size, stride)[0]


# ---- halve ----


def _halve_loops(crops, best=max, step=2, last=1):
    count, channels, height, width = crops.shape
    out = torch.zeros(count, channels, height // 2, width // 2)
    for r in range(count):
        for c in range(channels):
            for y in range(height // 2):
                for x in range(width // 2):
                    square = crops[r, c, step * y : step * y + 1 + last, step * x : step * x + 1 + last]
                    out[r, c, y, x] = best(square.flatten().tolist())
    return out


def _halve_views(crops):
    rows = torch.maximum(crops[:, :, 0::2], crops[:, :, 1::2])
    return torch.maximum(rows[..., 0::2], rows[..., 1::2])


def _halve_numpy(crops):
    count, channels, height, width = crops.shape
    return crops.numpy().reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def _halve_wrong_reshape(crops):
    count, channels, height, width = crops.shape
    return crops.reshape(count, channels, height // 2, width // 2, 4).amax(dim=4)


def _halve_columns(crops):
    return torch.maximum(crops[..., 0::2], crops[..., 1::2])


# ---- proposal_targets ----


def _iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / area


def _deltas(box, gt, std=(0.1, 0.1, 0.2, 0.2), ln=math.log):
    w, h, gw, gh = box[2] - box[0], box[3] - box[1], gt[2] - gt[0], gt[3] - gt[1]
    moves = (gt[0] + gt[2] - box[0] - box[2]) / 2 / w, (gt[1] + gt[3] - box[1] - box[3]) / 2 / h
    return [d / s for d, s in zip((*moves, ln(gw / w), ln(gh / h)), std, strict=True)]


def _targets(first=True, low=0.1, high=0.5, strict=False, name=lambda u, j: u, deltas=_deltas, background=False):
    """Plain loops over boxes and objects, with what learners change in them."""

    def answer(proposals, gt_boxes, gt_labels):
        objects, names = gt_boxes.tolist(), gt_labels.tolist()
        boxes = {True: objects + proposals.tolist(), False: proposals.tolist() + objects, None: proposals.tolist()}[
            first
        ]
        labels, rows = [], []
        for box in boxes:
            overlaps = [_iou(box, gt) for gt in objects]
            best = max(overlaps, default=0.0)
            j = overlaps.index(best) if objects else -1
            positive = best > high or (best == high and not strict)
            labels.append(name(names[j], j) if positive else 0 if best >= low else -1)
            judged = positive or (background and labels[-1] == 0 and objects)
            rows.append(deltas(box, objects[j]) if judged else [0.0] * 4)
        shape = torch.tensor(boxes).reshape(-1, 4), torch.tensor(labels).long(), torch.tensor(rows).reshape(-1, 4)
        return shape

    return answer


def _targets_numpy(proposals, gt_boxes, gt_labels):
    boxes, gt = np.concatenate((gt_boxes.numpy(), proposals.numpy())), gt_boxes.numpy()
    labels, deltas = np.full(len(boxes), -1), np.zeros((len(boxes), 4))
    if len(gt) == 0:
        return boxes, labels, deltas
    sides = np.minimum(boxes[:, None, 2:], gt[:, 2:]) - np.maximum(boxes[:, None, :2], gt[:, :2])
    inter = sides.clip(min=0).prod(axis=2)
    area = lambda b: (b[:, 2:] - b[:, :2]).prod(axis=1)  # noqa: E731
    iou = inter / (area(boxes)[:, None] + area(gt) - inter)
    best, j = iou.max(axis=1), iou.argmax(axis=1)
    labels = np.select([best >= 0.5, best >= 0.1], [gt_labels.numpy()[j], 0], -1)
    size, gt_size = boxes[:, 2:] - boxes[:, :2], (gt[:, 2:] - gt[:, :2])[j]
    move = ((gt[:, 2:] + gt[:, :2])[j] - boxes[:, 2:] - boxes[:, :2]) / 2 / size
    moved = np.concatenate((move / 0.1, np.log(gt_size / size) / 0.2), axis=1)
    return boxes, labels, np.where(best[:, None] >= 0.5, moved, 0)


def _targets_no_objects(proposals, gt_boxes, gt_labels):
    if len(gt_boxes) == 0:
        raise IndexError("max of nothing")
    return _targets()(proposals, gt_boxes, gt_labels)


def _targets_log2(box, gt):
    return _deltas(box, gt, ln=math.log2)


# ---- to_image ----


def _image(fx=lambda p, i: i[1] / p[1], fy=lambda p, i: i[0] / p[0], end=lambda i: i, clip=True, after=lambda v: v):
    """Plain loops, with what learners change in them."""

    def answer(boxes, picture_size, image_size):
        sx, sy = fx(picture_size, image_size), fy(picture_size, image_size)
        height, width = end(image_size)
        rows = [[x1 * sx, y1 * sy, x2 * sx, y2 * sy] for x1, y1, x2, y2 in boxes.tolist()]
        if clip:
            limits = (width, height, width, height)
            rows = [[min(max(v, 0.0), float(limit)) for v, limit in zip(row, limits, strict=True)] for row in rows]
        return torch.tensor([[float(after(v)) for v in row] for row in rows]).reshape(-1, 4)

    return answer


def _image_torch(boxes, picture_size, image_size):
    (height, width), scale = image_size, torch.tensor(image_size) / torch.tensor(picture_size)
    moved = boxes * scale.flip(0).repeat(2)
    return moved.clamp(min=0).minimum(torch.tensor([width, height, width, height]))


def _image_in_place(boxes, picture_size, image_size):
    boxes[:, 0::2] *= image_size[1] / picture_size[1]
    boxes[:, 1::2] *= image_size[0] / picture_size[0]
    boxes[:, 0::2].clamp_(0, image_size[1])
    boxes[:, 1::2].clamp_(0, image_size[0])
    return boxes


def _image_below_only(boxes, picture_size, image_size):
    return _image(clip=False)(boxes, picture_size, image_size).clamp(min=0)


def _image_clip_first(boxes, picture_size, image_size):
    height, width = image_size
    limits = torch.tensor([width, height, width, height])
    return _image(clip=False)(boxes.clamp(min=0).minimum(limits), picture_size, image_size)


# ---- trainable ----


def _steps(**table):
    """A set for each step, with what learners change in it."""
    right = {"one": {1, 2}, "two": {1, 3}, "three": {2}, "four": {3}, "joint": {1, 2, 3}} | table

    def answer(parts, step):
        chosen = right[("joint", "one", "two", "three", "four")[step]]
        return torch.tensor([part in chosen for part in parts.tolist()], dtype=torch.bool)

    return answer


def _steps_rules(parts, step):
    shared = (parts == 1) & (step < 3)
    rpn, detector = (parts == 2) & (step in (0, 1, 3)), (parts == 3) & (step in (0, 2, 4))
    return (shared | rpn | detector).numpy()


def _steps_numbers(parts, step):
    return parts[_steps()(parts, step)]


MUTANTS = [
    ("theta_of", "size as (w, h)", _theta(limits=lambda h, w, s: (h * s, w * s)), "map_size is (h, w)"),
    ("theta_of", "a square map", _theta_square, ""),
    ("theta_of", "pixels for cells", _theta(limits=lambda h, w, s: (w, h)), "a cell is stride pixels wide"),
    ("theta_of", "corners' centres", _theta(limits=lambda h, w, s: ((w - 1) * s, (h - 1) * s)), "not by w - 1"),
    ("theta_of", "corner for centre", _theta(centre=lambda a, b, n: 2 * a / n - 1), "it is the centre"),
    ("theta_of", "centre from 0 to 1", _theta(centre=lambda a, b, n: (a + b) / (2 * n)), "from -1 to 1"),
    ("theta_of", "twice the size", _theta(scale=lambda a, b, n: 2 * (b - a) / n), "twice as large"),
    ("theta_of", "y first", _theta_rows, "the first row of theta makes x"),
    ("theta_of", "writes into the boxes", _theta_divides_in_place, "change"),
    ("theta_of", "one box only", _theta_one, "shape"),
    ("halve", "mean", lambda crops: F.avg_pool2d(crops, 2), "takes the largest"),
    ("halve", "every second", lambda crops: crops[..., ::2, ::2], "upper left"),
    ("halve", "stride 1", lambda crops: F.max_pool2d(crops, 2, 1), "overlap"),
    ("halve", "columns only", _halve_columns, "but not rows"),
    ("halve", "reshaped to fours", _halve_wrong_reshape, ""),
    ("halve", "from zero", lambda crops: F.max_pool2d(crops.relu(), 2), "below 0 are maxima"),
    ("halve", "minimum", lambda crops: -F.max_pool2d(-crops, 2), ""),
    ("halve", "all channels", lambda crops: F.max_pool2d(crops, 2).amax(dim=1, keepdim=True), ""),
    ("halve", "largest absolute value", lambda crops: F.max_pool2d(crops.abs(), 2), ""),
    ("proposal_targets", "no objects' boxes", _targets(first=None), "only positives"),
    ("proposal_targets", "objects last", _targets(first=False), "come first"),
    ("proposal_targets", "background from 0", _targets(low=0.0), "Below 0.1"),
    ("proposal_targets", "the RPN's thresholds", _targets(low=0.0, high=0.7), ""),
    ("proposal_targets", "above 0.5", _targets(strict=True), "exactly 0.5 is positive"),
    ("proposal_targets", "raw deltas", _targets(deltas=lambda b, g: _deltas(b, g, (1,) * 4)), "standard deviations"),
    ("proposal_targets", "deltas backwards", _targets(deltas=lambda b, g: _deltas(g, b)), "onto the object"),
    ("proposal_targets", "log to base 2", _targets(deltas=_targets_log2), ""),
    ("proposal_targets", "deltas of background", _targets(background=True), "no place to go"),
    ("proposal_targets", "positives as 1", _targets(name=lambda u, j: 1), "1 for every positive"),
    ("proposal_targets", "index for class", _targets(name=lambda u, j: j), ""),
    ("proposal_targets", "crashes without objects", _targets_no_objects, "stops with"),
    ("to_image", "the other way", _image(lambda p, i: p[1] / i[1], lambda p, i: p[0] / i[0]), "the way back"),
    ("to_image", "one factor", _image(fx=lambda p, i: i[0] / p[0]), "factor of the height"),
    ("to_image", "axes swapped", _image(lambda p, i: i[0] / p[0], lambda p, i: i[1] / p[1]), "sizes are (H, W)"),
    ("to_image", "not clipped", _image(clip=False), "you do not clip"),
    ("to_image", "clipped at 0 only", _image_below_only, ""),
    ("to_image", "W - 1", _image(end=lambda i: (i[0] - 1, i[1] - 1)), "lies at W"),
    ("to_image", "W and H swapped in the clip", _image(end=lambda i: i[::-1]), ""),
    ("to_image", "rounded", _image(after=round), "round to whole pixels"),
    ("to_image", "clipped first", _image_clip_first, "scale first"),
    ("to_image", "writes into the boxes", _image_in_place, "change"),
    ("trainable", "convolutions in 3 and 4", _steps(three={1, 2}, four={1, 3}), "under the other's layers"),
    ("trainable", "first stages", _steps(one={0, 1, 2}, two={0, 1, 3}, joint={0, 1, 2, 3}), "first stages"),
    ("trainable", "step 2 frozen", _steps(two={3}), "convolutions of its own"),
    ("trainable", "heads only", _steps(one={2}, two={3}, joint={2, 3}), "never train the convolutions"),
    ("trainable", "RPN in step 4", _steps(four={2, 3}), "stay as they are"),
    ("trainable", "3 and 4 exchanged", _steps(three={3}, four={2}), "exchange steps 3 and 4"),
    ("trainable", "joint heads", _steps(joint={2, 3}), "both losses reach them"),
    ("trainable", "everything", lambda parts, step: torch.ones(len(parts), dtype=torch.bool), ""),
    ("trainable", "parts themselves", _steps_numbers, ""),
]

ENDLESS = []

RIGHT = [
    ("theta_of", "plain loops", _theta()),
    ("theta_of", "numpy", _theta_numpy),
    ("halve", "plain loops", _halve_loops),
    ("halve", "numpy", _halve_numpy),
    ("halve", "torch's pooling", lambda crops: F.max_pool2d(crops, 2)),
    ("halve", "views", _halve_views),
    ("proposal_targets", "plain loops", _targets()),
    ("proposal_targets", "numpy", _targets_numpy),
    ("to_image", "plain loops", _image()),
    ("to_image", "torch", _image_torch),
    ("trainable", "a table", _steps()),
    ("trainable", "rules", _steps_rules),
]
