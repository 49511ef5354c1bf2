"""Boxes: area, intersection over union, clipping, and the deltas by which a box is regressed (notebook 01).

Notation: N boxes, M ground truths; a box is ``x1 y1 x2 y2`` in continuous pixels, width = x2 - x1, no +1.
"""

import math

import torch
from torch import Tensor

MAX_LOG_SCALE = math.log(1000.0 / 16)
"""Largest |t_w|, |t_h| that decode_boxes follows: a box may grow 62.5-fold, from one stride of 16 pixels to a picture
of 1,000. Without a limit one wild delta overflows exp() and turns the loss into NaN.
"""


def require_boxes(boxes: Tensor, name: str = "boxes") -> None:
    """Raise ValueError unless ``boxes`` is a floating tensor (..., 4) of finite boxes with x1 <= x2 and y1 <= y2.

    A box of zero area passes: clipping a proposal that lies beyond the border makes one. Where a width is divided by
    or its logarithm taken, `require_positive_area` is asked instead.
    """
    if not isinstance(boxes, Tensor):
        raise ValueError(f"{name} must be a torch.Tensor (torch.as_tensor makes one), got {type(boxes).__name__}")
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"{name} must have shape (..., 4), got {tuple(boxes.shape)}")
    if not boxes.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {boxes.dtype}")
    # One pass: a NaN makes either comparison false, so `ordered` is false for it too; only infinities remain to be
    # looked for.
    ordered = (boxes[..., :2] <= boxes[..., 2:]) & torch.isfinite(boxes[..., :2]) & torch.isfinite(boxes[..., 2:])
    if not ordered.all():
        _explain(boxes, name, strict=False)


def require_positive_area(boxes: Tensor, name: str = "boxes") -> None:
    """Raise ValueError unless ``boxes`` passes `require_boxes` and every box has x1 < x2 and y1 < y2."""
    require_boxes(boxes, name)
    if not (boxes[..., :2] < boxes[..., 2:]).all():
        _explain(boxes, name, strict=True)


def _explain(boxes: Tensor, name: str, strict: bool) -> None:
    """Find the first bad box of (..., 4) and raise the sentence that names it."""
    for index, box in enumerate(boxes.detach().reshape(-1, 4).tolist()):
        where = f"{name}[{index}]" if boxes.ndim > 1 else name
        if not all(map(math.isfinite, box)):
            raise ValueError(f"{where} has a coordinate that is not finite: {box}")
        for low, high, axis in ((box[0], box[2], "x"), (box[1], box[3], "y")):
            if high < low or (strict and high == low):
                raise ValueError(f"{where} has {axis}2 {'<=' if strict else '<'} {axis}1: {box}")


def box_area(boxes: Tensor) -> Tensor:
    """Area of each box in square pixels: (..., 4) -> (...).

    >>> box_area(torch.tensor([[0.0, 0.0, 10.0, 20.0]]))  # 10 x 20, not 11 x 21
    tensor([200.])
    """
    require_boxes(boxes)
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_iou(boxes: Tensor, gt_boxes: Tensor) -> Tensor:
    """Intersection over union of N boxes with M ground truths: (N, 4), (M, 4) -> (N, M) in [0, 1].

    Boxes that only touch have IoU 0. Two boxes of zero area have an empty union and IoU 0 (torchvision answers NaN
    there).

    >>> box_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0], [2.0, 0.0, 4.0, 2.0]]))
    tensor([[0.3333, 0.0000]])
    """
    for given, name in ((boxes, "boxes"), (gt_boxes, "gt_boxes")):
        require_boxes(given, name)
        if given.ndim != 2:
            raise ValueError(f"{name} must have shape (N, 4), got {tuple(given.shape)}")
    top_left = torch.maximum(boxes[:, None, :2], gt_boxes[None, :, :2])  # (N, M, 2)
    bottom_right = torch.minimum(boxes[:, None, 2:], gt_boxes[None, :, 2:])  # (N, M, 2)
    width, height = (bottom_right - top_left).clamp(min=0).unbind(-1)  # (N, M) each
    intersection = width * height  # (N, M)
    union = box_area(boxes)[:, None] + box_area(gt_boxes)[None, :] - intersection  # (N, M)
    return torch.where(union > 0, intersection / union, torch.zeros_like(union))


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners to centre and size: (..., 4) x1 y1 x2 y2 -> (..., 4) cx cy w h.

    >>> xyxy_to_cxcywh(torch.tensor([0.0, 0.0, 10.0, 20.0]))
    tensor([ 5., 10., 10., 20.])
    """
    require_boxes(boxes)
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), dim=-1)


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre and size to corners: (..., 4) cx cy w h -> (..., 4) x1 y1 x2 y2. A negative size raises ValueError.

    >>> cxcywh_to_xyxy(torch.tensor([5.0, 10.0, 10.0, 20.0]))
    tensor([ 0.,  0., 10., 20.])
    """
    if not isinstance(boxes, Tensor) or boxes.ndim == 0 or boxes.shape[-1] != 4 or not boxes.is_floating_point():
        got = getattr(boxes, "shape", type(boxes))
        raise ValueError(f"boxes must be a floating tensor of shape (..., 4), got {got}")
    cx, cy, w, h = boxes.unbind(-1)
    corners = torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), dim=-1)
    require_boxes(corners, "boxes (as corners)")
    return corners


