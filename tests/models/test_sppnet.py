"""SPPnet's features by hand on a backbone that averages 4 x 4 pixels; what it shares with R-CNN is tested there."""

import pytest
import torch
from squares import CLASSES, Squares
from torch import nn

from rcnn_lite.checkpoints import load_checkpoint, save_checkpoint
from rcnn_lite.models.backbone import Backbone, build_backbone
from rcnn_lite.models.sppnet import PooledLayers, SPPNet, SPPSettings
from rcnn_lite.regions.spp import spatial_pyramid_pool


class AveragingBackbone(Backbone):
    """A map of the mean colours of 2 x 2, then of 4 x 4 pixels; a third stage that must never run."""

    def __init__(self):
        stages = [nn.AvgPool2d(2), nn.AvgPool2d(2), nn.Conv2d(9, 9, 1)]
        super().__init__(stages, (2, 4, 8), (3, 3, 9), [nn.Flatten()], nn.Linear(3, 2), (0.5,) * 3, (1.0,) * 3)


def small_model(**settings):
    """Two levels, 5 bins, 15 numbers; one scale, of 48 pixels, at which `Squares` are as they were."""
    chosen = {"short_sides": (48,), "region_side": 20, "levels": (2, 1), "stride": 4, "centre": 0.5, "width": 4}
    return SPPNet(AveragingBackbone(), CLASSES, SPPSettings(min_size=2, **chosen | settings))


def with_layers(model):
    """fc6 = the first four numbers of pool5, fc7 = twice that but the first."""
    state = {name: torch.zeros_like(value) for name, value in model.network.layers.state_dict().items()}
    state["gain"] += 1
    state["fc6.weight"][:, :4] = torch.eye(4)
    state["fc7.weight"] = torch.diag(torch.tensor([0.0, 2.0, 2.0, 2.0]))
    model.network.layers.load_state_dict(state)
    return model


def test_features_by_hand():
    """A red square in the left half of the box, blue in the right one: the map's channels, 2 x 2 bins and the whole."""
    model = with_layers(small_model())
    image = torch.full((3, 48, 64), 0.5)  # 0 for the network
    image[0, 8:24, 8:16], image[2, 8:24, 16:24] = 1.0, 1.0
    model.scales.copy_(torch.tensor([2.0, 3.0, 5.0]))
    features = model.features(image, torch.tensor([[8.0, 8.0, 24.0, 24.0], [40.0, 8.0, 60.0, 40.0]]))
    red, nothing, blue = [0.5, 0.0, 0.5, 0.0], [0.0] * 4, [0.0, 0.5, 0.0, 0.5]
    pool5 = torch.tensor([*red, *nothing, *blue, 0.5, 0.0, 0.5])
    torch.testing.assert_close(features.pool5[0], 2 * pool5)
    torch.testing.assert_close(features.fc6[0], 3 * torch.tensor(red))
    torch.testing.assert_close(features.fc7[0], 5 * torch.tensor([0.0, 0.0, 1.0, 0.0]))
    assert features.pool5[1].abs().max() == 0
    assert model.layer_sizes == (15, 4, 4)


def test_the_layers_standardise_their_input():
    layers = PooledLayers(2, 2)
    layers.mean.copy_(torch.tensor([1.0, 5.0])), layers.gain.copy_(torch.tensor([2.0, 0.5]))
    layers.fc6.weight.data.copy_(torch.eye(2)), layers.fc7.bias.data.copy_(torch.tensor([-1.0, 1.0]))
    fc6, fc7 = layers(torch.tensor([[3.0, 4.0], [1.5, 9.0]]))
    assert fc6.tolist() == [[4.0, 0.0], [1.0, 2.0]]
    assert fc7.tolist() == [[0.0, 1.0]] * 2


def test_the_convolutions_run_once_a_scale_however_many_regions(generator):
    model, calls = small_model(short_sides=(24, 48, 96)), []
    model.backbone.stages[0].register_forward_hook(lambda _, inputs, __: calls.append(tuple(inputs[0].shape)))
    model.backbone.stages[2].register_forward_hook(lambda *_: pytest.fail("a stage beyond the shared map ran"))
    boxes = torch.rand(200, 4, generator=generator) * 20
    boxes[:, 2:] += boxes[:, :2] + 4
    model.features(torch.rand(3, 48, 64), boxes)
    assert calls == [(1, 3, 24, 32), (1, 3, 48, 64), (1, 3, 96, 128)]


