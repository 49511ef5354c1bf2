"""Graph-based segmentation: worked by hand, against a loop without trees, and against scikit-image."""

import importlib.resources

import numpy as np
import oracles
import pytest
import skimage.segmentation
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label

from rcnn_lite.images import read_image
from rcnn_lite.proposals.segmentation import STEPS, felzenszwalb, segment_graph, smooth_image, sort_edges


def photograph(name):
    return read_image(importlib.resources.files("skimage.data") / name)


def textured(size, seed):
    """Patches of 8 x 8 with noise, so that segments of many sizes arise."""
    rng = np.random.default_rng(seed)
    rows, columns = -(-size[0] // 8), -(-size[1] // 8)
    patches = np.kron(rng.integers(0, 200, (rows, columns, 3)), np.ones((8, 8, 1), int))[: size[0], : size[1]]
    return (patches + rng.integers(0, 40, patches.shape)).astype(np.uint8)


def test_two_flat_halves_by_hand():
    image = np.uint8([[0, 0, 10, 10]] * 2)
    # Inside a half every edge weighs 0, across it 10. When the halves stand, Int = 0 and |C| = 4: the slack is k / 4.
    assert felzenszwalb(image, scale=39.9, sigma=0, min_size=0).tolist() == [[0, 0, 1, 1]] * 2
    assert felzenszwalb(image, scale=40, sigma=0, min_size=0).tolist() == [[0, 0, 0, 0]] * 2
    assert felzenszwalb(image, scale=0, sigma=0, min_size=4).tolist() == [[0, 0, 1, 1]] * 2
    assert felzenszwalb(image, scale=0, sigma=0, min_size=5).tolist() == [[0, 0, 0, 0]] * 2


def test_the_slack_is_that_of_the_smaller_component_and_grows_by_the_inner_difference():
    # 0 0 0 3: the three zeros join (weight 0, slack 9 / 3 = 3); pixel 3 has slack 9; the edge of 3 is within both.
    assert felzenszwalb(np.uint8([[0, 0, 0, 3]]), scale=9, sigma=0, min_size=0).tolist() == [[0, 0, 0, 0]]
    assert felzenszwalb(np.uint8([[0, 0, 0, 4]]), scale=9, sigma=0, min_size=0).tolist() == [[0, 0, 0, 1]]
    # 0 2 4 8: the edges of weight 2 make {0, 2, 4} with Int = 2 and slack 2 + 6 / 3 = 4, just enough for 4 -> 8.
    assert felzenszwalb(np.uint8([[0, 2, 4, 8]]), scale=6, sigma=0, min_size=0).tolist() == [[0, 0, 0, 0]]
    assert felzenszwalb(np.uint8([[0, 2, 4, 9]]), scale=6, sigma=0, min_size=0).tolist() == [[0, 0, 0, 1]]


def test_the_distance_is_euclidean_over_channels():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = 2, 3, 6  # 7 away
    assert felzenszwalb(image, scale=7, sigma=0, min_size=0).tolist() == [[0, 0]]
    assert felzenszwalb(image, scale=6.9, sigma=0, min_size=0).tolist() == [[0, 1]]


def test_corners_join():
    image = np.uint8([[9, 0], [0, 9]])
    assert felzenszwalb(image, scale=0, sigma=0, min_size=0).tolist() == [[0, 1], [1, 0]]


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    scale=st.sampled_from([0.0, 5.0, 60.0, 400.0]),
    min_size=st.integers(0, 12),
    levels=st.sampled_from([3, 256]),
)
def test_equal_to_the_loop_without_trees(seed, height, width, scale, min_size, levels):
    image = np.random.default_rng(seed).integers(0, levels, (height, width, 2), dtype=np.uint8)
    ours = felzenszwalb(image, scale, 0, min_size)
    assert ours.tolist() == oracles.graph_segmentation(image.tolist(), scale, min_size, STEPS)


def test_equal_to_the_loop_without_trees_after_smoothing():
    image = textured((24, 20), seed=1)
    smooth = smooth_image(image, 0.8)
    ours = segment_graph(sort_edges(smooth), (24, 20), 30.0, 5)
    assert ours.tolist() == oracles.graph_segmentation((smooth / 256).tolist(), 30.0, 5, STEPS)


