"""Regions of interest as rows: which image of the batch, and which box in it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_lite.boxes import require_boxes


def boxes_to_rois(boxes: Sequence[Tensor]) -> Tensor:
    """Boxes (R_i, 4) of each image of a batch as RoIs (R, 5) of image index and box, image by image.

    >>> boxes_to_rois([torch.empty(0, 4), torch.tensor([[1.0, 2.0, 3.0, 4.0]])])
    tensor([[1., 1., 2., 3., 4.]])
    """
    if len(boxes) == 0:
        return torch.empty(0, 5)
    indexed = [torch.cat((torch.full_like(b[:, :1], index), b), dim=1) for index, b in enumerate(boxes)]
    return torch.cat(indexed)


def require_rois(rois: Tensor, features: Tensor) -> None:
    """Raise ValueError unless ``rois`` is (R, 5) of image indices and boxes that fit ``features`` (N, C, H, W)."""
    if features.ndim != 4 or not features.is_floating_point():
        raise ValueError(f"features must be floating (N, C, H, W), got {features.dtype} {tuple(features.shape)}")
    if not isinstance(rois, Tensor) or rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(f"rois must have shape (R, 5), got {getattr(rois, 'shape', type(rois).__name__)}")
    if rois.dtype != features.dtype:
        raise ValueError(f"rois must have the dtype of features, {features.dtype}, got {rois.dtype}")
    require_boxes(rois[:, 1:], "rois[:, 1:]")
    image = rois[:, 0]
    wrong = (image < 0) | (image >= len(features)) | (image != image.trunc())
    if wrong.any():
        first = int(torch.nonzero(wrong)[0, 0])
        raise ValueError(f"rois[{first}] names image {image[first]:g} of a batch of {len(features)}")
