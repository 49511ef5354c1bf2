"""Similarities by hand; grouping against recomputation from the pixels."""

import numpy as np
import pytest
from skimage.measure import label

from rcnn_lite.proposals.grouping import (
    color_similarity,
    fill_similarity,
    group_regions,
    merged_labels,
    neighbours,
    size_similarity,
    texture_similarity,
)
from rcnn_lite.proposals.region_features import Region, describe_regions, texture_codes
from rcnn_lite.proposals.segmentation import felzenszwalb

CTSF = (1.0, 1.0, 1.0, 1.0)


def region(size=1, box=(0, 0, 1, 1), colour=(1.0,), texture=(1.0,)):
    return Region(size, np.array(box), np.float32(colour), np.float32(texture))


def scene(seed=0, size=(40, 50)):
    """A picture of noisy patches and its segments."""
    rng = np.random.default_rng(seed)
    patches = np.kron(rng.integers(0, 200, (5, 5, 3)), np.ones((10, 10, 1), int))[: size[0], : size[1]]
    image = (patches + rng.integers(0, 50, patches.shape)).astype(np.uint8)
    return image, felzenszwalb(image, scale=30, sigma=0.8, min_size=6)


def grouped(weights=CTSF, seed=0):
    image, labels = scene(seed)
    segments = describe_regions(labels, image)
    return image, labels, group_regions(segments, neighbours(labels), weights, labels.shape)


# Equations 1, 3, 4, 5.


def test_histogram_intersections_by_hand():
    a, b = region(colour=[0.5, 0.3, 0.2]), region(colour=[0.25, 0.5, 0.25])
    assert color_similarity(a, b) == pytest.approx(0.25 + 0.3 + 0.2)
    a, b = region(texture=[0.75, 0.25, 0.0]), region(texture=[0.0, 0.5, 0.5])
    assert texture_similarity(a, b) == pytest.approx(0.25)
    assert color_similarity(region(colour=[0.25, 0.75]), region(colour=[0.25, 0.75])) == 1
    assert texture_similarity(region(texture=[1, 0]), region(texture=[0, 1])) == 0


def test_size_by_hand():
    assert size_similarity(region(size=3), region(size=5), (4, 10)) == pytest.approx(1 - 8 / 40)
    assert size_similarity(region(size=20), region(size=20), (4, 10)) == 0


def test_fill_by_hand():
    # 2 x 2 at the left and 3 x 1 at the upper right of a box 6 wide, 2 high: 12 - 4 - 3 = 5 pixels of it are holes
    a, b = region(size=4, box=(0, 0, 2, 2)), region(size=3, box=(3, 0, 6, 1))
    assert fill_similarity(a, b, (5, 10)) == pytest.approx(1 - 5 / 50)
    # side by side without a hole
    assert fill_similarity(region(4, (0, 0, 2, 2)), region(4, (2, 0, 4, 2)), (2, 4)) == 1


def test_similarities_are_symmetric_and_between_0_and_1():
    _, labels, hierarchy = grouped()
    for i, j in neighbours(labels)[:40]:
        a, b = hierarchy.regions.region(i), hierarchy.regions.region(j)
        for function in (color_similarity, texture_similarity):
            assert function(a, b) == function(b, a)
            assert 0 <= function(a, b) <= 1 + 1e-5
        for function in (size_similarity, fill_similarity):
            assert function(a, b, labels.shape) == function(b, a, labels.shape)
            assert 0 <= function(a, b, labels.shape) <= 1


# Neighbours and merges.


def test_neighbours_touch_by_side_or_corner():
    labels = np.int32([[0, 0, 1], [0, 2, 1], [3, 3, 3]])
    assert neighbours(labels).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert neighbours(np.int32([[0, 1], [2, 3]])).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert neighbours(np.int32([[0, 1, 2]])).tolist() == [[0, 1], [1, 2]]
    assert neighbours(np.zeros((3, 3), np.int32)).shape == (0, 2)


