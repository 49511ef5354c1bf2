"""Peak memory with hundreds of objects in one picture: in a training step of a Mask R-CNN, in finding, in comparing.

    python benchmarks/many_objects.py

Objects are squares in rows in a picture of 1,000 x 1,000 pixels, more or less one beside the other. In training the
model is told of all of them; in testing its weights are so large that it finds as many. Their masks alone, a byte a
pixel in training and four in testing, are 0.5 and 2 gigabytes of 500 objects.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from memory import peak
from torch import Generator, Tensor

from rcnn_lite.evaluation import evaluate_coco
from rcnn_lite.models.backbone import build_backbone
from rcnn_lite.models.fpn_rcnn import MaskRCNNFPN
from rcnn_lite.models.mask_rcnn import MaskRCNN
from rcnn_lite.proposals.rpn import ProposalCounts

OBJECTS, SIDE = 500, 1000
MODELS = {model.model: model for model in (MaskRCNN, MaskRCNNFPN)}


def rows_of_squares(count: int, side: int) -> tuple[Tensor, dict]:
    """A picture (3, side, side) with `count` squares, each two thirds of its place wide, and its target."""
    across = int((count - 1) ** 0.5) + 1
    place = side / across
    index = torch.arange(count)
    corner = torch.stack((index % across, index // across), dim=1) * place  # (count, 2)
    boxes = torch.cat((corner, corner + place * 2 / 3), dim=1).floor()
    image, masks = torch.full((3, side, side), 0.2), torch.zeros(count, side, side, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = 1
        image[:, y1:y2, x1:x2] = 0.9
    return image, {"boxes": boxes, "labels": torch.ones(count, dtype=torch.int64), "masks": masks}


def finder(name: str, count: int, shown: int) -> MaskRCNN:
    """A model that is shown pictures of this side, and may find so many objects."""
    usual = MODELS[name].Settings()
    settings = replace(
        usual,
        training_sides=(shown,),
        short_side=shown,
        rpn=replace(
            usual.rpn, min_size=2.0, training=ProposalCounts(4000, 2000), testing=ProposalCounts(4000, 2 * count)
        ),
        heads=replace(usual.heads, max_detections=count, score_threshold=0.0, nms_iou=0.9, rois_per_image=512),
    )
    return MODELS[name](build_backbone("lite0"), ("background", "square"), settings, Generator().manual_seed(0))


def training_step(name: str, shown: int = SIDE, count: int = OBJECTS, side: int = SIDE) -> Callable[[], None]:
    """What `memory.peak` wants: the losses of two pictures and their gradients. The model sees them `shown` large."""
    model, generator = finder(name, count, shown).train(), Generator().manual_seed(0)

    def step() -> None:
        images, targets = zip(*(rows_of_squares(count, side) for _ in range(2)), strict=True)
        losses = model.losses(list(images), list(targets), generator)
        sum(losses.values()).backward()

    small = rows_of_squares(4, 64)
    sum(model.losses([small[0]], [small[1]], generator).values()).backward()  # compiles
    return step


def finding(name: str, shown: int = SIDE, count: int = OBJECTS, side: int = SIDE) -> Callable[[], None]:
    """What `memory.peak` wants: `detect` in one picture, which must find `count` objects."""
    model = finder(name, count, shown).eval()

    def find() -> None:
        (found,) = model.detect([rows_of_squares(count, side)[0]])
        if len(found["masks"]) != count:
            raise AssertionError(f"{len(found['masks'])} objects were found, not {count}")

    model.detect([rows_of_squares(4, 64)[0]])  # compiles
    return find


def comparing(count: int = OBJECTS, side: int = SIDE) -> Callable[[], None]:
    """What `memory.peak` wants: the mask AP of as many masks as there are objects, floating as `detect` makes them."""

    def compare() -> None:
        target = rows_of_squares(count, side)[1]
        found = target | {"scores": torch.ones(count), "masks": target["masks"][:, None].float()}
        evaluate_coco([found], [target], "segm")

    small = rows_of_squares(4, 64)[1]
    evaluate_coco([small | {"scores": torch.ones(4)}], [small], "segm")  # compiles
    return compare


def main() -> None:
    """A line for each model and both ways."""
    ways = {f"{name} {way.__name__}": partial(way, name) for name in MODELS for way in (training_step, finding)}
    print(f"{OBJECTS} objects in {SIDE} x {SIDE} pixels")
    for name, prepare in (ways | {"comparing": comparing}).items():
        print(f"{name}: {peak(prepare) / 1e9:.2f} GB", flush=True)


if __name__ == "__main__":
    main()
