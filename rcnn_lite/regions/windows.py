"""From a box in the picture to a window of whole cells of its feature map, and the pyramid over it (notebook 09).

SPPnet runs the convolutions once a picture. A region is then not cut out of the picture but out of the map: the cells
that look at it. Pooled into the bins of a pyramid, windows of any size become equally long. He et al. 2014, "Spatial
Pyramid Pooling in Deep Convolutional Networks for Visual Recognition", section 4.1 and appendix A.

Notation: n boxes, C channels, a map of (h, w) cells of S pixels each. Level l of the pyramid has l x l bins.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_lite.regions.roi_pool import roi_pool


def project_boxes(boxes: Tensor, stride: int, map_size: tuple[int, int], centre: float = 0.5) -> Tensor:
    """The cells whose centres lie inside each box: (n, 4) in pixels -> (n, 4) int64, first x, first y, last x, last y.

    Appendix A: left and top floor(x / S) + 1, right and bottom ceil(x / S) - 1. Those are the first and the last whole
    number between the two sides, and cell k of the paper's network looks at pixel S k: the centre lies inside. Cell k,
    from 0, of a network that looks at pixel S (k + ``centre``) gets the same rule, moved by ``centre`` cells.

    A box that contains no centre gets the nearest cell to its own, and what lies outside the map the cells at its edge:
    no window is empty.

    >>> project_boxes(torch.tensor([[20.0, 0.0, 60.0, 33.0], [70.0, 9.0, 72.0, 12.0]]), 16, (4, 4))
    tensor([[1, 0, 3, 1],
            [3, 0, 3, 0]])
    """
    limit = boxes.new_tensor([map_size[1] - 1, map_size[0] - 1])  # x, y
    first = torch.floor(boxes[:, :2] / stride - centre) + 1  # (n, 2)
    last = torch.ceil(boxes[:, 2:] / stride - centre) - 1  # (n, 2)
    nearest = torch.round((boxes[:, :2] + boxes[:, 2:]) / (2 * stride) - centre)  # (n, 2)
    none = last < first
    window = torch.where(none, nearest, first), torch.where(none, nearest, last)
    return torch.cat([torch.minimum(corner.clamp(min=0), limit) for corner in window], dim=1).long()


def pool_windows(features: Tensor, windows: Tensor, levels: Sequence[int]) -> Tensor:
    """The pyramid over each window of a map: (1, C, h, w), (n, 4) of `project_boxes` -> (n, C x sum of l x l).

    The same as `spp.spatial_pyramid_pool` of each window cut out. A level is RoI pooling with l x l bins: SPPnet and
    Fast R-CNN round the sides of a bin in the same way.

    >>> pool_windows(torch.arange(12.0).view(1, 1, 3, 4), torch.tensor([[0, 0, 3, 2], [1, 1, 1, 1]]), (2, 1))
    tensor([[ 5.,  7.,  9., 11., 11.],
            [ 5.,  5.,  5.,  5.,  5.]])
    """
    rois = torch.cat((windows.new_zeros(len(windows), 1), windows), dim=1).to(features.dtype)  # (n, 5)
    return torch.cat([roi_pool(features, rois, level, spatial_scale=1.0).flatten(1) for level in levels], dim=1)
