"""A Mask R-CNN so small that it learns in seconds, for the cut squares of `squares.py`."""

from dataclasses import asdict, replace

import torch
from fakes import MeanColour
from small_faster import SMALL as SMALL_FASTER
from squares import CLASSES

from rcnn_lite.heads.mask_head import MaskHeadSettings
from rcnn_lite.models.mask_rcnn import MaskRCNN, MaskRCNNSettings

SMALL = MaskRCNNSettings(
    **{name: getattr(SMALL_FASTER, name) for name in asdict(SMALL_FASTER) if name != "pooling"},
    mask=MaskHeadSettings(bins=6, convolutions=1, width=12, numbers=24),
)


def small_model(**changes):
    torch.manual_seed(0)
    return MaskRCNN(MeanColour(), CLASSES, replace(SMALL, **changes), torch.Generator().manual_seed(0))
