"""Known wrong versions of RoIAlign's bins, for notebook 13. The docstring of each is what the learner is told."""

import torch

from rcnn_lite.regions.roi_align import _axis_weights, _dense, roi_align
from rcnn_lite.regions.roi_pool import round_half_away

# ---- axis_matrix ----


def _matrix(side, bins, samples, cells, half=0.5):
    weights = _axis_weights(side[:1] - half, side[1:] - side[:1], bins, samples, cells)
    return _dense(*weights, cells)[0]


def _from_reading(read):
    """A matrix whose rows are means over the points of a bin of ``read(indices, cells)``, (n, cells)."""

    def matrix(side, bins, samples, cells):
        parts = (torch.arange(bins * samples) + 0.5) / (bins * samples)
        rows = read(side[0] + parts * (side[1] - side[0]) - 0.5, cells)
        return rows.reshape(bins, samples, cells).mean(dim=1)

    return matrix


def _tent(indices, cells, reach=1.0):
    counts = (indices >= -reach) & (indices <= cells - 1 + reach)
    distance = (indices.clamp(0, cells - 1)[:, None] - torch.arange(cells)).abs()
    return (1 - distance).clamp(min=0) * counts[:, None]


def matrix_half_missing(side, bins, samples, cells):
    """you leave out the half: places in cells are half a cell larger than those in indices."""
    return _matrix(side, bins, samples, cells, 0.0)


def matrix_half_added(side, bins, samples, cells):
    """you add the half. Cell 0's value stands at 0.5 in cells and at 0 in indices: take it off."""
    return _matrix(side, bins, samples, cells, -0.5)


def matrix_sum(side, bins, samples, cells):
    """you add the points of a bin up: divide by their number."""
    return _matrix(side, bins, samples, cells) * samples


def matrix_nearest(side, bins, samples, cells):
    """each of your points reads one cell; it reads two, by distance: max(0, 1 - |d|)."""
    return _from_reading(lambda i, n: torch.nn.functional.one_hot(i.round().clamp(0, n - 1).long(), n).float())(
        side, bins, samples, cells
    )


def matrix_shares_swapped(side, bins, samples, cells):
    """your shares are the wrong way round: the nearer cell counts more."""

    def read(indices, count):
        tent = _tent(indices, count)
        return torch.where(tent > 0, 1 - tent, 0) + (tent == 1)

    return _from_reading(read)(side, bins, samples, cells)


def matrix_border_zero(side, bins, samples, cells):
    """you take cells outside for 0: half a cell outside, the border should count whole. Clamp the place first."""

    def read(indices, count):
        return (1 - (indices[:, None] - torch.arange(count)).abs()).clamp(min=0)

    return _from_reading(read)(side, bins, samples, cells)


def matrix_border_everywhere(side, bins, samples, cells):
    """you let points far outside read the border: more than a cell from its place, they count nothing."""
    return _from_reading(lambda i, n: _tent(i, n, reach=1e9))(side, bins, samples, cells)


def matrix_sums_to_one(side, bins, samples, cells):
    """you divide by the number of points inside. Divide by S: a point outside counts, as 0."""
    matrix = _matrix(side, bins, samples, cells)
    total = matrix.sum(dim=1, keepdim=True)
    return matrix / torch.where(total > 0, total, 1)


def matrix_overwrites(side, bins, samples, cells):
    """a cell that two points of a bin read keeps the share of the last one only: add them up."""
    parts = (torch.arange(bins * samples) + 0.5) / (bins * samples)
    tents = _tent(side[0] + parts * (side[1] - side[0]) - 0.5, cells).reshape(bins, samples, cells) / samples
    matrix = torch.zeros(bins, cells)
    for sample in range(samples):
        matrix = torch.where(tents[:, sample] > 0, tents[:, sample], matrix)
    return matrix


def matrix_transposed(side, bins, samples, cells):
    """your matrix lies on its side: a row for each bin, a column for each cell."""
    return _matrix(side, bins, samples, cells).T


# ---- align ----


def _align(channel, box, stride, bins, aligned, points=2):
    roi = torch.cat((torch.zeros(1), box))[None]
    return roi_align(channel[None, None], roi, bins, 1 / stride, points, aligned)[0, 0]


def align_never_aligned(channel, box, stride, bins, aligned):
    """you leave the half cell out even where `aligned` is true."""
    return _align(channel, box, stride, bins, False)


def align_always_aligned(channel, box, stride, bins, aligned):
    """you do not look at `aligned`: where it is false, nothing is taken off, and no side is shorter than a cell."""
    return _align(channel, box, stride, bins, True)


def align_in_pixels(channel, box, stride, bins, aligned):
    """you forget the stride: box / stride is in cells."""
    return _align(channel, box, 1, bins, aligned)


def align_rounds(channel, box, stride, bins, aligned):
    """you round the box to cells. That is RoIWarp; RoIAlign rounds nothing."""
    return _align(channel, round_half_away(box / stride) * stride, stride, bins, aligned)


def align_axes_swapped(channel, box, stride, bins, aligned):
    """x and y are mixed up: rows of the map follow y, so A_y stands before the map and A_x, transposed, behind it."""
    return _align(channel, box, stride, bins, aligned).T


def align_one_point(channel, box, stride, bins, aligned):
    """you read one point a bin: read 2 x 2 and take their mean."""
    return _align(channel, box, stride, bins, aligned, 1)


def align_largest(channel, box, stride, bins, aligned):
    """you keep the largest of the four points: take their mean."""
    points = _align(channel, box, stride, 2 * bins, aligned, 1)
    return torch.nn.functional.max_pool2d(points[None], 2)[0]


def align_stretches_always(channel, box, stride, bins, aligned):
    """you stretch small boxes to a cell; only the form that is not aligned does."""
    if not aligned:
        return _align(channel, box, stride, bins, False)
    return _align(channel, torch.cat((box[:2], torch.maximum(box[2:], box[:2] + stride))), stride, bins, True)


def align_stretches_never(channel, box, stride, bins, aligned):
    """without `aligned`, a side shorter than a cell is stretched to one."""
    return _align(channel, box if aligned else box + stride / 2, stride, bins, True)


def align_clips_box(channel, box, stride, bins, aligned):
    """you clip the box to the map, which moves its bins. Leave it: points outside read the border, or 0."""
    limits = box.new_tensor([channel.shape[1], channel.shape[0]] * 2) * stride
    return _align(channel, torch.minimum(box.clamp(min=0), limits), stride, bins, aligned)
