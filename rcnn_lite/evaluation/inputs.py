"""What evaluation accepts: tensors become numpy arrays here, and bad input ends here with a sentence that names it.

Notation: N detections and M objects in an image; ``where`` is how the sentence calls the dict, such as
``detections[3]``.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import require_boxes, require_positive_area

MASK_THRESHOLD = 0.5
"""A pixel belongs to a detected mask above this probability (Mask R-CNN, section 3.1)."""


def image_pairs(detections: Sequence[dict], targets: Sequence[dict], kind: str, num_classes: int | None) -> Iterator:
    """Yield (detection, target) as dicts of numpy arrays, image by image. ``kind``: compare "boxes" or "masks".

    Raises ValueError naming the image and the key.
    """
    if len(detections) != len(targets):
        raise ValueError(f"detections has {len(detections)} images but targets has {len(targets)}")
    for index, (detection, target) in enumerate(zip(detections, targets, strict=True)):
        found = detection_arrays(detection, f"detections[{index}]", kind, num_classes)
        truth = target_arrays(target, f"targets[{index}]", kind, num_classes)
        if kind == "masks" and len(found["masks"]) and len(truth["masks"]):
            sizes = [f"{m.shape[1]} x {m.shape[2]}" for m in (found["masks"], truth["masks"])]
            if sizes[0] != sizes[1]:
                raise ValueError(f"image {index}: the masks of the detections are {sizes[0]}, of the target {sizes[1]}")
        yield found, truth


def detection_arrays(detection: dict, where: str, kind: str, num_classes: int | None) -> dict[str, np.ndarray]:
    """labels (N,), scores (N,), and boxes (N, 4) or masks bool (N, H, W). All numbers are float64."""
    labels = _labels(detection, where, num_classes)
    scores = _vector(detection, "scores", where, len(labels))
    if np.isnan(scores).any():
        raise ValueError(f"{where}['scores'][{int(np.isnan(scores).argmax())}] is NaN")
    shapes = _boxes(detection, where, len(labels)) if kind == "boxes" else _masks(detection, where, len(labels))
    return {"labels": labels, "scores": scores, kind: shapes}


def target_arrays(target: dict, where: str, kind: str, num_classes: int | None) -> dict[str, np.ndarray]:
    """labels (M,), boxes (M, 4) or masks bool (M, H, W), iscrowd and difficult bool (M,), area (M,) if given."""
    labels = _labels(target, where, num_classes)
    if kind == "boxes":
        shapes = _boxes(target, where, len(labels))
        if not (shapes[:, :2] < shapes[:, 2:]).all():
            require_positive_area(target["boxes"], f"{where}['boxes']")
    else:
        shapes = _masks(target, where, len(labels))
    arrays = {"labels": labels, kind: shapes}
    for key in ("iscrowd", "difficult"):
        flags = _vector(target, key, where, len(labels)) if key in target else np.zeros(len(labels))
        arrays[key] = flags.astype(bool)
    if "area" in target:
        arrays["area"] = _vector(target, "area", where, len(labels))
    return arrays


def _tensor(record: dict, key: str, where: str) -> Tensor:
    if key not in record:
        raise ValueError(f"{where} has no key '{key}'")
    if not isinstance(record[key], Tensor):
        raise ValueError(f"{where}['{key}'] must be a torch.Tensor, got {type(record[key]).__name__}")
    return record[key]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _vector(record: dict, key: str, where: str, length: int) -> np.ndarray:
    values = _array(_tensor(record, key, where).double())
    if values.ndim != 1:
        raise ValueError(f"{where}['{key}'] must have shape (N,), got {values.shape}")
    if len(values) != length:
        raise ValueError(f"{where}['{key}'] has length {len(values)} but {where}['labels'] has length {length}")
    return values


def _labels(record: dict, where: str, num_classes: int | None) -> np.ndarray:
    tensor = _tensor(record, "labels", where)
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.dtype == torch.bool:
        raise ValueError(f"{where}['labels'] must be integers of shape (N,), got {tensor.dtype} {tuple(tensor.shape)}")
    labels = _array(tensor)
    unknown = labels < 1 if num_classes is None else (labels < 1) | (labels >= num_classes)
    if unknown.any():
        first = int(unknown.argmax())
        known = "1 upwards" if num_classes is None else f"1 to {num_classes - 1}"
        raise ValueError(f"{where}['labels'][{first}] is {labels[first]}; known labels are {known} (0 is background)")
    return labels


def _boxes(record: dict, where: str, length: int) -> np.ndarray:
    tensor = _tensor(record, "boxes", where)
    require_boxes(tensor, f"{where}['boxes']")
    if tensor.ndim != 2:
        raise ValueError(f"{where}['boxes'] must have shape (N, 4), got {tuple(tensor.shape)}")
    if len(tensor) != length:
        raise ValueError(f"{where}['boxes'] has length {len(tensor)} but {where}['labels'] has length {length}")
    return _array(tensor.double())


def _masks(record: dict, where: str, length: int) -> np.ndarray:
    tensor = _tensor(record, "masks", where)
    if tensor.ndim == 4 and tensor.shape[1] == 1:
        tensor = tensor[:, 0]  # (N, 1, H, W) -> (N, H, W)
    if tensor.ndim != 3:
        raise ValueError(f"{where}['masks'] must have shape (N, H, W) or (N, 1, H, W), got {tuple(tensor.shape)}")
    if len(tensor) != length:
        raise ValueError(f"{where}['masks'] has length {len(tensor)} but {where}['labels'] has length {length}")
    return _array(tensor.float() if tensor.is_floating_point() else tensor) > MASK_THRESHOLD
