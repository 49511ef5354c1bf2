"""Slow, plain versions that the package is compared with: loops over numbers, no shared code with rcnn_lite."""


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
