"""COCO's two ways of writing a mask down: polygons, and run lengths (plain or packed into a string).

Both count pixels column by column. Equal to pycocotools' masks, pixel for pixel; written so that one can see what
they mean.
"""

import numpy as np

SUBPIXELS = 5
"""COCO follows an outline on a grid this much finer than the pixels and keeps where it crosses a column's centre."""

FAR = 10
"""An outline may leave its picture, by so many times its longer side: each pixel of its length takes memory."""

LONGEST = 60
"""Bits of a packed run length; a damaged string could otherwise be one number of a million digits."""


def decode_segmentation(segmentation: list | dict, size: tuple[int, int]) -> np.ndarray:
    """The mask of one annotation: uint8 (H, W).

    ``segmentation`` is a list of polygons [x1, y1, x2, y2, ...], whose union is meant, or a dict with ``size`` [H, W]
    and ``counts``, run lengths as a list or as a packed string. Raises ValueError for anything else, and for polygons
    that lie in quite another picture: with coordinates more than `FAR` times its size away from it.
    """
    if isinstance(segmentation, dict):
        return decode_runs(segmentation, size)
    if not isinstance(segmentation, list):
        raise ValueError(f"segmentation must be a list of polygons or a dict, got {type(segmentation).__name__}")
    mask = np.zeros(size, np.uint8)
    for index, polygon in enumerate(segmentation):
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(f"polygon {index} must be a list of at least three x, y pairs, got {polygon!r:.60}")
        if wrong := [value for value in polygon if not _is_near(value, max(size))]:
            picture = "{} x {}".format(*size)
            raise ValueError(f"polygon {index} has the coordinate {wrong[0]!r:.60} in an image of {picture} pixels")
        mask |= fill_polygon(np.array(polygon, dtype=np.float64).reshape(-1, 2), size)
    return mask


def _is_near(value: object, side: int) -> bool:
    """Whether a coordinate is a number, and one that a picture of this longer side can have something to do with."""
    return isinstance(value, int | float) and -FAR * side <= value <= (FAR + 1) * side  # NaN is not


def fill_polygon(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fill a polygon: corners (P, 2) x y in pixels -> uint8 (H, W).

    Walk down the centre line of a column: every time it crosses the outline, outside becomes inside or inside
    outside. So a pixel is inside if an odd number of crossings lies above it. That holds for outlines that cross
    themselves, too: what they go around twice is a hole.

    >>> fill_polygon(np.array([[1.0, 0.0], [4.0, 0.0], [4.0, 2.0], [1.0, 2.0]]), (3, 5))
    array([[0, 1, 1, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]], dtype=uint8)
    """
    height, width = size
    columns, rows = _crossings(*_outline(points), size)
    counts = np.bincount(columns * height + rows, minlength=height * width + 1)  # crossings just above each pixel
    inside = counts.cumsum()[:-1] % 2  # (W * H,)
    return inside.reshape(width, height).T.astype(np.uint8)


def _outline(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points u, v of the fine grid that a closed polygon passes, in order, without gaps."""
    corners = (SUBPIXELS * points + 0.5).astype(np.int64)
    us, vs = [], []
    for (u0, v0), (u1, v1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if abs(u1 - u0) >= abs(v1 - v0):
            u, v = _line(u0, v0, u1, v1)
        else:
            v, u = _line(v0, u0, v1, u1)
        us.append(u)
        vs.append(v)
    return np.concatenate(us), np.concatenate(vs)


def _line(a0: int, b0: int, a1: int, b1: int) -> tuple[np.ndarray, np.ndarray]:
    """Grid points of a line with |slope| <= 1: every a from a0 to a1, b rounded; the same points both ways."""
    if a0 > a1:
        a, b = _line(a1, b1, a0, b0)
        return a[::-1], b[::-1]
    steps = np.arange(a1 - a0 + 1)
    slope = (b1 - b0) / max(a1 - a0, 1)
    return a0 + steps, (b0 + slope * steps + 0.5).astype(np.int64)


def _crossings(u: np.ndarray, v: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the outline crosses the centre line of a column: columns, and rows of the first pixel centre below."""
    height, width = size
    moved = np.flatnonzero(np.diff(u))  # from point i to i + 1 it goes sideways
    left = np.minimum(u[moved], u[moved + 1])
    top = np.minimum(v[moved], v[moved + 1])
    columns = left // SUBPIXELS
    at_centre = (left % SUBPIXELS == SUBPIXELS // 2) & (columns >= 0) & (columns < width)
    y = (top + 0.5) / SUBPIXELS - 0.5  # in pixels, 0 at the centre of the first row
    rows = np.ceil(y.clip(0, height)).astype(np.int64)
    return columns[at_centre], rows[at_centre]


def decode_runs(runs: dict, size: tuple[int, int]) -> np.ndarray:
    """Run lengths -> uint8 (H, W): so many pixels outside, so many inside, so many outside, ..., column by column.

    >>> decode_runs({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3))
    array([[0, 1, 0],
           [1, 0, 0]], dtype=uint8)
    """
    for key in ("size", "counts"):
        if key not in runs:
            raise ValueError(f"segmentation has no key '{key}'")
    if not isinstance(runs["size"], list | tuple) or tuple(runs["size"]) != tuple(size):
        its = tuple(runs["size"]) if isinstance(runs["size"], list) else runs["size"]
        raise ValueError(f"segmentation is for an image of {its} but the image is {tuple(size)} (H, W)")
    counts = runs["counts"] if isinstance(runs["counts"], list) else unpack_counts(runs["counts"])
    if wrong := [count for count in counts if not isinstance(count, int)]:
        raise ValueError(f"run lengths must be whole numbers, got {wrong[0]!r:.60}")
    height, width = size
    if sum(counts) != height * width or min(counts, default=0) < 0:
        raise ValueError(f"the run lengths add up to {sum(counts)}, not to {height} x {width} pixels")
    inside = np.arange(len(counts)) % 2
    return np.repeat(inside, counts).reshape(width, height).T.astype(np.uint8)


def unpack_counts(packed: str | bytes) -> list[int]:
    """Run lengths from COCO's string: each character (minus 48) carries five bits, the lowest first, and a "more
    follows" bit.

    The highest bit of the last group is the sign. From the fourth number on, the difference to the run two before is
    stored, since neighbouring columns of a mask look alike.

    >>> unpack_counts("123")
    [1, 2, 3]
    """
    if not isinstance(packed, str | bytes) or (isinstance(packed, str) and not packed.isascii()):
        raise ValueError(f"counts must be a list of run lengths or an ASCII string of packed ones, got {packed!r:.60}")
    codes = packed.encode("ascii") if isinstance(packed, str) else packed
    counts, value, shift = [], 0, 0
    for code in codes:
        bits = code - 48
        if shift > LONGEST:
            raise ValueError("the packed run lengths hold a number that is longer than any picture")
        value |= (bits & 0b11111) << shift
        shift += 5
        if bits & 0b100000:
            continue
        if bits & 0b10000:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    if shift:
        raise ValueError("the packed run lengths end in the middle of a number")
    return counts
