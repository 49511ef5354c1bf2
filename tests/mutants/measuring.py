"""Wrong and right answers to notebook 02's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

from rcnn_lite.boxes import box_iou

# ---- match_detections ----


def _matcher(enough=lambda iou, t: iou >= t, free_only=True, claims=True, every=False):
    """The greedy rule in plain loops, with what learners change in it."""

    def answer(overlaps, iou_threshold):
        taken, right = [], []
        for row in overlaps.tolist():
            choice = [m for m in range(len(row)) if not free_only or m not in taken]
            best = max(choice, key=lambda m: row[m], default=None)
            good = best is not None and enough(row[best], iou_threshold) and best not in taken
            right.append(good)
            if best is not None and claims and (good or every):
                taken.append(best)
        return right

    return answer


def _match_argmax(overlaps, iou_threshold):
    best = overlaps.argmax(dim=1)
    return overlaps[torch.arange(len(overlaps)), best] >= iou_threshold


def _match_by_object(overlaps, iou_threshold):
    right = [False] * len(overlaps)
    for m in range(overlaps.shape[1]):
        column = overlaps[:, m].tolist()
        if column and max(column) >= iou_threshold:
            right[column.index(max(column))] = True
    return right


def _match_first(overlaps, iou_threshold):
    taken, right = set(), []
    for row in overlaps.tolist():
        hits = [m for m, iou in enumerate(row) if iou >= iou_threshold and m not in taken]
        taken.update(hits[:1])
        right.append(bool(hits))
    return right


def _match_transposed(overlaps, iou_threshold):
    return _matcher()(overlaps.T, iou_threshold)


def _match_in_place(overlaps, iou_threshold):
    right = []
    for n in range(len(overlaps)):
        best = overlaps[n].argmax() if overlaps.shape[1] else None
        right.append(best is not None and bool(overlaps[n, best] >= iou_threshold))
        if right[-1]:
            overlaps[:, best] = 0
    return right


def _match_numpy(overlaps, iou_threshold):
    left, right = np.array(overlaps), np.zeros(len(overlaps), bool)
    for n in range(len(left)):
        m = left[n].argmax() if left.shape[1] else 0
        if left.shape[1] and left[n, m] >= np.float32(iou_threshold):
            right[n], left[:, m] = True, -1
    return right


# ---- precision_recall ----


def _curve(order=lambda s: np.argsort(-s), hits=np.cumsum, by=None, ranks=lambda n: np.arange(1, n + 1), swap=False):
    def answer(right, scores, objects):
        flags = np.asarray(right, dtype=float)[order(np.asarray(scores))]
        total = hits(flags)
        recall, precision = total / (by(flags) if by else objects), total / ranks(len(flags))
        return (precision, recall) if swap else (recall, precision)

    return answer


def _curve_loops(right, scores, objects):
    recall, precision, count = [], [], 0
    for n, (_, good) in enumerate(sorted(zip(scores.tolist(), right.tolist(), strict=True), reverse=True), start=1):
        count += good
        recall.append(count / objects)
        precision.append(count / n)
    return recall, precision


# ---- ap_from_verdicts ----


def _ap(
    right, objects, eleven_points, *, envelope=True, levels=None, reaches=lambda r, level: r >= level - 1e-9, mean=None
):
    hits, recall, precision = 0, [], []
    for n, good in enumerate(right.tolist(), start=1):
        hits += good
        recall.append(hits / objects)
        precision.append(hits / n)
    if envelope:
        precision = [max(precision[n:]) for n in range(len(precision))]
    if not eleven_points:
        return sum(p for p, good in zip(precision, right.tolist(), strict=True) if good) / objects
    found = []
    for level in [k / 10 for k in range(11)] if levels is None else levels:
        there = [p for r, p in zip(recall, precision, strict=True) if reaches(r, level)]
        found.append(there[0] if there else 0.0)
    return mean(found) if mean else sum(found) / len(found)


def _ap_changed(**change):
    return lambda right, objects, eleven_points: _ap(right, objects, eleven_points, **change)


def _ap_right_only(right, objects, eleven_points):
    return _ap(right, max(int(right.sum()), 1), eleven_points)


def _ap_torch(right, objects, eleven_points):
    hits = right.cumsum(0)
    precision = hits / torch.arange(1, len(hits) + 1)
    best = [precision[10 * hits >= k * objects].max() for k in range(11) if (10 * hits >= k * objects).any()]
    if eleven_points:
        return sum(best) / 11
    return sum(precision[n:].max() for n in torch.nonzero(right).flatten().tolist()) / objects


# ---- coco_ap ----


def _coco(keep=lambda v: v[v != 2], good=lambda v: v == 1, levels=101, envelope=True):
    def answer(verdicts, objects):
        right = np.asarray(good(keep(verdicts)), dtype=float)
        hits = right.cumsum()
        precision = hits / np.arange(1, len(hits) + 1)
        if envelope:
            precision = np.maximum.accumulate(precision[::-1])[::-1]
        recalls = np.arange(levels) / (levels - 1)
        return np.append(precision, 0)[np.searchsorted(hits / objects, recalls)].mean()

    return answer


def _coco_sum(verdicts, objects):
    kept = verdicts[verdicts != 2]
    hits = (kept == 1).cumsum(0).tolist()
    precision = [h / n for n, h in enumerate(hits, start=1)]
    best = [precision[n:] for n, v in enumerate(kept.tolist()) if v == 1]
    return sum(map(max, best)) / objects


def _coco_loops(verdicts, objects):
    kept = [v for v in verdicts.tolist() if v != 2]
    points = [(kept[:n].count(1) / objects, kept[:n].count(1) / n) for n in range(1, len(kept) + 1)]
    return sum(max([p for r, p in points if r >= k / 100], default=0.0) for k in range(101)) / 101


# ---- recall_of_proposals ----


def _recall(same=lambda i, g: i == g, enough=lambda iou, t: iou >= t, total=None):
    """Plain loops; ``total(hits, ...)`` makes a number of the list of hits by object."""

    def answer(proposals, image, gt_boxes, gt_image, iou_threshold):
        overlaps = box_iou(proposals, gt_boxes).tolist()
        hits = [
            sum(same(image[p], gt_image[m]) and enough(row[m], iou_threshold) for p, row in enumerate(overlaps))
            for m in range(len(gt_boxes))
        ]
        return total(hits, proposals, image, gt_image) if total else sum(map(bool, hits)) / len(hits)

    return answer


def _mean_of_images(hits, proposals, image, gt_image):
    shares = []
    for i in set(gt_image.tolist()):
        own = [bool(hit) for hit, g in zip(hits, gt_image.tolist(), strict=True) if g == i]
        shares.append(sum(own) / len(own))
    return sum(shares) / len(shares)


def _only_seen(hits, proposals, image, gt_image):
    own = [bool(hit) for hit, g in zip(hits, gt_image.tolist(), strict=True) if g in image.tolist()]
    return sum(own) / len(own) if own else 0.0


def _recall_torch(proposals, image, gt_boxes, gt_image, iou_threshold):
    overlaps = box_iou(proposals, gt_boxes) * (image[:, None] == gt_image)
    return (overlaps >= iou_threshold).any(0).float().mean()


# ---- best_and_worst ----


def _orders_sorted(right, objects):
    best = sorted(right.tolist(), reverse=True)
    return tuple(_ap(torch.tensor(o, dtype=torch.bool), objects, False) for o in (best, best[::-1]))


def _orders_formula(right, objects):
    found, all_of_them = right.sum().item(), max(len(right), 1)
    return found / objects, found**2 / (objects * all_of_them)


def _orders_raw(right, objects):
    best = sorted(right.tolist(), reverse=True)
    return tuple(_ap(torch.tensor(o, dtype=torch.bool), objects, False, envelope=False) for o in (best, best[::-1]))


def _precision(right):
    return right.float().mean().item() if len(right) else 0.0


MUTANTS = [
    ("match_detections", "> for >=", _matcher(enough=lambda iou, t: iou > t), "above the threshold"),
    ("match_detections", "nobody claims", lambda o, t: (o >= t).any(1), "have the same object"),
    ("match_detections", "VOC's rule", _matcher(free_only=False), "VOC's rule"),
    ("match_detections", "the first object", _match_first, "first free object"),
    ("match_detections", "a miss claims too", _matcher(free_only=False, every=True), "it gives"),
    ("match_detections", "objects choose", _match_by_object, "choose the detection"),
    ("match_detections", "transposed", _match_transposed, "the shape is"),
    ("match_detections", "argmax of each row", _match_argmax, "have the same object"),
    ("match_detections", "works in place", _match_in_place, "changes its argument `overlaps`"),
    ("precision_recall", "not sorted", _curve(order=lambda s: np.arange(len(s))), "sort by score first"),
    ("precision_recall", "ascending", _curve(order=np.argsort), "wrong way round"),
    ("precision_recall", "swapped", _curve(swap=True), "precision first"),
    ("precision_recall", "share of the found", _curve(by=lambda f: max(f.sum(), 1)), "objects that were found"),
    ("precision_recall", "share of the list", _curve(by=lambda f: max(len(f), 1)), "number of detections"),
    ("precision_recall", "no cumsum", _curve(hits=lambda f: f), "`cumsum`"),
    ("precision_recall", "ranks from 2", _curve(ranks=lambda n: np.arange(2, n + 2)), "one detection too many"),
    ("precision_recall", "ranks from 0", _curve(ranks=lambda n: np.arange(n) + 1e-9), "is right"),
    ("ap_from_verdicts", "no envelope", _ap_changed(envelope=False), "the envelope"),
    ("ap_from_verdicts", "swapped", lambda r, o, e: _ap(r, o, not e), "swapped"),
    ("ap_from_verdicts", "ten levels", _ap_changed(levels=[k / 10 for k in range(1, 11)]), "eleventh"),
    (
        "ap_from_verdicts",
        "np.arange",
        _ap_changed(levels=np.arange(0, 1.1, 0.1), reaches=lambda r, level: r >= level),
        "0.30000000000000004",
    ),
    (
        "ap_from_verdicts",
        "> level",
        _ap_changed(reaches=lambda r, level: r > level + 1e-9),
        "equal to it has reached it",
    ),
    (
        "ap_from_verdicts",
        "only reached levels",
        _ap_changed(mean=lambda f: sum(f) / max(np.count_nonzero(f), 1)),
        "never reached",
    ),
    ("ap_from_verdicts", "found for objects", _ap_right_only, "objects that were found"),
    ("coco_ap", "ignored are wrong", _coco(keep=lambda v: v), "as wrong"),
    ("coco_ap", "ignored are right", _coco(keep=lambda v: v, good=lambda v: v > 0), "as right"),
    ("coco_ap", "no envelope", _coco(envelope=False), "forget the envelope"),
    ("coco_ap", "eleven levels", _coco(levels=11), "eleven"),
    ("coco_ap", "exact area", _coco_sum, "exact area"),
    ("coco_ap", "good upside down", _coco(good=lambda v: v == 0), "is right"),
    ("recall_of_proposals", "images forgotten", _recall(same=lambda i, g: True), "forget the images"),
    (
        "recall_of_proposals",
        "hits",
        _recall(total=lambda hits, *rest: sum(map(int, hits)) / len(hits)),
        "once is enough",
    ),
    ("recall_of_proposals", "mean of images", _recall(total=_mean_of_images), "average over images"),
    ("recall_of_proposals", "seen images only", _recall(total=_only_seen), "no proposal"),
    ("recall_of_proposals", "> for >=", _recall(enough=lambda iou, t: iou > t), "above the threshold"),
    (
        "recall_of_proposals",
        "divided by the proposals",
        _recall(total=lambda hits, proposals, *rest: sum(map(bool, hits)) / max(len(proposals), 1)),
        "is right",
    ),
    ("best_and_worst", "worst first", lambda r, o: _orders_formula(r, o)[::-1], "the answer is (best, worst)"),
    ("best_and_worst", "best is 1", lambda r, o: (1.0, _orders_formula(r, o)[1]), "your best AP is 1"),
    ("best_and_worst", "worst is 0", lambda r, o: (_orders_formula(r, o)[0], 0.0), "your worst AP is 0"),
    ("best_and_worst", "precision", lambda r, o: (_orders_formula(r, o)[0], _precision(r)), "as far as the recall"),
    ("best_and_worst", "no envelope", _orders_raw, "without the envelope"),
    ("best_and_worst", "as they come", lambda r, o: (_ap(r, o, False),) * 2, "what other orders"),
]

ENDLESS = []

RIGHT = [
    ("match_detections", "plain loops", _matcher()),
    ("match_detections", "numpy", _match_numpy),
    ("precision_recall", "plain loops", _curve_loops),
    ("precision_recall", "numpy", _curve()),
    ("ap_from_verdicts", "plain loops", _ap),
    ("ap_from_verdicts", "torch", _ap_torch),
    ("coco_ap", "plain loops", _coco_loops),
    ("coco_ap", "numpy", _coco()),
    ("recall_of_proposals", "plain loops", _recall()),
    ("recall_of_proposals", "torch", _recall_torch),
    ("best_and_worst", "two sorted lists", _orders_sorted),
    ("best_and_worst", "the formula", _orders_formula),
]
