"""The feature pyramid: torchvision's with the same weights, odd sizes, one level and none, what is merged by hand."""

from collections import OrderedDict

import pytest
import torch
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from rcnn_lite.models.fpn import FeaturePyramid, FPNSettings, enlarge

CHANNELS = (3, 4, 6, 8)


def backbone_maps(generator, sizes, channels=CHANNELS):
    return [torch.randn(2, c, *size, generator=generator) for c, size in zip(channels, sizes, strict=True)]


@pytest.mark.parametrize("extra_level", [True, False])
@pytest.mark.parametrize(
    "sizes",
    [[(32, 48), (16, 24), (8, 12), (4, 6)], [(25, 37), (13, 19), (7, 10), (4, 5)], [(5, 1), (3, 1), (2, 1), (1, 1)]],
)
def test_the_pyramid_is_torchvisions(sizes, extra_level, generator):
    theirs = FeaturePyramidNetwork(CHANNELS, 5, LastLevelMaxPool() if extra_level else None)
    ours = FeaturePyramid(CHANNELS, FPNSettings(5, extra_level), generator)
    theirs.load_state_dict(ours.state_dict())
    maps = backbone_maps(generator, sizes)
    expected = list(theirs(OrderedDict(enumerate(maps))).values())
    found = ours(maps)
    assert len(found) == len(expected) == 4 + extra_level
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_weights_of_torchvisions_pyramid_load(generator):
    theirs = FeaturePyramidNetwork(CHANNELS, 5, LastLevelMaxPool())
    ours = FeaturePyramid(CHANNELS, FPNSettings(5))
    ours.load_state_dict(theirs.state_dict())
    maps = backbone_maps(generator, [(16, 16), (8, 8), (4, 4), (2, 2)])
    torch.testing.assert_close(ours(maps), list(theirs(OrderedDict(enumerate(maps))).values()))


def test_two_levels_by_hand():
    """Convolutions that pass everything on: the fine level is its map plus the coarse one, each cell four times."""
    pyramid = FeaturePyramid((1, 1), FPNSettings(1, extra_level=True))
    with torch.no_grad():
        for (lateral,), (smoothing,) in zip(pyramid.inner_blocks, pyramid.layer_blocks, strict=True):
            lateral.weight.fill_(1)
            smoothing.weight.zero_()
            smoothing.weight[..., 1, 1] = 1
        fine, coarse = torch.arange(12.0).view(1, 1, 3, 4), torch.tensor([[[[100.0, 200], [300, 400]]]])
        p2, p3, p4 = pyramid([fine, coarse])
    assert p2[0, 0].tolist() == [[100, 101, 202, 203], [104, 105, 206, 207], [308, 309, 410, 411]]
    assert torch.equal(p3, coarse)
    assert p4.tolist() == [[[[100]]]]


def test_a_map_that_lost_half_a_cell_is_not_stretched():
    coarse = torch.arange(12.0).view(1, 1, 1, 12)
    assert enlarge(coarse, (2, 25))[0, 0, 0].tolist() == [i // 2 for i in range(24)] + [11]
    assert enlarge(coarse, (3, 23))[0, 0, 2].tolist() == [i // 2 for i in range(23)]
    stretched = torch.nn.functional.interpolate(coarse, size=(2, 25), mode="nearest")[0, 0, 0]
    assert stretched[2] == 0  # torchvision's: cell 2 of the fine map reads cell 0 instead of 1


def test_gradients_reach_every_level_from_the_finest_output(generator):
    pyramid = FeaturePyramid(CHANNELS, FPNSettings(5), generator)
    maps = [m.requires_grad_() for m in backbone_maps(generator, [(17, 9), (9, 5), (5, 3), (3, 2)])]
    pyramid(maps)[0].sum().backward()
    assert all(m.grad.abs().sum() > 0 for m in maps)
    maps[0].grad = None
    pyramid(maps)[-1].sum().backward()
    assert maps[0].grad is None or not maps[0].grad.any()  # nothing goes up again


def test_it_starts_from_the_generator_with_the_stated_variance():
    first, again, other = (FeaturePyramid((400,), FPNSettings(40), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    weights = [p.inner_blocks[0][0].weight.detach() for p in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert float(weights[0].var()) == pytest.approx(1 / 400, rel=0.05)
    assert float(first.layer_blocks[0][0].weight.detach().var()) == pytest.approx(1 / (9 * 40), rel=0.05)
    assert not first.inner_blocks[0][0].bias.any()


def test_one_level_no_images_and_bad_input(generator):
    single = FeaturePyramid((3,), FPNSettings(5, extra_level=False), generator)
    assert [tuple(p.shape) for p in single([torch.zeros(1, 3, 4, 5)])] == [(1, 5, 4, 5)]
    with pytest.raises(ValueError, match="maps must be of 1 levels, got 2"):
        single([torch.zeros(1, 3, 4, 5)] * 2)
    with pytest.raises(ValueError, match="at least one level"):
        FeaturePyramid(())
    two = FeaturePyramid((3, 3), FPNSettings(5), generator)
    assert [len(p) for p in two([torch.zeros(0, 3, 4, 6), torch.zeros(0, 3, 2, 3)])] == [0, 0, 0]
    with pytest.raises(ValueError, match=r"a map of \(2, 2\) cells is not half of one of \(4, 6\)"):
        two([torch.zeros(1, 3, 4, 6), torch.zeros(1, 3, 2, 2)])