def test_each_region_is_pooled_where_it_has_the_right_size():
    """Maps that say which scale they are; regions of 10, 40, 20 and 45 pixels, wanted at 20."""
    model = small_model(short_sides=(24, 48, 96))
    maps = [torch.full((1, 3, side // 4, side // 3), float(side)) for side in (24, 48, 96)]
    sizes = [(side, side * 4 // 3) for side in (24, 48, 96)]
    boxes = torch.tensor([[3.0, 3, 13, 13], [0, 0, 40, 40], [9, 9, 29, 29], [1, 1, 46, 46]])
    pool5 = model.pool(maps, sizes, boxes, (48, 64))
    assert pool5.unique(dim=1).tolist() == [[96.0], [24.0], [48.0], [24.0]]


def test_pooling_at_another_scale_is_that_of_the_resized_picture(generator):
    model = small_model(short_sides=(96,))
    image = torch.rand(3, 48, 64, generator=generator)
    enlarged = nn.functional.interpolate(image[None], (96, 128), mode="bilinear")
    cut = (nn.functional.avg_pool2d(enlarged, 4) - 0.5)[:, :, 4:12, 8:14]  # pixels 16 to 48, 32 to 56 of 96 x 128
    (pool5,) = model.pyramids(image, torch.tensor([[16.0, 8.0, 28.0, 24.0]]))
    torch.testing.assert_close(pool5, spatial_pyramid_pool(cut, (2, 1))[0])


def test_where_a_cell_looks_is_a_setting():
    """Cells that look at pixels 0, 4, 8, ... or 2, 6, 10, ...: a box from 9 to 21 has cells 3 to 5, or 2 to 4."""
    image = torch.full((3, 48, 64), 0.5)
    image[1, :, 20:24], image[2, :, 8:12] = 1.0, 1.0  # cells 5 and 2
    box = torch.tensor([[9.0, 9.0, 21.0, 21.0]])
    left, middle = (small_model(centre=c, levels=(1,)).pyramids(image, box)[0].tolist() for c in (0.0, 0.5))
    assert (left, middle) == ([0.0, 0.5, 0.0], [0.0, 0.0, 0.5])


def test_a_long_picture_is_enlarged_by_its_long_side():
    model, sizes = small_model(elongation=2.0), []
    model.convolve = lambda copy: sizes.append(tuple(copy.shape[1:])) or torch.zeros(1, 3, 12, 24)
    for shape in ((3, 12, 24), (3, 12, 48), (3, 12, 18)):
        model.pyramids(torch.rand(shape), torch.zeros(0, 4))
    assert sizes == [(48, 96), (24, 96), (48, 72)]


def test_pictures_are_padded_to_whole_cells_with_what_is_nothing_to_the_network():
    model = small_model()
    features = model.convolve(torch.ones(3, 46, 61))
    assert features.shape == (1, 3, 12, 16)
    torch.testing.assert_close(features[0, 0, :11, :15], torch.full((11, 15), 0.5))
    torch.testing.assert_close(features[0, 0, 11, :15], torch.full((15,), 0.25))  # 2 of 4 rows
    torch.testing.assert_close(features[0, 0, :11, 15], torch.full((11,), 0.125))  # 1 of 4 columns


def test_detections_by_hand():
    """fc7 says how red the upper right and the lower left quarter are; class 1 fires there and moves to the right."""
    model = with_layers(small_model())
    model.svm_weight[1] = torch.tensor([0.0, 1.0, 1.0, 0.0])
    model.svm_bias[1] = -1.0
    model.ridge_bias[1] = torch.tensor([0.25, 0.0, 0.0, 0.0])
    image = torch.full((3, 48, 64), 0.5)
    image[0, 8:24, 8:24] = 1.0
    (found,) = model.detect([image], [torch.tensor([[8.0, 8.0, 24.0, 24.0], [40.0, 20.0, 60.0, 40.0]])])
    assert found["boxes"].tolist() == [[12.0, 8.0, 28.0, 24.0]]
    assert found["scores"].tolist() == [1.0]  # 2 x 0.5 twice, less 1
    assert set(model.watch.seconds) == {"convolutions", "pooling", "fc", "SVM", "regression", "NMS"}


def test_no_images_no_proposals_and_an_untrained_model():
    model, image = small_model(), torch.rand(3, 48, 64)
    assert model.detect([]) == []
    for proposals in (torch.zeros(0, 4), torch.tensor([[1.0, 1, 9, 9]])):
        (found,) = model.detect([image], [proposals])
        assert found["boxes"].shape == (0, 4)
    assert [tuple(layer.shape) for layer in model.features(image, torch.zeros(0, 4))] == [(0, 15), (0, 4), (0, 4)]


def test_extreme_pictures_with_the_real_network():
    """1 x 1 pixel, one colour, and 4 x 5,000 pixels, which is not enlarged to half a million."""
    model = SPPNet(build_backbone(pretrained=False), CLASSES, SPPSettings(short_sides=(64, 96), width=4))
    model.svm_bias[1] = 1.0
    for size in ((1, 1), (40, 40), (4, 5000)):
        image = torch.full((3, *size), 0.5)
        whole = torch.tensor([[0.0, 0.0, size[1], size[0]]])
        assert model.pyramids(image, whole).isfinite().all()
        (found,) = model.detect([image], [whole])
        assert len(found["boxes"]) == (1 if size == (40, 40) else 0)  # the others are too narrow


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_that_are_not_rgb_are_refused(channels):
    image = torch.rand(channels, 20, 20)
    for proposals in (None, [torch.tensor([[1.0, 1.0, 9.0, 9.0]])]):
        with pytest.raises(ValueError, match=r"image must be a float tensor \(3, H, W\)"):
            small_model().detect([image], proposals)


def test_regions_at_the_border_and_smaller_than_a_cell(generator):
    model = SPPNet(build_backbone(pretrained=False), CLASSES, SPPSettings(short_sides=(64,), width=4))
    image = torch.rand(3, 64, 64, generator=generator)
    boxes = torch.tensor(
        [[0.0, 0.0, 1.0, 1.0], [63.5, 63.5, 64.0, 64.0], [0.0, 30.0, 64.0, 31.0], [0.0, 0.0, 64.0, 64.0]]
    )
    features, pool5 = model.convolve(image), model.pyramids(image, boxes)
    for row, cell in ((0, features[0, :, 0, 0]), (1, features[0, :, 3, 3])):  # every bin is the one cell
        assert torch.equal(pool5[row], torch.cat([cell.repeat_interleave(n * n) for n in (6, 3, 2, 1)]))
    assert torch.equal(pool5[3, -112:], features.amax(dim=(2, 3))[0])
    assert torch.equal(pool5[2, -112:], features[0, :, 1].amax(dim=1))  # pixel 30.5 is nearest to row 1: 16 x 1.65


@pytest.mark.parametrize("layer", ["pool5", "fc6", "fc7"])
def test_the_svms_see_the_layer_that_was_chosen(layer):
    model = with_layers(small_model(layer=layer))
    features = model.features(torch.rand(3, 48, 64), torch.tensor([[8.0, 8.0, 24.0, 24.0]]))
    model.svm_weight[1, 2], model.svm_bias[1] = 1.0, 0.25
    assert model.score(features)[0, 1] == pytest.approx(float(getattr(features, layer)[0, 2]) + 0.25)
    with pytest.raises(ValueError, match="unknown layer 'fc8': choose one of pool5, fc6, fc7"):
        small_model(layer="fc8")


def test_a_checkpoint_makes_the_same_model(tmp_path, generator):
    model = small_model(short_sides=(24, 48))
    weights = {
        name: torch.randint(-127, 128, value.shape, generator=generator, dtype=torch.int8)
        for name, value in model.network.layers.state_dict().items()
    }
    largest = {f"{n}/largest": torch.full((len(v), *[1] * (v.ndim - 1)), 0.5) for n, v in weights.items()}
    model.tune(weights | largest)
    assert model.network.layers.fc6.weight.abs().max() == pytest.approx(0.5, rel=0.1)
    model.svm_weight.copy_(torch.randn(3, 4, generator=generator).half())
    model.svm_bias.copy_(torch.tensor([-float("inf"), 0.5, 0.25]))
    save_checkpoint(tmp_path / "a", *model.to_checkpoint())
    tensors, description = load_checkpoint(tmp_path / "a")
    again = SPPNet.from_checkpoint(tensors, description, AveragingBackbone())
    assert (description["model"], again.settings, again.classes) == ("sppnet", model.settings, CLASSES)
    image, proposals = Squares(1)[0][0], [torch.tensor([[2.0, 2, 30, 40], [33.0, 2, 60, 40]])]
    found = model.detect([image], proposals)[0]
    assert len(found["scores"]) > 0
    for key, value in found.items():
        assert torch.equal(value, again.detect([image], proposals)[0][key])
    del tensors["svm_bias"]
    with pytest.raises(ValueError, match="do not fit its description of an SPPnet"):
        SPPNet.from_checkpoint(tensors, description, AveragingBackbone())