def clip_boxes(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Move corners that lie outside the picture (H, W) to its border: x to [0, W], y to [0, H]. (..., 4) -> (..., 4).

    The right border is W, not W - 1: a box is made of edges, and the last column's right edge lies at W.

    >>> clip_boxes(torch.tensor([[-5.0, 3.0, 120.0, 90.0]]), (80, 100))
    tensor([[  0.,   3., 100.,  80.]])
    """
    require_boxes(boxes)
    height, width = image_size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)  # (..., 2) each
    return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)


def flip_boxes(boxes: Tensor, width: float) -> Tensor:
    """Boxes in the mirror image of a picture that is ``width`` wide: x1, x2 -> width - x2, width - x1. (..., 4).

    The two corners change places, or the box would have a negative width.

    >>> flip_boxes(torch.tensor([[10.0, 5.0, 30.0, 20.0]]), width=100)
    tensor([[70.,  5., 90., 20.]])
    """
    require_boxes(boxes)
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack((width - x2, y1, width - x1, y2), dim=-1)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Indices (K,) of the boxes (N, 4) that are at least ``min_size`` pixels wide and high, in order.

    >>> remove_small_boxes(torch.tensor([[0.0, 0.0, 1.0, 9.0], [0.0, 0.0, 9.0, 9.0]]), min_size=2)
    tensor([1])
    """
    require_boxes(boxes)
    sides = boxes[:, 2:] - boxes[:, :2]  # (N, 2)
    return torch.nonzero((sides >= min_size).all(dim=1)).squeeze(1)


def encode_boxes(boxes: Tensor, reference: Tensor) -> Tensor:
    """Deltas (t_x, t_y, t_w, t_h) that move ``reference`` onto ``boxes``: (..., 4), (..., 4) -> (..., 4).

    t_x = (x - x_r) / w_r,  t_y = (y - y_r) / h_r,  t_w = ln(w / w_r),  t_h = ln(h / h_r), with x, y the
    centres: R-CNN, appendix C, equations 6-9; Faster R-CNN, equation 2. Dividing by the reference's size makes them
    independent of scale. Zero-area boxes have no logarithm and raise ValueError.

    >>> encode_boxes(torch.tensor([[5.0, 0.0, 15.0, 20.0]]), torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
    tensor([[0.5000, 0.5000, 0.0000, 0.6931]])
    """
    require_positive_area(boxes, "boxes")
    require_positive_area(reference, "reference")
    target, origin = xyxy_to_cxcywh(boxes), xyxy_to_cxcywh(reference)
    shift = (target[..., :2] - origin[..., :2]) / origin[..., 2:]  # (..., 2) t_x t_y: R-CNN, equations 6 and 7
    scale = torch.log(target[..., 2:] / origin[..., 2:])  # (..., 2) t_w t_h: R-CNN, equations 8 and 9
    return torch.cat((shift, scale), dim=-1)  # Faster R-CNN, equation 2: all four


def decode_boxes(deltas: Tensor, reference: Tensor) -> Tensor:
    """Boxes that ``deltas`` make of ``reference``: (..., 4), (..., 4) -> (..., 4). The inverse of `encode_boxes`.

    x = w_r t_x + x_r,  y = h_r t_y + y_r,  w = w_r exp(t_w),  h = h_r exp(t_h): R-CNN, appendix C, equations 1-4. t_w
    and t_h are first limited to `MAX_LOG_SCALE`. The result is not clipped to any picture.

    >>> decode_boxes(torch.tensor([[0.5, 0.5, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 10.0, 10.0]]))
    tensor([[ 5.,  5., 15., 15.]])
    """
    require_boxes(reference, "reference")
    if not isinstance(deltas, Tensor) or deltas.ndim == 0 or deltas.shape[-1] != 4:
        raise ValueError(f"deltas must be a tensor of shape (..., 4), got {getattr(deltas, 'shape', type(deltas))}")
    origin = xyxy_to_cxcywh(reference)
    centre = origin[..., 2:] * deltas[..., :2] + origin[..., :2]  # (..., 2): R-CNN, equations 1 and 2
    # R-CNN, equations 3 and 4
    size = origin[..., 2:] * torch.exp(deltas[..., 2:].clamp(max=MAX_LOG_SCALE))  # (..., 2)
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)
