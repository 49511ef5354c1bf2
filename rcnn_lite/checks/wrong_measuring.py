"""Known wrong versions of notebook 02's functions: matches, curves, proposals. The docstring of each is what a learner
who makes it is told.
"""

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
    """you divide by the objects that were found, so the recall always ends at 1; divide by all there are."""
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
