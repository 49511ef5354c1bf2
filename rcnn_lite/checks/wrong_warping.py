"""Known wrong versions of notebook 05's answers. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import box_iou

# ---- source_coordinates ----


def _points(edges, size, context, half=0.5):
    step = (edges[:, 1] - edges[:, 0]) / (size - 2 * context)
    return edges[:, :1] + (torch.arange(size) + half - context) * step[:, None]


def points_at_corners(edges, size, context):
    """you leave out the 1/2: a pixel's centre lies half a pixel behind its first edge."""
    return _points(edges, size, context, half=0.0)


def points_without_context(edges, size, context):
    """you spread the box over all S pixels: the p pixels of context on both sides are missing."""
    return _points(edges, size, 0)


def points_context_once(edges, size, context):
    """you divide by S - p: there is context on both sides, so S - 2 p pixels are left for the box."""
    step = (edges[:, 1] - edges[:, 0]) / (size - context)
    return edges[:, :1] + (torch.arange(size) + 0.5 - context) * step[:, None]


def points_box_first(edges, size, context):
    """you start at the box's edge: pixel 0 lies p pixels before it."""
    step = (edges[:, 1] - edges[:, 0]) / (size - 2 * context)
    return edges[:, :1] + (torch.arange(size) + 0.5) * step[:, None]


def points_context_of_image(edges, size, context):
    """you take p pixels of the image: the context is counted in warped pixels."""
    low, high = edges[:, :1] - context, edges[:, 1:] + context
    return low + (torch.arange(size) + 0.5) * (high - low) / size


def points_end_to_end(edges, size, context):
    """you put the first and the last pixel's centre on the two ends: between them lie S - 1 steps, and each pixel is a
    little too wide. The ends belong to the pixels' outer edges."""
    outside = (edges[:, 1:] - edges[:, :1]) / (size - 2 * context) * context
    low, high = edges[:, :1] - outside, edges[:, 1:] + outside
    return low + torch.arange(size) * (high - low) / max(1, size - 1)


def points_full_step(edges, size, context):
    """you divide the box by S, not by S - 2 p, so it comes out too small."""
    step = (edges[:, 1] - edges[:, 0]) / size
    return edges[:, :1] + (torch.arange(size) + 0.5 - context) * step[:, None]


# ---- tightest_squares ----


def _squares(boxes, side):
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    return torch.cat((centre - side / 2, centre + side / 2), dim=1)


def _sides(boxes):
    return boxes[:, 2:] - boxes[:, :2]


def squares_shorter(boxes):
    """you take the shorter side: the square must hold the whole box."""
    return _squares(boxes, _sides(boxes).amin(dim=1, keepdim=True))


def squares_from_corner(boxes):
    """you keep the upper left corner: the box must lie in the middle of its square."""
    return torch.cat((boxes[:, :2], boxes[:, :2] + _sides(boxes).amax(dim=1, keepdim=True)), dim=1)


def squares_same_area(boxes):
    """you keep the area, not the longer side: a part of the box is cut off."""
    return _squares(boxes, _sides(boxes).prod(dim=1, keepdim=True).sqrt())


def squares_side_for_half(boxes):
    """you go a whole side from the centre in each direction: the square is twice too large. Half a side is enough."""
    return _squares(boxes, 2 * _sides(boxes).amax(dim=1, keepdim=True))


def squares_widest_of_all(boxes):
    """you take one side for all boxes, the longest of any; each has its own (`amax(dim=1)`)."""
    return _squares(boxes, _sides(boxes).amax() if len(boxes) else 0)


def squares_clipped(boxes):
    """you cut the square at 0: it may reach over the border, and what is missing there is filled in later."""
    return _squares(boxes, _sides(boxes).amax(dim=1, keepdim=True)).clamp(min=0)


def squares_centre_form(boxes):
    """you return centre and side. A box is x1 y1 x2 y2."""
    side = _sides(boxes).amax(dim=1, keepdim=True)
    return torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, side, side), dim=1)


# ---- region_labels ----


def _overlaps(boxes, gt_boxes):
    if not len(gt_boxes):
        return torch.zeros(len(boxes)), torch.zeros(len(boxes), dtype=torch.int64)
    return box_iou(boxes, gt_boxes).max(dim=1)


def _named(positive, gt_labels, nearest):
    return torch.where(positive, gt_labels[nearest] if len(gt_labels) else 0, 0)


