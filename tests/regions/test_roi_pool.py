"""RoI pooling and the spatial pyramid: worked examples, torchvision forward and backward, gradcheck, every odd RoI."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from roi_inputs import SCALE, feature_map, forward_and_gradient, odd_rois

from rcnn_lite.regions import roi_pool as module
from rcnn_lite.regions.roi_pool import roi_pool
from rcnn_lite.regions.rois import boxes_to_rois
from rcnn_lite.regions.spp import bin_range, range_maxima, spatial_pyramid_pool


def plain_form(features, rois):
    """roi_pool as it runs on any other device, with bins of 3 x 4."""
    image = rois[:, 0].long()
    rows = module.bins_of_whole_cells(rois[:, 2], rois[:, 4], SCALE, 3, features.shape[2])
    columns = module.bins_of_whole_cells(rois[:, 1], rois[:, 3], SCALE, 4, features.shape[3])
    return module._pool_columns_then_rows(features, image, *rows, *columns)


def test_a_window_of_8_by_7_into_2_by_2():
    """Rows 0-3 and 4-7; columns 0-3 and 3-6: column 3 belongs to both."""
    features = torch.arange(56.0).view(1, 1, 8, 7)
    pooled = roi_pool(features, torch.tensor([[0.0, 0.0, 0.0, 6.0, 7.0]]), 2, 1.0)
    assert pooled.tolist() == [[[[24, 27], [52, 55]]]]
    assert bin_range(7, 2)[0].tolist() == [0, 3]
    assert bin_range(7, 2)[1].tolist() == [4, 7]


def test_a_400_pixel_image_at_stride_40():
    """Box 110..290: cells 2.75..7.25, rounded to 3..7: five cells, bins 3-5 and 5-7, which share row and column 5."""
    features = torch.arange(100.0).view(1, 1, 10, 10)
    pooled = roi_pool(features, torch.tensor([[0.0, 110.0, 110.0, 290.0, 290.0]]), 2, 1 / 40)
    assert pooled.tolist() == [[[[55, 57], [75, 77]]]]


@pytest.mark.parametrize("size", [1, 7, (3, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_torchvision_forward_and_backward(size, dtype, generator):
    features, rois = feature_map(generator, dtype=dtype), odd_rois(generator, dtype=dtype)
    ours, gradient = forward_and_gradient(lambda f, r: roi_pool(f, r, size, SCALE), features, rois)
    peer, peer_gradient = forward_and_gradient(lambda f, r: torchvision.ops.roi_pool(f, r, size, SCALE), features, rois)
    torch.testing.assert_close(ours, peer, rtol=0, atol=0)
    torch.testing.assert_close(gradient, peer_gradient, rtol=1e-6, atol=1e-6)  # sums in another order


def test_ties_are_broken_as_in_torchvision(generator):
    features, rois = feature_map(generator).round(), odd_rois(generator)
    ours = forward_and_gradient(lambda f, r: roi_pool(f, r, 3, SCALE), features, rois)
    peer = forward_and_gradient(lambda f, r: torchvision.ops.roi_pool(f, r, 3, SCALE), features, rois)
    torch.testing.assert_close(ours, peer, rtol=0, atol=1e-5)


def test_plain_form_equals_compiled_loop(generator):
    features, rois = feature_map(generator).round(), odd_rois(generator)
    plain = forward_and_gradient(plain_form, features, rois)
    fast = forward_and_gradient(lambda f, r: roi_pool(f, r, (3, 4), SCALE), features, rois)
    torch.testing.assert_close(plain, fast, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_lies_in_memory_as_the_map_does(layout, generator):
    plain, rois = feature_map(generator), odd_rois(generator)
    given = plain.contiguous(memory_format=layout)
    pooled, gradient = forward_and_gradient(lambda f, r: roi_pool(f, r, 3, SCALE), given, rois)
    expected = forward_and_gradient(lambda f, r: roi_pool(f, r, 3, SCALE), plain, rois)
    torch.testing.assert_close((pooled, gradient), expected, rtol=0, atol=0)
    assert roi_pool_gradient_layout(given, rois) == layout


def roi_pool_gradient_layout(features, rois):
    """The memory format of the gradient that the layer before gets."""
    seen = []
    leaf = features.clone().requires_grad_()
    leaf.register_hook(lambda g: seen.append(g.is_contiguous()))
    roi_pool(leaf, rois, 3, SCALE).sum().backward()
    return torch.contiguous_format if seen[0] else torch.channels_last


def test_gradcheck(generator):
    features = feature_map(generator, channels=2, height=6, width=5, dtype=torch.float64).requires_grad_()
    rois = torch.tensor([[0, 3, 5, 70, 60], [1, 0, 0, 40, 90]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: roi_pool(f, rois, 2, SCALE), features)


def test_no_rois_and_no_images(generator):
    features = feature_map(generator).requires_grad_()
    pooled = roi_pool(features, torch.empty(0, 5), 7, SCALE)
    assert pooled.shape == (0, 5, 7, 7)
    pooled.sum().backward()
    assert not features.grad.any()
    assert roi_pool(torch.empty(0, 5, 4, 4), torch.empty(0, 5), 7, SCALE).shape == (0, 5, 7, 7)
    assert boxes_to_rois([]).shape == boxes_to_rois([torch.empty(0, 4)] * 2).shape == (0, 5)


@pytest.mark.parametrize(
    ("rois", "sentence"),
    [
        (torch.tensor([[0.0, 0, 0, 1, 1], [2, 0, 0, 1, 1]]), r"rois\[1\] names image 2 of a batch of 2"),
        (torch.tensor([[-1.0, 0, 0, 1, 1]]), r"rois\[0\] names image -1"),
        (torch.tensor([[0.5, 0, 0, 1, 1]]), r"rois\[0\] names image 0.5"),
        (torch.tensor([[0.0, 9, 0, 1, 1]]), r"rois\[:, 1:\]\[0\] has x2 < x1"),
        (torch.zeros(1, 4), r"rois must have shape \(R, 5\)"),
        (torch.zeros(1, 5, dtype=torch.float64), "rois must have the dtype of features"),
    ],
)
def test_bad_rois_are_named(rois, sentence, generator):
    with pytest.raises(ValueError, match=sentence):
        roi_pool(feature_map(generator), rois, 7, SCALE)


@pytest.mark.parametrize("shape", [(13, 17), (6, 6), (1, 3), (2, 1)])
@pytest.mark.parametrize("level", [1, 2, 3, 6])
def test_pyramid_levels_equal_adaptive_pooling(shape, level, generator):
    features = feature_map(generator, height=shape[0], width=shape[1])
    expected = F.adaptive_max_pool2d(features, level).flatten(1)
    torch.testing.assert_close(spatial_pyramid_pool(features, [level]), expected, rtol=0, atol=0)


def test_pyramid_has_one_length_for_every_size(generator):
    lengths = {spatial_pyramid_pool(feature_map(generator, 1, 3, h, w), (4, 2, 1)).shape for h, w in [(5, 9), (30, 4)]}
    assert lengths == {(1, 3 * (16 + 4 + 1))}
    leaf = feature_map(generator, 1, 1, 5, 4, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: spatial_pyramid_pool(f, (3, 1)), leaf)


def test_bad_pyramids_are_named(generator):
    with pytest.raises(ValueError, match="levels must be at least 1"):
        spatial_pyramid_pool(feature_map(generator), (2, 0))
    with pytest.raises(ValueError, match="at least one cell"):
        spatial_pyramid_pool(torch.zeros(1, 2, 0, 3), (1,))


def test_range_maxima_by_hand():
    values = torch.tensor([3.0, 1.0, 4.0, 1.0, 5.0])
    maxima = range_maxima(values, torch.tensor([0, 1, 3, 2]), torch.tensor([2, 4, 5, 2]))
    assert maxima.tolist() == [3, 4, 5, -torch.inf]
