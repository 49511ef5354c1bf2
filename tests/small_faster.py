"""A Faster R-CNN so small that it learns in seconds, for the squares of `squares.py`."""

from dataclasses import replace

import torch
from fakes import MeanColour
from squares import CLASSES

from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.proposals.rpn import ProposalCounts, RPNSettings

SMALL = FasterRCNNSettings(
    training_sides=(48,),
    short_side=48,
    stride=4,
    frozen_stages=1,
    rpn=RPNSettings(
        anchor_sizes=(16, 24),
        aspect_ratios=(1.0,),
        min_size=4,
        training=ProposalCounts(400, 60),
        testing=ProposalCounts(200, 20),
    ),
    heads=RoIHeadSettings(bins=4, width=16),
)
NOTHING = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}


def small_model(**changes):
    torch.manual_seed(0)
    return FasterRCNN(MeanColour(), CLASSES, replace(SMALL, **changes), torch.Generator().manual_seed(0))