def labels_above(boxes, gt_boxes, gt_labels):
    """you want an IoU above 0.5: exactly 0.5 is positive too."""
    overlap, nearest = _overlaps(boxes, gt_boxes)
    return _named(overlap > 0.5, gt_labels, nearest)


def labels_any_overlap(boxes, gt_boxes, gt_labels):
    """you name every region after its nearest object: below an IoU of 0.5 it is background, however near."""
    overlap, nearest = _overlaps(boxes, gt_boxes)
    return _named(overlap > 0, gt_labels, nearest)


def labels_by_number(boxes, gt_boxes, gt_labels):
    """you return the number of the object, not its label: look it up in gt_labels."""
    overlap, nearest = _overlaps(boxes, gt_boxes)
    return torch.where(overlap >= 0.5, nearest, 0)


def labels_first_object(boxes, gt_boxes, gt_labels):
    """you take the first object that overlaps enough: the one that overlaps *most* gives the label."""
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    for j in reversed(range(len(gt_boxes))):
        labels[box_iou(boxes, gt_boxes[j : j + 1])[:, 0] >= 0.5] = gt_labels[j]
    return labels


def labels_last_object(boxes, gt_boxes, gt_labels):
    """later objects overwrite earlier ones: the object that overlaps *most* gives the label."""
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    for j in range(len(gt_boxes)):
        labels[box_iou(boxes, gt_boxes[j : j + 1])[:, 0] >= 0.5] = gt_labels[j]
    return labels


def labels_ignore_band(boxes, gt_boxes, gt_labels):
    """you leave regions between 0.3 and 0.5 out, as the SVMs do later (notebook 06). In fine-tuning they are
    background."""
    overlap, nearest = _overlaps(boxes, gt_boxes)
    return torch.where(overlap >= 0.5, gt_labels[nearest] if len(gt_labels) else 0, torch.where(overlap < 0.3, 0, -1))


def labels_yes_or_no(boxes, gt_boxes, gt_labels):
    """you say 1 for every object: fine-tuning tells the classes apart, so the label is the object's."""
    return (_overlaps(boxes, gt_boxes)[0] >= 0.5).long()


# ---- draw_batch ----


def _rows(pool, chance):
    return pool[(chance * len(pool)).long()] if len(pool) else pool


def _pools(labels):
    return torch.nonzero(labels > 0).flatten(), torch.nonzero(labels == 0).flatten()


def batch_places_in_pool(labels, positive_chance, background_chance):
    """you return places within the list of positives (or backgrounds), not the regions that stand there."""
    positive, background = _pools(labels)
    drawn = [(c * len(p)).long() for p, c in ((positive, positive_chance), (background, background_chance)) if len(p)]
    return torch.cat(drawn) if drawn else positive


def batch_backgrounds_first(labels, positive_chance, background_chance):
    """you put the backgrounds first."""
    positive, background = _pools(labels)
    return torch.cat((_rows(background, background_chance), _rows(positive, positive_chance)))


def batch_rounded(labels, positive_chance, background_chance):
    """you round: chance times the number of regions must be cut down, or the first gets half the chance of the
    others."""
    rows = [p[(c * len(p)).round().long().clamp(max=len(p) - 1)] if len(p) else p
            for p, c in zip(_pools(labels), (positive_chance, background_chance), strict=True)]  # fmt: skip
    return torch.cat(rows)


def batch_from_all(labels, positive_chance, background_chance):
    """you draw from all regions, whatever their label: so rare as positives are, a batch would hardly have any."""
    everything = torch.arange(len(labels))
    return torch.cat((_rows(everything, positive_chance), _rows(everything, background_chance)))


def batch_first_class(labels, positive_chance, background_chance):
    """you take label 1 for the positives: every label above 0 is one."""
    positive, background = torch.nonzero(labels == 1).flatten(), _pools(labels)[1]
    return torch.cat((_rows(positive, positive_chance), _rows(background, background_chance)))


def batch_labels(labels, positive_chance, background_chance):
    """you return the labels of the regions that are drawn; the rows are asked for."""
    positive, background = _pools(labels)
    return labels[torch.cat((_rows(positive, positive_chance), _rows(background, background_chance)))]


def batch_without_repeats(labels, positive_chance, background_chance):
    """you drop regions that are drawn twice: where positives are few, they must be repeated to fill the batch."""
    positive, background = _pools(labels)
    drawn = torch.cat((_rows(positive, positive_chance), _rows(background, background_chance))).tolist()
    return torch.tensor(list(dict.fromkeys(drawn)), dtype=torch.int64)
