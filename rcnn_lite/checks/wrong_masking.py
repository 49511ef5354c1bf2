"""Known wrong versions of notebook 14's functions: targets, the loss, the class's mask. The docstring of each is what a
learner who makes it is told."""

import torch
import torch.nn.functional as F

from rcnn_lite.heads.mask_head import own_masks

# ---- box_target ----


def _read(mask, x, y):
    """A mask (H, W) at the columns x and the rows y, in units where its first pixel's value stands at 0."""

    def shares(places, count):  # (n,) -> (n, count)
        distance = (places.clamp(0, count - 1)[:, None] - torch.arange(count)).abs()
        return (1 - distance).clamp(min=0)

    return shares(y, mask.shape[0]) @ mask.float() @ shares(x, mask.shape[1]).T


def _places(box, size, cell=0.5):
    """x and y of a point in each of size cells: by default their centres."""
    steps = (torch.arange(size) + cell) / size
    return box[0] + steps * (box[2] - box[0]), box[1] + steps * (box[3] - box[1])


def target_half_a_pixel(mask, box, size):
    """you read pixel 0 at x = 0; its value belongs to its centre, x = 0.5, so subtract half a pixel from each place."""
    return _read(mask, *_places(box, size))


def target_cell_corners(mask, box, size):
    """you read the mask at the upper left corner of each cell; a cell's value belongs to its centre."""
    x, y = _places(box, size, cell=0)
    return _read(mask, x - 0.5, y - 0.5)


def target_ends(mask, box, size):
    """you spread the points from edge to edge of the box; the first cell's centre lies half a cell inside."""
    x, y = torch.linspace(box[0], box[2], size), torch.linspace(box[1], box[3], size)
    return _read(mask, x - 0.5, y - 0.5)


def target_swapped(mask, box, size):
    """you give the result columns first; row i of a mask is y."""
    x, y = _places(box, size)
    return _read(mask, x - 0.5, y - 0.5).T


def target_nearest(mask, box, size):
    """you take the nearest pixel; between two centres the value is interpolated."""
    x, y = _places(box, size)
    x, y = (v.floor().long().clamp(max=n - 1) for v, n in ((x, mask.shape[1]), (y, mask.shape[0])))
    return mask[y][:, x].float()


def target_box_rounded(mask, box, size):
    """you round the box to whole pixels first; nothing is rounded."""
    x, y = _places(box.round(), size)
    return _read(mask, x - 0.5, y - 0.5)


def target_without_box(mask, box, size):
    """you resample the whole picture's mask; the target is what lies in the box."""
    whole = box.new_tensor([0, 0, mask.shape[1], mask.shape[0]])
    x, y = _places(whole, size)
    return _read(mask, x - 0.5, y - 0.5)


# ---- true_mask_loss ----


def _own(logits, labels):
    return logits[torch.arange(len(labels)), labels]


def _bce(own, targets, reduction="mean"):
    if own.numel() == 0:
        return torch.tensor(0.0)
    return F.binary_cross_entropy_with_logits(own, targets, reduction=reduction)


def loss_all_classes(logits, labels, targets):
    """you judge the masks of all classes; only that of the true class counts, the others cost nothing."""
    return _bce(logits, targets[:, None].expand_as(logits))


def loss_softmax(logits, labels, targets):
    """you let the classes compete in a softmax; each class has a sigmoid of its own."""
    if len(labels) == 0:
        return torch.tensor(0.0)
    return F.binary_cross_entropy(_own(logits.softmax(dim=1), labels), targets)


def loss_label_before(logits, labels, targets):
    """you take the mask of class label - 1; background has a mask too, so mask k is that of class k."""
    return _bce(_own(logits, labels - 1), targets)


def loss_sum(logits, labels, targets):
    """you add up the cells; the loss is their mean, over all cells of all regions."""
    return _bce(_own(logits, labels), targets, "sum")


def loss_sum_of_cells(logits, labels, targets):
    """you divide by the number of regions only; the loss is the mean over the cells as well."""
    return _bce(_own(logits, labels), targets, "sum") / max(len(labels), 1)


def loss_objects_only(logits, labels, targets):
    """you leave out (1 - y) ln(1 - p): a cell that is not object must say so too."""
    own = _own(logits, labels)
    return (-targets * F.logsigmoid(own)).sum() / max(own.numel(), 1)


def loss_squares(logits, labels, targets):
    """you take squared errors; the loss is the cross-entropy, -y ln p - (1 - y) ln(1 - p)."""
    own = _own(logits, labels)
    return (own.sigmoid() - targets).square().sum() / max(own.numel(), 1)


def loss_highest_class(logits, labels, targets):
    """you take the highest logit of each cell, of whatever class; the label says which mask counts."""
    return _bce(logits.amax(dim=1), targets)


# ---- masks_of_class ----


def masks_label_before(logits, labels):
    """you take the mask of class label - 1; background has a mask too, so mask k is that of class k."""
    return own_masks(logits, labels - 1)


def masks_softmax(logits, labels):
    """you take a softmax over the classes; each class has a sigmoid of its own."""
    return own_masks(logits, labels, competing=True)


def masks_highest(logits, labels):
    """you take the highest of all classes in each cell; the box head has decided which class it is."""
    return logits.amax(dim=1).sigmoid()


def masks_logits(logits, labels):
    """you return logits; a probability is their sigmoid."""
    return logits[torch.arange(len(labels)), labels]


def masks_cut(logits, labels):
    """you cut at one half already; that comes after the mask has been pasted into the picture."""
    return (own_masks(logits, labels) > 0.5).float()


def masks_all_pairs(logits, labels):
    """you take the masks of all labels of every region, by logits[:, labels]; region r has the class labels[r]."""
    return logits[:, labels].sigmoid()


def masks_over_cells(logits, labels):
    """you take a softmax over the cells; that is for keypoints, of which there is one. Each cell has a sigmoid."""
    own = logits[torch.arange(len(labels)), labels]
    return own.flatten(1).softmax(dim=1).view_as(own) if len(labels) else own
