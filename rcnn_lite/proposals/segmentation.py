"""Graph-based segmentation (Felzenszwalb and Huttenlocher 2004): the segments that selective search starts from.

A pixel is a node; an edge joins it to each of its 8 neighbours and weighs the Euclidean distance of their colours.
Edges are visited from light to heavy. An edge joins the components at its ends unless it is heavy compared with what
lies inside them:

    Int(C)      the heaviest edge of C's minimum spanning tree          (equation 1)
    MInt(A, B)  min(Int(A) + k / |A|, Int(B) + k / |B|)                 (equations 4 and 5)
    join A, B   if the edge's weight <= MInt(A, B)                      (algorithm 1)

As the edges come in order, the one that joins two components is the heaviest in their union: Int costs nothing to keep.
A single pixel has Int = 0, hence a slack of k; the larger k, the larger the components. What stays smaller than
``min_size`` is joined to the neighbour across its lightest edge.

Smoothed colours and weights are integers in 1/256 of a grey level, for two reasons: so few values can be sorted by
counting, in time linear in the edges, and rounding is the same on every machine. Notebook 04 builds the plain version.
"""

import cv2
import numpy as np
from numba import njit

STEPS = 256
"""Steps of smoothed colours and weights per grey level. With 64, flat sky already falls into a fifth more segments."""

HEAVIEST = 512 * STEPS
"""No weight reaches this: two colours of at most 4 channels are at most 255 sqrt(4) levels apart."""

MAX_PIXELS = 2**30
"""The four edges of each pixel are numbered in 32 bits."""


def felzenszwalb(image: np.ndarray, scale: float = 100.0, sigma: float = 0.8, min_size: int = 50) -> np.ndarray:
    """Segments of a uint8 picture (H, W) or (H, W, C), C <= 4: int32 labels (H, W), 0 .. n-1.

    Labels are numbered in raster order of each segment's first pixel; every segment is 8-connected. ``scale`` is the
    paper's k in grey levels (0 .. 255), ``sigma`` the width in pixels of the gaussian that smooths the picture first
    (0: none), ``min_size`` the pixels below which a segment is joined to a neighbour. All channels count alike, alpha
    too: `rcnn_lite.images.as_rgb` drops it. Memory: about 40 bytes a pixel. ValueError for another dtype or shape, or a
    parameter that makes no sense.

    Felzenszwalb and Huttenlocher: Efficient graph-based image segmentation, IJCV 59(2), 2004.

    >>> felzenszwalb(np.uint8([[0, 0, 0, 200, 200, 200]] * 4), scale=10, sigma=0, min_size=1)[0]
    array([0, 0, 0, 1, 1, 1], dtype=int32)
    """
    for value, name in ((scale, "scale"), (min_size, "min_size")):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} must be finite and not negative, got {value}")
    smooth = smooth_image(image, sigma)  # (H, W, C)
    return segment_graph(sort_edges(smooth), smooth.shape[:2], float(scale), int(np.ceil(min_size)))


def smooth_image(image: np.ndarray, sigma: float) -> np.ndarray:
    """uint8 (H, W) or (H, W, C) -> uint16 (H, W, C) in `STEPS` per level, blurred by a gaussian of ``sigma`` pixels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise ValueError(f"image must be a uint8 numpy array, got {getattr(image, 'dtype', type(image).__name__)}")
    if image.size == 0 or image.ndim not in (2, 3) or image.shape[2:] > (4,):
        raise ValueError(f"image must have shape (H, W) or (H, W, C) with pixels and C <= 4, got {image.shape}")
    if image.shape[0] * image.shape[1] >= MAX_PIXELS:
        raise ValueError(f"image must have fewer than {MAX_PIXELS:,} pixels, got shape {image.shape}")
    if not 0 <= sigma < 100:
        raise ValueError(f"sigma must lie in [0, 100) pixels, got {sigma}")
    levels = image.astype(np.uint16) * STEPS
    if sigma > 0:
        side = 2 * int(np.ceil(3 * sigma)) + 1  # three standard deviations each way
        levels = cv2.GaussianBlur(levels, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(levels).reshape(*image.shape[:2], -1)  # (H, W, C)


@njit(cache=True, nogil=True)
def _weight(smooth, y, x, y2, x2):
    """Distance of two pixels' colours, in steps, rounded down."""
    total = 0.0
    for c in range(smooth.shape[2]):
        difference = float(smooth[y, x, c]) - float(smooth[y2, x2, c])
        total += difference * difference
    return int(np.sqrt(total))


