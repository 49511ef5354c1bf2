"""Selective search as a whole: boxes, order, determinism, odd pictures, and recall on photographs."""

import importlib.resources

import numpy as np
import pytest
import torch

from rcnn_lite.datasets.voc import VOCDataset
from rcnn_lite.evaluation import mean_average_best_overlap, proposal_recall
from rcnn_lite.images import read_image
from rcnn_lite.proposals import selective_search as module
from rcnn_lite.proposals.colour_spaces import to_colour_space
from rcnn_lite.proposals.grouping import Hierarchy
from rcnn_lite.proposals.region_features import Regions
from rcnn_lite.proposals.segmentation import felzenszwalb
from rcnn_lite.proposals.selective_search import CTSF, MODES, TSF, Mode, group_image, rank_boxes, selective_search


@pytest.fixture(scope="module")
def cat():
    return read_image(importlib.resources.files("skimage.data") / "chelsea.png")[:250, 80:380]  # (250, 300, 3)


def as_set(boxes):
    return {tuple(box) for box in boxes.tolist()}


@pytest.mark.parametrize("mode", MODES)
def test_boxes_lie_inside_have_an_area_and_differ(cat, mode):
    boxes = selective_search(cat, mode)
    assert boxes.dtype == torch.float32
    assert boxes.shape[1:] == (4,)
    x1, y1, x2, y2 = boxes.unbind(1)
    assert (x1 >= 0).all()
    assert (y1 >= 0).all()
    assert x2.max() == 300
    assert y2.max() == 250
    assert torch.minimum(x2 - x1, y2 - y1).min() >= 300 / 32
    assert len(as_set(boxes)) == len(boxes)
    assert (0, 0, 300, 250) in as_set(boxes)


def test_more_strategies_find_more(cat):
    single, fast, quality = (as_set(selective_search(cat, mode)) for mode in ("single", "fast", "quality"))
    assert single < fast < quality  # each mode's strategies are among the next one's
    assert 100 < len(single) < len(fast) / 3 < len(quality) / 9


def test_the_modes_are_the_papers():
    counts = {name: len(m.colour_spaces) * len(m.similarities) * len(m.scales) for name, m in MODES.items()}
    assert counts == {"single": 1, "fast": 8, "quality": 80}
    assert MODES["fast"] == Mode(("hsv", "lab"), (CTSF, TSF), (50, 100), 0.8)
    assert (CTSF, TSF) == ((1, 1, 1, 1), (0, 1, 1, 1))
    assert MODES["quality"].scales == (50, 100, 150, 300)


def test_the_same_every_time_and_another_rng_changes_only_the_order(cat):
    first = selective_search(cat)
    assert torch.equal(first, selective_search(cat))
    assert torch.equal(first, selective_search(cat, rng=np.random.default_rng(0)))
    other = selective_search(cat, rng=np.random.default_rng(1))
    assert not torch.equal(first, other)
    assert as_set(first) == as_set(other)


def test_the_number_of_threads_changes_nothing(cat, monkeypatch):
    both = selective_search(cat)
    monkeypatch.setattr(module, "THREADS", 1)
    assert torch.equal(both, selective_search(cat))


def test_large_boxes_come_first_on_the_whole_but_not_in_every_case(cat):
    boxes = selective_search(cat)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    quarter = len(boxes) // 4
    assert area[:quarter].mean() > 3 * area[-quarter:].mean()
    assert area[:quarter].min() < area[-quarter:].max()


class Draws:
    """A generator that draws what it is told."""

    def __init__(self, values):
        self.values = np.array(values)

    def random(self, size):
        assert size == len(self.values)
        return self.values


def hierarchy_of(boxes):
    nothing = np.zeros((len(boxes), 0), np.float32)
    return Hierarchy(Regions(np.ones(len(boxes)), np.array(boxes), nothing, nothing), np.zeros((0, 2)), np.zeros(0))


def test_ranking_by_hand():
    a, b, c, d = [0, 0, 1, 1], [1, 0, 2, 1], [0, 0, 2, 1], [5, 5, 6, 6]
    first, second = hierarchy_of([a, b, c]), hierarchy_of([d, c])  # positions 3 2 1 and 2 1
    # position x draw: a 0.3, b 1.0, c 0.9; d 0.8, c 0.2. The box c counts once, at 0.2.
    ranked = rank_boxes([first, second], Draws([0.1, 0.5, 0.9, 0.4, 0.2]))
    assert ranked.tolist() == [c, a, d, b]


