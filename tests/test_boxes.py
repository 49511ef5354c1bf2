"""Boxes: values worked out by hand, torchvision as the independent library, and every kind of bad box."""

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from oracles import iou_of_two

from rcnn_lite.boxes import (
    MAX_LOG_SCALE,
    box_area,
    box_iou,
    clip_boxes,
    cxcywh_to_xyxy,
    decode_boxes,
    encode_boxes,
    flip_boxes,
    remove_small_boxes,
    require_positive_area,
    xyxy_to_cxcywh,
)

# Quarter pixels within a small picture: exact in float32, and ties, touching edges and zero areas come up often.
coordinate = st.integers(0, 40).map(lambda quarter: quarter / 4)
box = st.tuples(coordinate, coordinate, coordinate, coordinate).map(
    lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])]
)
box_lists = st.lists(box, max_size=12)


def as_boxes(rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def random_boxes(count: int, generator: torch.Generator, size: float = 100.0) -> torch.Tensor:
    corners = torch.rand(count, 2, 2, generator=generator) * size
    return torch.cat((corners.amin(1), corners.amax(1) + 2), dim=1)


def test_iou_by_hand():
    boxes = as_boxes([[0, 0, 10, 10], [5, 5, 15, 15], [10, 0, 20, 10], [2, 2, 4, 4]])
    gt_boxes = as_boxes([[0, 0, 10, 10], [100, 100, 101, 101]])
    expected = torch.tensor([[1.0, 0.0], [25 / 175, 0.0], [0.0, 0.0], [4 / 100, 0.0]])  # the third box touches an edge
    torch.testing.assert_close(box_iou(boxes, gt_boxes), expected)


@given(box_lists, box_lists)
def test_iou_equals_loop_and_torchvision_on_degenerate_and_tied_boxes(first, second):
    boxes, gt_boxes = as_boxes(first), as_boxes(second)
    ours = box_iou(boxes, gt_boxes)
    loop = torch.tensor([[iou_of_two(a, b) for b in second] for a in first]).reshape(len(first), len(second))
    torch.testing.assert_close(ours, loop)
    peer = torchvision.ops.box_iou(boxes, gt_boxes)
    torch.testing.assert_close(ours, peer.nan_to_num(0.0), rtol=0, atol=0)  # NaN there: 0 / 0 of two boxes without area


def test_iou_equals_torchvision_on_random_boxes(generator):
    boxes, gt_boxes = random_boxes(300, generator), random_boxes(40, generator)
    torch.testing.assert_close(box_iou(boxes, gt_boxes), torchvision.ops.box_iou(boxes, gt_boxes), rtol=0, atol=0)
    torch.testing.assert_close(box_area(boxes), torchvision.ops.box_area(boxes), rtol=0, atol=0)


def test_nothing_to_work_on():
    none, one = torch.empty(0, 4), as_boxes([[0, 0, 1, 1]])
    assert box_iou(none, one).shape == (0, 1)
    assert box_iou(one, none).shape == (1, 0)
    assert box_area(none).shape == (0,)
    assert encode_boxes(none, none).shape == decode_boxes(none, none).shape == clip_boxes(none, (5, 5)).shape == (0, 4)
    assert remove_small_boxes(none, 1).shape == (0,)


def test_centre_form_by_hand_and_back(generator):
    torch.testing.assert_close(xyxy_to_cxcywh(as_boxes([[2, 4, 6, 14]])), torch.tensor([[4.0, 9.0, 4.0, 10.0]]))
    boxes = random_boxes(50, generator)
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)
    peer = torchvision.ops.box_convert(boxes, "xyxy", "cxcywh")
    torch.testing.assert_close(xyxy_to_cxcywh(boxes), peer)


def test_clipping_goes_to_the_outer_edge_of_the_last_pixel(generator):
    boxes = random_boxes(200, generator, 300.0) - 100
    ours = clip_boxes(boxes, (60, 80))
    torch.testing.assert_close(ours, torchvision.ops.clip_boxes_to_image(boxes, (60, 80)), rtol=0, atol=0)
    assert ours[:, 2].max() == 80
    assert ours[:, 3].max() == 60
    assert ours.min() == 0


def test_small_boxes_are_removed_by_either_side(generator):
    boxes = as_boxes([[0, 0, 2, 2], [0, 0, 1.9, 9], [0, 0, 9, 1.9], [0, 0, 9, 9]])
    assert remove_small_boxes(boxes, 2).tolist() == [0, 3]
    many = random_boxes(100, generator, 20.0)
    assert torch.equal(remove_small_boxes(many, 5), torchvision.ops.remove_small_boxes(many, 5))


def test_deltas_by_hand():
    """Reference 10 x 20 centred on (5, 10); box 20 x 10 centred on (12, 6): t = (7/10, -4/20, ln 2, ln 1/2)."""
    deltas = encode_boxes(as_boxes([[2, 1, 22, 11]]), as_boxes([[0, 0, 10, 20]]))
    torch.testing.assert_close(deltas, torch.tensor([[0.7, -0.2, 0.6931472, -0.6931472]]))


