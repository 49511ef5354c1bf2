"""Wrong and right answers to notebook 14's exercises on targets, the loss and the class's mask, as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

# ---- box_target ----


def _target(half=0.5, cell=0.5, box=lambda b: b, swap=False, width=lambda a, b: b - a):
    """Plain loops over cells, with what learners change in them."""

    def answer(mask, region, size):
        pixels, (x1, y1, x2, y2) = mask.tolist(), box(region).tolist()
        height, columns = len(pixels), len(pixels[0])
        out = [[0.0] * size for _ in range(size)]
        for i in range(size):
            for j in range(size):
                x = min(max(x1 + (j + cell) / size * width(x1, x2) - half, 0), columns - 1)
                y = min(max(y1 + (i + cell) / size * width(y1, y2) - half, 0), height - 1)
                left, top = int(x), int(y)
                right, bottom = min(left + 1, columns - 1), min(top + 1, height - 1)
                fx, fy = x - left, y - top
                upper = (1 - fx) * pixels[top][left] + fx * pixels[top][right]
                lower = (1 - fx) * pixels[bottom][left] + fx * pixels[bottom][right]
                value = (1 - fy) * upper + fy * lower
                out[j if swap else i][i if swap else j] = value
        return out

    return answer


def _target_grid_sample(mask, box, size, align=False):
    height, width = mask.shape
    steps = (torch.arange(size) + 0.5) / size
    x = 2 * (box[0] + steps * (box[2] - box[0])) / width - 1
    y = 2 * (box[1] + steps * (box[3] - box[1])) / height - 1
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2)
    pixels = mask[None, None].float()
    return F.grid_sample(pixels, grid[None], padding_mode="border", align_corners=align)[0, 0]


def _target_nearest(mask, box, size):
    (x1, y1, x2, y2), (height, width) = box.tolist(), mask.shape
    columns = [min(int(x1 + (j + 0.5) / size * (x2 - x1)), width - 1) for j in range(size)]
    rows = [min(int(y1 + (i + 0.5) / size * (y2 - y1)), height - 1) for i in range(size)]
    return [[float(mask[y, x]) for x in columns] for y in rows]


def _target_aligned_corners(mask, box, size):
    return _target_grid_sample(mask, box, size, align=True)


def _target_crop_resize(mask, box, size):
    x1, y1, x2, y2 = box.round().int().tolist()
    crop = mask[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    return F.interpolate(crop[None, None].float(), size=(size, size), mode="bilinear")[0, 0]


def _target_whole(mask, box, size):
    return F.interpolate(mask[None, None].float(), size=(size, size), mode="bilinear")[0, 0]


# ---- true_mask_loss ----


def _loss(mask=lambda logits, label: logits[label], mean=True, p=lambda z: 1 / (1 + math.exp(-z)), other=True):
    """Plain loops over regions and cells, with what learners change in them."""

    def answer(logits, labels, targets):
        total, cells = 0.0, 0
        for z, label, target in zip(logits, labels.tolist(), targets, strict=True):
            for value, y in zip(mask(z, label).flatten().tolist(), target.flatten().tolist(), strict=True):
                total -= y * math.log(p(value)) + (other and (1 - y) * math.log(1 - p(value)))
                cells += 1
        return total / max(cells, 1) if mean else total

    return answer


def _loss_torch(logits, labels, targets):
    if len(labels) == 0:
        return torch.tensor(0.0)
    own = torch.stack([one[label] for one, label in zip(logits, labels, strict=True)])
    return F.binary_cross_entropy_with_logits(own, targets)


def _loss_softmax(logits, labels, targets):
    own = logits.softmax(dim=1)[torch.arange(len(labels)), labels]
    loss = -targets * own.log() - (1 - targets) * (1 - own).log()
    return loss.sum() / max(loss.numel(), 1)


def _loss_every_class(logits, labels, targets):
    wanted = targets[:, None].expand_as(logits)
    return F.binary_cross_entropy_with_logits(logits, wanted) if len(labels) else 0.0


def _loss_nan(logits, labels, targets):
    own = logits[torch.arange(len(labels)), labels]
    return F.binary_cross_entropy_with_logits(own, targets)


def _loss_in_place(logits, labels, targets):
    logits.sigmoid_()
    own = logits[torch.arange(len(labels)), labels]
    loss = -targets * own.log() - (1 - targets) * (1 - own).log()
    return loss.sum() / max(loss.numel(), 1)


def _loss_of_regions(logits, labels, targets):
    return _loss(mean=False)(logits, labels, targets) / max(len(labels), 1)


# ---- masks_of_class ----


def _masks_loop(logits, labels, pick=lambda z, k: z[k], change=torch.sigmoid):
    found = [change(pick(z, k)) for z, k in zip(logits, labels.tolist(), strict=True)]
    return torch.stack(found) if found else logits.new_zeros(0, *logits.shape[2:])


def _masks_gather(logits, labels):
    index = labels[:, None, None, None].expand(-1, 1, *logits.shape[2:])
    return logits.gather(1, index)[:, 0].sigmoid()


def _masks_before(logits, labels):
    return _masks_loop(logits, labels, pick=lambda z, k: z[k - 1])


def _masks_soft(logits, labels):
    return _masks_loop(logits.softmax(dim=1), labels, change=lambda z: z)


def _masks_max(logits, labels):
    return logits.sigmoid().max(dim=1).values


def _masks_raw(logits, labels):
    return _masks_loop(logits, labels, change=lambda z: z)


def _masks_pairs(logits, labels):
    return logits[:, labels].sigmoid()


def _masks_first(logits, labels):
    return _masks_loop(logits, labels, pick=lambda z, k: z[1])


def _masks_numpy(logits, labels):
    return np.float32(1) / (1 + np.exp(-logits.numpy()[np.arange(len(labels)), labels.numpy()]))


MUTANTS = [
    ("box_target", "reads pixel 0 at 0", _target(half=0), "half a pixel"),
    ("box_target", "corners of cells", _target(cell=0), "upper left corner of each cell"),
    ("box_target", "nearest pixel", _target_nearest, "nearest pixel"),
    ("box_target", "rounds the box", _target(box=lambda b: b.round()), "nothing is rounded"),
    ("box_target", "columns first", _target(swap=True), "columns first"),
    ("box_target", "whole picture", _target_whole, "whole picture"),
    ("box_target", "crops and resizes", _target_crop_resize, "is not right yet"),
    ("box_target", "last pixel included", _target(width=lambda a, b: b - a + 1), "is not right yet"),
    ("box_target", "align_corners", _target_aligned_corners, "is not right yet"),
    ("true_mask_loss", "label before", _loss(mask=lambda z, k: z[k - 1]), "class label - 1"),
    ("true_mask_loss", "sum", _loss(mean=False), "you add up the cells"),
    ("true_mask_loss", "sum of cells", _loss_of_regions, "number of regions only"),
    ("true_mask_loss", "objects only", _loss(other=False), "leave out (1 - y)"),
    ("true_mask_loss", "softmax", _loss_softmax, "compete in a softmax"),
    ("true_mask_loss", "all classes", _loss_every_class, "masks of all classes"),
    ("true_mask_loss", "highest class", _loss(mask=lambda z, k: z.amax(dim=0)), "highest logit"),
    ("true_mask_loss", "nothing makes NaN", _loss_nan, "nan"),
    ("true_mask_loss", "changes the logits", _loss_in_place, "changes its argument `logits`"),
    ("masks_of_class", "label before", _masks_before, "class label - 1"),
    ("masks_of_class", "softmax", _masks_soft, "softmax over the classes"),
    ("masks_of_class", "highest", _masks_max, "highest of all classes"),
    ("masks_of_class", "logits", _masks_raw, "you return logits"),
    ("masks_of_class", "every pair", _masks_pairs, "region r has the class labels[r]"),
    ("masks_of_class", "always class 1", _masks_first, "is not right yet"),
]
ENDLESS = []
RIGHT = [
    ("box_target", "loops", _target()),
    ("box_target", "torch's grid_sample", _target_grid_sample),
    ("true_mask_loss", "loops", _loss()),
    ("true_mask_loss", "torch", _loss_torch),
    ("masks_of_class", "loops", _masks_loop),
    ("masks_of_class", "gather", _masks_gather),
    ("masks_of_class", "numpy", _masks_numpy),
]
