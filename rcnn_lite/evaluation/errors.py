"""What kind of mistake a wrong detection is (R-CNN section 3.4 and figure 5, after Hoiem, Chodpathumwan and Dai 2012).

A detector is improved by knowing what it gets wrong. A detection that is not right is
- *localisation* if it overlaps an object of its own class, but too little, or one that a better detection has claimed;
- *similar* or *other* if it overlaps an object of another class, one that resembles its own or not;
- *background* if it overlaps nothing.

Notation: N detections and M objects of one image.
"""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.evaluation.inputs import image_pairs
from rcnn_lite.evaluation.overlaps import box_overlaps
from rcnn_lite.evaluation.verdicts import IGNORED, RIGHT
from rcnn_lite.evaluation.voc import judge_image

KINDS = ("right", "localisation", "similar", "other", "background", "ignored")


def kinds_of_detections(
    detections: Sequence[dict],
    targets: Sequence[dict],
    similar: Sequence[Collection[int]] = (),
    iou_threshold: float = 0.5,
    touching: float = 0.1,
) -> list[Tensor]:
    """Index into `KINDS` of each detection, an int64 tensor (N,) an image, in the order of the detections.

    Parameters
    ----------
    detections, targets : lists of dicts, one for each image, see `rcnn_lite.evaluation`.
    similar : groups of labels that resemble each other; a label in no group resembles none.
    iou_threshold : what a right detection has with its object, as in `evaluate_voc`.
    touching : the least IoU that counts as overlap at all; the paper: 0.1.

    Detections on difficult objects are "ignored". Raises ValueError as `evaluate_voc`.

    >>> box, away = [[0.0, 0.0, 10.0, 10.0]], [[50.0, 0.0, 60.0, 10.0]]
    >>> target = {"boxes": torch.tensor(box), "labels": torch.tensor([1])}
    >>> found = {"boxes": torch.tensor(box + box + away), "labels": torch.tensor([1, 2, 1]), "scores": torch.ones(3)}
    >>> [KINDS[k] for k in kinds_of_detections([found], [target], similar=[{1, 2}])[0]]
    ['right', 'similar', 'background']
    """
    if not 0 < touching <= iou_threshold <= 1:
        raise ValueError(f"0 < touching <= iou_threshold <= 1 must hold, got {touching} and {iou_threshold}")
    return [
        _kinds(found, truth, similar, iou_threshold, touching)
        for found, truth in image_pairs(detections, targets, "boxes", None)
    ]


def _kinds(found: dict, truth: dict, similar, iou_threshold: float, touching: float) -> Tensor:
    """`kinds_of_detections` of one image: (N,)."""
    labels, objects = found["labels"], truth["labels"]  # (N,), (M,)
    overlaps = box_overlaps(found["boxes"], truth["boxes"], np.zeros(len(objects), bool)) >= touching  # (N, M)
    same = labels[:, None] == objects[None, :]
    alike = np.zeros_like(same)
    for group in similar:
        alike |= np.isin(labels, list(group))[:, None] & np.isin(objects, list(group))[None, :]
    verdicts = judge_image(found, truth, truth["difficult"] | truth["iscrowd"], iou_threshold)
    touches = [(overlaps & which).any(axis=1) for which in (same, alike, np.ones_like(same))]
    kinds = np.select([verdicts == RIGHT, verdicts == IGNORED, *touches], [0, 5, 1, 2, 3], default=4)
    return torch.from_numpy(kinds.astype(np.int64))