@njit(cache=True, nogil=True)
def sort_edges(smooth):
    """The edges of a smoothed picture (H, W, C) by weight: (edges (E,) uint32, starts (bins + 1,) int64).

    Edge 4 p + d joins pixel p (row * W + column) to its neighbour right, down left, down, down right for d = 0 .. 3;
    the other four neighbours of a pixel have it among theirs. The edges of weight w, in steps, are
    ``edges[starts[w] : starts[w + 1]]``, in raster order.
    """
    height, width = smooth.shape[0], smooth.shape[1]
    starts = np.zeros(HEAVIEST + 1, dtype=np.int64)
    weights = np.empty(4 * height * width, dtype=np.uint32)
    for y in range(height):
        for x in range(width):
            for d in range(4):
                y2, x2 = (y, x + 1) if d == 0 else (y + 1, x + d - 2)
                weight = HEAVIEST  # marks a neighbour beyond the border
                if y2 < height and 0 <= x2 < width:
                    weight = _weight(smooth, y, x, y2, x2)
                    starts[weight + 1] += 1
                weights[4 * (y * width + x) + d] = weight
    for weight in range(HEAVIEST):
        starts[weight + 1] += starts[weight]
    edges = np.empty(starts[HEAVIEST], dtype=np.uint32)
    free = starts.copy()  # where the next edge of each weight goes
    for edge in range(weights.size):
        weight = weights[edge]
        if weight < HEAVIEST:
            edges[free[weight]] = edge
            free[weight] += 1
    return edges, starts


@njit(cache=True, nogil=True)
def _find(parent, p):
    """The root of p's component. Pixels passed on the way move up to their grandparents, so that trees stay flat."""
    while parent[p] != p:
        parent[p] = parent[parent[p]]
        p = parent[p]
    return p


@njit(cache=True, nogil=True)
def _ends(edge, width):
    """The two pixels that an edge of `sort_edges` joins."""
    p, d = np.int64(edge) >> 2, np.int64(edge) & 3
    return p, p + 1 if d == 0 else p + width + d - 2


@njit(cache=True, nogil=True)
def _join(parent, size, a, b):
    """Hang the smaller of two components under the root of the larger one, which is returned."""
    if size[a] < size[b]:
        a, b = b, a
    parent[b] = a
    size[a] += size[b]
    return a


@njit(cache=True, nogil=True)
def segment_graph(sorted_edges, image_size, scale, min_size):
    """Labels (H, W) int32 of the components that algorithm 1 leaves, from the edges of `sort_edges`."""
    edges, starts = sorted_edges
    height, width = image_size
    parent = np.empty(height * width, dtype=np.int32)
    size = np.empty(height * width, dtype=np.int32)  # |C|, at the root of C
    limit = np.empty(height * width, dtype=np.float32)  # Int(C) + k / |C|, at the root of C
    for p in range(parent.size):
        parent[p], size[p], limit[p] = p, 1, scale
    refused = np.empty_like(edges)
    refusals = 0
    for step in range(starts.size - 1):
        weight = step / STEPS
        for i in range(starts[step], starts[step + 1]):
            p, q = _ends(edges[i], width)
            a, b = _find(parent, p), _find(parent, q)
            if a == b:
                continue
            # Felzenszwalb and Huttenlocher, equations 2 to 4: the weight is Dif, a border is where it is above MInt
            if weight <= limit[a] and weight <= limit[b]:
                a = _join(parent, size, a, b)
                # Felzenszwalb and Huttenlocher, equations 1 and 5: Int of the union, and its slack
                limit[a] = weight + scale / size[a]
            else:
                refused[refusals] = edges[i]
                refusals += 1
    for edge in refused[:refusals]:  # still from light to heavy
        p, q = _ends(edge, width)
        a, b = _find(parent, p), _find(parent, q)
        if a != b and min(size[a], size[b]) < min_size:
            _join(parent, size, a, b)
    return _number(parent, height, width)


@njit(cache=True, nogil=True)
def _number(parent, height, width):
    """Labels 0 .. n-1 in raster order of each component's first pixel: (H, W) int32."""
    label_of = np.full(parent.size, -1, dtype=np.int32)
    labels = np.empty((height, width), dtype=np.int32)
    used = 0
    for p in range(parent.size):
        root = _find(parent, p)
        if label_of[root] < 0:
            label_of[root] = used
            used += 1
        labels[p // width, p % width] = label_of[root]
    return labels
