"""Features of all regions of a data set, in files: made once, then everything is fitted to them (notebook 08).

The authors of R-CNN kept theirs on disk too, hundreds of gigabytes for PASCAL VOC. Here a row a region and a file a
layer, in half precision and memory-mapped, so that only what is looked at is in memory. Beside them a byte an image
says whether its rows are there, so that an interrupted run repeats the images at hand only, and several workers can
fill a store.

Notation: K classes with background, n proposals of one image.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou
from rcnn_lite.cache import write_atomically
from rcnn_lite.distributed import leads, meet
from rcnn_lite.heads.svm import feature_scale
from rcnn_lite.matching import POSITIVE, match_boxes
from rcnn_lite.models.region_network import RegionFeatures
from rcnn_lite.workers import for_each


class FeatureStore:
    """Features of each image's objects, then its proposals, one row after another: `pool5.f16`, `fc6.f16`, `fc7.f16`.

    `regions` holds for each image its proposals, objects and labels; `sizes` the numbers in the three layers.
    """

    def __init__(self, folder: Path, regions: list[dict[str, Tensor]], sizes: tuple[int, int, int], num_classes: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.regions, self.num_classes = folder, regions, num_classes
        rows = [len(r["objects"]) + len(r["proposals"]) for r in regions]
        self.row = np.concatenate(([0], np.cumsum(rows))).astype(int)  # image i has rows row[i] to row[i + 1]
        self.sizes = dict(zip(RegionFeatures._fields, sizes, strict=True))
        if leads():
            for name, size in self.sizes.items():
                self._make_room(self.file(name), 2 * int(self.row[-1]) * size)
        meet()
        self.layers = RegionFeatures(*(self._memory_map(name) for name in self.sizes))

    def file(self, layer: str) -> Path:
        """Where a layer is."""
        return self.folder / f"{layer}.f16"

    def _make_room(self, file: Path, size: int) -> None:
        """A file of so many bytes: the one from before if its size is right, else all anew."""
        if file.is_file() and file.stat().st_size == size:
            return
        for finished in self.folder.glob("*.u8"):
            finished.unlink()
        with file.open("wb") as empty:
            empty.truncate(size)

    def _memory_map(self, layer: str) -> np.ndarray:
        """Half precision (rows, columns)."""
        shape = int(self.row[-1]), self.sizes[layer]
        return np.memmap(self.file(layer), np.float16, "r+", shape=shape) if shape[0] else np.zeros(shape, np.float16)

    def part(self, first: int, last: int) -> "FeatureStore":
        """The images `first` to `last` - 1 of this store, filled already: a view, nothing is copied."""
        view = copy.copy(self)
        view.regions, view.row = self.regions[first:last], self.row[first : last + 1]
        return view

    def boxes(self, image: int) -> Tensor:
        """The regions of an image in the order of its rows, objects first: (n, 4)."""
        return torch.cat((self.regions[image]["objects"], self.regions[image]["proposals"]))

    def all_boxes(self) -> list[Tensor]:
        """`boxes` of each image."""
        return [self.boxes(image) for image in range(len(self.regions))]

    def fill(self, model, dataset, workers: int = 1) -> None:
        """Extract all layers where they are missing, unscaled; on a CPU spread over `workers` processes."""
        describe = partial(_describe, model, dataset, self.all_boxes())
        self.fill_layers(RegionFeatures._fields, describe, "done", workers if model.device.type == "cpu" else 1)

    def fill_layers(
        self, layers: tuple[str, ...], describe: Callable[[int], tuple[Tensor, ...]], name: str, workers: int = 1
    ) -> None:
        """Store what `describe` says of an image, a tensor of its rows for each of `layers`, where it is missing.

        The file NAME.u8 has a byte for each image: 1 if it is finished. ValueError names an image that cannot be used.
        """
        finished, total = self.folder / f"{name}.u8", len(self.regions)
        if leads():
            if not finished.is_file():
                write_atomically(finished, lambda temporary: temporary.write_bytes(bytes(total)))
            missing = np.flatnonzero(np.fromfile(finished, np.uint8) == 0).tolist()
            files = {self.file(layer): self.sizes[layer] for layer in layers}
            for_each(_Rows(describe, files, self.row, finished), missing, " and ".join(layers), total, workers)
        meet()

    def image(self, image: int, layer: str) -> Tensor:
        """Features of all regions of an image, objects first: (n, D), unscaled."""
        return _tensor(getattr(self.layers, layer)[self.row[image] : self.row[image + 1]])

    def rows(self, rows: Tensor, layer: str) -> Tensor:
        """Features of some regions, in the order of all rows: (m,) -> (m, D), unscaled."""
        return _tensor(getattr(self.layers, layer)[rows.numpy()])

    def scales(self, norm: float, sample: int = 2000) -> Tensor:
        """Factors that bring each layer to the same mean norm, from up to `sample` rows spread over all: (3,)."""
        spread = [values[:: max(1, len(values) // sample)].astype(np.float32) for values in self.layers]
        return torch.tensor([feature_scale(torch.from_numpy(values), norm) for values in spread])

    def proposals(self, image: int, layer: str) -> Tensor:
        """Features of the n proposals of an image: (n, D), unscaled."""
        first = self.row[image] + len(self.regions[image]["objects"])
        return _tensor(getattr(self.layers, layer)[first : self.row[image + 1]])

    def objects(self, layer: str) -> tuple[Tensor, Tensor]:
        """Features of the objects of all images, and their labels: (p, D), (p,)."""
        rows = [np.arange(len(r["objects"])) + self.row[i] for i, r in enumerate(self.regions)]
        labels = torch.cat([r["labels"] for r in self.regions])
        return _tensor(getattr(self.layers, layer)[np.concatenate(rows).astype(int)]), labels

    def positives(self, layer: str, scale: float = 1.0) -> list[Tensor]:
        """Features of the objects of each class, K tensors (p, D); entry 0 is empty."""
        features, labels = self.objects(layer)
        features *= scale
        return [features[labels == k] if k else features[:0] for k in range(self.num_classes)]

    def stream(self, layer: str, scale: float = 1.0) -> Iterator[tuple[Tensor, Tensor]]:
        """The proposals of one image after another and their overlaps with each class: one walk of an `svm.Stream`."""
        for i, region in enumerate(self.regions):
            yield self.proposals(i, layer) * scale, class_overlaps(region, self.num_classes)

    def pairs(self, threshold: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the regressors learn from: pool5 (m, P), boxes (m, 4), gt_boxes (m, 4), labels (m,) of m pairs.

        A pair is a proposal with an IoU of `threshold` or more with an object, and the object it overlaps most.
        """
        parts = []
        for i, region in enumerate(self.regions):
            close, nearest = close_pairs(region, threshold)
            boxes = region["proposals"][close], region["objects"][nearest]
            parts.append((self.proposals(i, "pool5")[close], *boxes, region["labels"][nearest]))
        return tuple(torch.cat(columns) for columns in zip(*parts, strict=True))


