"""One picture at several sizes, and at which of them a box is looked at (notebooks 09, 10).

A network that was trained on objects of one size sees a small object better in an enlarged picture. SPPnet (section
4.1) and Fast R-CNN (section 2.4) therefore make the maps of an *image pyramid* and pool each box from the scale at
which it comes nearest to the size of the network's own input. "Brute force" is a pyramid of one scale.

Notation: n boxes, S scales; a factor is pixels of the resized picture a pixel of the picture.
"""

from collections.abc import Sequence

from torch import Tensor

from rcnn_lite.boxes import box_area


def scale_boxes(boxes: Tensor, image_size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """Boxes (n, 4) of a picture (H, W) in the pixels of its resized copy (h, w): x times w / W, y times h / H.

    >>> import torch
    >>> scale_boxes(torch.tensor([[10.0, 20.0, 30.0, 40.0]]), (100, 100), (50, 200))
    tensor([[20., 10., 60., 20.]])
    """
    factors = boxes.new_tensor([new_size[1] / image_size[1], new_size[0] / image_size[0]])  # x, y
    return boxes * factors.repeat(2)


def scale_points(points: Tensor, image_size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """Points (..., 3) of x, y and anything of a picture (H, W) in the pixels of its resized copy (h, w).

    >>> import torch
    >>> scale_points(torch.tensor([[10.0, 20.0, 2.0]]), (100, 100), (50, 200))
    tensor([[20., 10.,  2.]])
    """
    return points * points.new_tensor([new_size[1] / image_size[1], new_size[0] / image_size[0], 1])


def nearest_scale(boxes: Tensor, factors: Sequence[float], side: float) -> Tensor:
    """For each box (n, 4) the index (n,) of the factor at which its area comes nearest to ``side`` x ``side`` pixels.

    Nearest in the number of pixels, as both papers have it. Of equally near ones the first. ValueError without factors.

    >>> import torch
    >>> nearest_scale(torch.tensor([[0.0, 0.0, 30.0, 30.0], [0.0, 0.0, 200.0, 200.0]]), (1.0, 2.0, 4.0), side=112)
    tensor([2, 0])
    """
    if len(factors) == 0:
        raise ValueError("factors must have at least one entry")
    areas = box_area(boxes)[:, None] * boxes.new_tensor(factors) ** 2  # (n, S)
    return (areas - side**2).abs().argmin(dim=1)
