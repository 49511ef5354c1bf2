"""Known wrong versions of notebook 14's functions: pasting, and IoU of masks. The docstring of each is what a learner
who makes it is told."""

import torch

from rcnn_lite.boxes import box_iou
from rcnn_lite.regions.masks import paste_masks

# ---- paste_one ----


def _pasted(mask, box, image_size):
    return paste_masks(mask[None], box[None], image_size)[0, 0]


def _centres(box, image_size):
    """The centres of the pixels in units of the box: x (W,) and y (H,), 0 at its left (upper) edge, 1 at the other."""
    x, y = torch.arange(image_size[1]) + 0.5, torch.arange(image_size[0]) + 0.5
    return (x - box[0]) / (box[2] - box[0]), (y - box[1]) / (box[3] - box[1])


def _tents(places, count):
    return (1 - (places[:, None] - torch.arange(count)).abs()).clamp(min=0)


def paste_half_a_pixel(mask, box, image_size):
    """you read the mask at the upper left corner of each pixel; its value belongs to its centre, half a pixel on."""
    return _pasted(mask, box + 0.5, image_size)


def paste_rounded(mask, box, image_size):
    """you round the box to whole pixels; nothing is rounded."""
    low, high = box[:2].round(), box[2:].round()
    box = torch.cat((low, torch.maximum(high, low + 1)))
    return _pasted(mask, box, image_size)


def paste_nearest(mask, box, image_size):
    """you take the cell that a pixel's centre lies in; between the centres of two cells the value is interpolated."""
    x, y = _centres(box, image_size)
    inside = ((y >= 0) & (y < 1))[:, None] & ((x >= 0) & (x < 1))
    columns, rows = ((v * len(mask)).floor().long().clamp(0, len(mask) - 1) for v in (x, y))
    return torch.where(inside, mask[rows][:, columns], 0.0)


def paste_border_continued(mask, box, image_size):
    """you continue the outermost cells beyond the box; there, cells are zero."""
    x, y = (v * len(mask) - 0.5 for v in _centres(box, image_size))
    last = len(mask) - 1
    return _tents(y.clamp(0, last), len(mask)) @ mask @ _tents(x.clamp(0, last), len(mask)).T


def paste_cut_at_box(mask, box, image_size):
    """you cut at the edge of the box; the outermost cells fade out over half a cell beyond it, as between others."""
    x, y = _centres(box, image_size)
    inside = ((y >= 0) & (y <= 1))[:, None] & ((x >= 0) & (x <= 1))
    return torch.where(inside, paste_border_continued(mask, box, image_size), 0.0)


def paste_transposed(mask, box, image_size):
    """you exchange x and y: row i of the mask lies i cells below the upper edge of the box."""
    return _pasted(mask.T, box, image_size)


def paste_ends(mask, box, image_size):
    """you put the first cell's centre on the edge of the box; it lies half a cell inside."""
    x, y = _centres(box, image_size)
    last = max(len(mask) - 1, 1)
    return _tents(y * last, len(mask)) @ mask @ _tents(x * last, len(mask)).T


def paste_cut(mask, box, image_size):
    """you cut at one half; here the probabilities are asked for."""
    return (_pasted(mask, box, image_size) > 0.5).float()


# ---- mask_iou ----


def _counts(masks, gt_masks):
    """Pixels in common (N, M), of the one (N, 1) and of the other (M,)."""
    a, b = masks.flatten(1).float(), gt_masks.flatten(1).float()
    return a @ b.T, a.sum(dim=1)[:, None], b.sum(dim=1)


def _divide(part, whole):
    return torch.where(whole > 0, part / whole.clamp(min=1e-9), 0.0)


def iou_union_twice(masks, gt_masks):
    """you count the pixels in common twice: union = area + other area - intersection."""
    both, mine, other = _counts(masks, gt_masks)
    return _divide(both, mine + other)


def iou_of_first(masks, gt_masks):
    """you divide by the area of the mask found; by the union. (COCO does that for crowd regions only.)"""
    both, mine, other = _counts(masks, gt_masks)
    return _divide(both, mine.expand_as(both))


def iou_of_smaller(masks, gt_masks):
    """you divide by the smaller area, so a pixel inside an object would be a perfect match; by the union."""
    both, mine, other = _counts(masks, gt_masks)
    return _divide(both, torch.minimum(mine, other))


def iou_transposed(masks, gt_masks):
    """you have rows and columns exchanged: a row is a mask found, a column an object."""
    both, mine, other = _counts(masks, gt_masks)
    return _divide(both, mine + other - both).T


def iou_of_boxes(masks, gt_masks):
    """you compare the boxes around the masks; the pixels are what counts."""

    def boxes(some):
        rows = []
        for mask in some:
            y, x = torch.nonzero(mask, as_tuple=True)
            rows.append([x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [0, 0, 0, 0])
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    return box_iou(boxes(masks), boxes(gt_masks)).nan_to_num()


def iou_dice(masks, gt_masks):
    """that is the Dice coefficient, 2 I / (A + B); IoU is I / (A + B - I)."""
    both, mine, other = _counts(masks, gt_masks)
    return _divide(2 * both, mine + other)


def iou_in_bytes(masks, gt_masks):
    """you multiply and add in uint8, which starts again at 0 after 255: convert first."""
    a, b = masks.flatten(1), gt_masks.flatten(1)
    both = a @ b.T
    return _divide(both.float(), (a.sum(dim=1)[:, None] + b.sum(dim=1) - both).float())


def iou_nan(masks, gt_masks):
    """you divide by zero where both masks are empty; that is 0, not NaN, which no comparison survives."""
    both, mine, other = _counts(masks, gt_masks)
    return both / (mine + other - both)
