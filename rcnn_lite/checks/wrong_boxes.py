"""Known wrong versions of notebook 01's boxes and IoU. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import box_iou

# ---- voc_to_boxes ----


def voc_all_minus_one(corners):
    """you subtract 1 from all four numbers, so boxes lose a pixel: the last pixel's right edge already is xmax."""
    return corners - 1


def voc_plus_one(corners):
    """you add 1 to xmax and ymax. The width is right, but the box lies one pixel too far right and down: VOC counts
    from 1."""
    return corners + torch.tensor([0, 0, 1, 1])


def voc_only_x(corners):
    """you move x by 1 but leave y: ymin counts from 1 too."""
    return corners - torch.tensor([1, 0, 0, 0])


def voc_two_too_wide(corners):
    """you subtract 1 from the minimum and add 1 to the maximum: boxes grow by a pixel too many."""
    return corners + torch.tensor([-1, -1, 1, 1])


# ---- box_iou ----


def _overlap(boxes, gt_boxes, extra=0.0):
    """Signed widths and heights (N, M) of the overlap, not clamped."""
    low = torch.maximum(boxes[:, None, :2], gt_boxes[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], gt_boxes[None, :, 2:])
    return (high - low + extra).unbind(-1)


def _areas(boxes, gt_boxes, extra=0.0):
    """Areas (N, 1) and (1, M)."""
    one, other = ((b[:, 2:] - b[:, :2] + extra).prod(-1) for b in (boxes, gt_boxes))
    return one[:, None], other[None, :]


def _divide(shared, whole):
    return torch.where(whole != 0, shared / whole, torch.zeros_like(shared))


def iou_plus_one(boxes, gt_boxes):
    """your widths and heights have a +1: in continuous pixels the width is x2 - x1."""
    width, height = _overlap(boxes, gt_boxes, extra=1.0)
    shared = width.clamp(min=0) * height.clamp(min=0)
    one, other = _areas(boxes, gt_boxes, extra=1.0)
    return _divide(shared, one + other - shared)


def iou_unclamped(boxes, gt_boxes):
    """you do not cut negative widths and heights at 0: boxes that are apart get an overlap, since minus times minus is
    plus."""
    width, height = _overlap(boxes, gt_boxes)
    one, other = _areas(boxes, gt_boxes)
    return _divide(width * height, one + other - width * height)


def iou_clamped_late(boxes, gt_boxes):
    """you cut the product at 0 where the width and the height each must be cut: minus times minus is plus."""
    width, height = _overlap(boxes, gt_boxes)
    shared = (width * height).clamp(min=0)
    one, other = _areas(boxes, gt_boxes)
    return _divide(shared, one + other - shared)


def iou_absolute(boxes, gt_boxes):
    """you take the absolute value of the overlap's width where it must be cut at 0: a negative width means a gap."""
    width, height = _overlap(boxes, gt_boxes)
    shared = width.abs() * height.abs()
    one, other = _areas(boxes, gt_boxes)
    return _divide(shared, one + other - shared)


def _shared(boxes, gt_boxes):
    width, height = _overlap(boxes, gt_boxes)
    return width.clamp(min=0) * height.clamp(min=0)


def iou_sum_of_areas(boxes, gt_boxes):
    """your union is the sum of the two areas, so the intersection counts twice: subtract it once."""
    one, other = _areas(boxes, gt_boxes)
    return _divide(_shared(boxes, gt_boxes), one + other)


def iou_over_smaller(boxes, gt_boxes):
    """you divide by the smaller area where the union belongs."""
    return _divide(_shared(boxes, gt_boxes), torch.minimum(*_areas(boxes, gt_boxes)))


def iou_over_boxes(boxes, gt_boxes):
    """you divide by the area of `boxes` where the union belongs."""
    shared = _shared(boxes, gt_boxes)
    return _divide(shared, _areas(boxes, gt_boxes)[0].expand_as(shared))


def iou_over_gt(boxes, gt_boxes):
    """you divide by the area of `gt_boxes` where the union belongs."""
    shared = _shared(boxes, gt_boxes)
    return _divide(shared, _areas(boxes, gt_boxes)[1].expand_as(shared))


def iou_transposed(boxes, gt_boxes):
    """your matrix is transposed: `boxes` are the rows, `gt_boxes` the columns."""
    return box_iou(boxes, gt_boxes).T


def iou_swapped_corners(boxes, gt_boxes):
    """you take the minimum of the upper-left corners and the maximum of the lower-right ones: that frames both
    boxes."""
    low = torch.minimum(boxes[:, None, :2], gt_boxes[None, :, :2])
    high = torch.maximum(boxes[:, None, 2:], gt_boxes[None, :, 2:])
    shared = (high - low).prod(-1)
    one, other = _areas(boxes, gt_boxes)
    return _divide(shared, one + other - shared)


