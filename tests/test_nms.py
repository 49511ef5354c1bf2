"""Non-maximum suppression: equal to a plain loop and to torchvision on random, tied and degenerate boxes."""

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from oracles import greedy_nms
from test_boxes import as_boxes, box, random_boxes

from rcnn_lite import nms as nms_module
from rcnn_lite.nms import _nms_by_blocks, batched_nms, nms

scored_boxes = st.lists(st.tuples(box, st.sampled_from([0.1, 0.5, 0.5, 0.9])), max_size=20)
thresholds = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.7, 1.0])


def test_by_hand():
    """IoU(0, 1) = 80/120 = 2/3 and IoU(0, 2) = 50/150 = 1/3: above and at the threshold."""
    boxes = as_boxes([[0, 0, 10, 10], [0, 2, 10, 12], [0, 5, 10, 15], [20, 20, 30, 30]])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.95])
    assert nms(boxes, scores, 0.5).tolist() == [3, 0, 2]
    assert nms(boxes, scores, 0.7).tolist() == [3, 0, 1, 2]
    assert nms(boxes, scores, 0.3).tolist() == [3, 0]


@given(scored_boxes, thresholds)
def test_equals_loop_and_torchvision_on_tied_and_degenerate_boxes(pairs, threshold):
    boxes, scores = as_boxes([b for b, _ in pairs]), torch.tensor([s for _, s in pairs])
    ours = nms(boxes, scores, threshold)
    assert ours.tolist() == torchvision.ops.nms(boxes, scores, threshold).tolist()
    if threshold != 1 / 3:  # float32 and float64 disagree on which side of 1/3 a third lies
        assert ours.tolist() == greedy_nms(boxes.tolist(), scores.tolist(), threshold)


@pytest.mark.parametrize("limit", [0, 1, 7, 50, 10**6])
def test_a_limit_keeps_the_best_of_those_that_are_kept(limit, generator):
    boxes, scores = random_boxes(300, generator), torch.rand(300, generator=generator)
    whole = nms(boxes, scores, 0.5)
    assert 50 < len(whole) < 300
    assert torch.equal(nms(boxes, scores, 0.5, limit), whole[:limit])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("count", [1, 300, 3000])
def test_equals_torchvision_on_random_boxes(count, threshold, generator):
    boxes, scores = random_boxes(count, generator), torch.rand(count, generator=generator)
    assert torch.equal(nms(boxes, scores, threshold), torchvision.ops.nms(boxes, scores, threshold))


@pytest.mark.parametrize("block", [1, 7, 64, 1024])
def test_torch_form_equals_compiled_loop(block, generator, monkeypatch):
    monkeypatch.setattr(nms_module, "BLOCK", block)
    boxes = random_boxes(200, generator, 30.0)
    scores = torch.linspace(1, 0, 200)
    assert torch.equal(torch.nonzero(_nms_by_blocks(boxes, 0.4)).squeeze(1), nms(boxes, scores, 0.4))


@given(scored_boxes, thresholds)
def test_torch_form_equals_compiled_loop_on_degenerate_boxes(pairs, threshold):
    boxes = as_boxes([b for b, _ in pairs])
    expected = nms(boxes, torch.linspace(1, 0, len(pairs)), threshold)
    assert torch.equal(torch.nonzero(_nms_by_blocks(boxes, threshold)).squeeze(1), expected)


def test_a_chain_of_suppressions_is_followed_in_order():
    """Each box overlaps its neighbours only: the second goes, so the third stays."""
    boxes = as_boxes([[3 * i, 0, 3 * i + 10, 10] for i in range(7)])
    assert nms(boxes, torch.linspace(1, 0, 7), 0.5).tolist() == [0, 2, 4, 6]
    assert torch.nonzero(_nms_by_blocks(boxes, 0.5)).squeeze(1).tolist() == [0, 2, 4, 6]


@given(st.lists(st.tuples(box, st.sampled_from([0.2, 0.6, 0.6]), st.integers(1, 3)), max_size=20))
def test_labels_do_not_suppress_one_another(rows):
    boxes = as_boxes([b for b, _, _ in rows])
    scores, labels = torch.tensor([s for _, s, _ in rows]), torch.tensor([k for _, _, k in rows], dtype=torch.int64)
    members = [torch.nonzero(labels == label).squeeze(1) for label in (1, 2, 3)]
    expected = [i for m in members for i in m[nms(boxes[m], scores[m], 0.5)].tolist()]
    ours = batched_nms(boxes, scores, labels, 0.5)
    assert ours.tolist() == sorted(expected, key=lambda i: (-float(scores[i]), i))


def test_batched_equals_torchvision(generator):
    boxes, scores = random_boxes(500, generator), torch.rand(500, generator=generator)
    labels = torch.randint(1, 6, (500,), generator=generator)
    assert torch.equal(batched_nms(boxes, scores, labels, 0.5), torchvision.ops.batched_nms(boxes, scores, labels, 0.5))


def test_nothing_to_suppress():
    assert nms(torch.empty(0, 4), torch.empty(0), 0.5).shape == (0,)
    assert batched_nms(torch.empty(0, 4), torch.empty(0), torch.empty(0, dtype=torch.int64), 0.5).dtype == torch.int64


def test_inputs_are_left_alone(generator):
    boxes, scores = random_boxes(50, generator), torch.rand(50, generator=generator)
    before = boxes.clone(), scores.clone()
    nms(boxes, scores, 0.5)
    assert torch.equal(boxes, before[0])
    assert torch.equal(scores, before[1])


def test_bad_input_is_named():
    boxes = as_boxes([[0, 0, 1, 1], [0, 0, 2, 2]])
    with pytest.raises(ValueError, match=r"scores must have shape \(2,\), one for each box"):
        nms(boxes, torch.tensor([0.5]), 0.5)
    with pytest.raises(ValueError, match=r"scores\[1\] is NaN"):
        nms(boxes, torch.tensor([0.5, float("nan")]), 0.5)
    with pytest.raises(ValueError, match=r"boxes\[1\] has x2 < x1"):
        nms(as_boxes([[0, 0, 1, 1], [4, 0, 2, 2]]), torch.tensor([0.5, 0.5]), 0.5)
    with pytest.raises(ValueError, match="labels must have shape"):
        batched_nms(boxes, torch.tensor([0.5, 0.4]), torch.tensor([1]), 0.5)
