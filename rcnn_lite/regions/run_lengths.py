"""Masks as COCO's results files have them: run lengths, packed into a string.

The other way round, and polygons, is `rcnn_lite.datasets.coco_masks`.
"""

from collections.abc import Sequence

import numpy as np


def encode_runs(mask: np.ndarray) -> dict:
    """A mask (H, W), true inside the object, as {"size": [H, W], "counts": packed}, column by column.

    >>> encode_runs(np.array([[False, True, False], [True, False, False]]))
    {'size': [2, 3], 'counts': '123'}
    """
    if mask.ndim != 2:
        raise ValueError(f"mask must have shape (H, W), got {mask.shape}")
    pixels = mask.astype(bool).T.flatten()  # column by column
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    ends = np.concatenate(([0] if pixels[:1].any() else [], changes, [pixels.size])).astype(np.int64)
    return {"size": list(mask.shape), "counts": pack_counts(np.diff(ends, prepend=0).tolist())}


def pack_counts(counts: Sequence[int]) -> str:
    """Run lengths as COCO's string: five bits a character (plus 48), the lowest first, with a "more follows" bit.

    The highest bit of a number's last group is its sign. From the fourth number on the difference to the run two before
    is stored, since neighbouring columns of a mask look alike.

    >>> pack_counts([1, 2, 3]), pack_counts([0, 100, 3, 99])
    ('123', '0T33O')
    """
    packed = []
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            bits, value = value & 0b11111, value >> 5
            more = value != (-1 if bits & 0b10000 else 0)
            packed.append(chr((bits | 0b100000 * more) + 48))
    return "".join(packed)
