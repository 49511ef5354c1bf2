"""What learners get wrong in notebook 16's exercises; a docstring is what they are told."""

import torch
from torch import Tensor

# ---- not_beaten ----


def _both(seconds, scores):
    return list(zip(seconds.tolist(), scores.tolist(), strict=True))


def _front(beats, seconds, scores):
    both = _both(seconds, scores)
    return [not any(beats(other, one) for other in both) for one in both]


def front_strictly_better(seconds, scores):
    """you ask a rival to be faster and better; one that is as fast and better beats, too."""
    return _front(lambda other, one: other[0] < one[0] and other[1] > one[1], seconds, scores)


def front_loses_ties(seconds, scores):
    """two that are equal in both beat each other in yours: ask for better in one of the two, at least."""
    both = list(enumerate(_both(seconds, scores)))
    return [not any(j != i and t <= s[0] and v >= s[1] for j, (t, v) in both) for i, s in both]


def front_in_one_only(seconds, scores):
    """you count as beaten what somebody beats in speed or in score; it takes both at once."""
    return _front(lambda other, one: other[0] < one[0] or other[1] > one[1], seconds, scores)


def front_most_seconds(seconds, scores):
    """you treat seconds as if more of them were better."""
    return _front(lambda o, one: o[0] >= one[0] and o[1] >= one[1] and o != one, seconds, scores)


def front_beaten_ones(seconds, scores):
    """you return True for those that are beaten."""
    return [not value for value in _front(lambda o, s: o[0] <= s[0] and o[1] >= s[1] and o != s, seconds, scores)]


def front_by_ratio(seconds, scores):
    """you keep only what has the most score a second; the slow but best one is not beaten either."""
    ratios = [score / second for second, score in _both(seconds, scores)]
    return [ratio == max(ratios) for ratio in ratios]


def front_neighbours_only(seconds, scores):
    """you compare each with the one before it in the list; the list is in no order, and anyone may beat anyone."""
    both = _both(seconds, scores)
    return [
        i == 0 or not (both[i - 1][0] <= one[0] and both[i - 1][1] >= one[1] and both[i - 1] != one)
        for i, one in enumerate(both)
    ]


# ---- gains_in_recall ----


def gains_mean_of_images(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you average the recall of images; recall counts objects, and an image with three counts three times."""
    return ((hits - other_hits) / objects)[draws].mean(dim=1)


def gains_all_objects(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you divide by the objects of all images; the drawn set has its own."""
    return (hits - other_hits)[draws].sum(dim=1) / objects.sum()


def gains_each_image_once(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you use each drawn image once; one that is drawn twice counts twice."""
    sets = [torch.unique(drawn) for drawn in draws]
    return torch.stack([(hits - other_hits)[one].sum() / objects[one].sum() for one in sets])


def gains_turned_round(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you subtract the wrong way round: the gain is the first detector's recall minus the other's."""
    return (other_hits - hits)[draws].sum(dim=1) / objects[draws].sum(dim=1)


def gains_not_paired(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you take the other detector's hits from all images, not from the drawn set: both must see the same set."""
    return hits[draws].sum(dim=1) / objects[draws].sum(dim=1) - other_hits.sum() / objects.sum()


def gains_of_the_first(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you return the recall of the first detector; the gain is what it has over the other."""
    return hits[draws].sum(dim=1) / objects[draws].sum(dim=1)


def gains_relative(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """you divide by what the other one found; the gain is a difference of two recalls, so divide by the objects."""
    return (hits - other_hits)[draws].sum(dim=1) / other_hits[draws].sum(dim=1).clamp(min=1)


# ---- judge ----


def judge_by_the_middle(gain, margin):
    """you look at the middle of the interval; all of it must be on one side."""
    low, high = gain.tolist()
    middle = (low + high) / 2
    return "reproduced" if (abs(middle) <= margin if margin else middle > 0) else "not reproduced"


def judge_never_open(gain, margin):
    """you call not reproduced what these images cannot tell."""
    low, high = gain.tolist()
    return "reproduced" if (-margin <= low and high <= margin if margin else low > 0) else "not reproduced"


def judge_zero_inside_is_alike(gain, margin):
    """you call two detectors alike because 0 lies within the interval; few images make any interval that wide."""
    low, high = gain.tolist()
    if not margin:
        return "reproduced" if low > 0 else "not reproduced" if high < 0 else "cannot tell"
    return "reproduced" if low <= 0 <= high else "not reproduced"


def judge_margin_forgotten(gain, margin):
    """you do not use the margin: with one the claim is that the two are alike."""
    low, high = gain.tolist()
    return "reproduced" if low > 0 else "not reproduced" if high < 0 else "cannot tell"


def judge_better_is_alike(gain, margin):
    """with a margin the claim is that the two are alike; one that is better by more than the margin is not."""
    low, high = gain.tolist()
    if not margin:
        return judge_margin_forgotten(gain, margin)
    return "reproduced" if low >= -margin else "not reproduced" if high < -margin else "cannot tell"


def judge_one_end(gain, margin):
    """you look at the upper end alone; without a margin the lower end must be above 0."""
    low, high = gain.tolist()
    if margin:
        return judge_never_open(gain, margin) if high <= margin else "cannot tell"
    return "reproduced" if high > 0 else "not reproduced"


# ---- times_as_fast ----


def times_turned_round(stages, name, factor):
    """you divide after by before: 4 times as fast is before divided by after."""
    whole = sum(stages.values())
    return (whole - stages[name] + stages[name] / factor) / whole


def times_share_saved(stages, name, factor):
    """you return the share of the time that is saved."""
    return stages[name] * (1 - 1 / factor) / sum(stages.values())


def times_seconds(stages, name, factor):
    """you return the seconds that it takes afterwards."""
    return sum(stages.values()) - stages[name] + stages[name] / factor


def times_mean(stages, name, factor):
    """you average how much faster each stage is; a stage counts by its seconds."""
    return (len(stages) - 1 + factor) / len(stages)


def times_stage_gone(stages, name, factor):
    """you leave the stage out; it still takes its seconds divided by the factor."""
    rest = sum(stages.values()) - stages[name]
    return sum(stages.values()) / rest if rest else float("inf")
