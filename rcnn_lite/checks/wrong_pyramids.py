"""Known wrong versions of notebook 15's functions on boxes. The docstring of each is what a learner who makes it is
told.
"""

import torch

# ---- level_of ----


def _sides(boxes):
    return boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]


def _root(boxes):
    width, height = _sides(boxes)
    return (width * height).sqrt()


def level_ln(boxes, k0, canonical, lowest, highest):
    """you take the natural logarithm; a level is a factor of 2, so it is the one to base 2."""
    return (k0 + torch.log(_root(boxes) / canonical)).floor().clamp(lowest, highest).long()


def level_area(boxes, k0, canonical, lowest, highest):
    """you compare the area with a side: take the root of w h."""
    width, height = _sides(boxes)
    return (k0 + torch.log2(width * height / canonical)).floor().clamp(lowest, highest).long()


def level_rounded(boxes, k0, canonical, lowest, highest):
    """you round to the nearest level; equation 1 rounds down."""
    return (k0 + torch.log2(_root(boxes) / canonical)).round().clamp(lowest, highest).long()


def level_up(boxes, k0, canonical, lowest, highest):
    """you round up; equation 1 rounds down."""
    return (k0 + torch.log2(_root(boxes) / canonical)).ceil().clamp(lowest, highest).long()


def level_not_clamped(boxes, k0, canonical, lowest, highest):
    """you give levels that do not exist: what is below the lowest is the lowest, what is above the highest the
    highest."""
    octaves = torch.log2(_root(boxes).clamp(min=1e-6) / canonical)
    return (k0 + octaves).floor().long()


def level_upside_down(boxes, k0, canonical, lowest, highest):
    """you send large boxes to the fine levels: the logarithm is that of the root over the canonical size, not the
    other way round."""
    return (k0 - torch.log2(_root(boxes) / canonical)).floor().clamp(lowest, highest).long()


def level_from_zero(boxes, k0, canonical, lowest, highest):
    """you count levels from 0; here the finest level has the number `lowest`."""
    return (k0 + torch.log2(_root(boxes) / canonical)).floor().clamp(lowest, highest).long() - lowest


def level_longer_side(boxes, k0, canonical, lowest, highest):
    """you go by the longer side; equation 1 has the root of w h."""
    return (k0 + torch.log2(torch.maximum(*_sides(boxes)) / canonical)).floor().clamp(lowest, highest).long()


def level_far_corner(boxes, k0, canonical, lowest, highest):
    """you take x2 and y2 for width and height: subtract x1 and y1."""
    root = (boxes[:, 2] * boxes[:, 3]).sqrt()
    return (k0 + torch.log2(root / canonical)).floor().clamp(lowest, highest).long()


# ---- count_anchors ----


def _cells(side, strides):
    return (side + strides - 1) // strides


def count_whole_cells(strides, picture_size, ratios):
    """you count whole cells only; a part of a cell at the border is a cell too: round up."""
    return ratios * (picture_size[0] // strides) * (picture_size[1] // strides)


def count_square(strides, picture_size, ratios):
    """you take the picture to be square: there are as many rows as the height has cells, columns as the width has."""
    return ratios * _cells(picture_size[0], strides) ** 2


def count_cells_only(strides, picture_size, ratios):
    """you count cells; each has an anchor of every ratio."""
    return _cells(picture_size[0], strides) * _cells(picture_size[1], strides)


def count_together(strides, picture_size, ratios):
    """you add the levels up; one number for each level is wanted."""
    return (ratios * _cells(picture_size[0], strides) * _cells(picture_size[1], strides)).sum()


def count_all_sizes(strides, picture_size, ratios):
    """you give every level anchors of all sizes; a level has one size, in every ratio."""
    return len(strides) * ratios * _cells(picture_size[0], strides) * _cells(picture_size[1], strides)


def count_area(strides, picture_size, ratios):
    """you divide the number of pixels by the stride once; a cell is stride x stride pixels."""
    return ratios * _cells(picture_size[0] * picture_size[1], strides)


# ---- read_levels ----


def _read(boxes, levels, maps, lowest, place=lambda a, b: (a + b) / 2, stride=lambda level: 2**level, swap=False):
    rows = []
    for (x1, y1, x2, y2), level in zip(boxes.tolist(), levels.tolist(), strict=True):
        cells = maps[level - lowest]
        row, column = int(place(y1, y2) // stride(level)), int(place(x1, x2) // stride(level))
        if swap:
            row, column = column, row
        rows.append(cells[:, min(row, cells.shape[1] - 1), min(column, cells.shape[2] - 1)])
    return torch.stack(rows) if rows else torch.zeros(0, maps[0].shape[0])


def read_by_level(boxes, levels, maps, lowest):
    """you give the boxes of the finest level first, then those of the next; they must come back in their own order."""
    order = levels.argsort(stable=True)
    return _read(boxes[order], levels[order], maps, lowest)


def read_level_up(boxes, levels, maps, lowest):
    """your cells are twice as large as the map's: level k has a stride of 2 to the power k."""
    return _read(boxes, levels, maps, lowest, stride=lambda level: 2 ** (level + 1))


def read_stride_of_finest(boxes, levels, maps, lowest):
    """you use one stride for all maps; each level has its own, 2 to the power k."""
    return _read(boxes, levels, maps, lowest, stride=lambda level: 2**lowest)


def read_x_first(boxes, levels, maps, lowest):
    """you look up column, row; a map is (d, h, w): the row, which y says, comes first."""
    return _read(boxes, levels, maps, lowest, swap=True)


def read_corner(boxes, levels, maps, lowest):
    """you read at the upper left corner; the centre is asked for."""
    return _read(boxes, levels, maps, lowest, place=lambda a, b: a)


def read_rounded(boxes, levels, maps, lowest):
    """you round to the nearest cell; a point lies in the cell that begins before it: round down."""
    rows = []
    for box, level in zip(boxes, levels.tolist(), strict=True):
        cells = maps[level - lowest]
        column, row = ((box[:2] + box[2:]) / 2 / 2**level).round().int().tolist()
        rows.append(cells[:, min(row, cells.shape[1] - 1), min(column, cells.shape[2] - 1)])
    return torch.stack(rows) if rows else torch.zeros(0, maps[0].shape[0])


def read_upside_down(boxes, levels, maps, lowest):
    """you begin with the coarsest map; the first of the list is the finest, of level `lowest`."""
    return _read(boxes, lowest + len(maps) - 1 - (levels - lowest), maps, lowest, stride=lambda level: 2**level)


def read_beyond(boxes, levels, maps, lowest):
    """a centre on the right or lower border lies one cell beyond the map: take the last."""
    rows = []
    for (x1, y1, x2, y2), level in zip(boxes.tolist(), levels.tolist(), strict=True):
        cells = maps[level - lowest]
        rows.append(cells[:, int((y1 + y2) / 2 // 2**level), int((x1 + x2) / 2 // 2**level)])
    return torch.stack(rows) if rows else torch.zeros(0, maps[0].shape[0])