def test_every_edge_once_and_in_order():
    smooth = smooth_image(textured((7, 5), seed=2), 0)
    edges, starts = sort_edges(smooth)
    assert len(edges) == len(set(edges.tolist())) == 7 * 4 + 6 * 5 + 2 * 6 * 4  # across, down, two diagonals
    steps = [(0, 1), (1, -1), (1, 0), (1, 1)]
    found = []
    for edge in edges.tolist():
        y, x = divmod(edge // 4, 5)
        dy, dx = steps[edge % 4]
        found.append(np.linalg.norm(smooth[y, x].astype(float) - smooth[y + dy, x + dx]))
    assert np.all(np.diff(np.floor(found)) >= 0)
    weights = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    assert np.floor(found).tolist() == weights.tolist()


def test_smoothing_is_a_gaussian():
    image = textured((40, 30), seed=3)
    ours = smooth_image(image, 1.5) / 256
    theirs = ndimage.gaussian_filter(image.astype(float), (1.5, 1.5, 0), mode="nearest", radius=(5, 5, 0))
    assert np.abs(ours - theirs).max() < 0.05
    assert smooth_image(image, 0).tolist() == (image.astype(int) * 256).tolist()


@pytest.mark.parametrize("size", [(60, 80), (1, 50), (50, 1), (2, 2)])
def test_labels_are_contiguous_in_raster_order_connected_and_large_enough(size):
    labels = felzenszwalb(textured(size, seed=4), scale=20, sigma=0.5, min_size=12)
    values, first = np.unique(labels, return_index=True)
    assert labels.dtype == np.int32
    assert labels.shape == size
    assert values.tolist() == list(range(len(values)))
    assert np.all(np.diff(first) > 0)
    assert len(values) == 1 or np.bincount(labels.ravel()).min() >= 12
    assert label(labels + 1, connectivity=2).max() == len(values)


def test_a_larger_k_gives_fewer_segments():
    image = photograph("chelsea.png")
    counts = [felzenszwalb(image, k, 0.8, 20).max() + 1 for k in (20, 50, 100, 300)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 3 * counts[-1]


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png"])
@pytest.mark.parametrize("scale", [50, 100, 200])
def test_agrees_with_scikit_image(name, scale):
    """About as many segments, with the same borders. Not the very same: where a smooth gradient is divided depends on
    the last bits of its weights, and one grey level of noise moves a tenth of either's borders."""
    image = photograph(name)[:400, :400]
    ours = felzenszwalb(image, scale, 0.8, scale)
    theirs = skimage.segmentation.felzenszwalb(image, scale=scale, sigma=0.8, min_size=scale)
    assert ours.max() + 1 == pytest.approx(theirs.max() + 1, rel=0.06)
    ours, theirs = skimage.segmentation.find_boundaries(ours), skimage.segmentation.find_boundaries(theirs)
    near_ours, near_theirs = (ndimage.binary_dilation(border, iterations=2) for border in (ours, theirs))
    assert (ours & near_theirs).sum() / ours.sum() > 0.9
    assert (theirs & near_ours).sum() / theirs.sum() > 0.9


@pytest.mark.parametrize("size", [(30, 40), (1, 1), (1, 9)])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_one_colour_is_one_segment(size, channels):
    for colour in (0, 7, 255):
        labels = felzenszwalb(np.full((*size, *channels), colour, np.uint8))
        assert labels.dtype == np.int32
        assert labels.tolist() == np.zeros(size, int).tolist()


def test_grey_may_have_an_axis_of_channels_or_none():
    grey = textured((30, 30), seed=5)[:, :, 0]
    labels = felzenszwalb(grey, 50, 0.8, 5)
    assert labels.max() > 5
    assert np.array_equal(labels, felzenszwalb(grey[:, :, None], 50, 0.8, 5))


def test_alpha_is_a_channel_like_the_others():
    """An even one changes nothing; a border in it is a border of segments."""
    image = textured((30, 30), seed=6)
    labels = felzenszwalb(image, 50, 0.8, 5)
    assert labels.max() > 5
    even, halves = np.full((30, 30), 200, np.uint8), np.repeat(np.uint8([[0, 255]]), 15, axis=1).repeat(30, axis=0)
    assert np.array_equal(felzenszwalb(np.dstack((image, even)), 50, 0.8, 5), labels)
    divided = felzenszwalb(np.dstack((image, halves)), 50, 0, 5)
    assert not set(divided[:, :15].ravel()) & set(divided[:, 15:].ravel())


@pytest.mark.parametrize(
    ("image", "options", "culprit"),
    [
        (np.zeros((4, 4, 3), np.float32), {}, "float32"),
        ([[0, 1]], {}, "list"),
        (np.zeros((0, 4, 3), np.uint8), {}, r"\(0, 4, 3\)"),
        (np.zeros((4, 4, 5), np.uint8), {}, r"\(4, 4, 5\)"),
        (np.zeros(4, np.uint8), {}, r"\(4,\)"),
        (np.broadcast_to(np.uint8(0), (2**15, 2**15)), {}, r"1,073,741,824 pixels, got shape \(32768, 32768\)"),
        (np.zeros((4, 4), np.uint8), {"scale": -1}, "scale .* -1"),
        (np.zeros((4, 4), np.uint8), {"scale": float("nan")}, "scale .* nan"),
        (np.zeros((4, 4), np.uint8), {"min_size": -2}, "min_size .* -2"),
        (np.zeros((4, 4), np.uint8), {"sigma": -0.5}, "sigma .* -0.5"),
        (np.zeros((4, 4), np.uint8), {"sigma": float("nan")}, "sigma .* nan"),
    ],
)
def test_bad_input_is_named(image, options, culprit):
    with pytest.raises(ValueError, match=culprit):
        felzenszwalb(image, **options)
