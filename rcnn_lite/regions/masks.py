"""Masks of whole pictures and masks of regions, and the way from each to the other (notebook 14).

A pixel is a square, and its value belongs to its centre: that of the first one to 0.5. A cell of a region is a
rectangle of w / m by h / m pixels, and its value, too, belongs to its centre. All below follows from this; nothing is
rounded. Sections are those of Mask R-CNN (He et al. 2017).

Notation: N objects of one picture (H, W), R RoIs, m x m cells.
"""

import math

import torch
from torch import Tensor

from rcnn_lite.boxes import require_boxes
from rcnn_lite.regions.roi_align import roi_align

MARGIN = 2  # pixels around a box that interpolation may read


def mask_targets(masks: Tensor, boxes: Tensor, matched: Tensor, size: int, aligned: bool = True) -> Tensor:
    """What the branch should say: how much of each cell of a region is its object's. (R, m, m) in [0, 1].

    Section 3.1: the target is the intersection of a RoI and its object's mask, resampled to m x m.

    Parameters
    ----------
    masks : (N, H, W) uint8 or bool, of 0 and 1.
    boxes : (R, 4) RoIs in the pixels of the masks. Those of a resized picture had better be scaled back than the masks
        be resized: that is cheaper and exact.
    matched : (R,) int64, which object is each RoI's.
    size : m.
    aligned : False reads each pixel half a pixel further left and above than it is, as torchvision's
        ``project_masks_on_boxes`` does. Of an object that fills its box of 28 x 28 pixels, the last row and column of
        cells then are half background, and the learned masks lie half a pixel off.

    Each cell is the mean of the mask, interpolated between the centres of its pixels, at one point a pixel or more:
    `regions.roi_align`. A RoI without area has a target of zeros. Object by object, only the window that its RoIs lie
    in is made floating point. Raises ValueError for shapes that do not fit, values other than 0 and 1, and objects that
    do not exist.

    >>> mask = torch.tensor([[[0, 1, 1, 0], [0, 1, 1, 0]]], dtype=torch.uint8)  # two columns of four
    >>> mask_targets(mask, torch.tensor([[0.0, 0.0, 4.0, 2.0]]), torch.tensor([0]), size=2)
    tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]])
    """
    require_masks(masks)
    require_boxes(boxes)
    if boxes.shape != (len(matched), 4):
        raise ValueError(f"boxes must have shape (R, 4) with R = {len(matched)}, got {tuple(boxes.shape)}")
    if len(matched) and not 0 <= int(matched.min()) <= int(matched.max()) < len(masks):
        wrong = int(((matched < 0) | (matched >= len(masks))).int().argmax())
        raise ValueError(f"matched[{wrong}] is {int(matched[wrong])}, but there are {len(masks)} masks")
    targets = boxes.new_zeros(len(boxes), size, size)
    for index in matched.unique().tolist():
        mine = torch.nonzero(matched == index).flatten()
        (left, top), window = _window(masks[index], boxes[mine])
        rois = torch.cat((boxes.new_zeros(len(mine), 1), boxes[mine] - boxes.new_tensor([left, top] * 2)), dim=1)
        if window.numel():
            pixels = window[None, None].to(boxes)  # (1, 1, h, w)
            targets[mine] = roi_align(pixels, rois, size, 1.0, sampling_ratio=-1, aligned=aligned)[:, 0]
    return targets


def _window(mask: Tensor, boxes: Tensor) -> tuple[tuple[int, int], Tensor]:
    """The part of a mask (H, W) that boxes (r, 4) can read, and its place: (left, top), (h, w)."""
    left, top = (boxes[:, :2].amin(dim=0).floor() - MARGIN).clamp(min=0).int().tolist()
    right, bottom = (boxes[:, 2:].amax(dim=0).ceil() + MARGIN).clamp(min=0).int().tolist()
    return (left, top), mask[top:bottom, left:right]


def paste_masks(masks: Tensor, boxes: Tensor, image_size: tuple[int, int], threshold: float | None = None) -> Tensor:
    """The cells of each box as pixels of the picture (H, W): (N, 1, H, W) in [0, 1], zero from half a cell outside on.

    Section 3.1, inference: "the m x m floating-number mask output is then resized to the RoI size, and binarized at a
    threshold of 0.5".

    Parameters
    ----------
    masks : (N, m, m) probabilities.
    boxes : (N, 4) in the picture's pixels; what lies beyond its border is cut off.
    threshold : given, the result is bool, True above it, and takes a quarter of the memory.

    A pixel's value is interpolated, at its centre, between the centres of the cells; beyond the outermost cells there
    are cells of zero. So a mask of ones, cut at 0.5, is its box. Boxes without area, or so thin that they hold no
    pixel's centre, leave no pixel. Besides the result, memory is needed for one object's window at a time.

    Torchvision's ``paste_masks_in_image`` moves the boxes to whole pixels, up to one outwards, before: it equals
    ``paste_masks(masks, whole_pixel_boxes(boxes, m), image_size)``. Raises ValueError for shapes that do not fit.
    """
    require_boxes(boxes)
    if masks.ndim != 3 or masks.shape[1] != masks.shape[2] or not masks.is_floating_point():
        raise ValueError(f"masks must be floating (N, m, m), got {masks.dtype} {tuple(masks.shape)}")
    if boxes.shape != (len(masks), 4):
        raise ValueError(f"boxes must have shape (N, 4) with N = {len(masks)}, got {tuple(boxes.shape)}")
    height, width = image_size
    dtype = masks.dtype if threshold is None else torch.bool
    pasted = torch.zeros(len(masks), 1, height, width, dtype=dtype, device=masks.device)
    for mask, (x1, y1, x2, y2), canvas in zip(masks, boxes.tolist(), pasted[:, 0], strict=True):
        if x1 == x2 or y1 == y2:
            continue
        top, rows = _interpolation(y1, y2, mask, height)  # (h, m)
        left, columns = _interpolation(x1, x2, mask, width)  # (w, m)
        window = rows @ mask @ columns.T  # (h, m) (m, m) (m, w) -> (h, w)
        canvas[top : top + len(rows), left : left + len(columns)] = window if threshold is None else window > threshold
    return pasted


