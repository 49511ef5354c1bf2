"""Backbones so small that a detector learns in seconds, and that one can work out by hand."""

from torch import nn

from rcnn_lite.models.backbone import Backbone


class MeanColour(Backbone):
    """Two stages: mean colours at stride 4, then three channels that start as these colours and can learn."""

    def __init__(self):
        learns = nn.Conv2d(3, 3, 1)
        nn.init.dirac_(learns.weight), nn.init.zeros_(learns.bias)
        embedding = [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]
        stages = [nn.AvgPool2d(4, ceil_mode=True), nn.Sequential(learns)]
        super().__init__(stages, (4, 4), (3, 3), embedding, nn.Linear(3, 10), mean=(0.0,) * 3, std=(1.0,) * 3)


class TwoScales(Backbone):
    """Mean colours at stride 4, and at stride 8 three channels that start as these and can learn."""

    def __init__(self):
        learns = nn.Conv2d(3, 3, 1)
        nn.init.dirac_(learns.weight), nn.init.zeros_(learns.bias)
        embedding = [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]
        stages = [nn.AvgPool2d(4, ceil_mode=True), nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), learns)]
        super().__init__(stages, (4, 8), (3, 3), embedding, nn.Linear(3, 10), mean=(0.0,) * 3, std=(1.0,) * 3)
