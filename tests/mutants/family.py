"""Wrong and right answers to notebook 00's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np

# ---- pixels_through ----


def _pixels_loops(image_sizes, proposals, side):
    regions, pictures = 0, 0
    for (height, width), count in zip(image_sizes.tolist(), proposals.tolist(), strict=True):
        regions += count * side**2
        pictures += height * width
    return regions, pictures


def _pixels_torch(image_sizes, proposals, side):
    return proposals.sum() * side * side, (image_sizes[:, 0] * image_sizes[:, 1]).sum()


def _pixels_numpy(image_sizes, proposals, side):
    height, width = np.asarray(image_sizes).T
    return [np.asarray(proposals).sum() * side**2, (height * width).sum()]


def _pixels_swapped(image_sizes, proposals, side):
    return _pixels_loops(image_sizes, proposals, side)[::-1]


def _pixels_once_a_region(image_sizes, proposals, side):
    shared = sum(h * w * n for (h, w), n in zip(image_sizes.tolist(), proposals.tolist(), strict=True))
    return int(proposals.sum()) * side**2, shared


def _pixels_skipping(image_sizes, proposals, side):
    regions, pictures = 0, 0
    for (height, width), count in zip(image_sizes.tolist(), proposals.tolist(), strict=True):
        if count == 0:
            continue
        regions += count * side**2
        pictures += height * width
    return regions, pictures


def _pixels_first_picture(image_sizes, proposals, side):
    return int(proposals.sum()) * side**2, int(image_sizes[0].prod())


def _pixels_ratio(image_sizes, proposals, side):
    regions, pictures = _pixels_loops(image_sizes, proposals, side)
    return regions / pictures


# ---- boxes_of ----


def _boxes_loops(detection, label, min_score):
    rows = zip(detection["boxes"].tolist(), detection["labels"], detection["scores"], strict=True)
    return [box for box, k, score in rows if k == label and score >= min_score]


def _boxes_torch(detection, label, min_score):
    keep = (detection["labels"] == label) & (detection["scores"] >= min_score)
    return detection["boxes"][keep]


def _boxes_in_two_steps(detection, label, min_score):
    found = {key: value[detection["scores"] >= min_score] for key, value in detection.items()}
    return found["boxes"][found["labels"] == label]


def _boxes_stale_mask(detection, label, min_score):
    boxes = detection["boxes"][detection["scores"] >= min_score]
    return boxes[(detection["labels"] == label)[: len(boxes)]]


def _boxes_in_place(detection, label, min_score):
    detection["boxes"] = detection["boxes"][(detection["labels"] == label) & (detection["scores"] >= min_score)]
    return detection["boxes"]


def _boxes_the_dict(detection, label, min_score):
    keep = (detection["labels"] == label) & (detection["scores"] >= min_score)
    return {key: value[keep] for key, value in detection.items()}


def _boxes_python_and(detection, label, min_score):
    return detection["boxes"][detection["labels"] == label and detection["scores"] >= min_score]


# ---- speedup ----


def _speedup_loops(seconds, stage, factor):
    after = sum(value / factor if i == stage else value for i, value in enumerate(seconds.tolist()))
    return sum(seconds.tolist()) / after


def _speedup_torch(seconds, stage, factor):
    saved = seconds[stage] * (1 - 1 / factor)
    return seconds.sum() / (seconds.sum() - saved)


def _speedup_amdahl(seconds, stage, factor):
    share = seconds[stage] / seconds.sum()
    return 1 / (1 - share + share / factor)


def _speedup_in_place(seconds, stage, factor):
    before = seconds.sum()
    seconds[stage] /= factor
    return before / seconds.sum()


def _speedup_times(seconds, stage, factor):
    after = seconds.clone()
    after[stage] *= factor
    return float(seconds.sum() / after.sum())


def _speedup_percent(seconds, stage, factor):
    return 100 * (_speedup_loops(seconds, stage, factor) - 1)


MUTANTS = [
    ("pixels_through", "order", _pixels_swapped, "wrong order"),
    ("pixels_through", "side once", lambda s, n, side: (int(n.sum()) * side, int(s.prod(1).sum())), "count only side"),
    ("pixels_through", "map for each region", _pixels_once_a_region, "once for each region"),
    ("pixels_through", "empty pictures skipped", _pixels_skipping, "without proposals"),
    ("pixels_through", "first picture only", _pixels_first_picture, "right: [45, 34]"),
    ("pixels_through", "a ratio", _pixels_ratio, "the shape is () where (2,) is right"),
    ("pixels_through", "h + w", lambda s, n, side: (int(n.sum()) * side**2, int(s.sum())), "add height and width"),
    ("boxes_of", "class forgotten", lambda d, k, s: d["boxes"][d["scores"] >= s], "look at the score only"),
    ("boxes_of", "score forgotten", lambda d, k, s: d["boxes"][d["labels"] == k], "look at the class only"),
    ("boxes_of", "> for >=", lambda d, k, s: d["boxes"][(d["labels"] == k) & (d["scores"] > s)], "equal to it is kept"),
    ("boxes_of", "or", lambda d, k, s: d["boxes"][(d["labels"] == k) | (d["scores"] >= s)], "must have both"),
    ("boxes_of", "mask of the whole list", _boxes_stale_mask, "right: "),
    ("boxes_of", "in place", _boxes_in_place, "changes its argument `detection`"),
    ("boxes_of", "the whole dict", _boxes_the_dict, "must be numbers, it is a dict"),
    ("boxes_of", "and for &", _boxes_python_and, "stops with RuntimeError"),
    ("speedup", "the factor", lambda seconds, stage, factor: factor, "`factor` is returned as it came"),
    ("speedup", "upside down", lambda s, i, f: 1 / _speedup_loops(s, i, f), "upside down"),
    ("speedup", "multiplied", _speedup_times, "right: 3"),
    ("speedup", "percent", _speedup_percent, "right: 3"),
    ("speedup", "in place", _speedup_in_place, "changes its argument `seconds`"),
    (
        "speedup",
        "stage dropped",
        lambda s, i, f: float(s.sum()) / float(s.sum() - s[i]),
        "stops with ZeroDivisionError",
    ),
    ("speedup", "seconds saved", lambda s, i, f: float(s[i] - s[i] / f), "a ratio is asked for"),
]

ENDLESS = []

RIGHT = [
    ("pixels_through", "plain loops", _pixels_loops),
    ("pixels_through", "torch", _pixels_torch),
    ("pixels_through", "numpy", _pixels_numpy),
    ("boxes_of", "plain loops", _boxes_loops),
    ("boxes_of", "torch", _boxes_torch),
    ("boxes_of", "in two steps", _boxes_in_two_steps),
    ("speedup", "plain loops", _speedup_loops),
    ("speedup", "torch", _speedup_torch),
    ("speedup", "Amdahl's law", _speedup_amdahl),
]
