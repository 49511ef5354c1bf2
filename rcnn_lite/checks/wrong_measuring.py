"""Known wrong versions of notebook 02's functions. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import box_iou

# ---- match_detections ----


def _match(overlaps, iou_threshold, voc=False, first=False, strict=False, claim=True, claim_below=False, indices=False):
    """The greedy rule with one thing done differently."""
    free = torch.ones(overlaps.shape[1], dtype=torch.bool)
    right = torch.zeros(len(overlaps), dtype=torch.bool)
    taken = torch.full((len(overlaps),), -1)
    for n, row in enumerate(overlaps):
        allowed = torch.where(free | voc | (not claim), row, -1.0)
        if allowed.numel() == 0:
            continue
        enough = allowed > iou_threshold if strict else allowed >= iou_threshold
        m = int(enough.int().argmax()) if first else int(allowed.argmax())
        right[n] = bool(enough[m]) and (bool(free[m]) or not claim)
        if right[n]:
            taken[n] = m
        if right[n] or claim_below:
            free[m] = False
    return taken if indices else right


def match_strict(overlaps, iou_threshold):
    """you ask for an IoU above the threshold; an IoU equal to it is enough."""
    return _match(overlaps, iou_threshold, strict=True)


def match_without_claims(overlaps, iou_threshold):
    """you let several detections have the same object. Each object can be claimed once: the best-scored detection gets
    it, the others are wrong.
    """
    return _match(overlaps, iou_threshold, claim=False)


def match_voc(overlaps, iou_threshold):
    """you look at each detection's best object only and give up if it is taken. That is VOC's rule; COCO's takes the
    best object that is still free.
    """
    return _match(overlaps, iou_threshold, voc=True)


def match_first_object(overlaps, iou_threshold):
    """you take the first free object above the threshold; take the one that the detection overlaps most."""
    return _match(overlaps, iou_threshold, first=True)


def match_claims_below(overlaps, iou_threshold):
    """you mark an object as taken although the IoU was too small; a wrong detection claims nothing."""
    return _match(overlaps, iou_threshold, claim_below=True)


def match_objects_choose(overlaps, iou_threshold):
    """you let each object choose the detection that overlaps it most. The detections choose, best score first, and a
    looser box may come first.
    """
    right = torch.zeros(len(overlaps), dtype=torch.bool)
    for column in overlaps.T:
        if len(column) and column.max() >= iou_threshold:
            right[column.argmax()] = True
    return right


def match_indices(overlaps, iou_threshold):
    """you return which object each detection takes; the answer is True for right and False for wrong."""
    return _match(overlaps, iou_threshold, indices=True)


# ---- precision_recall ----


def _pr(right, scores, objects, order="best", recall_by=None, swap=False, cumulate=True, shift=0):
    by = {"best": scores.argsort(descending=True), "worst": scores.argsort(), "none": torch.arange(len(scores))}[order]
    flags = right[by].double()
    hits = flags.cumsum(0) if cumulate else flags
    recall = hits / (objects if recall_by is None else recall_by)
    precision = hits / (torch.arange(len(hits)) + 1 + shift)
    return (precision, recall) if swap else (recall, precision)


def pr_unsorted(right, scores, objects):
    """you go down the list in the order in which it comes; sort by score first, best first."""
    return _pr(right, scores, objects, order="none")


def pr_worst_first(right, scores, objects):
    """you sort the wrong way round: the best score comes first."""
    return _pr(right, scores, objects, order="worst")


def pr_swapped(right, scores, objects):
    """you return precision first; the answer is (recall, precision)."""
    return _pr(right, scores, objects, swap=True)


def pr_recall_of_found(right, scores, objects):
    """you divide by the objects that were found, so the recall always ends at 1; divide by all that were to be found.
    """
    return _pr(right, scores, objects, recall_by=right.sum().clamp(min=1))


def pr_recall_of_detections(right, scores, objects):
    """you divide the recall by the number of detections; it is a share of the objects."""
    return _pr(right, scores, objects, recall_by=max(len(right), 1))


def pr_not_cumulated(right, scores, objects):
    """you count each detection by itself; point n counts all detections down to the n-th (`cumsum`)."""
    return _pr(right, scores, objects, cumulate=False)


def pr_counts_from_two(right, scores, objects):
    """your precision divides by one detection too many: down to the n-th there are n."""
    return _pr(right, scores, objects, shift=1)


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
    """you take the precision at the last point below the level; the envelope there is the best one from the level on.
    """
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


# ---- recall_of_proposals ----


def _covered(proposals, image, gt_boxes, gt_image, iou_threshold, everywhere=False, strict=False):
    """Which proposal covers which object: bool (P, M)."""
    overlaps = box_iou(proposals, gt_boxes)
    enough = overlaps > iou_threshold if strict else overlaps >= iou_threshold
    return enough & ((image[:, None] == gt_image[None, :]) | everywhere)


def _share(values):
    return float(values.double().mean())


def recall_across_images(proposals, image, gt_boxes, gt_image, iou_threshold):
    """you forget the images: a proposal covers objects of its own image only."""
    return _share(_covered(proposals, image, gt_boxes, gt_image, iou_threshold, everywhere=True).any(0))


def recall_of_boxes(proposals, image, gt_boxes, gt_image, iou_threshold):
    """you compute the share of the proposals that lie on an object. That is a precision; recall is the share of the
    objects.
    """
    return _share(_covered(proposals, image, gt_boxes, gt_image, iou_threshold).any(1))


def recall_hits(proposals, image, gt_boxes, gt_image, iou_threshold):
    """you count an object once for each proposal that covers it; once is enough (`any`)."""
    return float(_covered(proposals, image, gt_boxes, gt_image, iou_threshold).sum() / len(gt_boxes))


def recall_by_image(proposals, image, gt_boxes, gt_image, iou_threshold):
    """you average over images; every object counts the same, however many share its image."""
    found = _covered(proposals, image, gt_boxes, gt_image, iou_threshold).any(0)
    return float(torch.tensor([_share(found[gt_image == i]) for i in gt_image.unique()]).mean())


def recall_seen_images(proposals, image, gt_boxes, gt_image, iou_threshold):
    """you leave out images that have no proposal; their objects are missed and count."""
    seen = torch.isin(gt_image, image)
    return _share(_covered(proposals, image, gt_boxes, gt_image, iou_threshold).any(0)[seen])


def recall_strict(proposals, image, gt_boxes, gt_image, iou_threshold):
    """you ask for an IoU above the threshold; an IoU equal to it is enough."""
    return _share(_covered(proposals, image, gt_boxes, gt_image, iou_threshold, strict=True).any(0))


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
    return best, _share(right) if len(right) else 0.0


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
