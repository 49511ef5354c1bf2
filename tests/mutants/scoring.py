"""Wrong and right answers to notebook 16's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

# ---- not_beaten ----


def _board(faster=lambda t, s: t <= s, better=lambda v, w: v >= w, other=lambda i, j, one, two: one != two, turn=False):
    """Plain loops, with what learners change in them."""

    def answer(seconds, scores):
        result, seconds, scores = [], seconds.tolist(), scores.tolist()
        for i in range(len(seconds)):
            beaten = False
            for j in range(len(seconds)):
                one, two = (seconds[j], scores[j]), (seconds[i], scores[i])
                if faster(one[0], two[0]) and better(one[1], two[1]) and other(i, j, one, two):
                    beaten = True
            result.append(beaten if turn else not beaten)
        return torch.tensor(result, dtype=torch.bool)

    return answer


def _board_sorted(seconds, scores):
    """From the fastest on: not beaten is what is better than all before it."""
    seconds, scores = seconds.tolist(), scores.tolist()
    result, best = [False] * len(seconds), -1.0
    for second in sorted(set(seconds)):
        here = [i for i in range(len(seconds)) if seconds[i] == second]
        top = max(scores[i] for i in here)
        for i in here:
            result[i] = scores[i] == top and top > best
        best = max(best, top)
    return result


def _board_numpy(seconds, scores):
    s, v = seconds.numpy(), scores.numpy()
    at_least = (s[:, None] <= s[None]) & (v[:, None] >= v[None])  # [j, i]: j is no worse than i
    truly = (s[:, None] < s[None]) | (v[:, None] > v[None])
    return ~(at_least & truly).any(axis=0)


def _board_ratio(seconds, scores):
    ratios = scores / seconds
    return ratios == ratios.max()


def _board_before(seconds, scores):
    before = [[seconds[j] <= seconds[i] and scores[j] > scores[i] for j in range(i)] for i in range(len(seconds))]
    return torch.tensor([not any(row) for row in before])


def _board_sorts_in_place(seconds, scores):
    seconds.copy_(seconds.sort().values)
    seconds += 0.1
    return _board()(seconds, scores)


# ---- gains_in_recall ----


def _gains(minus=1, whole=False, once=False, mean=False, other=True):
    """One set after another, with what learners change in it."""

    def answer(hits, other_hits, objects, draws):
        gains = []
        for drawn in draws.tolist():
            drawn = sorted(set(drawn)) if once else drawn
            found = [minus * (int(hits[i]) - (int(other_hits[i]) if other else 0)) for i in drawn]
            there = [int(objects[i]) for i in drawn]
            if mean:
                gains.append(sum(f / t for f, t in zip(found, there, strict=True)) / len(drawn))
            else:
                gains.append(sum(found) / (int(objects.sum()) if whole else sum(there)))
        return torch.tensor(gains)

    return answer


def _gains_torch(hits, other_hits, objects, draws):
    return hits[draws].sum(1) / objects[draws].sum(1) - other_hits[draws].sum(1) / objects[draws].sum(1)


def _gains_counts(hits, other_hits, objects, draws):
    """How often each image is drawn, then two products."""
    times = np.stack([np.bincount(drawn, minlength=len(objects)) for drawn in draws.numpy()])
    return times @ (hits - other_hits).numpy() / (times @ objects.numpy())


def _gains_unpaired(hits, other_hits, objects, draws):
    return hits[draws].sum(1) / objects[draws].sum(1) - other_hits.sum() / objects.sum()


def _gains_relative(hits, other_hits, objects, draws):
    return (hits - other_hits)[draws].sum(1) / other_hits[draws].sum(1).clamp(min=1)


def _gains_changes(hits, other_hits, objects, draws):
    hits -= other_hits
    return hits[draws].sum(1) / objects[draws].sum(1)


def _gains_one(hits, other_hits, objects, draws):
    return ((hits - other_hits)[draws].sum(1) / objects[draws].sum(1)).mean()


# ---- judge ----


def _verdict(inside, outside):
    return "reproduced" if inside else "not reproduced" if outside else "cannot tell"


def _judge(gain, margin):
    low, high = gain.tolist()
    if margin == 0:
        return _verdict(low > 0, high < 0)
    return _verdict(max(abs(low), abs(high)) <= margin, low > margin or high < -margin)


def _judge_sets(gain, margin):
    """What may be is an interval, what is claimed is another: one inside the other, apart, or neither."""
    low, high = gain.tolist()
    first, last = (-margin, margin) if margin else (np.nextafter(0.0, 1.0), np.inf)
    return _verdict(first <= low <= high <= last, high < (first if margin else 0.0) or low > last)


def _judge_zero_counts(gain, margin):
    low, high = gain.tolist()
    return _judge(gain, margin) if margin else _verdict(low >= 0, high <= 0)


def _judge_middle(gain, margin):
    low, high = gain.tolist()
    middle = (low + high) / 2
    return _verdict(abs(middle) <= margin if margin else middle > 0, True)


def _judge_two_words(gain, margin):
    return "reproduced" if _judge(gain, margin) == "reproduced" else "not reproduced"


def _judge_zero_is_alike(gain, margin):
    low, high = gain.tolist()
    return _judge(gain, 0) if not margin else _verdict(low <= 0 <= high, True)


def _judge_no_margin(gain, margin):
    return _judge(gain, 0)


def _judge_better_too(gain, margin):
    low, high = gain.tolist()
    return _judge(gain, 0) if not margin else _verdict(low >= -margin, high < -margin)


def _judge_other_words(gain, margin):
    return {"reproduced": "yes", "not reproduced": "no"}.get(_judge(gain, margin), "maybe")


# ---- times_as_fast ----


def _times(stages, name, factor):
    after = dict(stages)
    after[name] = after[name] / factor
    return sum(stages.values()) / sum(after.values())


def _times_by_share(stages, name, factor):
    """Amdahl's law with the share of the stage."""
    share = stages[name] / sum(stages.values())
    return 1 / (1 - share + share / factor)


