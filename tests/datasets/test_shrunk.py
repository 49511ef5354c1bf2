"""Pictures shrunk with all that is known of them."""

import pytest
import torch
from squares import CLASSES, CornerSquares, CutSquares

from rcnn_lite.datasets.shrunk import Shrunk, shrink_masks


def test_boxes_masks_and_keypoints_shrink_with_the_picture():
    data = CutSquares(1)
    image, target = Shrunk(data, 24)[0]
    before = data[0][1]
    assert image.shape == (3, 24, 32)
    torch.testing.assert_close(target["boxes"], before["boxes"] / 2)
    assert target["masks"].shape == (2, 24, 32)
    assert target["masks"].dtype == torch.uint8
    for mask, full in zip(target["masks"], before["masks"], strict=True):
        assert int(mask.sum()) == pytest.approx(int(full.sum()) / 4, rel=0.25)
        blocks = full.reshape(24, 2, 32, 2).sum(dim=(1, 3))
        assert torch.equal(mask.bool(), blocks >= 2)  # half of four pixels or more
    points = Shrunk(CornerSquares(1), 24)[0][1]["keypoints"]
    torch.testing.assert_close(points[..., :2], CornerSquares(1)[0][1]["keypoints"][..., :2] / 2)
    assert torch.equal(points[..., 2], CornerSquares(1)[0][1]["keypoints"][..., 2])


def test_areas_shrink_and_what_else_there_is_stays():
    class More(CutSquares):
        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            return image, target | {"area": torch.tensor([40.0, 80.0]), "difficult": torch.tensor([True, False])}

    target = Shrunk(More(1), 24)[0][1]
    assert target["area"].tolist() == [10, 20]
    assert target["difficult"].tolist() == [True, False]
    assert target["labels"].tolist() == [1, 2]


def test_small_pictures_stay_as_they_are():
    data = CutSquares(2)
    image, target = Shrunk(data, 48)[1]
    assert torch.equal(image, data[1][0])
    assert torch.equal(target["masks"], data[1][1]["masks"])
    assert (len(Shrunk(data, 48)), Shrunk(data, 48).classes) == (2, CLASSES)
    assert Shrunk(data, 48).fingerprint != Shrunk(data, 40).fingerprint


def test_no_object_vanishes():
    masks = torch.zeros(3, 90, 90, dtype=torch.uint8)
    masks[0, 40, :] = 1  # a wire
    masks[1, 5, 5] = 1  # a point; the third is empty
    small = shrink_masks(masks, (10, 10))
    assert torch.nonzero(small[0])[:, 0].unique().tolist() == [4]
    assert torch.nonzero(small[1]).tolist() == [[0, 0]]
    assert small[2].sum() == 0
    assert shrink_masks(masks[:0], (10, 10)).shape == (0, 10, 10)


def test_no_side_is_refused():
    with pytest.raises(ValueError, match="short_side must be at least 1 pixel, got 0"):
        Shrunk(CutSquares(1), 0)
