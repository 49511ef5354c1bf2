"""Known wrong versions of notebook 00's exercises. The docstring of each is what a learner who makes it is told."""

import torch

# ---- pixels_through ----


def _of_regions(proposals, side):
    return int(proposals.sum()) * side * side


def _of_pictures(image_sizes):
    return int(image_sizes.prod(dim=1).sum())


def pixels_swapped(image_sizes, proposals, side):
    """the two numbers are in the wrong order: R-CNN first, then the shared map."""
    return _of_pictures(image_sizes), _of_regions(proposals, side)


def pixels_side_once(image_sizes, proposals, side):
    """a warped region has side x side pixels, you count only side."""
    return int(proposals.sum()) * side, _of_pictures(image_sizes)


def pixels_shared_by_region(image_sizes, proposals, side):
    """you count the picture once for each region. The map is shared: once a picture, however many regions there are."""
    return _of_regions(proposals, side), int((image_sizes.prod(dim=1) * proposals).sum())


def pixels_also_picture(image_sizes, proposals, side):
    """R-CNN's CNN never sees the whole picture, only its warped regions: leave the picture out of the first number."""
    return _of_regions(proposals, side) + _of_pictures(image_sizes), _of_pictures(image_sizes)


def pixels_skip_empty(image_sizes, proposals, side):
    """you leave out pictures without proposals. The shared map is computed before anybody looks at the regions."""
    return _of_regions(proposals, side), _of_pictures(image_sizes[proposals > 0])


def pixels_perimeter(image_sizes, proposals, side):
    """you add height and width where they must be multiplied."""
    return _of_regions(proposals, side), int(image_sizes.sum())


def pixels_mean(image_sizes, proposals, side):
    """you give the mean of a picture; the sum of all pictures is asked for."""
    count = max(1, len(image_sizes))
    return _of_regions(proposals, side) // count, _of_pictures(image_sizes) // count


# ---- boxes_of ----


def boxes_any_class(detection, label, min_score):
    """you look at the score only; boxes of other classes stay in."""
    return detection["boxes"][detection["scores"] >= min_score]


def boxes_any_score(detection, label, min_score):
    """you look at the class only; boxes with low scores stay in."""
    return detection["boxes"][detection["labels"] == label]


def boxes_above(detection, label, min_score):
    """you keep what is above `min_score`; a score equal to it is kept too."""
    return detection["boxes"][(detection["labels"] == label) & (detection["scores"] > min_score)]


def boxes_either(detection, label, min_score):
    """you keep what has the class or the score; it must have both (& for tensors, not |)."""
    return detection["boxes"][(detection["labels"] == label) | (detection["scores"] >= min_score)]


def boxes_best_only(detection, label, min_score):
    """you return the best box only; all that fit are asked for."""
    return detection["boxes"][(detection["labels"] == label) & (detection["scores"] >= min_score)][:1]


def boxes_below(detection, label, min_score):
    """you keep what scores below `min_score`, the wrong side."""
    return detection["boxes"][(detection["labels"] == label) & (detection["scores"] < min_score)]


def boxes_label_as_row(detection, label, min_score):
    """you take the label for a row number: `boxes[label]` is the box in that row, whatever its class."""
    return detection["boxes"][label : label + 1][detection["scores"][label : label + 1] >= min_score]


# ---- speedup ----


def _after(seconds, stage, factor):
    return float(seconds.sum() - seconds[stage] + seconds[stage] / factor)


def speedup_upside_down(seconds, stage, factor):
    """the fraction is upside down: the seconds before belong above, those after below."""
    return _after(seconds, stage, factor) / float(seconds.sum())


def speedup_share(seconds, stage, factor):
    """you give the stage's share of the time; how many times as fast the whole becomes is asked for."""
    return float(seconds[stage] / seconds.sum())


def speedup_drops_stage(seconds, stage, factor):
    """you leave the stage out altogether; it still takes its seconds divided by the factor."""
    rest = float(seconds.sum() - seconds[stage])
    return float(seconds.sum()) / rest if rest else float("inf")


def speedup_of_all(seconds, stage, factor):
    """you divide the stage's seconds before by the whole's after; the whole's seconds before belong above."""
    return float(seconds[stage]) / _after(seconds, stage, factor)


def speedup_seconds_saved(seconds, stage, factor):
    """you give the seconds that are saved; a ratio is asked for, before divided by after."""
    return float(seconds.sum()) - _after(seconds, stage, factor)


def speedup_weighted(seconds, stage, factor):
    """you average the factors with the stages' shares as weights. Times add up, factors do not."""
    share = float(seconds[stage] / seconds.sum())
    return float(torch.tensor(1 - share + share * factor))
