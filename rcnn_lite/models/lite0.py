"""EfficientNet-Lite0, the default network of this package, written out.

Sixteen inverted-residual blocks (MobileNetV2, Sandler 2018, figure 4): expand with a 1 x 1 convolution, filter each
channel by itself ("depthwise"), project back with a 1 x 1 convolution that has no activation, and add the input where
the shapes allow. The *Lite* variant of EfficientNet (Tan & Le 2019, table 1) drops squeeze-and-excite and uses ReLU6.
It was trained in TensorFlow, which leaves two traces that matter when its weights are loaded elsewhere: "SAME" padding,
and a batch-norm epsilon of 1e-3.
"""

import torch.nn.functional as F
from torch import Tensor, nn

# Each row is a group of equal blocks: (blocks, kernel, stride of the first, expansion, output channels). EfficientNet
# table 1, stages 2 - 8.
BLOCK_GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STRIDES, CHANNELS = (2, 4, 8, 16, 32), (16, 24, 40, 112, 320)
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # (255 x - 127) / 128 for x in [0, 1]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "SAME" padding along one axis: (before, after), in pixels, such that the output has ceil(size /
    stride) pixels.

    An odd total puts the extra pixel *after*, so a stride-2 layer on an even size is padded asymmetrically:

    >>> same_padding(224, kernel=3, stride=2), same_padding(225, kernel=3, stride=2)
    ((0, 1), (1, 1))
    """
    outputs = -(-size // stride)  # ceil
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution with "SAME" padding: (N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride)).

    The padding depends on H and W.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pad so that the output has ceil(size / stride) cells, then convolve."""
        top, bottom = same_padding(x.shape[-2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[-1], self.kernel_size[1], self.stride[1])
        return super().forward(F.pad(x, (left, right, top, bottom)))


def conv_norm(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, activation: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation, and ReLU6 unless `activation` is False."""
    if stride == 1:  # symmetric, whatever the size: let the convolution pad
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    layers = [conv, nn.BatchNorm2d(outputs, eps=1e-3)]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if activation else nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """One block: expand, filter depthwise, project; plus the input when neither size nor channels change.

    The output is linear.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        inner = inputs * expansion
        expand = [conv_norm(inputs, inner)] if expansion > 1 else []
        self.branch = nn.Sequential(
            *expand,
            conv_norm(inner, inner, kernel, stride, groups=inner),
            conv_norm(inner, outputs, activation=False),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', ceil(H / stride), ceil(W / stride))."""
        return x + self.branch(x) if self.residual else self.branch(x)


def lite0_stages() -> nn.ModuleList:
    """The convolutional part as five stages;

    stage i turns the map of stage i - 1 into one of stride 2 ** (i + 1), `CHANNELS[i]` channels.
    """
    stages, channels = [[conv_norm(3, 32, 3, stride=2)]], 32
    for blocks, kernel, stride, expansion, outputs in BLOCK_GROUPS:
        if stride == 2:
            stages.append([])
        for i in range(blocks):
            stages[-1].append(InvertedResidual(channels, outputs, kernel, stride if i == 0 else 1, expansion))
            channels = outputs
    return nn.ModuleList(nn.Sequential(*blocks) for blocks in stages)


def lite0_embedding() -> nn.Sequential:
    """What follows the last stage: (N, 320, h, w) -> (N, 1280). The role that AlexNet's fc6 and fc7 have in R-CNN."""
    return nn.Sequential(conv_norm(320, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten())
