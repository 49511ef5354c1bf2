"""Known wrong versions of notebook 12's functions. The docstring of each is what a learner who makes it is told."""

import torch

from rcnn_lite.boxes import encode_boxes
from rcnn_lite.matching import match_boxes

# ---- theta_of ----


def _theta(low, high):
    """(n, 2, 3) from the corners of windows in a map that reaches from -1 to 1."""
    return torch.cat((torch.diag_embed((high - low) / 2), ((low + high) / 2)[:, :, None]), dim=2)


def _corners(boxes, limits):
    """Corners (n, 2) twice, from -1 to 1, of boxes in a picture of limits = (W, H) pixels."""
    limits = boxes.new_tensor(limits)
    return 2 * boxes[:, :2] / limits - 1, 2 * boxes[:, 2:] / limits - 1


def theta_rows_first(boxes, map_size, stride):
    """you put y into the first row; the first row of theta makes x."""
    low, high = _corners(boxes, (map_size[1] * stride, map_size[0] * stride))
    return _theta(low.flip(1), high.flip(1))


def theta_size_swapped(boxes, map_size, stride):
    """you divide x by the height of the map and y by its width; map_size is (h, w)."""
    return _theta(*_corners(boxes, (map_size[0] * stride, map_size[1] * stride)))


def theta_in_pixels(boxes, map_size, stride):
    """you compare pixels of the picture with cells of the map: a cell is stride pixels wide."""
    return _theta(*_corners(boxes, (map_size[1], map_size[0])))


def theta_last_centre(boxes, map_size, stride):
    """you let -1 and 1 be the centres of the first and last cell (align_corners=True, as in some old code): divide by w
    and h, not by w - 1 and h - 1."""
    cells = boxes / stride
    limits = boxes.new_tensor([max(map_size[1] - 1, 1), max(map_size[0] - 1, 1)])
    return _theta(2 * cells[:, :2] / limits - 1, 2 * cells[:, 2:] / limits - 1)


def theta_corner(boxes, map_size, stride):
    """you put the upper left corner into the last column; it is the centre of the box."""
    low, high = _corners(boxes, (map_size[1] * stride, map_size[0] * stride))
    return torch.cat((torch.diag_embed((high - low) / 2), low[:, :, None]), dim=2)


def theta_centre_in_0_1(boxes, map_size, stride):
    """you give the centre as a share of the map, from 0 to 1; grid_sample counts from -1 to 1."""
    low, high = _corners(boxes, (map_size[1] * stride, map_size[0] * stride))
    return torch.cat((torch.diag_embed((high - low) / 2), ((low + high + 2) / 4)[:, :, None]), dim=2)


def theta_doubled(boxes, map_size, stride):
    """your windows are twice as large as the boxes: theta scales by the box's size as a share of the map, at most 1."""
    low, high = _corners(boxes, (map_size[1] * stride, map_size[0] * stride))
    return torch.cat((torch.diag_embed(high - low), ((low + high) / 2)[:, :, None]), dim=2)


def theta_stride_twice(boxes, map_size, stride):
    """you divide by the stride twice: cells = pixels / stride, then by the number of cells."""
    return _theta(*_corners(boxes / stride, (map_size[1] * stride, map_size[0] * stride)))


# ---- halve ----


def _squares(crops):
    return crops.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (R, C, P, 2, Q, 2)


def halve_means(crops):
    """you average the four; crop pooling takes the largest."""
    return _squares(crops).mean(dim=(3, 5))


def halve_every_second(crops):
    """you take every second number: the upper left of each four, not the largest."""
    return crops[:, :, ::2, ::2]


def halve_rows_only(crops):
    """you pool columns but not rows: a square is two rows of two."""
    return crops.unflatten(3, (-1, 2)).amax(dim=4)


def halve_overlapping(crops):
    """your squares overlap: the next one begins two numbers further, not one."""
    return torch.nn.functional.max_pool2d(crops, 2, stride=1)


def halve_quadrants(crops):
    """you compare numbers that lie half a crop apart: the four of a square are neighbours."""
    return crops.unflatten(3, (2, -1)).unflatten(2, (2, -1)).amax(dim=(2, 4))


