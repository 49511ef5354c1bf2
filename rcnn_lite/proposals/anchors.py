"""Anchors: the same few boxes around every cell of a feature map (notebook 11).

Notation: A cell anchors, a feature map of H x W cells, one cell every ``stride`` pixels. Faster R-CNN, section 3.1.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_lite.boxes import require_positive_area


def make_cell_anchors(sizes: Sequence[float], aspect_ratios: Sequence[float]) -> Tensor:
    """The anchors of one cell, (A, 4) centred on 0: every size with every aspect ratio h / w, A = their product.

    A size s and a ratio r give the box of area s^2 with h = s sqrt(r) and w = s / sqrt(r). The first ratio with all
    sizes comes first, then the next ratio, as in torchvision; nothing is rounded. Raises ValueError unless all numbers
    are positive.

    >>> make_cell_anchors(sizes=[16], aspect_ratios=[1, 4])  # the second is tall: 32 high, 8 wide
    tensor([[ -8.,  -8.,   8.,   8.],
            [ -4., -16.,   4.,  16.]])
    """
    for name, values in (("sizes", sizes), ("aspect_ratios", aspect_ratios)):
        if not values or min(values) <= 0:
            raise ValueError(f"{name} must be one or more positive numbers, got {list(values)}")
    size, root = torch.tensor(sizes, dtype=torch.float32), torch.tensor(aspect_ratios, dtype=torch.float32).sqrt()
    half_width = (size / root[:, None]).flatten() / 2  # (A,)
    half_height = (size * root[:, None]).flatten() / 2  # (A,)
    return torch.stack((-half_width, -half_height, half_width, half_height), dim=1)


def shift_anchors(
    cell_anchors: Tensor, feature_size: tuple[int, int], stride: float | tuple[float, float], offset: float = 0.0
) -> Tensor:
    """The anchors of a whole map (H, W), in image pixels: (A, 4) -> (H W A, 4), row by row, the A of a cell together.

    Those of cell (y, x) are centred on ((x + offset) stride, (y + offset) stride): with ``offset`` 0.5 on its centre,
    with 0 on its upper left corner, as in torchvision. The authors' code has the centre: its base anchor of a stride of
    16 is [0, 0, 15, 15] with the last pixel counted in, around 7.5, which is [0, 0, 16, 16] around 8 here (their
    rounding of the other anchors apart). ``stride`` is one number or (vertical, horizontal).

    >>> shift_anchors(torch.tensor([[-1.0, -1.0, 1.0, 1.0]]), feature_size=(1, 2), stride=16, offset=0.5)
    tensor([[ 7.,  7.,  9.,  9.],
            [23.,  7., 25.,  9.]])
    """
    require_positive_area(cell_anchors, "cell_anchors")
    stride_y, stride_x = stride if isinstance(stride, tuple) else (stride, stride)
    like = {"dtype": cell_anchors.dtype, "device": cell_anchors.device}
    centre_y = (torch.arange(feature_size[0], **like) + offset) * stride_y  # (H,)
    centre_x = (torch.arange(feature_size[1], **like) + offset) * stride_x  # (W,)
    y, x = torch.meshgrid(centre_y, centre_x, indexing="ij")  # (H, W)
    centres = torch.stack((x, y, x, y), dim=-1)  # (H, W, 4)
    return (centres[:, :, None, :] + cell_anchors).reshape(-1, 4)
