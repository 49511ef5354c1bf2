"""Detecting in pictures of any size: boxes come back in the picture's own pixels; drawing; COCO results."""

import numpy as np
import pytest
import torch

from rcnn_lite.models.pictures import coco_results, detect_in_picture, draw_on_picture


class WholePicture:
    """A model that finds one object: the left upper quarter of what it is given. It notes the sizes that it saw."""

    device = torch.device("cpu")

    def __init__(self):
        self.sizes = []

    def detect(self, images):
        self.sizes += [tuple(image.shape) for image in images]
        height, width = images[0].shape[1:]
        boxes = torch.tensor([[0.0, 0.0, width / 2, height / 2]])
        return [{"boxes": boxes, "labels": torch.tensor([1]), "scores": torch.tensor([0.75])}]


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((400, 600), (100, 150)),
        ((600, 401), (150, 100)),
        ((80, 90), (80, 90)),
        ((1, 1), (1, 1)),
        ((3000, 5), (3000, 5)),
    ],
)
def test_boxes_come_back_in_the_pictures_pixels(size, seen):
    model = WholePicture()
    found = detect_in_picture(model, np.zeros((*size, 3), np.uint8), short_side=100)
    assert model.sizes == [(3, *seen)]
    assert found["boxes"][0].tolist() == pytest.approx([0, 0, size[1] / 2, size[0] / 2], rel=1e-5)
    assert found["scores"].tolist() == [0.75]


def test_shrinking_keeps_values_in_range_and_smooths():
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 255

    class Keep(WholePicture):
        def detect(self, images):
            self.image = images[0]
            return super().detect(images)

    model = Keep()
    detect_in_picture(model, stripes, short_side=40)  # every fifth pixel: black, white, black, ...
    assert float((model.image[:, :, 5:-5] - 0.5).abs().max()) < 0.15


def test_boxes_are_drawn_where_they_are():
    image = np.full((60, 80, 3), 200, np.uint8)
    found = {
        "boxes": torch.tensor([[10.0, 20.0, 50.0, 45.0], [0.0, 0.0, 80.0, 60.0]]),
        "labels": torch.tensor([1, 1]),
        "scores": torch.tensor([0.9, -0.5]),
    }
    drawn = np.asarray(draw_on_picture(image, found, ("background", "cat"), min_score=0.0))
    changed = np.argwhere((drawn != image).any(axis=2))
    assert drawn.shape == image.shape
    assert changed.min(axis=0).tolist() == [20, 10]
    assert changed[:, 0].max() == 44  # the last row inside the box; the second box, below min_score, is not drawn
    assert (image == 200).all()


def test_nothing_to_draw_and_nothing_to_write():
    image = np.zeros((5, 5, 3), np.uint8)
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0)}
    assert (np.asarray(draw_on_picture(image, nothing, ("background",), 0.0)) == 0).all()
    assert coco_results(nothing, 1, "a.jpg") == []


class QuarterMask(WholePicture):
    """Its object has a mask, the left half of its box, and two keypoints: the box's corners."""

    def detect(self, images):
        (found,) = super().detect(images)
        _, height, width = images[0].shape
        masks = torch.full((1, 1, height, width), 0.2)
        masks[:, :, : height // 2, : width // 4] = 0.8
        points = torch.tensor([[[0.0, 0.0, 3.0], [width / 2, height / 2, -1.0]]])
        return [found | {"masks": masks, "keypoints": points}]


def test_masks_and_keypoints_come_back_in_the_pictures_pixels():
    found = detect_in_picture(QuarterMask(), np.zeros((400, 800, 3), np.uint8), short_side=100)
    mask = found["masks"][0, 0]
    assert (mask.shape, mask.dtype) == ((400, 800), torch.bool)
    inside = torch.nonzero(mask)
    assert inside.amin(dim=0).tolist() == [0, 0]
    assert inside.amax(dim=0).tolist() == [199, 199]
    assert found["keypoints"].tolist() == [[[0, 0, 3], [400, 200, -1]]]


def test_masks_are_tinted_and_keypoints_dotted():
    image = np.full((60, 80, 3), 200, np.uint8)
    mask = torch.zeros(1, 1, 60, 80, dtype=torch.bool)
    mask[..., 30:40, 20:50] = True
    points = torch.tensor([[[60.0, 50.0, 1.0], [0.0, 0.0, 0.0]]])
    box = {"boxes": torch.tensor([[10.0, 20.0, 55.0, 45.0]]), "labels": torch.tensor([1])}
    found = box | {"scores": torch.tensor([0.9]), "masks": mask, "keypoints": points}
    drawn = np.asarray(draw_on_picture(image, found, ("background", "cat"), min_score=0.0))
    assert (drawn[35, 30] == [211, 130, 131]).all()  # 0.6 x 200 + 0.4 x red
    assert (drawn[42, 30] == 200).all()  # in the box, outside the mask
    assert (drawn[50, 60] == 255).all()
    assert (drawn[58, 78] == 200).all()
    assert (drawn[0, 0] == 200).all()  # a keypoint that is none
    quiet = np.asarray(draw_on_picture(image, found, ("background", "cat"), min_score=0.95))
    assert (quiet == 200).all()
