"""RoIAlign, RoIWarp and crop pooling: a worked example, torchvision forward and backward, gradcheck, every odd RoI."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from roi_inputs import SCALE, feature_map, forward_and_gradient, odd_rois

from rcnn_lite.regions import roi_align as module
from rcnn_lite.regions.roi_align import crop_pool, roi_align, roi_warp


def test_a_bin_by_hand():
    """On the plane f = x + 10 y (at cell centres x = 0.5, 1.5, ...) a bilinear average is the value at the centre."""
    y, x = torch.meshgrid(torch.arange(8.0) + 0.5, torch.arange(8.0) + 0.5, indexing="ij")
    plane = (x + 10 * y)[None, None]
    pooled = roi_align(plane, torch.tensor([[0.0, 16.0, 32.0, 80.0, 64.0]]), (1, 2), SCALE)  # cells 1..5 and 2..4
    torch.testing.assert_close(pooled, torch.tensor([[[[2.0 + 30.0, 4.0 + 30.0]]]]))
    half_a_cell_off = roi_align(plane, torch.tensor([[0.0, 16.0, 32.0, 80.0, 64.0]]), (1, 2), SCALE, aligned=False)
    torch.testing.assert_close(half_a_cell_off - pooled, torch.full((1, 1, 1, 2), 5.5))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [-1, 1, 2, 3])
@pytest.mark.parametrize("size", [7, (3, 4)])
def test_equals_torchvision_forward_and_backward(size, sampling_ratio, aligned, generator):
    features, rois = feature_map(generator), odd_rois(generator)
    ours, gradient = forward_and_gradient(
        lambda f, r: roi_align(f, r, size, SCALE, sampling_ratio, aligned), features, rois
    )
    peer, peer_gradient = forward_and_gradient(
        lambda f, r: torchvision.ops.roi_align(f, r, size, SCALE, sampling_ratio, aligned), features, rois
    )
    torch.testing.assert_close(ours, peer, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, peer_gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (2, 3)])
def test_tiny_maps_equal_torchvision(shape, generator):
    features, rois = feature_map(generator, height=shape[0], width=shape[1]), odd_rois(generator)
    ours = forward_and_gradient(lambda f, r: roi_align(f, r, 2, SCALE), features, rois)
    peer = forward_and_gradient(lambda f, r: torchvision.ops.roi_align(f, r, 2, SCALE, 2, True), features, rois)
    torch.testing.assert_close(ours, peer, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sampling_ratio", [-1, 2])
def test_plain_form_equals_compiled_loop(sampling_ratio, generator, monkeypatch):
    features, rois = feature_map(generator), odd_rois(generator)
    fast = forward_and_gradient(lambda f, r: roi_align(f, r, (3, 4), SCALE, sampling_ratio), features, rois)

    class TwoProducts:
        @staticmethod
        def apply(features, image, y_cells, y_weights, x_cells, x_weights):
            a_y, a_x = module._dense(y_cells, y_weights, 13), module._dense(x_cells, x_weights, 17)
            return module._two_products(features, image, a_y, a_x)

    monkeypatch.setattr(module, "_CompiledRoIAlign", TwoProducts)
    plain = forward_and_gradient(lambda f, r: roi_align(f, r, (3, 4), SCALE, sampling_ratio), features, rois)
    torch.testing.assert_close(plain, fast, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [-1, 1, 2, 3])
def test_gradcheck(sampling_ratio, aligned, generator):
    features = feature_map(generator, channels=2, height=6, width=5, dtype=torch.float64).requires_grad_()
    rows = [
        [0, 3, 5, 70, 60],
        [1, 0, 0, 40, 90],
        [1, 33, 41, 33.5, 41.2],
        [0, -60, -50, 20, 30],
        [1, 500, 500, 600, 600],
    ]
    rois = torch.tensor(rows, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: roi_align(f, rois, 2, SCALE, sampling_ratio, aligned), features)
    assert torch.autograd.gradcheck(lambda f: roi_warp(f, rois, 2, SCALE, sampling_ratio), features)


def test_each_image_gives_to_its_own_rois_only(generator):
    features, rois = feature_map(generator, count=3), odd_rois(generator, count=30)
    rois[:, 0] = torch.arange(len(rois)) % 3
    pooled, gradient = forward_and_gradient(lambda f, r: roi_align(f, r, 3, SCALE), features, rois)
    for index in range(3):
        alone = torch.cat((torch.zeros(len(rois), 1), rois[:, 1:]), dim=1)[rois[:, 0] == index]
        torch.testing.assert_close(pooled[rois[:, 0] == index], roi_align(features[index][None], alone, 3, SCALE))
    without = rois[rois[:, 0] != 1]
    leaf = features.clone().requires_grad_()
    roi_align(leaf, without, 3, SCALE).sum().backward()
    assert leaf.grad[1].abs().sum() == 0
    assert (leaf.grad[[0, 2]].flatten(1).abs().sum(dim=1) > 0).all()
    assert gradient.flatten(1).abs().sum(dim=1).min() > 0


def test_no_rois_give_no_gradient(generator):
    leaf = feature_map(generator).requires_grad_()
    roi_align(leaf, torch.empty(0, 5), 3, SCALE, -1).sum().backward()
    assert leaf.grad.abs().sum() == 0


def test_points_that_share_cells_by_hand():
    """Four points at 0.25, 0.75, 1.25, 1.75 read eight cells, three of them different."""
    cells, weights = module._axis_weights(torch.tensor([0.0]), torch.tensor([2.0]), 1, 4, limit=9)
    assert cells.tolist() == [[[0, 1, 2]]]
    assert weights.tolist() == [[[0.25, 0.5, 0.25]]]


@pytest.mark.parametrize("sampling_ratio", [-1, 1, 2, 3, 40])
def test_no_bin_reads_more_cells_than_there_are(sampling_ratio, generator):
    """One huge RoI with many points must not make the other RoIs' lists long."""
    size = torch.cat((torch.rand(50, generator=generator) * 4, torch.tensor([4000.0])))
    cells, weights = module._axis_weights(torch.full_like(size, 2.0), size, 7, sampling_ratio, limit=9)
    assert cells.shape[2] <= max(9, 2 * min(abs(sampling_ratio), 2))
    assert 0 <= cells.min() <= cells.max() < 9
    torch.testing.assert_close(weights[:50].sum(dim=2), torch.ones(50, 7))  # inside the map weights are shares


