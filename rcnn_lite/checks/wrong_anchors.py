"""Known wrong versions of anchors and their labels. The docstring of each is what a learner who makes it is told."""

import torch

# ---- cell_anchors ----


def _around_zero(widths, heights):
    return torch.stack((-widths, -heights, widths, heights), dim=-1).reshape(-1, 4) / 2


def _sides(sizes, ratios):
    return sizes[None, :] / ratios[:, None].sqrt(), sizes[None, :] * ratios[:, None].sqrt()


def cell_width_over_height(sizes, ratios):
    """you take the ratio as w / h. Here it is h / w: a ratio of 2 stands upright."""
    widths, heights = _sides(sizes, ratios)
    return _around_zero(heights, widths)


def cell_without_root(sizes, ratios):
    """you take h = s r and w = s, so the area is s^2 r. With the square root on both sides it stays s^2."""
    return _around_zero(sizes.expand(len(ratios), -1), sizes[None, :] * ratios[:, None])


def cell_ratio_squared(sizes, ratios):
    """you take h = s r and w = s / r: the area is right, but h / w is r^2. Take the square root of r."""
    return _around_zero(sizes[None, :] / ratios[:, None], sizes[None, :] * ratios[:, None])


def cell_sizes_first(sizes, ratios):
    """your order is another: all ratios of the first size, then of the next. Here a ratio comes with all its sizes."""
    widths, heights = _sides(sizes, ratios)
    return _around_zero(widths.T, heights.T)


def cell_from_corner(sizes, ratios):
    """your anchors begin at 0; they must lie around it, from -w/2 to w/2."""
    widths, heights = _sides(sizes, ratios)
    zero = torch.zeros_like(widths)
    return torch.stack((zero, zero, widths, heights), dim=-1).reshape(-1, 4)


def cell_whole_sides(sizes, ratios):
    """you go from -w to w and from -h to h: twice as wide and twice as high. Take halves."""
    return 2 * _around_zero(*_sides(sizes, ratios))


def cell_rounded(sizes, ratios):
    """you round to whole pixels, as some implementations do. Boxes are continuous here: nothing is rounded."""
    return _around_zero(*_sides(sizes, ratios)).round()


def cell_last_pixel(sizes, ratios):
    """your anchors are a pixel too narrow: w - 1 is the distance of the first and last pixel, w that of the edges."""
    widths, heights = _sides(sizes, ratios)
    return _around_zero(widths - 1, heights - 1)


# ---- all_anchors ----


def _grid(cell_anchors, feature_size, stride, offset=0.5, order=(0, 1, 2)):
    """(H, W, A, 4), its first three axes in another order, as rows."""
    height, width = feature_size
    y, x = (torch.arange(height) + offset) * stride, (torch.arange(width) + offset) * stride
    y, x = torch.meshgrid(y, x, indexing="ij")
    grid = torch.stack((x, y, x, y), dim=-1)[:, :, None] + cell_anchors  # (H, W, A, 4)
    return grid.permute(*order, 3).reshape(-1, 4)


def grid_at_corner(cell_anchors, feature_size, stride):
    """your anchors lie around the upper left corner of their cell; its centre is half a stride further."""
    return _grid(cell_anchors, feature_size, stride, offset=0.0)


def grid_half_a_pixel(cell_anchors, feature_size, stride):
    """you add 0.5 pixels to the corner of the cell; half a *cell* is stride / 2."""
    return _grid(cell_anchors, feature_size, stride, offset=0.0) + 0.5


def grid_by_columns(cell_anchors, feature_size, stride):
    """you go down the columns; the grid is read row by row, x changes first."""
    return _grid(cell_anchors, feature_size, stride, order=(1, 0, 2))


def grid_by_anchor(cell_anchors, feature_size, stride):
    """you take the first cell anchor at all places, then the second. The anchors of one place stay together."""
    return _grid(cell_anchors, feature_size, stride, order=(2, 0, 1))


def grid_row_first(cell_anchors, feature_size, stride):
    """you add (y, x, y, x); a box is x1 y1 x2 y2."""
    anchors = cell_anchors[:, [1, 0, 3, 2]]
    return _grid(anchors, feature_size, stride)[:, [1, 0, 3, 2]]


def grid_width_first(cell_anchors, feature_size, stride):
    """you read the size of the map as (W, H); it is (H, W), rows before columns."""
    return _grid(cell_anchors, feature_size[::-1], stride)


def grid_without_stride(cell_anchors, feature_size, stride):
    """you shift by cells; an anchor lies in the picture, where the next cell is `stride` pixels further."""
    return _grid(cell_anchors, feature_size, 1)


def grid_half_shifted(cell_anchors, feature_size, stride):
    """you shift x1 and y1 only, and the right and lower edges stay where they were."""
    shifted = _grid(cell_anchors, feature_size, stride)
    stay = cell_anchors.repeat(feature_size[0] * feature_size[1], 1)
    return torch.cat((shifted[:, :2], stay[:, 2:]), dim=1)


# ---- label_anchors ----


def _labels(overlaps, inside, above=0.7, best="all that tie", band=0.3, outside=-1, rivals=None):
    """The right rule, and what learners change in it; `rivals` (n,) may be somebody's best."""
    highest = overlaps.amax(dim=1) if overlaps.shape[1] else torch.zeros(len(overlaps))
    labels = torch.where(highest < band, 0, -1)
    labels[highest >= above] = 1
    some = overlaps * (inside if rivals is None else rivals)[:, None]
    for column in some.T if best != "none" and len(some) else ():
        if column.max() > 0 or best == "even at 0":
            labels[[int(column.argmax())] if best == "the first" else column == column.max()] = 1
    return torch.where(inside, labels, outside)


def labels_one_kind(overlaps, inside):
    """you call positive what overlaps an object by 0.7, only. An object that no anchor fits so well goes without: its
    best anchor is positive too.
    """
    return _labels(overlaps, inside, best="none")


def labels_best_only(overlaps, inside):
    """you call positive the best anchor of each object, only. All that overlap one by 0.7 are positive too."""
    return _labels(overlaps, inside, above=2.0)


def labels_without_band(overlaps, inside):
    """you call background all that is not positive. From 0.3 to 0.7 an anchor is neither: -1."""
    return _labels(overlaps, inside, band=2.0)


def labels_first_of_ties(overlaps, inside):
    """of several best anchors of an object you take the first; all that tie are positive. argmax finds one only."""
    return _labels(overlaps, inside, best="the first")


def labels_out_of_reach(overlaps, inside):
    """an object that no anchor overlaps has no best one; comparing with a maximum of 0 makes all of them its best."""
    return _labels(overlaps, inside, best="even at 0")


def labels_best_outside(overlaps, inside):
    """you look for the best anchor among all, and ignore it if it crosses the border: then the object has none. Look
    among those inside.
    """
    return _labels(overlaps, inside, rivals=torch.ones_like(inside))


def labels_border_ignored(overlaps, inside):
    """you judge anchors across the border as all others; in training they are ignored: -1."""
    return _labels(overlaps, torch.ones_like(inside))


def labels_outside_background(overlaps, inside):
    """you call anchors across the border background; they are ignored: -1, not 0."""
    return _labels(overlaps, inside, outside=0)


def labels_background_last(overlaps, inside):
    """you write the background last, over an object's best anchor if that overlaps it by less than 0.3. Being the best
    counts more.
    """
    labels = _labels(overlaps, inside)
    highest = overlaps.amax(dim=1) if overlaps.shape[1] else torch.zeros(len(overlaps))
    return torch.where(inside & (highest < 0.3), 0, labels)
