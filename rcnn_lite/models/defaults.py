"""Image size and anchors for pictures that no one has looked at yet, chosen from the objects that are annotated there.

The numbers of the models here fit the scenes: objects of 18 to 130 pixels in pictures of 256. Cells of a blood film, or
people in a street, want others. What is asked of the data is how large its objects are, seen from the size of their
picture, and how tall:

- the image size is that at which small objects have `SMALL` pixels, within what a laptop can do;
- anchors then span the sizes and the shapes that objects have there, in steps of at most a factor of 2.

Each class counts the same, however many objects it has, as it does in the mean average precision: of 2,800 cells 2,400
are red, and anchors for these alone would miss the others.

Notation: N objects in P pictures that were looked at. The size of an object is the root of its area, as an anchor's is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SMALL = 24.0  # pixels: one and a half cells of a map at stride 16
SMALLEST_SIDE, LARGEST_SIDE = 256, 512  # of a picture; a step on two of 512 takes about a second on one core
ENLARGED = 2.0  # at most so much, as the scenes are
ROUND = 32  # image sizes are multiples of it
STEP = 2.0  # between neighbouring anchors; an object half way overlaps the nearest with an IoU of 1/2 or more
SIZES, RATIOS = (0.05, 0.95), (0.1, 0.9)  # quantiles that the anchors span
TALLEST = 4.0  # ratio of an anchor, and 1 / 4 the lowest: a rocket of 12 : 1 is rare, and must not add anchors for all
LOOKED_AT = 100  # pictures: enough for quantiles


class ObjectSizes(NamedTuple):
    """What is known of N objects in P pictures: sizes (N,) as parts of their picture's shorter side, ratios (N,) of
    height to width, labels (N,), and short_sides (P,) of the pictures, in pixels.
    """

    sizes: Tensor
    ratios: Tensor
    labels: Tensor
    short_sides: Tensor


@dataclass(frozen=True)
class Looks:
    """How a detector looks at its pictures. Sizes of anchors are in pixels of a picture with this short side."""

    short_side: int
    anchor_sizes: tuple[float, ...]
    aspect_ratios: tuple[float, ...]

    @property
    def training_sides(self) -> tuple[int, int, int]:
        """Short sides that a training step draws from: the image size, a sixth less, and a sixth more."""
        return tuple(round(self.short_side * part / 6) for part in (5, 6, 7))

    @property
    def long_side(self) -> int:
        """What the longer side may have at most: panoramas are shrunk further."""
        return 2 * self.training_sides[-1]

    def __str__(self) -> str:
        sides = ", ".join(map(str, self.training_sides))
        sizes, ratios = (" ".join(f"{v:g}" for v in values) for values in (self.anchor_sizes, self.aspect_ratios))
        return f"image size {self.short_side} (short side; in training {sides}), anchors {sizes}, ratios {ratios}"


def object_sizes(dataset, most: int = LOOKED_AT) -> ObjectSizes:
    """Look at up to `most` pictures of a dataset of (image, target) pairs, evenly spread.

    Crowds are no objects. ValueError if there is no object in them.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(most, len(dataset))).round().astype(int)).tolist()
    sizes, ratios, labels, short_sides = [], [], [], []
    for row in rows:
        image, target = dataset[row]
        single = target["iscrowd"] == 0 if "iscrowd" in target else slice(None)
        sides = (target["boxes"][:, 2:] - target["boxes"][:, :2])[single].double()  # (n, 2) of width, height
        short_sides.append(min(image.shape[1:]))
        sizes.append(sides.prod(dim=1).sqrt() / short_sides[-1])
        ratios.append(sides[:, 1] / sides[:, 0])
        labels.append(target["labels"][single])
    if not sum(map(len, sizes)):
        raise ValueError(f"there is no object in {len(rows)} of the pictures to train on: nothing can be learned")
    return ObjectSizes(torch.cat(sizes), torch.cat(ratios), torch.cat(labels), torch.tensor(short_sides))


def choose_looks(
    seen: ObjectSizes,
    levels: int | None = None,
    short_side: int | None = None,
    anchors: Sequence[float] | None = None,
) -> Looks:
    """Image size and anchors for objects of these sizes.

    Parameters
    ----------
    levels : None for one map, on which all anchors are; else of a feature pyramid, each of which has anchors of one
        size, twice those of the level before.
    short_side, anchors : what the user has chosen already.
    """
    low, high = balanced_quantiles(seen.sizes, seen.labels, SIZES)
    side = short_side or image_size(low, float(seen.short_sides.double().median()))
    if anchors is None and levels is None:
        anchors = [round(size) for size in geometric(low * side, high * side, STEP)]
    elif anchors is None:
        anchors = [round(low * side) * 2**level for level in range(levels)]
    shapes = seen.ratios.clamp(1 / TALLEST, TALLEST)
    ratios = geometric(*balanced_quantiles(shapes, seen.labels, RATIOS), STEP)
    return Looks(side, tuple(float(max(1, size)) for size in anchors), tuple(round(r, 2) for r in ratios))


def image_size(small: float, usual: float) -> int:
    """The short side at which an object of `small` parts of it has `SMALL` pixels, for pictures that usually have
    `usual` pixels: a multiple of 32, 256 to 512, and no picture is enlarged by more than 2 for it.

    >>> image_size(small=0.07, usual=480), image_size(small=0.01, usual=3000), image_size(small=0.01, usual=200)
    (352, 512, 384)
    """
    wanted = min(SMALL / small, ENLARGED * usual)
    return int(min(max(ROUND * round(wanted / ROUND), SMALLEST_SIDE), LARGEST_SIDE))


def geometric(low: float, high: float, step: float) -> list[float]:
    """Numbers from `low` to `high` in equal steps, each of a factor of `step` at most; their mean where they agree.

    >>> geometric(10, 80, 2), geometric(10, 10, 2)
    ([10.0, 20.0, 40.0, 80.0], [10.0])
    """
    steps = math.ceil(math.log(high / low) / math.log(step) - 1e-6)
    if steps <= 0:
        return [math.sqrt(low * high)]
    return np.geomspace(low, high, steps + 1).round(6).tolist()


def balanced_quantiles(values: Tensor, labels: Tensor, quantiles: Sequence[float]) -> list[float]:
    """Quantiles of values (N,), where the objects of each class weigh the same together.

    >>> values, labels = torch.tensor([1.0, 1.0, 1.0, 9.0]), torch.tensor([1, 1, 1, 2])
    >>> balanced_quantiles(values, labels, (0.4, 0.6)), balanced_quantiles(values, torch.ones(4), (0.4, 0.6))
    ([1.0, 9.0], [1.0, 1.0])
    """
    _, inverse, counts = labels.unique(return_inverse=True, return_counts=True)
    weights = 1.0 / counts[inverse].double()
    return np.quantile(values.numpy(), quantiles, weights=weights.numpy(), method="inverted_cdf").tolist()
