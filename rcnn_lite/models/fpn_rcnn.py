"""Faster and Mask R-CNN on a feature pyramid: many maps in the place of one (notebook 15).

Lin et al. 2017, section 4. What is on top of the map stays as it is; what changes is the map:

    image -> convolutions -> c2 c3 c4 c5 -> pyramid -> p2 p3 p4 p5 p6 -+-> region proposal network, on each level
                                                                       |
                                       RoIAlign, on the level of the region's size, p2 to p5 -> heads as before

So a pyramid is written once, as a class that gives a detector of one map many: `OnPyramid`. "C4" is the name of the
detector with the one map at stride 16, whose fourth stage it comes from.

Notation: L levels that regions are pooled from, the finest first, level i of (1, d, h_i, w_i) and stride 2^i times the
finest; one more for the RPN.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from rcnn_lite.heads.roi_heads import RoIHeadSettings
from rcnn_lite.models.faster_rcnn import FasterRCNN, FasterRCNNSettings
from rcnn_lite.models.fpn import FeaturePyramid, FPNSettings
from rcnn_lite.models.mask_rcnn import MaskRCNN, MaskRCNNSettings
from rcnn_lite.proposals.pyramid_rpn import PyramidRPN
from rcnn_lite.proposals.rpn import ProposalCounts, RPNSettings
from rcnn_lite.regions.levels import pool_from_levels
from rcnn_lite.regions.poolings import POOLINGS
from rcnn_lite.regions.rois import boxes_to_rois


@dataclass(frozen=True)
class PyramidSettings(FPNSettings):
    """The numbers of a detector's pyramid. Where they differ from the paper's, it is for a laptop.

    A region is pooled from level k0 + log2(sqrt(w h) / canonical) (equation 1; see `regions.levels`).
    """

    width: int = 80  # section 3: 256
    finest: int = 4  # section 3: stride of P2
    k0: float = 4.0  # section 4.2
    canonical: float = 224.0  # section 4.2; 112, for smaller pictures, leaves an object too few cells for its mask


@dataclass(frozen=True)
class OnPyramidSettings:
    """What a detector on a pyramid has besides, and instead of, the settings that it has on one map."""

    stride: int = 32  # of the coarsest stage, C5
    pooling: str = "roi_align"  # section 5.2: RoI pooling; all later code aligns
    rpn: RPNSettings = RPNSettings(
        anchor_sizes=(24.0, 48.0, 96.0, 192.0, 384.0),  # section 4.1: 32 on P2 to 512 on P6, of pictures of 800 pixels
        border=math.inf,  # section 5.1: all are trained on; few of the largest are inside the picture
        loss_weight=200.0,  # N_reg counts the places of all levels, 21 times those of one map at stride 16
        training=ProposalCounts(2000, 2000),  # code: before NMS of each level, after it of all
        testing=ProposalCounts(1000, 300),  # code: 1,000, of which Mask R-CNN with a pyramid uses all
    )
    heads: RoIHeadSettings = RoIHeadSettings(width=192, score_threshold=0.05)  # section 4.2: 1,024
    pyramid: PyramidSettings = PyramidSettings()


class OnPyramid:
    """Mixed into a `FasterRCNN`, this puts a pyramid between backbone and heads: features are a list of L + 1 maps."""

    @property
    def channels(self) -> int:
        """d: how many numbers a cell of each level has."""
        return self.settings.pyramid.width

    def add_rpn(self, generator: Generator | None) -> None:
        """The pyramid, and on its levels the network that proposes regions."""
        pyramid, backbone = self.settings.pyramid, self.backbone
        self.strides = tuple(stride for stride in backbone.strides if stride >= pyramid.finest)  # L
        self.pyramid = FeaturePyramid(backbone.channels[-len(self.strides) :], pyramid, generator)
        extra = (2 * self.strides[-1],) * pyramid.extra_level
        self.rpn = PyramidRPN(self.channels, self.strides + extra, self.settings.rpn, generator)

    def convolve(self, batch: Tensor) -> list[list[Tensor]]:
        """The levels of N pictures of one size: (N, 3, h, w) -> N lists of L + 1 maps (1, d, h_i, w_i)."""
        levels = self.pyramid(self.backbone(batch)[-len(self.strides) :])  # (N, d, h_i, w_i)
        return [list(maps) for maps in zip(*(level.split(1) for level in levels), strict=True)]

    def pool(self, levels: Sequence[Tensor], boxes: Tensor, bins: int | None = None) -> Tensor:
        """RoI features of boxes (n, 4) of a picture, each from the level of its size: (n, d, bins, bins)."""
        s, pooled_from = self.settings, levels[: len(self.strides)]
        pooling, rois, bins = POOLINGS[s.pooling], boxes_to_rois([boxes]), bins or s.heads.bins
        return pool_from_levels(pooled_from, self.strides, rois, pooling, bins, s.pyramid.k0, s.pyramid.canonical)


@dataclass(frozen=True)
class FasterRCNNFPNSettings(OnPyramidSettings, FasterRCNNSettings):
    """Faster R-CNN's, on a pyramid."""


class FasterRCNNFPN(OnPyramid, FasterRCNN):
    """Faster R-CNN on a feature pyramid."""

    model, title, Settings = "faster_rcnn_fpn", "Faster R-CNN with a feature pyramid", FasterRCNNFPNSettings


@dataclass(frozen=True)
class MaskRCNNFPNSettings(OnPyramidSettings, MaskRCNNSettings):
    """Mask R-CNN's, on a pyramid."""


class MaskRCNNFPN(OnPyramid, MaskRCNN):
    """Mask R-CNN on a feature pyramid."""

    model, title, Settings = "mask_rcnn_fpn", "Mask R-CNN with a feature pyramid", MaskRCNNFPNSettings
