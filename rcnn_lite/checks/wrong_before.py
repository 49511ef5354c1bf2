"""Known wrong versions of notebook 03's functions. The docstring of each is what a learner who makes it is told."""

import math

import torch

# ---- direction_histogram ----


def histogram(dx, dy, *, full_circle=False, count=False, nearest=False, swap=False, fold=False, city=False):
    """Nine sums of gradient lengths by direction, with one thing done differently."""
    dx, dy = (t.double() for t in ((dy, dx) if swap else (dx, dy)))
    if fold:
        dx, dy = dx.abs(), dy.abs()
    length = dx.abs() + dy.abs() if city else (dx**2 + dy**2).sqrt()
    if count:
        length = (length > 0).double()
    step = 40 if full_circle else 20
    angle = torch.rad2deg(torch.atan2(dy, dx)) % (9 * step)
    place = (angle / step).round() if nearest else (angle / step).floor()
    return torch.zeros(9, dtype=torch.float64).index_add(0, place.long().flatten() % 9, length.flatten())


def histogram_full_circle(dx, dy):
    """you tell a direction from its opposite (0 to 360 degrees). From dark to light or from light to dark is the same
    edge: take the angle modulo 180.
    """
    return histogram(dx, dy, full_circle=True)


def histogram_counts(dx, dy):
    """you count pixels; each votes with the length of its gradient."""
    return histogram(dx, dy, count=True)


def histogram_nearest(dx, dy):
    """you round to the nearest multiple of 20 degrees; bin k reaches from 20 k to 20 (k + 1), so round down."""
    return histogram(dx, dy, nearest=True)


def histogram_swapped(dx, dy):
    """you swapped dx and dy in the angle: `atan2` takes dy first."""
    return histogram(dx, dy, swap=True)


def histogram_folded(dx, dy):
    """you drop the signs of dx and dy, so that an edge that rises and one that falls are the same."""
    return histogram(dx, dy, fold=True)


def histogram_city(dx, dy):
    """the length of a gradient is the square root of dx^2 + dy^2, not |dx| + |dy|."""
    return histogram(dx, dy, city=True)


# ---- normalise_block ----


def block(values, *, cut=0.2, again=True, power=2, eps=1e-5, cut_first=False):
    """L2-Hys with one thing done differently."""

    def unit(v):
        norm = (v.abs() ** power).sum() + eps**power
        return v / norm ** (1 / power)

    v = values.double()
    v = unit(v.clamp(max=cut)) if cut_first else unit(v).clamp(max=cut)
    return unit(v) if again else v


def block_uncut(values):
    """you forget to cut at 0.2: one strong edge then makes all others vanish."""
    return block(values, cut=math.inf)


def block_once(values):
    """you forget the second normalisation: after the cut the length is no longer 1."""
    return block(values, again=False)


def block_sum(values):
    """you divide by the sum; L2 divides by the square root of the sum of squares."""
    return block(values, power=1)


def block_without_eps(values):
    """without epsilon an empty block is 0 / 0."""
    return block(values, eps=0.0)


def block_cut_first(values):
    """you cut before you normalise, so that the result depends on the contrast."""
    return block(values, cut_first=True)


# ---- count_windows ----


def windows(sizes, window, stride, *, fence=1, clamp=True, swap=False, longest=False):
    """Windows of all levels, counted with one thing done differently."""
    total = 0
    for height, width in sizes.tolist():
        h, w = (window[1], window[0]) if swap else window
        rows, columns = (height - h) // stride + fence, (width - w) // stride + fence
        if clamp:
            rows, columns = max(rows, 0), max(columns, 0)
        total += max(rows, columns) if longest else rows * columns
    return total


def windows_fences(sizes, window, stride):
    """you count the steps between windows; there is one window more than steps, in each direction."""
    return windows(sizes, window, stride, fence=0)


def windows_below_nothing(sizes, window, stride):
    """a window that does not fit is counted a negative number of times, and two negative numbers make a positive."""
    return windows(sizes, window, stride, clamp=False)


def windows_swapped(sizes, window, stride):
    """you swapped height and width of the window: sizes and windows are (height, width)."""
    return windows(sizes, window, stride, swap=True)


def windows_by_area(sizes, window, stride):
    """you divide areas. Windows overlap: count the positions in each direction and multiply."""
    return sum((h * w) // (window[0] * window[1]) for h, w in sizes.tolist())


def windows_everywhere(sizes, window, stride):
    """you forget the stride."""
    return windows(sizes, window, 1)


# ---- best_window ----


def best(scores, window, stride, scale, *, swap=False, turned=False, centre=False, corner_only=False):
    """The box of the best window, with one thing done differently."""
    row, column = divmod(int(scores.argmax()), scores.shape[1])
    if swap:
        row, column = column, row
    height, width = (window[1], window[0]) if turned else window
    y, x = row * stride, column * stride
    if centre:
        x, y = x - width / 2, y - height / 2
    if corner_only:
        return [x * scale, y * scale, x * scale + width, y * scale + height]
    return [x * scale, y * scale, (x + width) * scale, (y + height) * scale]


def best_unscaled(scores, window, stride, scale):
    """the box is in the level's pixels: multiply by the scale."""
    return best(scores, window, stride, 1.0)


def best_swapped(scores, window, stride, scale):
    """rows are y and columns are x: a box begins with x."""
    return best(scores, window, stride, scale, swap=True)


def best_turned(scores, window, stride, scale):
    """you swapped height and width of the window."""
    return best(scores, window, stride, scale, turned=True)


def best_centred(scores, window, stride, scale):
    """position (row, column) is the window's upper left corner; you take it for its centre."""
    return best(scores, window, stride, scale, centre=True)


def best_without_stride(scores, window, stride, scale):
    """you forget the stride: neighbours in the map are `stride` pixels apart."""
    return best(scores, window, 1, scale)


def best_corner_only(scores, window, stride, scale):
    """you scale the corner but not the size of the window."""
    return best(scores, window, stride, scale, corner_only=True)