def test_warp_is_align_on_a_box_of_whole_cells_and_jumps_elsewhere(generator):
    features = feature_map(generator)
    box = torch.tensor(
        [[0.0, 48.0, 32.0, 112.0, 96.0]]
    )  # cells 3..7 and 2..6; pooling takes the last ones in: 3..8, 2..7
    whole = torch.tensor([[0.0, 48.0, 32.0, 128.0, 112.0]])
    torch.testing.assert_close(roi_warp(features, box, 3, SCALE), roi_align(features, whole, 3, SCALE))
    moved = box + torch.tensor([0.0, 3, 3, 3, 3])  # by less than half a cell
    torch.testing.assert_close(roi_warp(features, moved, 3, SCALE), roi_warp(features, box, 3, SCALE), rtol=0, atol=0)
    assert (roi_align(features, moved, 3, SCALE) - roi_align(features, box, 3, SCALE)).abs().max() > 0.05


def test_crop_pool_is_the_largest_of_four_aligned_points(generator):
    features = feature_map(generator)
    rois = odd_rois(generator, count=30)[:30]  # inside the map, where both read the same cells
    expected = F.max_pool2d(roi_align(features, rois, 14, SCALE, sampling_ratio=1), 2)
    torch.testing.assert_close(crop_pool(features, rois, 7, SCALE), expected, rtol=1e-4, atol=1e-4)


def test_crop_pool_passes_gradients_to_the_boxes(generator):
    rois = torch.tensor([[0.0, 30.0, 20.0, 130.0, 99.0]], requires_grad=True)
    crop_pool(feature_map(generator), rois, 2, SCALE).sum().backward()
    assert rois.grad[0, 0] == 0
    assert (rois.grad[0, 1:] != 0).all()


@pytest.mark.parametrize("pool", [roi_align, roi_warp, crop_pool])
def test_no_rois_and_bad_rois(pool, generator):
    features = feature_map(generator)
    assert pool(features, torch.empty(0, 5), 7, SCALE).shape == (0, 5, 7, 7)
    with pytest.raises(ValueError, match=r"rois\[0\] names image 7 of a batch of 2"):
        pool(features, torch.tensor([[7.0, 0, 0, 1, 1]]), 7, SCALE)
