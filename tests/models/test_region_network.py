"""A region's three descriptions: by hand on tiny backbones, by shape on real ones."""

import pytest
import torch
from torch import nn

from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.region_network import RegionFeatures, RegionNetwork


def tiny(embedding, classifier):
    """The last map is the mean of each quarter of the region: (n, 3, 2, 2)."""
    stages = [nn.AdaptiveAvgPool2d(4), nn.AdaptiveAvgPool2d(2)]
    return Backbone(stages, (2, 4), (3, 3), embedding, classifier, mean=(0.0,) * 3, std=(1.0,) * 3)


def linear(rows):
    weight = torch.tensor(rows)
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data.copy_(weight)
    return layer


MEAN = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
QUARTERS = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
REGION = torch.stack((QUARTERS, 10 * QUARTERS, -QUARTERS)).repeat_interleave(4, 1).repeat_interleave(4, 2)  # (3, 8, 8)


def test_one_layer_after_the_maps_by_hand():
    """pool5 is the map laid flat, channel by channel and row by row; fc7 is the classifier, cut off at zero."""
    network = RegionNetwork(tiny([MEAN], linear([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 2.0]])))
    features = network(REGION[None])
    assert features.pool5.tolist() == [[1, 2, 3, 4, 10, 20, 30, 40, -1, -2, -3, -4]]
    assert features.fc6.tolist() == [[2.5, 25.0, -2.5]]
    assert features.fc7.tolist() == [[0.0, 25.0, 0.0]]  # 2.5 - 2.5, 25, 2.5 - 5


def test_two_layers_after_the_maps_are_fc6_and_fc7_and_the_classifier_is_not_used():
    second = nn.Sequential(linear([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), nn.ReLU())
    network = RegionNetwork(tiny([MEAN, second], linear([[100.0, 100.0]])))
    features = network(REGION[None])
    assert features.fc6.tolist() == [[2.5, 25.0, -2.5]]
    assert features.fc7.tolist() == [[27.5, 0.0]]


def test_regions_are_normalised_first():
    backbone = Backbone([nn.Identity()], (1,), (3,), [MEAN], nn.Linear(3, 2), mean=(0.5,) * 3, std=(0.25,) * 3)
    features = RegionNetwork(backbone)(torch.ones(1, 3, 1, 1))
    assert features.pool5.tolist() == [[2.0, 2.0, 2.0]]


def test_the_layers_are_those_of_the_backbone():
    """What fine-tuning changes in the network it changes in the backbone, which is what is stored."""
    backbone = build_backbone("lite0", pretrained=False)
    network = RegionNetwork(backbone)
    assert {id(p) for p in network.parameters()} == {id(p) for p in backbone.parameters()}
    assert network.fc6 is backbone.embedding[0]
    assert network.fc7[0] is backbone.classifier


@pytest.mark.parametrize(
    ("name", "size", "sizes"), [("lite0", 96, (2880, 1280, 1000)), ("lite0", 65, (2880, 1280, 1000))]
)
def test_sizes_of_real_networks(name, size, sizes):
    network = RegionNetwork(build_backbone(name, pretrained=False))
    with torch.inference_mode():
        features = network(torch.rand(2, 3, size, size))
        nothing = network(torch.rand(0, 3, size, size))
    assert isinstance(features, RegionFeatures)
    assert tuple(values.shape[1] for values in features) == sizes
    assert [values.shape for values in nothing] == [(0, d) for d in sizes]
    assert features.fc7.min() >= 0


def test_alexnet_has_the_layers_of_the_paper():
    """R-CNN section 2.1: 227 x 227 in, 9,216 in pool5 (section 3.1), 4,096 in fc6 and fc7."""
    network = RegionNetwork(build_backbone("alexnet", pretrained=False))
    with torch.inference_mode():
        features = network(torch.rand(1, 3, 227, 227))
    assert [values.shape[1] for values in features] == [9216, 4096, 4096]


def test_a_region_does_not_depend_on_its_neighbours(generator):
    network = RegionNetwork(build_backbone("lite0"))
    regions = torch.rand(5, 3, 64, 64, generator=generator)
    with torch.inference_mode():
        together, alone = network(regions), [network(region[None]) for region in regions]
    for layer in RegionFeatures._fields:
        expected = torch.cat([getattr(each, layer) for each in alone])
        torch.testing.assert_close(getattr(together, layer), expected, atol=1e-4 * float(expected.abs().max()), rtol=0)
