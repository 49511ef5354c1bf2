"""Changing a picture together with everything that is known about it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rcnn_lite.boxes import flip_boxes


def flip_horizontally(
    image: Tensor, target: dict, proposals: Tensor | None = None, keypoint_flip: Sequence[int] | None = None
) -> tuple[Tensor, dict, Tensor | None]:
    """The mirror image: picture (3, H, W), its target, and proposals (n, 4) if there are any.

    Boxes, proposals, masks and keypoints are mirrored with the picture; what has no place (labels, areas) stays. Fast
    R-CNN, section 2.3: flipping with probability 0.5 is its only augmentation. The inputs are left as they are.

    Parameters
    ----------
    keypoint_flip : K indices; keypoint k of the mirrored picture is called keypoint ``keypoint_flip[k]`` of the
        original, because a left ear becomes a right one. Needed where the target has keypoints (N, K, 3) with a
        visibility above 0, else ValueError.

    >>> _, target, _ = flip_horizontally(torch.zeros(3, 4, 10), {"boxes": torch.tensor([[1.0, 0.0, 3.0, 4.0]])})
    >>> target["boxes"]
    tensor([[7., 0., 9., 4.]])
    """
    width = image.shape[2]
    flipped = dict(target) | {"boxes": flip_boxes(target["boxes"], width)}
    if "masks" in target:
        flipped["masks"] = target["masks"].flip(2)
    if "keypoints" in target:
        flipped["keypoints"] = _flip_keypoints(target["keypoints"], width, keypoint_flip)
    return image.flip(2), flipped, None if proposals is None else flip_boxes(proposals, width)


class AnyObject:
    """A data set whose objects have one class, "object": what a detector that only finds can be measured on."""

    classes = ("background", "object")

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        """The picture and its target, with label 1 for each object."""
        image, target = self.dataset[index]
        return image, dict(target) | {"labels": torch.ones_like(target["labels"])}


class OnlyClasses:
    """A data set as if it were about some of its classes only: their objects, and the pictures that have any.

    `labels` are theirs in the data set; here they are 1, 2, ... in this order. Whatever else has an entry for each
    object (masks, keypoints, areas) is left out with it. ValueError for labels that the data set has not, background
    among them.
    """

    def __init__(self, dataset, labels: Sequence[int]):
        if unknown := [label for label in labels if not 0 < label < len(dataset.classes)]:
            raise ValueError(f"label {unknown[0]} is none of an object: there are 1 to {len(dataset.classes) - 1}")
        self.dataset, self.labels = dataset, torch.tensor(labels)
        self.classes = (dataset.classes[0], *(dataset.classes[label] for label in labels))
        self.images = [i for i in range(len(dataset)) if torch.isin(dataset[i][1]["labels"], self.labels).any()]
        self.fingerprint = f"{getattr(dataset, 'fingerprint', '')} {' '.join(self.classes[1:])}"
        self.keypoint_flip = getattr(dataset, "keypoint_flip", None)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        """The picture and its target, which may be shorter."""
        image, target = self.dataset[self.images[index]]
        same = target["labels"][:, None] == self.labels  # (N, classes)
        rows, numbers = torch.nonzero(same, as_tuple=True)
        each = {key: value[rows] for key, value in target.items() if _one_for_each(value, len(same))}
        return image, dict(target) | each | {"labels": numbers + 1}


def _one_for_each(value, count: int) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == count


def _flip_keypoints(keypoints: Tensor, width: int, keypoint_flip: Sequence[int] | None) -> Tensor:
    """(N, K, 3) x y visibility: mirrored and renamed; points that are not there (visibility 0) stay all zero."""
    if keypoint_flip is None:
        if (keypoints[..., 2] > 0).any():
            raise ValueError("the target has keypoints: keypoint_flip must say what each is called in a mirror")
        return keypoints
    renamed = keypoints[:, torch.as_tensor(keypoint_flip, device=keypoints.device)]
    there = renamed[..., 2] > 0
    mirrored = torch.where(there, width - renamed[..., 0], renamed[..., 0])
    return torch.cat((mirrored[..., None], renamed[..., 1:]), dim=-1)
