"""SPPnet (He, Zhang, Ren and Sun 2014, section 4): one map a picture, a pyramid of bins over each region (notebook 09).

    picture at several scales -> convolutions, once each -> a window of the map for each proposal -> spatial pyramid
    pooling -> fc6 -> fc7 -> linear SVMs -> box regression -> NMS of each class

R-CNN runs the network on every region; here the regions of a picture share its expensive part, and only the fully
connected layers run on each. What follows the features is R-CNN's (`svm_detector`). The convolutions stay as ImageNet
made them: SPPnet's training cannot reach through its pooling (`sppnet_training`).

Notation: n regions of an image, C channels of the map, B bins of the pyramid, P = C B numbers in pool5, D in fc6, fc7.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rcnn_lite.images import resize
from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.differences import apply_difference
from rcnn_lite.models.region_network import RegionFeatures
from rcnn_lite.models.svm_detector import DetectorSettings, SVMDetector
from rcnn_lite.regions.scales import nearest_scale, scale_boxes
from rcnn_lite.regions.windows import pool_windows, project_boxes


@dataclass(frozen=True)
class SPPSettings(DetectorSettings):
    """The numbers of SPPnet at test time, on top of those that it shares with R-CNN; sections are those of SPPnet.

    Where they were chosen, it was on held-out training scenes (`benchmarks/sppnet_choices.py`).
    """

    layer: str = "fc7"  # section 4.1: the SVMs see fc7
    short_sides: tuple[int, ...] = (256, 384, 576)  # pixels; section 4.1: 480, 576, 688, 864, 1200
    elongation: float = 2.0  # the long side of a resized picture is at most so many short ones
    region_side: float = 224.0  # section 4.1: a region is looked at where it comes nearest to so many pixels squared
    levels: tuple[int, ...] = (6, 3, 2, 1)  # section 4.1: 50 bins
    stride: int = 16  # pixels a cell of the map, as in the paper
    centre: float = 0.65  # where a cell looks, in cells from its left; appendix A
    width: int = 256  # D; the paper's fc layers have 4,096

    def __post_init__(self):
        for name in ("short_sides", "levels"):  # JSON has no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))


class PooledLayers(nn.Module):
    """fc6 and fc7 on standardised pyramids: pool5 (n, P) -> (n, D), (n, D). All zero until they are trained."""

    def __init__(self, size: int, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("gain", torch.zeros(size))  # 1 / standard deviation
        self.fc6, self.fc7 = nn.Linear(size, width), nn.Linear(width, width)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, pool5: Tensor) -> tuple[Tensor, Tensor]:
        """(n, P) -> fc6 (n, D), fc7 (n, D)."""
        fc6 = self.fc6((pool5 - self.mean) * self.gain).relu()
        return fc6, self.fc7(fc6).relu()


class PyramidNetwork(nn.Module):
    """A backbone for the maps, and the layers that run on each region."""

    def __init__(self, backbone: Backbone, layers: PooledLayers):
        super().__init__()
        self.backbone, self.layers = backbone, layers


class SPPNet(SVMDetector):
    """SPPnet: a backbone, K class names with "background" first, and settings.

    Fresh from the constructor its fc layers say nothing and its SVMs never fire; `sppnet_training.train` or
    `from_checkpoint` fills them.
    """

    model, title, Settings = "sppnet", "SPPnet", SPPSettings

    def __init__(self, backbone: Backbone, classes: tuple[str, ...], settings: SPPSettings = SPPSettings()):
        bins = sum(level**2 for level in settings.levels)
        self.stages = sum(stride <= settings.stride for stride in backbone.strides)  # of the backbone, to the map
        size = backbone.channels[self.stages - 1] * bins
        layers = PooledLayers(size, settings.width).requires_grad_(False).to(backbone.mean.device)
        sizes = (size, settings.width, settings.width)
        super().__init__(PyramidNetwork(backbone.fused(), layers), sizes, classes, settings)

    def features(self, image: Tensor, boxes: Tensor) -> RegionFeatures:
        """One map a scale, a pyramid a box: (3, H, W), (n, 4) -> (n, P), (n, D), (n, D)."""
        pool5 = self.pyramids(image, boxes)
        with self.watch("fc"):
            return self.scaled(RegionFeatures(pool5, *self.network.layers(pool5)))

    def pyramids(self, image: Tensor, boxes: Tensor) -> Tensor:
        """pool5 of n boxes of an image, unscaled: (3, H, W), (n, 4) -> (n, P). No trained layer has a say in it."""
        if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
            raise ValueError(f"image must be a float tensor (3, H, W), got {image.dtype} {tuple(image.shape)}")
        with self.watch("convolutions"):
            copies = [resize(image, side, round(side * self.settings.elongation)) for side in self.settings.short_sides]
            maps = [self.convolve(copy) for copy in copies]
        with self.watch("pooling"):
            return self.pool(maps, [tuple(copy.shape[1:]) for copy in copies], boxes, tuple(image.shape[1:]))

    def convolve(self, image: Tensor) -> Tensor:
        """The map of a picture: (3, H, W) -> (1, C, ceil(H / S), ceil(W / S)).

        The picture is padded to whole cells on the right and below: the cells of pictures of all sizes then look at the
        same places.
        """
        height, width = image.shape[1:]
        down, right = -height % self.settings.stride, -width % self.settings.stride
        mean = self.backbone.mean
        padded = F.pad(image - mean, (0, right, 0, down)) + mean  # grey, which the network takes as 0
        image = padded[None].contiguous(memory_format=torch.channels_last)
        return self.backbone(image, self.stages)[-1]

    def pool(self, maps: list[Tensor], sizes: list[tuple[int, int]], boxes: Tensor, image_size: tuple[int, int]):
        """The pyramid over each box's window, in the map of the scale at which the box has the right size: (n, P).

        `sizes` are those of the resized pictures that the maps were made of.
        """
        factors = [math.sqrt(h * w / (image_size[0] * image_size[1])) for h, w in sizes]
        scale = nearest_scale(boxes, factors, self.settings.region_side)  # (n,)
        pool5 = boxes.new_zeros(len(boxes), self.layer_sizes.pool5)
        for index, (features, size) in enumerate(zip(maps, sizes, strict=True)):
            rows = torch.nonzero(scale == index).flatten()
            scaled = scale_boxes(boxes[rows], image_size, size)
            windows = project_boxes(scaled, self.settings.stride, tuple(features.shape[2:]), self.settings.centre)
            pool5[rows] = pool_windows(features, windows, self.settings.levels)
        return pool5

    def tune(self, difference: dict[str, Tensor]) -> None:
        """Set the trained layers from their difference to zero, as `differences.pack_difference` packed it."""
        nothing = {name: torch.zeros_like(value) for name, value in self.network.layers.state_dict().items()}
        self.network.layers.load_state_dict(apply_difference(difference, nothing))
        self.tuned = difference
