"""Notebook 04's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import numpy as np
import pytest
import torch

from rcnn_lite import images
from rcnn_lite.checks import searching
from rcnn_lite.checks.searching_mistakes import mistake, mistakes
from rcnn_lite.proposals import grouping, region_features
from rcnn_lite.proposals import selective_search as search
from rcnn_lite.proposals.segmentation import felzenszwalb

LABELS = np.int32([[0, 0, 1, 2], [0, 0, 1, 2]])
COLUMNS = np.uint8([[10, 10, 200, 12]] * 2)[:, :, None]
SIZE, FILL, COLOUR = (0, 0, 1, 0), (0, 0, 0, 1), (1, 0, 0, 0)


def cases_of(exercise, count=80):
    return [case for case, _ in zip(exercise.all_cases(), range(count), strict=False)]


def a_hierarchy(weights, labels=LABELS, image=COLUMNS):
    segments = region_features.describe_regions(labels, image)
    return grouping.group_regions(segments, grouping.neighbours(labels), weights, labels.shape)


def a_scene():
    rng = np.random.default_rng(0)
    patches = np.kron(rng.integers(0, 200, (5, 5, 3)), np.ones((10, 10, 1), int))
    return (patches + rng.integers(0, 50, patches.shape)).astype(np.uint8)


# The checks.


def test_the_segments_of_a_picture_are_those_of_the_package():
    image = np.random.default_rng(0).integers(0, 9, (6, 7), dtype=np.uint8)
    pixels = np.arange(42).reshape(6, 7)
    pairs = [(pixels[:, :-1], pixels[:, 1:]), (pixels[:-1, 1:], pixels[1:, :-1])]  # right, down left
    pairs += [(pixels[:-1], pixels[1:]), (pixels[:-1, :-1], pixels[1:, 1:])]  # down, down right
    edges = np.concatenate([np.stack((a.ravel(), b.ravel()), axis=1) for a, b in pairs])
    edges = edges[np.argsort(edges[:, 0], kind="stable")]  # as the package numbers them
    weights = np.abs(np.diff(image.ravel()[edges].astype(float), axis=1))[:, 0]
    for k in (0.0, 2.5, 7.5, 30.5):
        labels = searching.check_segment.reference(torch.from_numpy(weights), torch.from_numpy(edges), 42, k)
        assert labels.tolist() == felzenszwalb(image, k, 0, 0).ravel().tolist()


def test_intersections_are_those_of_color_similarity():
    for case in cases_of(searching.check_histogram_intersection):
        a, b = (region_features.Region(1, np.zeros(4), row.numpy(), row.numpy()) for row in case.args)
        assert grouping.color_similarity(a, b) == pytest.approx(case.expected, abs=1e-6)
        assert grouping.texture_similarity(a, b) == pytest.approx(case.expected, abs=1e-6)


def test_merged_histograms_are_those_of_a_hierarchy():
    found = a_hierarchy(SIZE)
    for t, parts in enumerate(found.merges):
        rows, sizes = (torch.from_numpy(part[parts]) for part in (found.regions.colour, found.regions.size))
        merged = searching.check_merge_histograms.reference(rows, sizes)
        assert merged.tolist() == pytest.approx(found.regions.colour[3 + t].tolist())


def test_ranks_are_those_of_rank_boxes():
    """`rank_boxes` takes hierarchies: here a hierarchy for each box, with as many boxes far away after it."""
    for case in cases_of(searching.check_rank_boxes):
        boxes, positions, draws = case.args
        if len(boxes) == 0:
            continue
        hierarchies, numbers = [], []
        for n, (box, position) in enumerate(zip(boxes.numpy(), positions.tolist(), strict=True)):
            filler = [[1000 + n, 1000 + k, 2000, 2000] for k in range(position - 1)]
            regions = region_features.Regions(None, np.array([box.tolist(), *filler]), None, None)
            hierarchies.append(grouping.Hierarchy(regions, None, None))
            numbers += [draws[n].item()] + [0.0] * len(filler)
        ranked = search.rank_boxes(hierarchies, Told(numbers))
        assert [row for row in ranked.tolist() if row[0] < 1000] == case.expected.tolist()


class Told:
    """A generator that draws what it is told."""

    def __init__(self, values):
        self.values = np.array(values)

    def random(self, count):
        assert count == len(self.values)
        return self.values


# The mistakes.


def probe_size():
    return a_hierarchy(SIZE).merges.tolist()


def probe_histograms():
    return a_hierarchy(SIZE, LABELS[:, :3], COLUMNS[:, :3]).regions.colour[2, [0, 19]].tolist()


def probe_count():
    return len(a_hierarchy(SIZE).regions.size)


def probe_edges():
    return search.selective_search(np.zeros((20, 30, 3), np.uint8)).tolist()


def probe_ranking():
    """Positions 5 .. 1 of segments 0, 1, 2 and the two unions; with these draws only segment 1 comes before them."""
    found = a_hierarchy(SIZE)
    ranked = search.rank_boxes([found], Told([0.9, 0.1, 0.9, 0.5, 0.8]))
    return [found.regions.box.tolist().index(row) for row in ranked.tolist()]


def probe_channels():
    return images.as_rgb(np.uint8([[[1, 2, 3]]])).tolist()


PROBES = [  # mistake, what is measured, right, wrong
    ("size_forgotten", probe_size, [[1, 2], [0, 3]], [[0, 1], [2, 3]]),
    ("histograms_unweighted", probe_histograms, pytest.approx([2 / 3, 1 / 3]), [0.5, 0.5]),
    ("segments_only", probe_count, 5, 4),
    ("last_pixel_for_edge", probe_edges, [[0, 0, 30, 20]], [[0, 0, 29, 19]]),
    ("ranked_without_chance", probe_ranking, [1, 4, 3, 2, 0], [4, 3, 2, 1, 0]),
    ("ranked_small_first", probe_ranking, [1, 4, 3, 2, 0], [3, 0, 1, 2, 4]),
    ("blue_for_red", probe_channels, [[[1, 2, 3]]], [[[3, 2, 1]]]),
]


@pytest.mark.parametrize(("name", "probe", "right", "wrong"), PROBES, ids=[row[0] for row in PROBES])
def test_a_mistake_acts_and_is_gone_afterwards(name, probe, right, wrong):
    assert probe() == right
    with mistake(name):
        assert probe() == wrong
    assert probe() == right


def test_every_mistake_of_this_notebook_is_tried():
    assert {name for name, *_ in PROBES} <= set(mistakes())
    ours = {name for name, found in searching_table().items() if found}
    assert ours == {name for name, *_ in PROBES}


def searching_table():
    from rcnn_lite.checks.mistakes import MISTAKES

    module = "rcnn_lite.checks.searching_mistakes"
    return {n: any(f.__module__ == module for f in m.replacements.values()) for n, m in MISTAKES.items()}


@pytest.mark.parametrize("weights", [SIZE, FILL, COLOUR, (1, 1, 1, 1)])
def test_the_plain_grouping_errs_in_nothing_but_histograms(weights):
    """Each merge joins the most similar of the regions that touch then, by the descriptions that it makes itself."""
    image = a_scene()
    labels = felzenszwalb(image, 30, 0.8, 6)
    count = int(labels.max()) + 1
    with mistake("histograms_unweighted"):
        found = a_hierarchy(weights, labels, image)
    assert len(found.merges) == count - 1 > 20
    for t, (a, b) in enumerate(found.merges):
        ids, now = np.unique(grouping.merged_labels(labels, found.merges[:t]), return_inverse=True)
        touching = grouping.neighbours(now.reshape(labels.shape).astype(np.int32))
        best = max(similarity(found.regions, *ids[pair], weights, labels.shape) for pair in touching)
        assert found.similarities[t] == pytest.approx(best, abs=1e-5)
        assert similarity(found.regions, a, b, weights, labels.shape) == pytest.approx(best, abs=1e-5)
        mask = grouping.merged_labels(labels, found.merges[: t + 1]) == count + t
        assert found.regions.size[count + t] == mask.sum()
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert found.regions.box[count + t].tolist() == box
        mean = (found.regions.colour[a] + found.regions.colour[b]) / 2
        assert found.regions.colour[count + t] == pytest.approx(mean, abs=1e-6)


def similarity(regions, i, j, weights, image_size):
    a, b = regions.region(i), regions.region(j)
    parts = grouping.color_similarity(a, b), grouping.texture_similarity(a, b)
    parts += grouping.size_similarity(a, b, image_size), grouping.fill_similarity(a, b, image_size)
    return np.dot(weights, parts)


@pytest.mark.parametrize("name", [row[0] for row in PROBES])
def test_selective_search_still_runs(name):
    with mistake(name):
        boxes = search.selective_search(a_scene(), "fast")
        one = search.selective_search(np.zeros((1, 1, 3), np.uint8))
    assert len(boxes) > 20
    assert one.shape == (1, 4) or name == "last_pixel_for_edge"