def _interpolation(low: float, high: float, mask: Tensor, pixels: int) -> tuple[int, Tensor]:
    """Along one axis, from where on the cells between ``low`` and ``high`` reach pixels, and their shares: (n, m).

    A pixel halfway between the centres of two cells takes half of each: a tent of one cell to each side.
    """
    cells = mask.shape[-1]
    cell = (high - low) / cells  # pixels
    first = min(max(math.floor(low - cell / 2), 0), pixels)
    last = max(min(math.ceil(high + cell / 2), pixels), first)
    centres = torch.arange(first, last, dtype=torch.float64) + 0.5  # (n,)
    places = (centres - low) / cell - 0.5  # in cells, 0 at the first one's centre
    distance = (places[:, None] - torch.arange(cells)).abs()  # (n, m)
    return first, (1 - distance).clamp(min=0).to(mask)


def whole_pixel_boxes(boxes: Tensor, size: int) -> Tensor:
    """The boxes (N, 4) that torchvision's ``paste_masks_in_image`` fits masks of size x size cells into: (N, 4).

    It adds a border of one cell of zeros, cuts the coordinates of the box with the border to whole pixels, and takes
    pixels of both ends in. This is that box without the border. A full mask in a box of 10 x 10 pixels becomes 12 x 12.

    >>> whole_pixel_boxes(torch.tensor([[10.0, 10.0, 20.0, 20.0]]), 28)
    tensor([[ 9.4000,  9.4000, 20.6000, 20.6000]])
    """
    require_boxes(boxes)
    low, high = boxes[:, :2], boxes[:, 2:]  # (N, 2) each
    centre, half = (high + low) * 0.5, (high - low) * 0.5 * ((size + 2) / size)
    low, high = (centre - half).trunc(), (centre + half).trunc() + 1
    cell = (high - low) / (size + 2)
    return torch.cat((low + cell, high - cell), dim=1)


def require_masks(
    masks: Tensor,
    boxes: Tensor | None = None,
    image_size: tuple[int, int] | None = None,
    rows: Tensor | None = None,
) -> None:
    """ValueError unless ``masks`` are those of objects: (N, H, W) uint8 or bool, of 0 and 1.

    With ``image_size``, each must be as large as the image (H, W). With ``boxes`` (N, 4), none may be empty, nor lie
    for the most part outside its box: then somebody mixed up objects, x and y, or pictures. With ``rows`` this is asked
    of these objects only: one outside the image has an empty mask.
    """
    if not isinstance(masks, Tensor) or masks.ndim != 3 or masks.dtype not in (torch.uint8, torch.bool):
        got = f"{masks.dtype} {tuple(masks.shape)}" if isinstance(masks, Tensor) else type(masks).__name__
        raise ValueError(f"masks must be uint8 or bool of shape (N, H, W), got {got}")
    if image_size is not None and tuple(masks.shape[1:]) != tuple(image_size):
        sizes = [f"{h} x {w}" for h, w in (masks.shape[1:], image_size)]
        raise ValueError(f"masks are {sizes[0]} pixels, the image is {sizes[1]}")
    if masks.dtype == torch.uint8 and masks.numel() and int(masks.max()) > 1:
        first = int((masks.flatten(1).amax(dim=1) > 1).int().argmax())
        raise ValueError(f"masks[{first}] has values up to {int(masks[first].max())}; 1 is object, 0 is not")
    if boxes is None:
        return
    require_boxes(boxes)
    if boxes.shape != (len(masks), 4):
        raise ValueError(f"boxes must have shape (N, 4) with N = {len(masks)}, got {tuple(boxes.shape)}")
    corners = torch.cat((boxes[:, :2].floor(), boxes[:, 2:].ceil()), dim=1).clamp(min=0).long()  # (N, 4)
    for index in range(len(masks)) if rows is None else rows.tolist():
        (x1, y1, x2, y2), mask = corners[index].tolist(), masks[index]
        pixels, inside = int(mask.count_nonzero()), int(mask[y1:y2, x1:x2].count_nonzero())
        if pixels == 0:
            raise ValueError(f"masks[{index}] is empty: no pixel belongs to the object")
        if 2 * inside < pixels:
            raise ValueError(f"of the {pixels} pixels of masks[{index}] only {inside} lie in boxes[{index}]")
