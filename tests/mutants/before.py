"""Wrong and right answers to notebook 03's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch

# ---- direction_histogram ----


def _votes(
    angle=lambda dx, dy: math.degrees(math.atan2(dy, dx)) % 180, weight=math.hypot, place=lambda a: int(a // 20)
):
    """Plain loops over the pixels, with what learners change in them."""

    def answer(dx, dy):
        bins = [0.0] * 9
        for x, y in zip(dx.tolist(), dy.tolist(), strict=True):
            bins[place(angle(x, y)) % 9] += weight(x, y)
        return bins

    return answer


def _votes_numpy(dx, dy):
    dx, dy = np.asarray(dx, dtype=float), np.asarray(dy, dtype=float)
    angle = np.degrees(np.arctan2(dy, dx)) % 180
    return np.histogram(angle, bins=9, range=(0, 180), weights=np.hypot(dx, dy))[0]


def _votes_torch(dx, dy):
    place = (torch.rad2deg(torch.atan2(dy, dx)) % 180 / 20).long().clamp(max=8)
    return torch.zeros(9).scatter_add(0, place, torch.hypot(dx, dy))


def _votes_overwritten(dx, dy):
    bins = torch.zeros(9)
    place = (torch.rad2deg(torch.atan2(dy, dx)) % 180 / 20).long().clamp(max=8)
    bins[place] += torch.hypot(dx, dy)
    return bins


def _votes_by_arctan(dx, dy):
    return _votes(angle=lambda x, y: math.degrees(math.atan(y / x)) % 180)(dx, dy)


# ---- normalise_block ----


def _unit(v, eps=1e-5):
    return v / torch.sqrt((v**2).sum() + eps**2)


def _hys(values):
    return _unit(_unit(values).clamp(max=0.2))


def _hys_loops(values):
    v = values.tolist()
    for limit in (0.2, math.inf):
        norm = math.sqrt(sum(x * x for x in v) + 1e-10)
        v = [min(x / norm, limit) for x in v]
    return v


def _in_place(values):
    values /= torch.sqrt((values**2).sum() + 1e-10)
    return _unit(values.clamp_(max=0.2))


# ---- count_windows ----


def _count_loops(sizes, window, stride):
    total = 0
    for height, width in sizes.tolist():
        for _ in range(0, height - window[0] + 1, stride):
            for _ in range(0, width - window[1] + 1, stride):
                total += 1
    return total


def _count_torch(sizes, window, stride):
    positions = (sizes - torch.tensor(window)).div(stride, rounding_mode="floor") + 1
    return positions.clamp(min=0).prod(dim=1).sum()


def _count(sizes, window, stride, per=lambda h, w, window, s: ((h - window[0]) // s + 1) * ((w - window[1]) // s + 1)):
    return sum(per(h, w, window, stride) for h, w in sizes.tolist() if h >= window[0] and w >= window[1])


# ---- best_window ----


def _place(scores):
    return divmod(int(scores.argmax()), scores.shape[1])


def _best(scores, window, stride, scale):
    row, column = _place(scores)
    y, x = row * stride * scale, column * stride * scale
    return [x, y, x + window[1] * scale, y + window[0] * scale]


def _best_loops(scores, window, stride, scale):
    top = max((value, -r, -c) for r, row in enumerate(scores.tolist()) for c, value in enumerate(row))
    corner = np.array([-top[2], -top[1]]) * stride
    return np.concatenate((corner, corner + np.array(window)[::-1])) * scale


MUTANTS = [
    ("direction_histogram", "0 to 360", _votes(lambda x, y: math.degrees(math.atan2(y, x)) % 360 / 2), "opposite"),
    ("direction_histogram", "counted", _votes(weight=lambda x, y: float(x != 0 or y != 0)), "length of its gradient"),
    ("direction_histogram", "rounded", _votes(place=lambda a: round(a / 20)), "round down"),
    ("direction_histogram", "swapped", _votes(lambda x, y: math.degrees(math.atan2(x, y)) % 180), "takes dy first"),
    ("direction_histogram", "signs", _votes(lambda x, y: math.degrees(math.atan2(abs(y), abs(x)))), "drop the signs"),
    ("direction_histogram", "|dx| + |dy|", _votes(weight=lambda x, y: abs(x) + abs(y)), "not |dx| + |dy|"),
    ("direction_histogram", "lost votes", _votes_overwritten, "is right"),
    ("direction_histogram", "arctan", _votes_by_arctan, "ZeroDivisionError"),
    ("direction_histogram", "eight bins", lambda dx, dy: _votes()(dx, dy)[:8], "the shape is"),
    ("normalise_block", "not cut", lambda v: _unit(_unit(v)), "cut at 0.2"),
    ("normalise_block", "once", lambda v: _unit(v).clamp(max=0.2), "second normalisation"),
    ("normalise_block", "sum", lambda v: (u := (v / (v.sum() + 1e-5)).clamp(max=0.2)) / (u.sum() + 1e-5), "by the sum"),
    ("normalise_block", "no epsilon", lambda v: _unit(_unit(v, 0.0).clamp(max=0.2), 0.0), "0 / 0"),
    ("normalise_block", "cut first", lambda v: _unit(_unit(v.clamp(max=0.2))), "before you normalise"),
    ("normalise_block", "largest is 1", lambda v: v / (v.max() + 1e-9) if len(v) else v, "is right"),
    ("normalise_block", "works in place", _in_place, "changes its argument `values`"),
    ("count_windows", "no + 1", lambda s, w, t: _count(s, w, t, lambda h, b, w, t: (h - w[0]) // t * ((b - w[1]) // t)),
     "one window more"),
    ("count_windows", "negative", lambda s, w, t: sum(((h - w[0]) // t + 1) * ((b - w[1]) // t + 1)
                                                      for h, b in s.tolist()), "two negative numbers"),
    ("count_windows", "turned", lambda s, w, t: _count(s, w[::-1], t), "swapped height and width"),
    ("count_windows", "areas", lambda s, w, t: sum(h * b // (w[0] * w[1]) for h, b in s.tolist()), "divide areas"),
    ("count_windows", "no stride", lambda s, w, t: _count(s, w, 1), "forget the stride"),
    ("count_windows", "first level", lambda s, w, t: _count(s[:1], w, t), "is right"),
    ("best_window", "not scaled", lambda s, w, t, k: _best(s, w, t, 1), "multiply by the scale"),
    ("best_window", "x and y", lambda s, w, t, k: [_best(s, w[::-1], t, k)[i] for i in (1, 0, 3, 2)],
     "a box begins with x"),
    ("best_window", "h and w", lambda s, w, t, k: _best(s, w[::-1], t, k), "height and width of the window"),
    ("best_window", "no stride", lambda s, w, t, k: _best(s, w, 1, k), "forget the stride"),
    ("best_window", "size not scaled", lambda s, w, t, k: [*(b := _best(s, w, t, k))[:2], b[0] + w[1], b[1] + w[0]],
     "not the size"),
    ("best_window", "worst", lambda s, w, t, k: _best(-s, w, t, k), "is right"),
    ("best_window", "width for x2", lambda s, w, t, k: [*_best(s, w, t, k)[:2], w[1] * k, w[0] * k], "is right"),
]  # fmt: skip

ENDLESS = []

RIGHT = [
    ("direction_histogram", "plain loops", _votes()),
    ("direction_histogram", "numpy", _votes_numpy),
    ("direction_histogram", "torch", _votes_torch),
    ("normalise_block", "torch", _hys),
    ("normalise_block", "plain loops", _hys_loops),
    ("count_windows", "plain loops", _count_loops),
    ("count_windows", "torch", _count_torch),
    ("count_windows", "a sum", _count),
    ("best_window", "a box", _best),
    ("best_window", "numpy", _best_loops),
]