def halve_over_channels(crops):
    """you take the largest of all channels too; each channel is pooled by itself."""
    return _squares(crops).amax(dim=(3, 5)).amax(dim=1, keepdim=True).expand(-1, crops.shape[1], -1, -1)


def halve_from_zero(crops):
    """your maximum starts at 0; numbers below 0 are maxima too."""
    return _squares(crops).amax(dim=(3, 5)).clamp(min=0)


# ---- proposal_targets ----

_STD = (0.1, 0.1, 0.2, 0.2)


def _targets(boxes, gt_boxes, gt_labels, bg_iou=(0.1, 0.5), fg_iou=0.5, std=_STD, backwards=False):
    matched, sides = match_boxes(boxes, gt_boxes, fg_iou, bg_iou)
    rows, labels, deltas = torch.nonzero(sides == 1).flatten(), sides.clone(), torch.zeros_like(boxes)
    labels[rows] = gt_labels[matched[rows]]
    pair = (boxes[rows], gt_boxes[matched[rows]]) if backwards else (gt_boxes[matched[rows]], boxes[rows])
    deltas[rows] = encode_boxes(*pair) / boxes.new_tensor(std)
    return boxes, labels, deltas


def targets_without_objects(proposals, gt_boxes, gt_labels):
    """you leave out the objects' own boxes; early in training they are the only positives there are."""
    return _targets(proposals, gt_boxes, gt_labels)


def targets_objects_last(proposals, gt_boxes, gt_labels):
    """you append the objects; here they come first."""
    return _targets(torch.cat((proposals, gt_boxes)), gt_boxes, gt_labels)


def targets_as_rpn(proposals, gt_boxes, gt_labels):
    """you use the RPN's thresholds, 0.7 and 0.3; the second stage has 0.5, and background in [0.1, 0.5)."""
    return _targets(torch.cat((gt_boxes, proposals)), gt_boxes, gt_labels, bg_iou=0.3, fg_iou=0.7)


def targets_all_background(proposals, gt_boxes, gt_labels):
    """you call everything below 0.5 background. Below 0.1 a proposal is ignored: -1."""
    return _targets(torch.cat((gt_boxes, proposals)), gt_boxes, gt_labels, bg_iou=0.5)


def targets_strict(proposals, gt_boxes, gt_labels):
    """you ask for an overlap above 0.5; one of exactly 0.5 is positive."""
    return _targets(torch.cat((gt_boxes, proposals)), gt_boxes, gt_labels, bg_iou=(0.1, 0.5001), fg_iou=0.5001)


def targets_not_normalised(proposals, gt_boxes, gt_labels):
    """you do not divide the deltas by their standard deviations, 0.1, 0.1, 0.2, 0.2."""
    return _targets(torch.cat((gt_boxes, proposals)), gt_boxes, gt_labels, std=(1.0, 1.0, 1.0, 1.0))


def targets_backwards(proposals, gt_boxes, gt_labels):
    """your deltas lead from the object to the proposal; they must move the proposal onto the object."""
    return _targets(torch.cat((gt_boxes, proposals)), gt_boxes, gt_labels, backwards=True)


def targets_of_background(proposals, gt_boxes, gt_labels):
    """you give background deltas as well. It has no place to go to: zeros."""
    boxes, labels, deltas = _targets(torch.cat((gt_boxes, proposals)), gt_boxes, gt_labels)
    rows = torch.nonzero(labels == 0).flatten()
    matched, _ = match_boxes(boxes, gt_boxes, 0.5, 0.5)
    deltas[rows] = encode_boxes(gt_boxes[matched[rows]], boxes[rows]) / boxes.new_tensor(_STD)
    return boxes, labels, deltas


def targets_without_class(proposals, gt_boxes, gt_labels):
    """you write 1 for every positive, as for the RPN; the second stage wants the object's class."""
    return _targets(torch.cat((gt_boxes, proposals)), gt_boxes, torch.ones_like(gt_labels))
