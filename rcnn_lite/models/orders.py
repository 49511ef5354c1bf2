"""What a user orders of a training, and small things that every recipe does with an order."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from rcnn_lite.models.defaults import Looks

EPOCHS, FEWEST = 10, 300  # how often a step looks at each picture of a set that no one has tried; and batches at least
Report = Callable[[nn.Module | None, list[dict[str, float]], int], None]  # model, losses so far, number of batches


@dataclass(frozen=True)
class Order:
    """What the user asked for. None stands for the model's own choice."""

    folder: Path  # of the run: stages that it already holds are not repeated
    seed: int = 0
    backbone: str = "lite0"
    size: int | None = None  # side of a warped region
    proposals: int | None = None  # regions looked at in a picture
    finetune: int | None = None  # batches of fine-tuning
    batch: int | None = None  # pictures of a batch, of all processes together
    layer: str | None = None  # what the SVMs see
    device: str = "cpu"
    workers: int = 1  # processes that make proposals and features
    looks: Looks | None = None  # image size and anchors that were chosen for these pictures
    report: Report = lambda model, history, batches: None  # after each batch; None: a model that cannot detect yet


def planned(fit, order: Order, pictures: int, usual: int | None = None):
    """Settings of `training.fit` with the number of batches for so many pictures.

    It is what the user asked for; else, where image size and anchors were chosen for the pictures, `EPOCHS` times
    through them, at least `FEWEST` and at most as many as usual; else the `usual` number, by default that of `fit`.
    So many pictures are in a batch as the user asked for.
    """
    fit = replace(fit, images_per_step=order.batch or fit.images_per_step)
    batches = usual or fit.schedule.iterations
    if order.finetune is not None:
        batches = order.finetune
    elif order.looks is not None:
        batches = min(batches, max(FEWEST, EPOCHS * pictures // fit.images_per_step))
    return replace(fit, schedule=replace(fit.schedule, iterations=batches))


def looking(settings, looks: Looks | None):
    """Settings of a detector with another image size and, of one that has them, other anchors.

    Anchors that reach over the border are trained on then: photographs cut what they show.
    """
    if looks is None:
        return settings
    settings = replace(settings, training_sides=looks.training_sides, long_side=looks.long_side)
    if not hasattr(settings, "rpn"):
        return replace(settings, short_sides=(looks.short_side,))
    anchors = {"anchor_sizes": looks.anchor_sizes, "aspect_ratios": looks.aspect_ratios, "border": math.inf}
    return replace(settings, short_side=looks.short_side, rpn=replace(settings.rpn, **anchors))


def proposing(settings, order: Order):
    """Settings of a detector with an RPN, with the number of proposals that the user asked for."""
    if not order.proposals:
        return settings
    testing = settings.rpn.testing._replace(after_nms=order.proposals)
    return replace(settings, rpn=replace(settings.rpn, testing=testing))


def summary(history: list[dict[str, float]], parts: int = 50) -> dict[str, list[float]]:
    """The course of the losses in `parts` means, by name: what a checkpoint's header keeps of its training.

    >>> summary([{"loss": 4.0}, {"loss": 2.0}, {"loss": 1.0}, {"loss": 1.0}], parts=2)
    {'loss': [3.0, 1.0]}
    """
    edges = [round(i * len(history) / parts) for i in range(parts + 1)]
    spans = [history[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True) if b > a]
    return {name: [round(sum(h[name] for h in span) / len(span), 4) for span in spans] for name in history[0]}


def refuse(order: Order, model: str, *options: str) -> None:
    """A choice that the model does not have is an error, not silence."""
    for option in options:
        if getattr(order, option) != getattr(Order(order.folder), option):
            raise ValueError(f"--{option} means nothing to --model {model}")
