"""EfficientNet-Lite0 against slow loops and known sizes.

Padding and convolution against a slow hand computation, shapes on odd sizes, number of parameters.
"""

import pytest
import torch

from rcnn_lite.models.lite0 import (
    CHANNELS,
    STRIDES,
    InvertedResidual,
    SameConv2d,
    lite0_embedding,
    lite0_stages,
    same_padding,
)


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 8])
@pytest.mark.parametrize("kernel", [3, 5])
def test_strided_convolution_equals_a_loop_over_output_pixels(size, kernel, generator):
    """SAME: output o reads the inputs from o * stride - before; the zero pixels lie mostly after.

    Rows differ in number from columns.
    """
    height, width, stride = size, size + 3, 2
    conv = SameConv2d(1, 1, kernel, stride, bias=False)
    image = torch.randn(1, 1, height, width, generator=generator)
    rows, columns = -(-height // stride), -(-width // stride)
    expected = torch.zeros(rows, columns)
    before_y = max((rows - 1) * stride + kernel - height, 0) // 2
    before_x = max((columns - 1) * stride + kernel - width, 0) // 2
    for i in range(rows):
        for j in range(columns):
            for di in range(kernel):
                for dj in range(kernel):
                    y, x = i * stride - before_y + di, j * stride - before_x + dj
                    if 0 <= y < height and 0 <= x < width:
                        expected[i, j] += conv.weight[0, 0, di, dj].item() * image[0, 0, y, x]
    torch.testing.assert_close(conv(image)[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_even_sizes_are_padded_on_the_right_only():
    """4 pixels, kernel 3, stride 2, by hand: outputs read 0 1 2 and 2 3 (zero), so 1 2 3 4 gives 6 and 7."""
    assert same_padding(4, 3, 2) == (0, 1)
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    conv.weight.data = torch.zeros(1, 1, 3, 3)
    conv.weight.data[0, 0, 1] = 1.0
    column = conv(torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 4, 4))[0, 0]
    assert column.tolist() == [[6.0, 7.0], [6.0, 7.0]]


@pytest.mark.parametrize("size", [(96, 96), (97, 130), (33, 1), (255, 31)])
def test_stages_have_their_strides_and_channels_on_odd_sizes(size):
    x = torch.zeros(2, 3, *size)
    for stage, stride, channels in zip(lite0_stages(), STRIDES, CHANNELS, strict=True):
        x = stage(x)
        assert x.shape == (2, channels, -(-size[0] // stride), -(-size[1] // stride))
    assert lite0_embedding()(x).shape == (2, 1280)


def test_number_of_parameters():
    """4.65 million with the classifier, as the original;

    3,371,024 of them are what a detector uses up to stride 32 and the embedding.
    """
    count = sum(p.numel() for module in (lite0_stages(), lite0_embedding()) for p in module.parameters())
    assert count + 1280 * 1000 + 1000 == 4_652_008


def test_a_block_adds_its_input_only_where_shapes_agree(generator):
    x = torch.randn(1, 8, 6, 6, generator=generator)
    same, wider, smaller = (
        InvertedResidual(8, 8, 3, 1, 6),
        InvertedResidual(8, 16, 3, 1, 6),
        InvertedResidual(8, 8, 3, 2, 6),
    )
    assert (same.residual, wider.residual, smaller.residual) == (True, False, False)
    torch.testing.assert_close(same.eval()(x), x + same.branch(x))
