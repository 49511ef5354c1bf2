"""Masks as run lengths: equal to pycocotools' strings, and read back by ours."""

import numpy as np
import pytest
from pycocotools import mask as peer

from rcnn_lite.datasets.coco_masks import decode_segmentation, unpack_counts
from rcnn_lite.regions.run_lengths import encode_runs, pack_counts


def masks():
    """Noise of every density, blocks, and pictures that are all one thing."""
    rng = np.random.default_rng(0)
    for k in range(200):
        mask = rng.random(rng.integers(1, 30, 2)) < rng.random()
        yield np.kron(mask, np.ones((9, 13))) > 0 if k % 4 == 0 else mask
    yield from (np.zeros((3, 4), bool), np.ones((3, 4), bool), np.ones((1, 1), bool), np.zeros((700, 900), bool))


def test_strings_are_pycocotools_own():
    for mask in masks():
        expected = peer.encode(np.asfortranarray(mask.astype(np.uint8)))
        found = encode_runs(mask)
        assert (found["size"], found["counts"]) == (list(expected["size"]), expected["counts"].decode())


def test_the_reader_gives_the_mask_back():
    for mask in masks():
        assert np.array_equal(decode_segmentation(encode_runs(mask), mask.shape), mask)


@pytest.mark.parametrize("counts", [[0], [1, 2, 3], [0, 100, 3, 99, 3, 101], [31, 32, 15, 16, 1000000, 5], []])
def test_numbers_are_packed_and_unpacked(counts):
    assert unpack_counts(pack_counts(counts)) == counts


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"mask must have shape \(H, W\), got \(1, 2, 2\)"):
        encode_runs(np.zeros((1, 2, 2), bool))