def _describe(model, dataset, boxes: list[Tensor], image: int) -> RegionFeatures:
    """What a model says of an image's regions."""
    return model.features(dataset[image][0].to(model.device), boxes[image].to(model.device))


@dataclass(frozen=True)
class _Rows:
    """Called with an image's number, it stores what `describe` says of it: its rows first, then that they are there."""

    describe: Callable[[int], tuple[Tensor, ...]]
    files: dict[Path, int]  # a layer each, and its columns
    row: np.ndarray  # image i has rows row[i] to row[i + 1]
    finished: Path  # a byte an image

    @torch.inference_mode()
    def __call__(self, image: int) -> None:
        first, last = self.row[image : image + 2].tolist()
        for (file, columns), values in zip(self.files.items(), self.describe(image), strict=True):
            _write(file, 2 * first * columns, values.cpu().numpy().astype(np.float16))
        _write(self.finished, image, np.ones(1, np.uint8))


def _write(file: Path, start: int, values: np.ndarray) -> None:
    """Put an array into a file, from byte `start` on, and see that it is there."""
    if values.size:
        part = np.memmap(file, values.dtype, "r+", start, values.shape)
        part[:] = values
        part.flush()


def class_overlaps(region: dict[str, Tensor], num_classes: int) -> Tensor:
    """Largest IoU of each of n proposals with an object of each class: (n, K), 0 where the image has none."""
    iou = box_iou(region["proposals"], region["objects"])  # (n, objects)
    overlaps = torch.zeros(len(iou), num_classes)
    for k in region["labels"].unique().tolist():
        overlaps[:, k] = iou[:, region["labels"] == k].amax(dim=1)
    return overlaps


def close_pairs(region: dict[str, Tensor], threshold: float) -> tuple[Tensor, Tensor]:
    """Proposals of IoU >= threshold with some object, and the object that each overlaps most: indices (m,), (m,)."""
    matched, sides = match_boxes(region["proposals"], region["objects"], threshold, threshold)
    close = torch.nonzero(sides == POSITIVE).flatten()
    return close, matched[close]


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