def test_merges_by_hand():
    """Two columns of 10 (bin 0), one of 200 (bin 19), one of 12 (bin 1), joined by size alone."""
    labels = np.int32([[0, 0, 1, 2], [0, 0, 1, 2]])
    image = np.uint8([[10, 10, 200, 12]] * 2)[:, :, None]
    segments = describe_regions(labels, image)
    by_size = group_regions(segments, neighbours(labels), (0, 0, 1, 0), labels.shape)
    assert by_size.merges.tolist() == [[1, 2], [0, 3]]
    assert by_size.similarities.tolist() == [1 - 4 / 8, 0]
    assert by_size.regions.box.tolist() == [[0, 0, 2, 2], [2, 0, 3, 2], [3, 0, 4, 2], [2, 0, 4, 2], [0, 0, 4, 2]]
    assert by_size.regions.size.tolist() == [4, 2, 2, 4, 8]
    assert by_size.regions.colour[3, [1, 19]].tolist() == [0.5, 0.5]
    assert by_size.regions.colour[4, [0, 1, 19]].tolist() == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("weights", [CTSF, (0, 1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0), (2.0, 0.5, 0.25, 3.0)])
def test_each_merge_joins_the_most_similar_neighbours(weights):
    """At every step: the regions, their neighbours and their similarities all found anew from the pixels."""
    image, labels, hierarchy = grouped(weights)
    codes = texture_codes(image)
    assert len(hierarchy.merges) > 20
    for t, (a, b) in enumerate(hierarchy.merges):
        ids, now = np.unique(merged_labels(labels, hierarchy.merges[:t]), return_inverse=True)
        now = now.reshape(labels.shape).astype(np.int32)
        standing = describe_regions(now, image, codes)
        found = {}
        for i, j in neighbours(now):
            p, q = standing.region(i), standing.region(j)
            parts = color_similarity(p, q), texture_similarity(p, q)
            parts += size_similarity(p, q, labels.shape), fill_similarity(p, q, labels.shape)
            found[frozenset((ids[i], ids[j]))] = np.dot(weights, parts)
        assert hierarchy.similarities[t] == pytest.approx(max(found.values()), abs=1e-4)
        assert found[frozenset((a, b))] == pytest.approx(max(found.values()), abs=1e-4)


def test_every_region_is_described_as_from_its_pixels():
    image, labels, hierarchy = grouped()
    codes = texture_codes(image)
    for t in range(len(hierarchy.merges)):
        i = len(hierarchy.merges) + 1 + t
        mask = merged_labels(labels, hierarchy.merges[: t + 1]) == i
        expected = describe_regions(np.where(mask, 0, 1).astype(np.int32), image, codes).region(0)
        ours = hierarchy.regions.region(i)
        assert ours.size == expected.size == mask.sum()
        assert ours.box.tolist() == expected.box.tolist()
        np.testing.assert_allclose(ours.colour, expected.colour, atol=1e-5)
        np.testing.assert_allclose(ours.texture, expected.texture, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_every_region_is_connected_and_the_last_is_the_picture(seed):
    _, labels, hierarchy = grouped(seed=seed)
    count = labels.max() + 1
    assert len(hierarchy.merges) == len(hierarchy.similarities) == count - 1
    assert len(hierarchy.regions.size) == 2 * count - 1
    assert hierarchy.regions.box[-1].tolist() == [0, 0, labels.shape[1], labels.shape[0]]
    assert sorted(hierarchy.merges.ravel().tolist()) == list(range(2 * count - 2))  # each region is joined once
    for t in range(count):
        now = merged_labels(labels, hierarchy.merges[:t])
        ids, now = np.unique(now, return_inverse=True)
        assert len(ids) == count - t
        assert label(now.reshape(labels.shape) + 1, connectivity=2).max() == len(ids)


def test_two_groups_that_do_not_touch_stay_apart():
    image, labels, _ = grouped()
    segments = describe_regions(labels, image)
    hierarchy = group_regions(segments, np.array([[0, 1], [2, 3]]), CTSF, labels.shape)
    assert len(hierarchy.merges) == 2
    assert len(hierarchy.regions.size) == labels.max() + 1 + 2


def test_the_arguments_are_left_as_they_were():
    image, labels = scene()
    segments, pairs = describe_regions(labels, image), neighbours(labels)
    copies = [rows.copy() for rows in segments], pairs.copy()
    group_regions(segments, pairs, CTSF, labels.shape)
    assert all(np.array_equal(a, b) for a, b in zip(segments, copies[0], strict=True))
    assert np.array_equal(pairs, copies[1])


def test_a_single_region():
    labels = np.zeros((3, 4), np.int32)
    hierarchy = group_regions(
        describe_regions(labels, np.zeros((3, 4, 3), np.uint8)), neighbours(labels), CTSF, labels.shape
    )
    assert hierarchy.merges.shape == (0, 2)
    assert hierarchy.regions.box.tolist() == [[0, 0, 4, 3]]
    assert merged_labels(labels, hierarchy.merges).tolist() == labels.tolist()