def test_one_channel_is_segmented_as_three_equal_ones(cat):
    """k / sqrt(3) on one channel is k on three; the first regions of a hierarchy are the segments."""
    intensity = to_colour_space(cat, "i")
    labels = felzenszwalb(np.repeat(intensity, 3, axis=2), scale=100, sigma=0.8, min_size=100)
    (hierarchy,) = group_image(cat, "i", Mode(("i",), (CTSF,), (100,)))
    count = len(hierarchy.merges) + 1
    assert count == pytest.approx(labels.max() + 1, rel=0.1)


def test_hierarchies_come_scale_by_scale(cat):
    found = group_image(cat, "lab", MODES["fast"])
    counts = [len(hierarchy.merges) + 1 for hierarchy in found]
    labels = [felzenszwalb(to_colour_space(cat, "lab"), k, 0.8, k).max() + 1 for k in (50, 100)]
    assert counts == [labels[0], labels[0], labels[1], labels[1]]
    assert not np.array_equal(found[0].merges, found[1].merges)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (30, 50)])
def test_one_colour_gives_the_whole_picture(size, mode):
    boxes = selective_search(np.full((*size, 3), 200, np.uint8), mode)
    assert boxes.tolist() == [[0, 0, size[1], size[0]]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (1, 1, 4), (9, 12), (9, 12, 1), (9, 12, 4)])
def test_one_colour_in_grey_or_with_alpha(shape):
    assert selective_search(np.full(shape, 90, np.uint8)).tolist() == [[0, 0, shape[1], shape[0]]]


@pytest.mark.parametrize("size", [(1, 200), (200, 1), (1, 3000)])
def test_a_line_of_pixels(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    boxes = selective_search(image)
    assert (0, 0, size[1], size[0]) in as_set(boxes)
    assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_grey_and_rgba(cat):
    grey = cat[:, :, 1]
    expected = selective_search(np.dstack([grey] * 3))
    assert torch.equal(selective_search(grey), expected)
    assert torch.equal(selective_search(grey[:, :, None]), expected)
    rgba = np.dstack([cat, np.full(cat.shape[:2], 17, np.uint8)])
    assert torch.equal(selective_search(rgba), selective_search(cat))


def test_a_view_that_is_not_contiguous(cat):
    assert torch.equal(selective_search(cat[:, ::-1]), selective_search(cat[:, ::-1].copy()))


def test_a_large_picture_is_searched_at_the_working_size():
    """A grey square on white, 25 times as large as the working size in pixels; found in its own coordinates."""
    image = np.full((2000, 2500, 3), 255, np.uint8)
    image[400:1200, 500:1500] = (200, 40, 40)
    image[1000:1100, 500:1500] = (40, 40, 200)
    boxes = selective_search(image)
    assert {(0, 0, 2500, 2000), (500, 400, 1500, 1200)} <= as_set(boxes)


def test_noise_of_25_million_pixels():
    """Its time and memory are measured in test_large_pictures.py."""
    image = np.random.default_rng(0).integers(0, 256, (5000, 5000, 3), dtype=np.uint8)
    boxes = selective_search(image)
    assert len(boxes) > 100
    assert boxes.max() == 5000


@pytest.mark.parametrize(
    ("image", "options", "culprit"),
    [
        (np.zeros((4, 4, 3), np.float32), {}, "float32"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), {}, "torch.uint8"),
        (np.zeros((0, 4, 3), np.uint8), {}, r"\(0, 4, 3\)"),
        (np.zeros((3, 4, 4, 3), np.uint8), {}, r"\(3, 4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.uint8), {"mode": "slow"}, "'slow'.*single, fast, quality"),
    ],
)
def test_bad_input_is_named(image, options, culprit):
    with pytest.raises(ValueError, match=culprit):
        selective_search(image, **options)


def test_objects_of_photographs_are_found(real_data):
    """20 photographs of PASCAL VOC. Measured: 52 objects, recall 1.00 and 0.77, MABO 0.82."""
    dataset = VOCDataset(real_data / "voc100")
    chosen = range(0, len(dataset), 5)
    targets = [dataset.target(i) for i in chosen]
    proposals = [selective_search(read_image(dataset.root / "JPEGImages" / f"{dataset.names[i]}.jpg")) for i in chosen]
    recall = proposal_recall(proposals, targets, [0.5, 0.7]).tolist()
    assert recall[0] > 0.93
    assert recall[1] > 0.72
    assert mean_average_best_overlap(proposals, targets) > 0.79
    assert 1000 < np.mean([len(boxes) for boxes in proposals]) < 3500
