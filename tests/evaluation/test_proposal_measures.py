"""proposal_recall and mean_average_best_overlap: by hand and against loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import iou_of_two

from rcnn_lite.evaluation import best_overlaps, mean_average_best_overlap, proposal_recall


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def target(rows, labels, **rest):
    return {"boxes": boxes(*rows), "labels": torch.tensor(labels, dtype=torch.int64), **rest}


NOTHING = target([], [])


def test_by_hand():
    targets = [target([[0, 0, 10, 10], [20, 0, 30, 10]], [1, 1]), target([[0, 0, 10, 10]], [2]), NOTHING]
    proposals = [boxes([0, 0, 10, 7], [0, 0, 10, 3], [20, 0, 30, 9]), boxes([0, 0, 10, 4]), boxes([0, 0, 5, 5])]
    overlaps, labels = best_overlaps(proposals, targets)
    assert overlaps.tolist() == pytest.approx([0.7, 0.9, 0.4])
    assert labels.tolist() == [1, 1, 2]
    assert proposal_recall(proposals, targets, [0.4, 0.5, 0.7, 0.75, 0.95]).tolist() == pytest.approx(
        [1, 2 / 3, 2 / 3, 1 / 3, 0]
    )
    assert mean_average_best_overlap(proposals, targets) == pytest.approx(((0.7 + 0.9) / 2 + 0.4) / 2)  # not 2.0 / 3
    first = [p[:1] for p in proposals]
    assert proposal_recall(first, targets, [0.5]).tolist() == pytest.approx([1 / 3])


def test_a_threshold_met_exactly_is_met():
    for tenths in range(1, 11):
        found = proposal_recall([boxes([0, 0, 10, tenths])], [target([[0, 0, 10, 10]], [1])], [tenths / 10])
        assert found.item() == 1, tenths


def test_difficult_and_crowd_objects_are_left_out():
    rows = [[0, 0, 10, 10], [20, 0, 30, 10]]
    for flags in ({"difficult": torch.tensor([False, True])}, {"iscrowd": torch.tensor([0, 1])}):
        overlaps, _ = best_overlaps([boxes([0, 0, 10, 10])], [target(rows, [1, 2], **flags)])
        assert overlaps.tolist() == [1]


def test_no_proposals_and_no_objects():
    one = target([[0, 0, 10, 10]], [1])
    assert best_overlaps([boxes()], [one])[0].tolist() == [0]
    assert mean_average_best_overlap([boxes()], [one]) == 0
    assert proposal_recall([boxes()], [one], [0.5]).tolist() == [0]
    for proposals, targets in (([], []), ([boxes([0, 0, 1, 1])], [NOTHING]), ([boxes()], [NOTHING])):
        assert math.isnan(mean_average_best_overlap(proposals, targets))
        assert proposal_recall(proposals, targets, [0.5, 0.7]).isnan().tolist() == [True, True]


def test_bad_input():
    with pytest.raises(ValueError, match="proposals has 1 images but targets has 2"):
        best_overlaps([boxes()], [NOTHING, NOTHING])
    with pytest.raises(ValueError, match=r"proposals\[1\]"):
        best_overlaps([boxes(), torch.tensor([[0.0, 0.0, math.nan, 1.0]])], [NOTHING, NOTHING])
    with pytest.raises(ValueError, match=r"targets\[0\]\['boxes'\]\[0\] has x2 <= x1"):
        best_overlaps([boxes()], [target([[5, 0, 5, 1]], [1])])


corner = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4), st.integers(1, 4))
rows = corner.map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
image = st.tuples(st.lists(rows, max_size=5), st.lists(st.tuples(rows, st.integers(1, 3)), max_size=4))


@given(st.lists(image, max_size=3), st.sampled_from([0.25, 0.5, 0.8]))
def test_equal_to_loops(images, threshold):
    proposals = [boxes(*p) for p, _ in images]
    targets = [target([b for b, _ in truth], [k for _, k in truth]) for _, truth in images]
    best = [(k, max((iou_of_two(p, b) for p in found), default=0.0)) for found, truth in images for b, k in truth]
    found = proposal_recall(proposals, targets, [threshold]).item()
    mabo = mean_average_best_overlap(proposals, targets)
    if not best:
        assert math.isnan(found)
        assert math.isnan(mabo)
        return
    assert found == pytest.approx(sum(o >= threshold for _, o in best) / len(best))
    classes = {k for k, _ in best}
    averages = [sum(o for k, o in best if k == c) / sum(k == c for k, _ in best) for c in classes]
    assert mabo == pytest.approx(sum(averages) / len(averages))
