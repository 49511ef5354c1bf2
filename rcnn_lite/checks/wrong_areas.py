"""Known wrong versions of notebook 02's functions: from verdicts to average precision. The docstring of each is what a
learner who makes it is told.
"""

import torch

# ---- ap_from_verdicts ----


def curve_of(right, objects):
    """Recall and precision (N,) of verdicts that are sorted already."""
    hits = right.double().cumsum(0)
    return hits / objects, hits / torch.arange(1, len(right) + 1)


def envelope_of(precision):
    """The best precision from each point on."""
    return precision.flip(0).cummax(0).values.flip(0) if len(precision) else precision


def sampled(recall, precision, levels, strict=False, before=False, skip=False):
    """Mean of the precision at recall levels; ``precision`` is the envelope, or not."""
    values = []
    for level in levels:
        there = torch.nonzero(recall > level if strict else recall >= level).flatten()
        if before:
            there = torch.nonzero(recall <= level).flatten().flip(0)
        if len(there) or not skip:
            values.append(float(precision[there[0]]) if len(there) else 0.0)
    return sum(values) / max(len(values), 1)


def _area(recall, precision):
    return float((recall.diff(prepend=recall.new_zeros(1)) * precision).sum())


ELEVEN = tuple(k / 10 for k in range(11))


def _ap(right, objects, eleven_points, envelope=True, levels=ELEVEN, **how):
    recall, precision = curve_of(right, objects)
    precision = envelope_of(precision) if envelope else precision
    return sampled(recall, precision, levels, **how) if eleven_points else _area(recall, precision)


def ap_without_envelope(right, objects, eleven_points):
    """you use the precision as it is. Both versions first replace it by the best precision from there on: the
    envelope.
    """
    return _ap(right, objects, eleven_points, envelope=False)


def ap_swapped(right, objects, eleven_points):
    """you have the two versions swapped: `eleven_points=False` asks for the area."""
    return _ap(right, objects, not eleven_points)


def ap_ten_levels(right, objects, eleven_points):
    """your levels are 0.1 to 1; recall 0 is the eleventh."""
    return _ap(right, objects, eleven_points, levels=ELEVEN[1:])


def ap_float_levels(right, objects, eleven_points):
    """your levels come from steps of 0.1: the third is 0.30000000000000004, and a recall of 0.3 does not reach it. Use
    k / 10, or allow 1e-6.
    """
    return _ap(right, objects, eleven_points, levels=[k * 0.1 for k in range(11)])


def ap_above_levels(right, objects, eleven_points):
    """you ask for a recall above the level; a recall equal to it has reached it."""
    return _ap(right, objects, eleven_points, strict=True)


def ap_reached_levels(right, objects, eleven_points):
    """you average over the levels that are reached; a level that is never reached counts as precision 0."""
    return _ap(right, objects, eleven_points, skip=True)


def ap_of_found(right, objects, eleven_points):
    """your recall ends at 1 because you divide by the objects that were found; divide by all of them."""
    return _ap(right, int(right.sum().clamp(min=1)), eleven_points)


def ap_point_before(right, objects, eleven_points):
    """you take the precision at the last point below the level; the envelope is the best one from the level on."""
    return _ap(right, objects, eleven_points, before=True)


# ---- coco_ap ----


PERCENTS = tuple(k / 100 for k in range(101))


def _coco(verdicts, objects, levels=PERCENTS, envelope=True):
    recall, precision = curve_of(verdicts == 1, objects)
    return sampled(recall, envelope_of(precision) if envelope else precision, levels)


def coco_ignored_wrong(verdicts, objects):
    """you count ignored detections (2) as wrong; they are as if they had never been made."""
    return _coco(verdicts, objects)


def coco_ignored_right(verdicts, objects):
    """you count ignored detections (2) as right; they are as if they had never been made."""
    recall, precision = curve_of(verdicts > 0, objects)
    return sampled(recall, envelope_of(precision), PERCENTS)


def coco_without_envelope(verdicts, objects):
    """you forget the envelope: the best precision from each recall on."""
    return _coco(verdicts[verdicts != 2], objects, envelope=False)


def coco_eleven(verdicts, objects):
    """you use VOC 2007's eleven levels; COCO has 101."""
    return _coco(verdicts[verdicts != 2], objects, levels=ELEVEN)


def coco_area(verdicts, objects):
    """you take the exact area; COCO averages over 101 levels, 0 among them, which gives a little more."""
    return _ap(verdicts[verdicts != 2] == 1, objects, False)


def coco_hundred(verdicts, objects):
    """your levels are 0.01 to 1; recall 0 is the 101st."""
    return _coco(verdicts[verdicts != 2], objects, levels=PERCENTS[1:])


# ---- best_and_worst ----


def _best_and_worst(right, objects):
    found = int(right.sum())
    return found / objects, found / objects * found / max(len(right), 1)


def order_swapped(right, objects):
    """you return the worst first; the answer is (best, worst)."""
    return _best_and_worst(right, objects)[::-1]


def order_best_is_one(right, objects):
    """your best AP is 1 although objects are missing: no order finds what was not detected. The recall it ends at is
    its limit.
    """
    return 1.0, _best_and_worst(right, objects)[1]


def order_worst_is_zero(right, objects):
    """your worst AP is 0. Even at the end of the list right detections lift it: the last point of the curve has some
    precision.
    """
    return _best_and_worst(right, objects)[0], 0.0


def order_worst_precision(right, objects):
    """your worst AP is the precision at the end of the list; that height reaches only as far as the recall does:
    multiply.
    """
    best, _ = _best_and_worst(right, objects)
    return best, float(right.float().mean()) if len(right) else 0.0


def order_without_envelope(right, objects):
    """you average the precision at each right detection without the envelope: with all wrong ones first the precision
    rises to its last value, and the envelope is flat.
    """
    found, wrong = int(right.sum()), int((~right).sum())
    return found / objects, sum(k / (wrong + k) for k in range(1, found + 1)) / objects


def order_as_given(right, objects):
    """you compute the AP of the order in which they come; the question is what other orders could make of it."""
    ap = _ap(right, objects, False)
    return ap, ap
