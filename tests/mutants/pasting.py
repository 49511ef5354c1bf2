"""Wrong and right answers to notebook 14's exercises on pasting and on IoU of masks, as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch
import torch.nn.functional as F

# ---- paste_one ----


def _paste(half=0.5, box=lambda b: b, swap=False, outside=0.0, fade=True, after=lambda v: v):
    """Plain loops over pixels: the four cells around each, with what learners change in them.

    ``outside`` is the value of cells beyond the mask, None for that of the nearest; without ``fade`` nothing is
    outside the box.
    """

    def answer(mask, region, image_size):
        cells, (x1, y1, x2, y2) = len(mask), box(region).tolist()
        values = mask.T.tolist() if swap else mask.tolist()

        def cell(i, j):
            if 0 <= i < cells and 0 <= j < cells:
                return values[i][j]
            return values[min(max(i, 0), cells - 1)][min(max(j, 0), cells - 1)] if outside is None else outside

        out = torch.zeros(image_size)
        for row in range(image_size[0]):
            for column in range(image_size[1]):
                x = (column + half - x1) / (x2 - x1) * cells - 0.5
                y = (row + half - y1) / (y2 - y1) * cells - 0.5
                if not fade and not (-0.5 <= x <= cells - 0.5 and -0.5 <= y <= cells - 0.5):
                    continue
                j, i = int(np.floor(x)), int(np.floor(y))
                fx, fy = x - j, y - i
                upper = (1 - fx) * cell(i, j) + fx * cell(i, j + 1)
                lower = (1 - fx) * cell(i + 1, j) + fx * cell(i + 1, j + 1)
                out[row, column] = after((1 - fy) * upper + fy * lower)
        return out

    return answer


def _paste_grid_sample(mask, box, image_size, padding="zeros", align=False):
    height, width = image_size
    x = (torch.arange(width) + 0.5 - box[0]) / (box[2] - box[0]) * 2 - 1
    y = (torch.arange(height) + 0.5 - box[1]) / (box[3] - box[1]) * 2 - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2)
    return F.grid_sample(mask[None, None], grid[None], padding_mode=padding, align_corners=align)[0, 0]


def _paste_resize(mask, box, image_size):
    """The mask resized to the whole pixels of the box, and laid there."""
    x1, y1, x2, y2 = box.round().int().tolist()
    fine = F.interpolate(mask[None, None], size=(max(y2 - y1, 1), max(x2 - x1, 1)), mode="bilinear")[0, 0]
    out = torch.zeros(image_size)
    for i, row in enumerate(fine):
        for j, value in enumerate(row):
            if 0 <= y1 + i < image_size[0] and 0 <= x1 + j < image_size[1]:
                out[y1 + i, x1 + j] = value
    return out


def _paste_padding_border(mask, box, image_size):
    return _paste_grid_sample(mask, box, image_size, padding="border")


def _paste_aligned_corners(mask, box, image_size):
    return _paste_grid_sample(mask, box, image_size, align=True)


def _paste_wide(mask, box, image_size):
    return _paste()(mask, box, image_size[::-1])


# ---- mask_iou ----


def _iou(divide=lambda both, a, b: both / (a | b).sum() if (a | b).any() else 0.0):
    """Plain loops over pairs, with what learners change in them."""

    def answer(masks, gt_masks):
        out = torch.zeros(len(masks), len(gt_masks))
        for n, a in enumerate(masks.bool()):
            for m, b in enumerate(gt_masks.bool()):
                out[n, m] = divide((a & b).sum(), a, b)
        return out

    return answer


def _iou_numpy(masks, gt_masks):
    a, b = (some.flatten(1).numpy().astype(np.float64) for some in (masks, gt_masks))
    both = a @ b.T
    union = a.sum(axis=1)[:, None] + b.sum(axis=1) - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def _iou_bytes(masks, gt_masks):
    both = torch.einsum("nhw,mhw->nm", masks, gt_masks)
    union = masks.sum(dim=(1, 2))[:, None] + gt_masks.sum(dim=(1, 2)) - both
    return torch.where(union > 0, both / union, 0.0)


def _iou_transposed(masks, gt_masks):
    return _iou()(gt_masks, masks)


def _iou_zero_by_zero(masks, gt_masks):
    return _iou(lambda both, a, b: both / (a | b).sum())(masks, gt_masks)


def _iou_of_pairs(masks, gt_masks):
    return torch.tensor([_iou()(a[None], b[None])[0, 0] for a, b in zip(masks, gt_masks, strict=False)])


def _iou_equal_pixels(masks, gt_masks):
    """The share of all pixels on which two masks agree."""
    return (masks[:, None] == gt_masks).double().mean(dim=(2, 3)) if masks.numel() else torch.zeros(len(masks), 0)


MUTANTS = [
    ("paste_one", "corner of the pixel", _paste(half=0.0), "half a pixel on"),
    ("paste_one", "columns first", _paste(swap=True), "exchange x and y"),
    ("paste_one", "continued", _paste(outside=None), "continue the outermost cells"),
    ("paste_one", "padding border", _paste_padding_border, "continue the outermost cells"),
    ("paste_one", "cut at the box", _paste(outside=None, fade=False), "cut at the edge of the box"),
    ("paste_one", "cut at one half", _paste(after=lambda v: float(v > 0.5)), "cut at one half"),
    ("paste_one", "resized to whole pixels", _paste_resize, "is not right yet"),
    ("paste_one", "align_corners", _paste_aligned_corners, "half a cell inside"),
    ("paste_one", "W x H", _paste_wide, "the shape is"),
    ("mask_iou", "intersection of the found", _iou(lambda both, a, b: both / max(a.sum(), 1)), "mask found"),
    ("mask_iou", "of the smaller", _iou(lambda both, a, b: both / max(min(a.sum(), b.sum()), 1)), "smaller area"),
    ("mask_iou", "counted twice", _iou(lambda both, a, b: both / max(a.sum() + b.sum(), 1)), "in common twice"),
    ("mask_iou", "Dice", _iou(lambda both, a, b: 2 * both / max(a.sum() + b.sum(), 1)), "Dice"),
    ("mask_iou", "transposed", _iou_transposed, "the shape is"),
    ("mask_iou", "zero by zero", _iou_zero_by_zero, "divide by zero"),
    ("mask_iou", "in bytes", _iou_bytes, "uint8"),
    ("mask_iou", "pairs", _iou_of_pairs, "the shape is"),
    ("mask_iou", "agreeing pixels", _iou_equal_pixels, "is not right yet"),
]
ENDLESS = []
RIGHT = [
    ("paste_one", "loops", _paste()),
    ("paste_one", "torch's grid_sample", _paste_grid_sample),
    ("mask_iou", "loops", _iou()),
    ("mask_iou", "numpy", _iou_numpy),
]
