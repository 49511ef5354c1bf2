"""Notebook 14's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch
from torchvision.models.detection.roi_heads import keypoints_to_heatmap, maskrcnn_loss

from rcnn_lite.checks import keypointing, masking, pasting
from rcnn_lite.checks.masking_mistakes import mistake
from rcnn_lite.heads import mask_head
from rcnn_lite.models import mask_rcnn
from rcnn_lite.regions import masks
from rcnn_lite.regions.masks import mask_targets

FULL, BOX = torch.ones(1, 4, 4), torch.tensor([[2.6, 3.0, 6.6, 7.0]])


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(80), strict=False)]


def test_targets_are_the_packages_where_cells_are_pixels_or_smaller():
    """There the package takes one point a cell too."""
    tried = 0
    for case in cases_of(masking.check_box_target):
        mask, box, size = case.args
        if float((box[2:] - box[:2]).max()) <= size:
            tried += 1
            target = mask_targets(mask[None], box[None], torch.tensor([0]), size)[0]
            torch.testing.assert_close(target, torch.as_tensor(case.expected), atol=1e-5, rtol=1e-5)
    assert tried > 5


def test_the_loss_is_torchvisions():
    """Given targets that are whole masks of their boxes."""
    for case in cases_of(masking.check_true_mask_loss)[7:]:
        logits, labels, targets = case.args
        size = float(targets.shape[1])
        boxes = [torch.tensor([[0.0, 0.0, size, size]]).repeat(len(labels), 1)]
        rows = [torch.arange(len(labels))]
        hard = (targets > 0.5).float()
        expected = maskrcnn_loss(logits, boxes, [hard], [labels], rows)
        found = masking.check_true_mask_loss.reference(logits, labels, _slipped(hard, boxes[0]))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def _slipped(hard, boxes):
    """Its targets lie half a pixel off."""
    rows = torch.arange(len(hard))
    return mask_targets(hard.to(torch.uint8), boxes, rows, hard.shape[1], aligned=False)


def test_pasted_is_a_view_of_pasting_many():
    for case in cases_of(pasting.check_paste_one):
        mask, box, size = case.args
        pasted = masks.paste_masks(mask[None], box[None], size)
        torch.testing.assert_close(pasted[0, 0], torch.as_tensor(case.expected), atol=1e-5, rtol=1e-4)


def test_cells_are_torchvisions():
    for case in cases_of(keypointing.check_point_cells):
        points, boxes, size = case.args
        if len(boxes):
            index, valid = keypoints_to_heatmap(points, boxes, size)
            assert torch.equal(index, torch.as_tensor(case.expected[0]))
            assert torch.equal(valid.bool(), torch.as_tensor(case.expected[1]))


def pasted():
    """The columns of a row of a full mask, from 2.6 to 6.6."""
    row = masks.paste_masks(FULL, BOX, (10, 9))[0, 0, 4]
    return [round(value, 2) for value in row.tolist()]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("mask_half_a_pixel_off", [0, 0, 0, 0.9, 1, 1, 1, 0.1, 0]),
        ("mask_in_whole_pixels", [0, 0, 1, 1, 1, 1, 0, 0, 0]),
        ("mask_not_cut_to_box", [1] * 9),
    ],
)
def test_a_mistake_moves_what_is_pasted_and_is_gone_afterwards(name, row):
    right = [0, 0, 0.4, 1, 1, 1, 0.6, 0, 0]
    assert pasted() == right
    with mistake(name):
        assert pasted() == row
        assert mask_rcnn.paste_masks is masks.paste_masks
    assert pasted() == right


def test_transposed_masks():
    mask = torch.zeros(1, 2, 2)
    mask[0, 0] = 1  # the upper half
    box = torch.tensor([[0.0, 0, 2, 2]])
    with mistake("mask_transposed"):
        assert masks.paste_masks(mask, box, (2, 2))[0, 0].tolist() == [[1, 0], [1, 0]]
    assert masks.paste_masks(mask, box, (2, 2))[0, 0].tolist() == [[1, 1], [0, 0]]


def test_another_classs_mask_and_no_sigmoid():
    logits, labels = torch.tensor([0.0, 2.0, -2.0]).view(1, 3, 1, 1), torch.tensor([2])
    right = mask_head.own_masks(logits, labels)
    with mistake("mask_of_another_class"):
        assert mask_rcnn.own_masks(logits, labels) > 0.8
    with mistake("mask_without_sigmoid"):
        assert mask_rcnn.own_masks(logits, labels).item() == -2
    assert torch.equal(mask_head.own_masks(logits, labels), right)
    assert right.item() == pytest.approx(0.1192, abs=1e-4)


def test_wrong_pasting_accepts_nothing_and_boxes_without_area():
    for name in ("mask_half_a_pixel_off", "mask_in_whole_pixels", "mask_not_cut_to_box", "mask_transposed"):
        with mistake(name):
            assert masks.paste_masks(FULL[:0], BOX[:0], (10, 9)).shape == (0, 1, 10, 9)
            assert masks.paste_masks(FULL, BOX, (10, 9), threshold=0.5).dtype == torch.bool
            assert masks.paste_masks(FULL, BOX[:, [0, 1, 0, 3]], (10, 9)).isfinite().all()
