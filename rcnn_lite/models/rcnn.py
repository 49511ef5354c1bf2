"""R-CNN (Girshick, Donahue, Darrell and Malik 2014): regions with CNN features, its figure 1 as code (notebook 08).

    1 image -> 2 region proposals -> warped regions -> 3 CNN features -> 4 linear SVMs -> box regression -> NMS of each
    class

Every region goes through the whole network by itself: `features`, the third step, is what this file holds. The others,
which SPPnet shares, are in `svm_detector`. Nothing here is trained end to end: the network comes from ImageNet and may
be fine-tuned, SVMs and regressors are fitted to its features afterwards (`rcnn_training`).

Notation: n regions of an image, P, D6 and D7 numbers in the three layers that describe one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rcnn_lite.models.backbone import Backbone
from rcnn_lite.models.differences import apply_difference
from rcnn_lite.models.region_network import RegionFeatures, RegionNetwork
from rcnn_lite.models.svm_detector import DetectorSettings, SVMDetector
from rcnn_lite.regions.warp import warp_regions


@dataclass(frozen=True)
class RCNNSettings(DetectorSettings):
    """The numbers of R-CNN at test time, on top of those that it shares with SPPnet.

    Where they differ from the paper's, it is for a laptop and pictures of 256 pixels.
    """

    size: int = 96  # side of a warped region; section 2.1: 227
    context: int = 7  # pixels of context around it; section 2.1: 16 of 227
    batch: int = 16  # regions that go through the network together: few, so that the maps stay in the cache


class RCNN(SVMDetector):
    """R-CNN: a backbone, K class names with "background" first, and settings.

    Fresh from the constructor its SVMs never fire; `rcnn_training.train` or `from_checkpoint` fills them.
    """

    model, title, Settings = "rcnn", "R-CNN", RCNNSettings

    def __init__(self, backbone: Backbone, classes: tuple[str, ...], settings: RCNNSettings = RCNNSettings()):
        network = RegionNetwork(backbone.fused())
        with torch.no_grad():
            sample = network(torch.zeros(1, 3, settings.size, settings.size, device=backbone.mean.device))
        super().__init__(network, tuple(layer.shape[1] for layer in sample), classes, settings)

    def features(self, image: Tensor, boxes: Tensor) -> RegionFeatures:
        """Warp n boxes of an image and put each through the network: (3, H, W), (n, 4) -> (n, P), (n, D6), (n, D7)."""
        parts = []
        for some in boxes.split(self.settings.batch) if len(boxes) else (boxes,):
            with self.watch("warp"):
                crops = self.crop(image, some)
            with self.watch("CNN"):
                parts.append(self.extract(crops))
        return RegionFeatures(*map(torch.cat, zip(*parts, strict=True)))

    def crop(self, image: Tensor, boxes: Tensor) -> Tensor:
        """Warped regions as the network wants them: (3, H, W), (n, 4) -> (n, 3, S, S)."""
        mean = self.backbone.mean.flatten()
        return warp_regions(image, boxes, self.settings.size, self.settings.context, fill=mean)

    def extract(self, crops: Tensor) -> RegionFeatures:
        """Features of warped regions (n, 3, S, S), each layer at the scale that SVMs and ridge were fitted with."""
        return self.scaled(self.network(crops.contiguous(memory_format=torch.channels_last)))

    def tune(self, difference: dict[str, Tensor]) -> None:
        """Add to the network what fine-tuning changed, as `differences.pack_difference` packed it."""
        self.backbone.load_state_dict(apply_difference(difference, self.backbone.state_dict()))
        self.tuned = difference