def test_decoding_inverts_encoding_and_equals_torchvision(generator):
    boxes, reference = random_boxes(80, generator), random_boxes(80, generator)
    deltas = encode_boxes(boxes, reference)
    torch.testing.assert_close(decode_boxes(deltas, reference), boxes, rtol=1e-4, atol=1e-3)
    coder = torchvision.models.detection._utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
    torch.testing.assert_close(deltas, coder.encode_single(boxes, reference))
    torch.testing.assert_close(
        decode_boxes(deltas, reference), coder.decode_single(deltas, reference), rtol=1e-5, atol=1e-3
    )


def test_deltas_do_not_change_when_both_boxes_are_moved_and_scaled(generator):
    boxes, reference = random_boxes(30, generator), random_boxes(30, generator)
    torch.testing.assert_close(
        encode_boxes(3 * boxes + 7, 3 * reference + 7), encode_boxes(boxes, reference), rtol=1e-3, atol=1e-4
    )


def test_a_wild_delta_is_limited():
    reference = as_boxes([[0, 0, 16, 16]])
    grown = decode_boxes(torch.tensor([[0.0, 0.0, 1e6, MAX_LOG_SCALE + 1]]), reference)
    torch.testing.assert_close(grown[0, 2:] - grown[0, :2], torch.tensor([1000.0, 1000.0]))


def test_encoding_and_iou_pass_gradients():
    """Box losses differentiate through these (float64: gradcheck's finite differences need it)."""
    boxes = torch.tensor([[1.0, 2.0, 8.0, 9.0], [3.0, 1.0, 12.0, 7.0]], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([[0.0, 0.0, 7.0, 6.0], [2.0, 2.0, 9.0, 9.5]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda b: encode_boxes(b, reference), boxes)
    assert torch.autograd.gradcheck(lambda b: box_iou(b, reference), boxes)


@pytest.mark.parametrize(
    ("boxes", "sentence"),
    [
        (as_boxes([[0, 0, 1, 1]] * 3 + [[9, 0, 5, 1]]), r"boxes\[3\] has x2 < x1: \[9.0, 0.0, 5.0, 1.0\]"),
        (as_boxes([[0, 4, 1, 1]]), r"boxes\[0\] has y2 < y1"),
        (as_boxes([[0, 0, 1, 1], [0, float("nan"), 1, 1]]), r"boxes\[1\] has a coordinate that is not finite"),
        (as_boxes([[0, 0, float("inf"), 1]]), r"boxes\[0\] has a coordinate that is not finite"),
        (torch.zeros(3, 5), r"boxes must have shape \(..., 4\), got \(3, 5\)"),
        (torch.zeros(3, 4, dtype=torch.int64), "boxes must be floating point, got torch.int64"),
        ([[0, 0, 1, 1]], "boxes must be a torch.Tensor"),
    ],
)
def test_bad_boxes_are_named(boxes, sentence):
    for function in (
        box_area,
        lambda b: box_iou(b, as_boxes([[0, 0, 1, 1]])),
        xyxy_to_cxcywh,
        lambda b: clip_boxes(b, (9, 9)),
    ):
        with pytest.raises(ValueError, match=sentence):
            function(boxes)


def test_a_width_of_zero_has_no_logarithm():
    flat = as_boxes([[0, 0, 1, 1], [3, 0, 3, 4]])
    with pytest.raises(ValueError, match=r"gt_boxes\[1\] has x2 <= x1: \[3.0, 0.0, 3.0, 4.0\]"):
        require_positive_area(flat, "gt_boxes")
    with pytest.raises(ValueError, match=r"boxes\[1\] has x2 <= x1"):
        encode_boxes(flat, as_boxes([[0, 0, 1, 1]] * 2))
    with pytest.raises(ValueError, match=r"reference\[1\] has x2 <= x1"):
        encode_boxes(as_boxes([[0, 0, 1, 1]] * 2), flat)


def test_other_arguments_are_checked_too():
    one = as_boxes([[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="gt_boxes must have shape"):
        box_iou(one, one[0])
    with pytest.raises(ValueError, match="deltas must be a tensor of shape"):
        decode_boxes(torch.zeros(1, 3), one)
    with pytest.raises(ValueError, match="as corners"):
        cxcywh_to_xyxy(torch.tensor([[0.0, 0.0, -1.0, 1.0]]))


def test_a_mirror_image_by_hand():
    boxes = as_boxes([[0, 1, 4, 5], [3, 0, 10, 2]])
    assert flip_boxes(boxes, 10).tolist() == [[6, 1, 10, 5], [0, 0, 7, 2]]
    torch.testing.assert_close(flip_boxes(flip_boxes(boxes, 10.5), 10.5), boxes)
    assert flip_boxes(torch.empty(0, 4), 10).shape == (0, 4)
    with pytest.raises(ValueError, match=r"boxes\[0\] has x2 < x1"):
        flip_boxes(as_boxes([[5, 0, 1, 1]]), 10)
