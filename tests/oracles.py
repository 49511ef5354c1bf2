"""Slow, plain versions that the package is compared with: loops over numbers, no shared code with rcnn_lite."""

import math


def iou_of_two(a, b):
    """IoU of two boxes given as four numbers each, by intervals; 0 where the union is empty."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def greedy_nms(boxes, scores, threshold):
    """Indices kept, best first: the rule of R-CNN section 2.2 read aloud."""
    waiting = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept = []
    while waiting:
        best, *waiting = waiting
        kept.append(best)
        waiting = [i for i in waiting if not iou_of_two(boxes[best], boxes[i]) > threshold]
    return kept


def voc_average_precision(detections, objects, threshold, eleven_points):
    """AP of one class by the text of Everingham 2010, section 4.2, no arrays.

    detections: (image, box, score) in order; objects: (image, box, difficult). None if no object counts.
    """
    countable = sum(not difficult for _, _, difficult in objects)
    if countable == 0:
        return None
    used, curve, right, shown = set(), [], 0, 0
    for image, box, _ in sorted(detections, key=lambda detection: -detection[2]):  # sorted is stable
        best, best_iou = None, threshold
        for index, (other_image, other, _) in enumerate(objects):
            iou = iou_of_two(box, other)
            if other_image == image and (iou > best_iou or (best is None and iou == best_iou)):
                best, best_iou = index, iou
        if best is not None and objects[best][2]:
            continue
        shown += 1
        if best is not None and best not in used:
            used.add(best)
            right += 1
        curve.append((right, right / shown))
    if eleven_points:
        # recall right / countable >= k / 10, in whole numbers
        return sum(max([p for r, p in curve if 10 * r >= k * countable], default=0.0) for k in range(11)) / 11
    return sum(max([p for r, p in curve if r >= step], default=0.0) for step in range(1, countable + 1)) / countable


def mask_iou_of_two(mask, gt, crowd):
    """IoU of two masks given as rows of 0 and 1; intersection over the first one's area if the second is a crowd."""
    pairs = [(a, b) for row, gt_row in zip(mask, gt, strict=True) for a, b in zip(row, gt_row, strict=True)]
    shared = sum(1 for a, b in pairs if a and b)
    whole = sum(1 for a, b in pairs if a or (b and not crowd))
    return shared / whole if shared else 0.0


def graph_segmentation(levels, scale, min_size, steps):
    """Felzenszwalb and Huttenlocher's algorithm 1 on levels[y][x] = colour, with a list of components and no trees.

    Weights are rounded down to 1/steps; equal ones come in raster order, then right, down left, down, down right.
    """
    height, width = len(levels), len(levels[0])
    edges = []
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, -1), (1, 0), (1, 1)):
                if y + dy < height and 0 <= x + dx < width:
                    distance = math.dist(levels[y][x], levels[y + dy][x + dx])
                    edges.append((math.floor(distance * steps) / steps, len(edges), (y, x), (y + dy, x + dx)))
    component = {(y, x): {(y, x)} for y in range(height) for x in range(width)}
    slack = dict.fromkeys(component, scale)  # Int(C) + k / |C| by pixel
    for pass_ in ("criterion", "smallest size"):
        for weight, _, p, q in sorted(edges):
            a, b = component[p], component[q]
            light, small = weight <= min(slack[p], slack[q]), min(len(a), len(b)) < min_size
            if a is not b and (light if pass_ == "criterion" else small):
                for pixel in a | b:
                    component[pixel], slack[pixel] = a, weight + scale / (len(a) + len(b))
                a |= b
    names = {}
    return [[names.setdefault(id(component[y, x]), len(names)) for x in range(width)] for y in range(height)]


def window_positions(height, width, window, stride, scales):
    """All windows (x1, y1, x2, y2) of a pyramid, by trying every pixel of every level. Whole numbers only."""
    found = []
    for scale in scales:
        for y in range(height // scale + 1):
            for x in range(width // scale + 1):
                inside = y + window[0] <= height // scale and x + window[1] <= width // scale
                if y % stride == 0 and x % stride == 0 and inside:
                    found.append([x * scale, y * scale, (x + window[1]) * scale, (y + window[0]) * scale])
    return found
