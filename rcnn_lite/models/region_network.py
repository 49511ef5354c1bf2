"""The network of R-CNN: a warped region goes in, three descriptions of it come out (notebook 05).

R-CNN section 3.2 compares three layers of one network: `pool5`, the last map, laid flat; `fc6`, the fully connected
layer on top of it; `fc7`, the one on top of that. AlexNet and VGG16 have just these. EfficientNet-Lite0 and ResNet go
from the last map to the classifier through one layer; it takes the place of fc6, and the ImageNet classifier itself,
1,000 numbers that are set to zero below zero, that of fc7.

Notation: n regions of S x S pixels; P, D6 and D7 numbers in the three layers.
"""

from typing import NamedTuple

from torch import Tensor, nn

from rcnn_lite.models.backbone import Backbone


class RegionFeatures(NamedTuple):
    """What the network says of n regions: `pool5` (n, P), `fc6` (n, D6), `fc7` (n, D7)."""

    pool5: Tensor
    fc6: Tensor
    fc7: Tensor


class RegionNetwork(nn.Module):
    """A backbone with its fully connected layers by the names of the paper."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        layers = [*backbone.embedding]
        self.fc6 = layers[0]
        self.fc7 = layers[1] if len(layers) > 1 else nn.Sequential(backbone.classifier, nn.ReLU())

    def forward(self, regions: Tensor) -> RegionFeatures:
        """(n, 3, S, S) in [0, 1] -> pool5 (n, P), fc6 (n, D6), fc7 (n, D7)."""
        last = self.backbone(regions)[-1]  # (n, C, s, s)
        fc6 = self.fc6(last)  # (n, D6)
        return RegionFeatures(last.flatten(1), fc6, self.fc7(fc6))
