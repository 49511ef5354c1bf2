"""The region proposal network on a feature pyramid: one small network slides over every level (notebook 15).

Lin et al. 2017, section 4.1. A level sees objects of one size, so each has anchors of one size, in every ratio; what
was several sizes around a cell are now several levels. All levels share the weights: an object looks alike in each.

Notation: L levels, the finest first, level i of (1, C, h_i, w_i) and n_i anchors; A aspect ratios, p proposals.
"""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from rcnn_lite.proposals.anchors import make_cell_anchors
from rcnn_lite.proposals.rpn import ProposalCounts, RegionProposalNetwork, RPNPredictions


class PyramidRPN(RegionProposalNetwork):
    """The RPN of L levels: ``stride`` is a tuple of L, and ``settings.anchor_sizes`` has a size for each level.

    Where the RPN has the predictions of an image, this has a list of them, one a level. ValueError where the numbers of
    levels differ.
    """

    def make_cell_anchors(self) -> Tensor:
        """The anchors of one cell of each level: (L, A, 4)."""
        sizes, ratios = self.settings.anchor_sizes, self.settings.aspect_ratios
        if len(sizes) != len(self.stride):
            raise ValueError(f"there must be an anchor size a level, got {len(sizes)} for {len(self.stride)} levels")
        return torch.stack([make_cell_anchors([size], ratios) for size in sizes])

    def forward(self, levels: Sequence[Tensor]) -> list[RPNPredictions]:
        """The L maps of one image (1, C, h_i, w_i) -> logits (n_i,), deltas (n_i, 4), anchors (n_i, 4) of each."""
        if len(levels) != len(self.stride):
            raise ValueError(f"there must be {len(self.stride)} levels, got {len(levels)}")
        return [self.predict(*level) for level in zip(levels, self.cell_anchors, self.stride, strict=True)]

    def losses(
        self,
        predictions: list[list[RPNPredictions]],
        image_sizes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]],
        generator: Generator | None = None,
    ) -> dict[str, Tensor]:
        """As on one map, of the anchors of all levels together: an object's best anchor is the best of all.

        N_reg is the number of places of all levels: of the usual five, 21 times that of one map at stride 16.
        """
        together = [RPNPredictions(*map(torch.cat, zip(*levels, strict=True))) for levels in predictions]
        return super().losses(together, image_sizes, targets, generator)

    @torch.no_grad()
    def propose(
        self, predictions: list[RPNPredictions], image_size: tuple[int, int], counts: ProposalCounts
    ) -> tuple[Tensor, Tensor]:
        """Proposals in one picture (H, W), best first: boxes (p, 4), scores (p,).

        Each level proposes for itself, with NMS of its own; `counts.after_nms` is of the best of all of them. (Code;
        Lin et al. do not say.)
        """
        propose = super().propose
        found = [propose(level, image_size, counts) for level in predictions]
        boxes, scores = map(torch.cat, zip(*found, strict=True))
        best = scores.argsort(descending=True, stable=True)[: counts.after_nms]  # of equal ones the finer level's
        return boxes[best], scores[best]
