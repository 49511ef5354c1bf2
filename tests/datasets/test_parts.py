"""Parts of data sets, the split that nobody draws, and pictures turned with all that is known of them."""

import pytest
import torch
from squares import CutSquares

from rcnn_lite.datasets.parts import Part, Turned, hold_out, turn_left
from rcnn_lite.datasets.transforms import flip_horizontally


def test_a_part_has_its_pictures_in_its_order():
    data = CutSquares(5)
    part = Part(data, [3, 0])
    assert len(part) == 2
    assert part.classes == data.classes
    for i, row in enumerate([3, 0]):
        assert torch.equal(part[i][0], data[row][0])
        assert torch.equal(part[i][1]["boxes"], data[row][1]["boxes"])
    with pytest.raises(IndexError):
        part[2]
    assert len({Part(data, rows).fingerprint for rows in ([3, 0], [0, 3], [3], [])}) == 4
    for row in (5, -1):
        with pytest.raises(ValueError, match=f"there is no picture {row}: the data set has 5"):
            Part(data, [0, row])


@pytest.mark.parametrize(("count", "held_out"), [(99, 20), (18, 4), (5, 1), (6, 2), (2, 1)])
def test_every_fifth_is_held_out_and_none_is_lost(count, held_out):
    train, test = hold_out(CutSquares(count))
    assert len(test) == held_out
    assert test.rows == [i for i in range(count) if i % 5 == 0]
    assert sorted(train.rows + test.rows) == list(range(count))
    assert train.fingerprint != test.fingerprint


@pytest.mark.parametrize(("count", "every"), [(1, 5), (0, 5), (9, 1)])
def test_nothing_left(count, every):
    with pytest.raises(ValueError, match=f"of {count} pictures, every {every} cannot be held out"):
        hold_out(CutSquares(count), every)


def test_a_quarter_turn_worked_by_hand():
    image = torch.zeros(3, 4, 6)
    image[:, 1, 5] = 1  # at the right border, in the second row
    mask = (image[:1] > 0).to(torch.uint8)
    given = {
        "boxes": torch.tensor([[5.0, 1, 6, 2]]),
        "masks": mask,
        "labels": torch.tensor([2]),
        "keypoints": torch.ones(1, 1, 3),
    }
    turned, target = turn_left(image, given)
    assert turned.shape == (3, 6, 4)
    assert turned[0].nonzero().tolist() == [[0, 1]]  # at the upper border, in the second column
    assert target["boxes"].tolist() == [[1, 0, 2, 1]]
    assert target["masks"][0].nonzero().tolist() == [[0, 1]]
    assert target["labels"].tolist() == [2]
    assert "keypoints" not in target
    assert given["boxes"].tolist() == [[5, 1, 6, 2]]


def test_boxes_hold_their_masks_at_every_turn():
    data = CutSquares(3)
    turned = Turned(data)
    assert len(turned) == 12
    for i in range(12):
        image, target = turned[i]
        for mask, (x1, y1, x2, y2) in zip(target["masks"], target["boxes"].int().tolist(), strict=True):
            y, x = mask.nonzero().T
            assert [x.min(), y.min(), x.max() + 1, y.max() + 1] == [x1, y1, x2, y2]
        assert tuple(target["masks"].shape[1:]) == tuple(image.shape[1:])
        assert target["labels"].tolist() == data[i % 3][1]["labels"].tolist()
    assert len({tuple(turned[3 * k][1]["boxes"][0].tolist()) for k in range(4)}) == 4


def test_four_turns_are_none_and_two_are_two_mirrors():
    image, target = CutSquares(1)[0]
    again = image, target
    for _ in range(4):
        again = turn_left(*again)
    assert torch.equal(again[0], image)
    torch.testing.assert_close(again[1]["boxes"], target["boxes"])
    half, half_target = Turned(CutSquares(1))[2]
    mirrored, mirrored_target, _ = flip_horizontally(image, target)
    assert torch.equal(half, mirrored.flip(1))
    assert torch.equal(half_target["masks"], mirrored_target["masks"].flip(1))


class Many:
    """A hundred thousand pictures that nobody looks at."""

    classes = ("background", "dot")
    fingerprint = "many"

    def __len__(self):
        return 100_000

    def target(self, index):
        """Its place."""
        return {"image_id": index}


def test_the_fingerprint_of_a_large_part_is_short():
    some, other = Part(Many(), range(50_000)), Part(Many(), range(1, 50_001))
    assert some.fingerprint != other.fingerprint
    assert len(some.fingerprint) < 100
    assert Part(Many(), [3, 1]).fingerprint == "many 3 1"
    assert some.target(-1) == {"image_id": 49_999}
