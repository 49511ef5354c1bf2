"""The wrong functions that `rcnn_lite.checks.mistakes` puts in the place of the package's, with the same arguments."""

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import decode_boxes, encode_boxes, require_boxes
from rcnn_lite.checks import wrong_boxes
from rcnn_lite.nms import nms

# ---- plus_one_width ----


def area_plus_one(boxes: Tensor) -> Tensor:
    require_boxes(boxes)
    return (boxes[..., 2] - boxes[..., 0] + 1) * (boxes[..., 3] - boxes[..., 1] + 1)


iou_plus_one = wrong_boxes.iou_plus_one


def overlaps_plus_one(boxes: np.ndarray, gt_boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    return _overlaps(wrong_boxes.iou_plus_one, boxes, gt_boxes)


def nms_greedy_plus_one(boxes: np.ndarray, order: np.ndarray, iou_threshold: float, limit: int) -> np.ndarray:
    return _greedy(wrong_boxes.iou_plus_one, boxes, order, iou_threshold)[:limit]


# ---- unclamped_intersection ----


iou_unclamped = wrong_boxes.iou_unclamped


def overlaps_unclamped(boxes: np.ndarray, gt_boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    return _overlaps(wrong_boxes.iou_unclamped, boxes, gt_boxes)


def nms_greedy_unclamped(boxes: np.ndarray, order: np.ndarray, iou_threshold: float, limit: int) -> np.ndarray:
    return _greedy(wrong_boxes.iou_unclamped, boxes, order, iou_threshold)[:limit]


# ---- the others ----


def decode_from_corner(deltas: Tensor, reference: Tensor) -> Tensor:
    half = (reference[..., 2:] - reference[..., :2]) / 2
    return decode_boxes(deltas, reference) - torch.cat((half, half), dim=-1)


def encode_log2(boxes: Tensor, reference: Tensor) -> Tensor:
    deltas = encode_boxes(boxes, reference)
    return torch.cat((deltas[..., :2], deltas[..., 2:] / np.log(2.0)), dim=-1)


def clip_to_last_pixel(boxes: Tensor, image_size: tuple[int, int]) -> Tensor:
    require_boxes(boxes)
    return wrong_boxes.clip_last_pixel(boxes.reshape(-1, 4), image_size).reshape(boxes.shape)


def batched_nms_across_classes(boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float) -> Tensor:
    return nms(boxes, scores, iou_threshold)


def _overlaps(iou, boxes: np.ndarray, gt_boxes: np.ndarray) -> np.ndarray:
    """An IoU of tensors for arrays: (N, 4), (M, 4) -> (N, M) float64. Crowds count as objects like others."""
    return iou(torch.from_numpy(boxes).double(), torch.from_numpy(gt_boxes).double()).numpy()


def _greedy(iou, boxes: np.ndarray, order: np.ndarray, iou_threshold: float) -> np.ndarray:
    """What `rcnn_lite.kernels.nms_greedy` does, with another IoU; a row of it at a time."""
    ranked = torch.from_numpy(boxes[order])
    keep = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if keep[i]:
            keep[i + 1 :] &= ~(iou(ranked[i : i + 1], ranked[i + 1 :])[0] > iou_threshold).numpy()
    return order[keep]