def _times_in_place(stages, name, factor):
    before = sum(stages.values())
    stages[name] /= factor
    return before / sum(stages.values())


def _times_saved(stages, name, factor):
    return 1 - 1 / _times(stages, name, factor)


def _times_gone(stages, name, factor):
    rest = sum(seconds for key, seconds in stages.items() if key != name)
    return sum(stages.values()) / rest if rest else float("inf")


MUTANTS = [
    ("not_beaten", "faster and better", _board(lambda t, s: t < s, lambda v, w: v > w), "to be faster and better"),
    ("not_beaten", "equal ones beat each other", _board(other=lambda i, j, one, two: i != j), "equal in both"),
    ("not_beaten", "itself a rival", _board(other=lambda *_: True), ""),
    ("not_beaten", "beaten ones", _board(turn=True), "for those that are beaten"),
    ("not_beaten", "more seconds are better", _board(faster=lambda t, s: t >= s), "as if more of them were better"),
    ("not_beaten", "most score a second", _board_ratio, "most score a second"),
    ("not_beaten", "only those before", _board_before, ""),
    ("not_beaten", "sorts the argument", _board_sorts_in_place, "changes its argument `seconds`"),
    ("gains_in_recall", "mean of images", _gains(mean=True), "average the recall of images"),
    ("gains_in_recall", "all objects", _gains(whole=True), "the drawn set has its own"),
    ("gains_in_recall", "each image once", _gains(once=True), "drawn twice counts twice"),
    ("gains_in_recall", "turned round", _gains(minus=-1), "the wrong way round"),
    ("gains_in_recall", "not paired", _gains_unpaired, "both must see the same set"),
    ("gains_in_recall", "first detector only", _gains(other=False), "the recall of the first detector"),
    ("gains_in_recall", "relative", _gains_relative, "a difference of two recalls"),
    ("gains_in_recall", "changes hits", _gains_changes, "changes its argument `hits`"),
    ("gains_in_recall", "one number", _gains_one, ""),
    ("judge", "zero counts as above", _judge_zero_counts, ""),
    ("judge", "the middle", _judge_middle, "the middle of the interval"),
    ("judge", "never open", _judge_two_words, "what these images cannot tell"),
    ("judge", "0 inside is alike", _judge_zero_is_alike, "few images make any interval that wide"),
    ("judge", "no margin", _judge_no_margin, "do not use the margin"),
    ("judge", "better is alike", _judge_better_too, "better by more than the margin"),
    ("judge", "other words", _judge_other_words, ""),
    ("times_as_fast", "the factor", lambda stages, name, factor: factor, "`factor` is returned as it came"),
    ("times_as_fast", "turned round", lambda *args: 1 / _times(*args), "you divide after by before"),
    ("times_as_fast", "share saved", _times_saved, "the share of the time"),
    ("times_as_fast", "seconds after", lambda s, n, f: sum(s.values()) / _times(s, n, f), "the seconds that it takes"),
    ("times_as_fast", "mean", lambda s, n, f: (len(s) - 1 + f) / len(s), "a stage counts by its seconds"),
    ("times_as_fast", "stage gone", _times_gone, "you leave the stage out"),
    ("times_as_fast", "in place", _times_in_place, "changes its argument `stages`"),
]


def _endless_board(seconds, scores):
    i = 0
    while i < len(seconds):
        if seconds[i] > 0:
            continue
        i += 1
    return torch.ones(len(seconds), dtype=torch.bool)


ENDLESS = [("not_beaten", "index never moves", _endless_board, "does not come to an end")]
RIGHT = [
    ("not_beaten", "loops", _board()),
    ("not_beaten", "sorted by speed", _board_sorted),
    ("not_beaten", "numpy", _board_numpy),
    ("gains_in_recall", "loops", _gains()),
    ("gains_in_recall", "torch", _gains_torch),
    ("gains_in_recall", "numpy, counts", _gains_counts),
    ("judge", "loops", _judge),
    ("judge", "one interval in another", _judge_sets),
    ("times_as_fast", "loops", _times),
    ("times_as_fast", "Amdahl", _times_by_share),
]
