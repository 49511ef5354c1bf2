"""Some pictures of a data set as a data set: what is trained on, what is held out, and pictures turned."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

LONG = 10_000
"""Characters from which on a list of rows is told by its checksum: a fingerprint goes into every checkpoint."""


class Part:
    """The pictures ``rows`` of a data set, in this order. ValueError for a row that it does not have."""

    def __init__(self, dataset, rows: Sequence[int]):
        if unknown := [row for row in rows if not 0 <= row < len(dataset)]:
            raise ValueError(f"there is no picture {unknown[0]}: the data set has {len(dataset)}")
        self.dataset, self.rows, self.classes = dataset, list(rows), dataset.classes
        which = " ".join(map(str, rows))
        which = which if len(which) < LONG else hashlib.sha256(which.encode()).hexdigest()[:16]
        self.fingerprint = f"{getattr(dataset, 'fingerprint', '')} {which}"
        self.keypoint_flip = getattr(dataset, "keypoint_flip", None)
        self.has_masks = getattr(dataset, "has_masks", False)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        return self.dataset[self.rows[index]]

    def target(self, index: int) -> dict:
        """The target of an item alone, without reading its picture."""
        return self.dataset.target(self.rows[index])


def hold_out(dataset, every: int = 5) -> tuple[Part, Part]:
    """(what to train on, what to test on): every fifth picture is held out, from the first on.

    The same for everyone and for ever, as nothing is drawn. ValueError where one of the two would be empty.

    >>> class Letters(list):
    ...     classes = ("background", "letter")
    >>> train, test = hold_out(Letters("abcdefg"))
    >>> list(train), list(test)
    (['b', 'c', 'd', 'e', 'g'], ['a', 'f'])
    """
    if every < 2 or len(dataset) < 2:
        raise ValueError(f"of {len(dataset)} pictures, every {every} cannot be held out: nothing would be left")
    held_out = range(0, len(dataset), every)
    return Part(dataset, [i for i in range(len(dataset)) if i % every]), Part(dataset, held_out)


class Turned:
    """A data set four times as long: as it is, and turned by a quarter, a half and three quarters, to the left.

    For pictures taken from above, which have no top: with mirrored ones that makes eight of each. Item i + k n is
    picture i of n, turned k times, with its boxes and masks. Keypoints are not turned: they are left out.
    """

    def __init__(self, dataset):
        self.dataset, self.classes = dataset, dataset.classes
        self.fingerprint = f"{getattr(dataset, 'fingerprint', '')} turned"

    def __len__(self) -> int:
        return 4 * len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        turns, index = divmod(range(len(self))[index], len(self.dataset))
        image, target = self.dataset[index]
        for _ in range(turns):
            image, target = turn_left(image, target)
        return image, target


def turn_left(image: Tensor, target: dict) -> tuple[Tensor, dict]:
    """A picture (3, H, W) and its target, turned by a quarter, against the clock: (3, W, H).

    What was at (x, y) is at (y, W - x). Labels and areas stay; the inputs are left as they are.

    >>> _, target = turn_left(torch.zeros(3, 4, 10), {"boxes": torch.tensor([[1.0, 0.0, 3.0, 4.0]])})
    >>> target["boxes"]
    tensor([[0., 7., 4., 9.]])
    """
    width = image.shape[2]
    x1, y1, x2, y2 = target["boxes"].unbind(dim=1)
    turned = {key: value for key, value in target.items() if key != "keypoints"}
    turned["boxes"] = torch.stack((y1, width - x2, y2, width - x1), dim=1)
    if "masks" in target:
        turned["masks"] = target["masks"].rot90(1, (1, 2))
    return image.rot90(1, (1, 2)), turned