def iou_bounding_box(boxes, gt_boxes):
    """you divide by the area of the frame round both boxes; the union leaves out its empty corners."""
    low = torch.minimum(boxes[:, None, :2], gt_boxes[None, :, :2])
    high = torch.maximum(boxes[:, None, 2:], gt_boxes[None, :, 2:])
    return _divide(_shared(boxes, gt_boxes), (high - low).prod(-1))


def iou_centre_form(boxes, gt_boxes):
    """you read the boxes as centre, width and height; they are corners, x1 y1 x2 y2."""
    corners = [torch.cat((b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2), dim=1) for b in (boxes, gt_boxes)]
    return box_iou(*corners)


def iou_zero_over_zero(boxes, gt_boxes):
    """you divide 0 by 0 where both boxes have no area: say what the answer is there (0)."""
    shared = _shared(boxes, gt_boxes)
    one, other = _areas(boxes, gt_boxes)
    return shared / (one + other - shared)


def iou_pairs_only(boxes, gt_boxes):
    """you compare box i with ground truth i only; every box must meet every ground truth: `boxes[:, None]`,
    `gt_boxes[None]`."""
    return box_iou(boxes, gt_boxes).diagonal()


# ---- clip_boxes ----


def _clip(boxes, x_low, x_high, y_low, y_high):
    x, y = boxes[:, 0::2].clamp(x_low, x_high), boxes[:, 1::2].clamp(y_low, y_high)
    return torch.stack((x[:, 0], y[:, 0], x[:, 1], y[:, 1]), dim=1)


def clip_last_pixel(boxes, image_size):
    """you clip to W - 1 and H - 1. A box is made of edges, and the last column's right edge lies at W."""
    return _clip(boxes, 0, image_size[1] - 1, 0, image_size[0] - 1)


def clip_swapped(boxes, image_size):
    """you have height and width swapped: image_size is (H, W), and x ends at W."""
    return _clip(boxes, 0, image_size[0], 0, image_size[1])


def clip_below_only(boxes, image_size):
    """you clip at 0 only; the right and the lower border are missing."""
    return boxes.clamp(min=0)


def clip_above_only(boxes, image_size):
    """you clip at W and H only; the left and the upper border (0) are missing."""
    return _clip(boxes, None, image_size[1], None, image_size[0])


def clip_half(boxes, image_size):
    """you clip x1, y1 at 0 and x2, y2 at W, H only. A box wholly outside needs both limits on all four."""
    height, width = image_size
    return torch.cat((boxes[:, :2].clamp(min=0), torch.minimum(boxes[:, 2:], torch.tensor([width, height]))), dim=1)


# ---- decode_boxes ----


def _decode(deltas, reference, extra=0.0, swap=False, base=None, corner=False, centre_by="old", half=0.5):
    size = reference[:, 2:] - reference[:, :2] + extra
    centre = reference[:, :2] if corner else reference[:, :2] + size / 2
    if swap:
        size = size.flip(-1)
    factor = 1 + deltas[:, 2:] if base == "none" else 2 ** deltas[:, 2:] if base == 2 else deltas[:, 2:].exp()
    new = size * factor
    centre = centre + deltas[:, :2] * {"old": size, "new": new, "none": 1.0}[centre_by]
    return torch.cat((centre - half * new, centre + half * new), dim=1)


def decode_without_size(deltas, reference):
    """you add t_x and t_y as they are; they count in widths and heights of the reference: multiply first."""
    return _decode(deltas, reference, centre_by="none")


def decode_two_to_the(deltas, reference):
    """you take 2 to the power of t_w; the logarithm of the deltas is the natural one, so its inverse is exp."""
    return _decode(deltas, reference, base=2)


def decode_without_exp(deltas, reference):
    """you scale by 1 + t_w; t_w is a logarithm, so the factor is exp(t_w)."""
    return _decode(deltas, reference, base="none")


def decode_new_size(deltas, reference):
    """you move the centre by the new width; equation (1) has the reference's own width."""
    return _decode(deltas, reference, centre_by="new")


def decode_from_corner(deltas, reference):
    """you take the upper left corner for the centre: P_x = (x1 + x2) / 2."""
    return _decode(deltas, reference, corner=True)


def decode_stays_centre(deltas, reference):
    """you return centre and size; the answer must be corners, x1 y1 x2 y2."""
    corners = _decode(deltas, reference)
    return torch.cat(((corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]), dim=1)


def decode_swapped(deltas, reference):
    """you have w and h swapped: t_x and t_w go with the width, t_y and t_h with the height."""
    return _decode(deltas, reference, swap=True)


def decode_plus_one(deltas, reference):
    """your width has a +1: in continuous pixels it is x2 - x1."""
    return _decode(deltas, reference, extra=1.0)


def decode_full_size(deltas, reference):
    """you go a whole width to either side of the centre; half of it belongs on each side."""
    return _decode(deltas, reference, half=1.0)
