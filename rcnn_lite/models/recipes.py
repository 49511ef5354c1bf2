"""How each model is trained: what `rcnn-lite train --model NAME` does before it measures and saves.

A recipe is a function of a data set and an `Order` that returns the trained model and what its checkpoint should say of
the training beyond what the command line writes there (command, seed, data, metrics). Each imports what it needs when
it runs.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn


@dataclass(frozen=True)
class Order:
    """What the user asked for. None stands for the model's own choice."""

    folder: Path  # of the run: stages that it already holds are not repeated
    seed: int = 0
    backbone: str = "lite0"
    size: int | None = None  # side of a warped region
    proposals: int | None = None  # regions looked at in a picture
    device: str = "cpu"


def train_rcnn(data, order: Order) -> tuple[nn.Module, dict]:
    """R-CNN: see `rcnn_training`."""
    from rcnn_lite.models.backbone import build_backbone
    from rcnn_lite.models.rcnn import RCNN, RCNNSettings
    from rcnn_lite.models.rcnn_training import RCNNTraining, train

    chosen = {"max_proposals": order.proposals} if order.proposals else {}
    if order.size:
        chosen |= {"size": order.size, "context": round(order.size * 16 / 227)}  # the paper's share of context
    model = RCNN(build_backbone(order.backbone).to(order.device), data.classes, RCNNSettings(**chosen))
    return model, {"rounds": train(model, data, order.folder, RCNNTraining(seed=order.seed))}


RECIPES = {"rcnn": train_rcnn}
