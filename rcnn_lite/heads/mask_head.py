"""The third branch of Mask R-CNN: which pixels of a region belong to the object (notebook 14).

Mask R-CNN (He et al. 2017), section 3: a small fully convolutional network says of each of m x m cells of a region,
and of each class by itself, how likely the cell is object. What it should say, and what becomes of it in the pixels
of the picture, is geometry: `regions.masks`. Names of the layers are torchvision's, so that its weights can be loaded.

Notation: R RoIs, K classes with background, C channels, b x b bins, m = 2 b cells a side.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from rcnn_lite.distributed import divisor
from rcnn_lite.heads.box_head import TwoMLPHead
from rcnn_lite.regions.masks import mask_targets, paste_masks, require_masks, whole_pixel_boxes

__all__ = [
    "MASK_HEADS",
    "MLPMaskHead",
    "MaskHead",
    "MaskHeadSettings",
    "competing_mask_loss",
    "mask_targets",
    "own_masks",
    "paste_masks",
    "require_masks",
    "whole_pixel_boxes",
]


@dataclass(frozen=True)
class MaskHeadSettings:
    """The numbers of the mask branch; sections are those of Mask R-CNN. Narrower than the paper's, for a laptop."""

    bins: int = 14  # figure 4: regions are pooled to 14 x 14, so m = 28
    convolutions: int = 4  # figure 4, right: with a feature pyramid; 0 for C4, left, where stage 5 does their work
    width: int = 64  # figure 4: 256 channels
    numbers: int = 512  # table 2e: 1,024, between the layers of the MLP
    competing: bool = False  # table 2b: True for a softmax over the classes, instead of a sigmoid for each
    loss_weight: float = 1.0  # section 3: L = L_cls + L_box + L_mask
    threshold: float = 0.5  # section 3.1, inference


class MaskHead(nn.Module):
    """The fully convolutional branch, figure 4: 3 x 3 convolutions, a deconvolution that doubles the map, 1 x 1.

    No layer loses where a cell is: cell (i, j) of the mask has been computed from what lies around it. Convolutions
    start as He et al. (2015) proposed; the last layer with a standard deviation of 0.001 and zeros, so that each cell
    of each class is half object at first and the loss ln 2.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        settings: MaskHeadSettings = MaskHeadSettings(),
        generator: Generator | None = None,
    ):
        super().__init__()
        self.settings = settings
        widths = [channels] + [settings.width] * settings.convolutions
        convolutions = [nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False)]
        self.mask_head = nn.Sequential(*(nn.Sequential(layer, nn.ReLU()) for layer in convolutions))
        self.mask_predictor = nn.Sequential()
        self.mask_predictor.add_module("conv5_mask", nn.ConvTranspose2d(widths[-1], settings.width, 2, stride=2))
        self.mask_predictor.add_module("relu", nn.ReLU())
        self.mask_predictor.add_module("mask_fcn_logits", nn.Conv2d(settings.width, num_classes, 1))
        for layer in (*convolutions, self.mask_predictor.conv5_mask):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
        _start_undecided(self.mask_predictor.mask_fcn_logits, generator)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled features (R, C, b, b) -> logits (R, K, 2 b, 2 b)."""
        return self.mask_predictor(self.mask_head(pooled))  # (R, width, b, b) -> (R, K, 2 b, 2 b)


class MLPMaskHead(nn.Module):
    """What the branch is compared with in table 2e: two fully connected layers, then all K m m cells at once.

    Each cell sees the whole region and has weights of its own, so what is learned of an edge at the left is not known
    at the right. Called like `MaskHead`.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        settings: MaskHeadSettings = MaskHeadSettings(),
        generator: Generator | None = None,
    ):
        super().__init__()
        self.settings, self.num_classes = settings, num_classes
        self.mask_head = TwoMLPHead(channels * settings.bins**2, settings.numbers, generator)
        self.mask_predictor = nn.Linear(settings.numbers, num_classes * (2 * settings.bins) ** 2)
        _start_undecided(self.mask_predictor, generator)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled features (R, C, b, b) -> logits (R, K, 2 b, 2 b)."""
        cells = 2 * self.settings.bins
        return self.mask_predictor(self.mask_head(pooled)).view(-1, self.num_classes, cells, cells)


MASK_HEADS = {"fcn": MaskHead, "mlp": MLPMaskHead}


def _start_undecided(layer: nn.Module, generator: Generator | None) -> None:
    nn.init.normal_(layer.weight, std=0.001, generator=generator)
    nn.init.zeros_(layer.bias)


def own_masks(logits: Tensor, labels: Tensor, competing: bool = False) -> Tensor:
    """Of the masks of all classes that of the region's own: logits (R, K, m, m), labels (R,) -> (R, m, m) in [0, 1].

    `competing` as in `MaskHeadSettings`: what the classes were trained with. The class is decided elsewhere, by the box
    head ("decouples mask and class prediction", section 3).
    """
    rows = torch.arange(len(labels), device=labels.device)
    return logits.softmax(dim=1)[rows, labels] if competing else logits[rows, labels].sigmoid()


def competing_mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """The loss that `losses.mask_loss` is compared with in table 2b: each cell is of one class, or background.

    Same arguments and key: mean cross-entropy over the cells of a softmax over the K classes. A cell of which half or
    more is object has the region's class. It is the loss of semantic segmentation: classes compete for a cell.
    """
    classes = torch.where(targets >= 0.5, labels[:, None, None], 0)  # (R, m, m)
    return {"mask": F.cross_entropy(logits, classes, reduction="sum") / divisor(classes.numel())}
