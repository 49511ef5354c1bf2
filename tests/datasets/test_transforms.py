"""A mirrored picture and what is known about it: by hand, twice is nothing, on a scene; some of the classes only."""

import pytest
import torch

from rcnn_lite.datasets.scenes import Scenes
from rcnn_lite.datasets.transforms import OnlyClasses, flip_horizontally


def corner_picture():
    """8 x 10 pixels, white where the object is: columns 1 to 3, rows 2 to 4."""
    image = torch.zeros(3, 8, 10)
    image[:, 2:5, 1:4] = 1
    boxes = torch.tensor([[1.0, 2.0, 4.0, 5.0]])
    return image, {"boxes": boxes, "labels": torch.tensor([3]), "masks": (image[:1] > 0).byte(), "image_id": 7}


def white_box(image):
    rows, columns = (torch.nonzero(image[0].amax(dim=d)).flatten() for d in (1, 0))
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def test_boxes_masks_and_proposals_follow_the_pixels():
    image, target = corner_picture()
    flipped, mirrored, proposals = flip_horizontally(image, target, torch.tensor([[0.0, 0.0, 10.0, 8.0], [1, 2, 4, 5]]))
    assert white_box(flipped) == [6, 2, 9, 5]
    assert mirrored["boxes"].tolist() == [[6, 2, 9, 5]]
    assert proposals.tolist() == [[0, 0, 10, 8], [6, 2, 9, 5]]
    assert torch.equal(mirrored["masks"][0] > 0, flipped[0] > 0)
    assert mirrored["labels"].tolist() == [3]
    assert mirrored["image_id"] == 7
    assert target["boxes"].tolist() == [[1, 2, 4, 5]]  # the input is as it was


def test_keypoints_are_mirrored_and_renamed():
    """Left ear (2, 3) seen, right ear (6, 3) covered, nose not there. In the mirror the right ear is the left one."""
    image, target = corner_picture()
    target["keypoints"] = torch.tensor([[[2.0, 3.0, 2.0], [6.0, 3.0, 1.0], [0.0, 0.0, 0.0]]])
    mirrored = flip_horizontally(image, target, keypoint_flip=(1, 0, 2))[1]
    assert mirrored["keypoints"].tolist() == [[[4, 3, 1], [8, 3, 2], [0, 0, 0]]]
    with pytest.raises(ValueError, match="keypoint_flip"):
        flip_horizontally(image, target)
    target["keypoints"][..., 2] = 0  # none is there: nothing to rename
    assert torch.equal(flip_horizontally(image, target)[1]["keypoints"], target["keypoints"])


def test_a_scene_mirrored_twice_is_the_scene():
    data = Scenes("train", n=40)
    image, target = next(one for one in data if (one[1]["keypoints"][..., 2] > 0).any())
    proposals = target["boxes"] + 1
    once = flip_horizontally(image, target, proposals, data.keypoint_flip)
    twice = flip_horizontally(*once, data.keypoint_flip)
    assert not torch.equal(once[0], image)
    torch.testing.assert_close(twice, (image, target, proposals))


def test_nothing_to_flip():
    target = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}
    _, mirrored, proposals = flip_horizontally(torch.zeros(3, 4, 4), target, torch.empty(0, 4))
    assert mirrored["boxes"].shape == proposals.shape == (0, 4)


class FourPictures:
    """Pictures with cats (2), dogs (1), nothing, and a dog between two cats."""

    classes, fingerprint, keypoint_flip = ("background", "dog", "cat", "cow"), "four", (1, 0)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        labels = torch.tensor([[2], [1], [], [2, 1, 2]][index], dtype=torch.int64)
        places = torch.arange(len(labels)).float()
        boxes = torch.stack((places, places, places + 2, places + 3), dim=1)
        target = {"boxes": boxes, "labels": labels, "masks": torch.ones(len(labels), 4, 4) * places[:, None, None]}
        return torch.full((3, 4, 4), float(index)), target | {"image_id": torch.tensor(index)}


def test_only_classes_are_renamed_and_pictures_without_them_left_out():
    cats = OnlyClasses(FourPictures(), [2])
    assert (len(cats), cats.classes, cats.keypoint_flip) == (2, ("background", "cat"), (1, 0))
    image, target = cats[1]
    assert float(image[0, 0, 0]) == int(target["image_id"]) == 3
    assert target["labels"].tolist() == [1, 1]
    assert target["boxes"][:, 0].tolist() == [0, 2]  # not the dog's between them
    assert target["masks"][:, 0, 0].tolist() == [0, 2]
    both = OnlyClasses(FourPictures(), [2, 1])
    assert both.classes == ("background", "cat", "dog")
    assert [both[i][1]["labels"].tolist() for i in range(len(both))] == [[1], [2], [1, 2, 1]]
    assert len(OnlyClasses(FourPictures(), [3])) == 0
    assert len({cats.fingerprint, both.fingerprint, "four"}) == 3
    for wrong in (0, 4, -1):
        with pytest.raises(ValueError, match=f"label {wrong} is none of an object: there are 1 to 3"):
            OnlyClasses(FourPictures(), [2, wrong])
