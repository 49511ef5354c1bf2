"""Maximum or average of what a bin holds: worked examples, plain loops as oracles, gradcheck, every odd RoI."""

import math

import pytest
import torch
import torch.nn.functional as F
import torchvision
from roi_inputs import SCALE, feature_map, forward_and_gradient, odd_rois

from rcnn_lite.regions import roi_align as module
from rcnn_lite.regions.bin_values import roi_align_max, roi_pool_average, roi_warp_max
from rcnn_lite.regions.poolings import POOLINGS
from rcnn_lite.regions.roi_align import roi_align
from rcnn_lite.regions.roi_pool import roi_pool

NEW = {"roi_pool_average": roi_pool_average, "roi_warp_max": roi_warp_max, "roi_align_max": roi_align_max}


def mean_of_cells(features, rois, rows, columns):
    """RoI pooling's bins, cell by cell, averaged: loops over numbers, differentiable."""
    height, width, out = features.shape[2], features.shape[3], []
    nearest = lambda v: math.trunc(v) + (abs(v - math.trunc(v)) >= 0.5) * (1 if v > 0 else -1)  # noqa: E731
    for image, x1, y1, x2, y2 in (rois * rois.new_tensor([1] + [SCALE] * 4)).tolist():
        top, left = nearest(y1), nearest(x1)
        h, w = max(nearest(y2) - top + 1, 1), max(nearest(x2) - left + 1, 1)
        for p in range(rows):
            for q in range(columns):
                ys = range(math.floor(p * h / rows) + top, math.ceil((p + 1) * h / rows) + top)
                xs = range(math.floor(q * w / columns) + left, math.ceil((q + 1) * w / columns) + left)
                cells = [features[int(image), :, y, x] for y in ys for x in xs if 0 <= y < height and 0 <= x < width]
                out.append(torch.stack(cells).mean(0) if cells else 0 * features[0, :, 0, 0])
    return torch.stack(out).view(len(rois), rows, columns, -1).permute(0, 3, 1, 2)


def largest_point(features, starts, sizes, images, rows, columns, samples):
    """Regular points of each bin, read one by one between the centres of cells, the largest kept."""
    out = []
    for image, (x0, y0), (w, h) in zip(images, starts, sizes, strict=True):
        for p in range(rows):
            for q in range(columns):
                points = [
                    read(
                        features[image],
                        y0 + (p + (i + 0.5) / samples) * h / rows,
                        x0 + (q + (j + 0.5) / samples) * w / columns,
                    )
                    for i in range(samples)
                    for j in range(samples)
                ]
                out.append(torch.stack(points).amax(0))
    return torch.stack(out).view(len(images), rows, columns, -1).permute(0, 3, 1, 2)


def read(cells, y, x):
    """The value (C,) of a map (C, H, W) at (y, x), where the value of cell i stands at i."""
    height, width = cells.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0 * cells[:, 0, 0]
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    rows = (1 - (torch.arange(height, dtype=cells.dtype) - y).abs()).clamp(min=0)  # (H,)
    columns = (1 - (torch.arange(width, dtype=cells.dtype) - x).abs()).clamp(min=0)  # (W,)
    return (cells * rows[:, None] * columns).sum((1, 2))


def test_bins_of_whole_cells_by_hand():
    """Rows 0-3 and 4-7, columns 0-3 and 3-6 of 0, 1, 2, ..: the mean is that of the four corners of a bin."""
    features = torch.arange(56.0).view(1, 1, 8, 7)
    pooled = roi_pool_average(features, torch.tensor([[0.0, 0.0, 0.0, 6.0, 7.0]]), 2, 1.0)
    assert pooled.tolist() == [[[[12, 15], [40, 43]]]]


def test_the_largest_point_by_hand():
    """On the plane f = x + 10 y the largest of four points is the last: a quarter of a bin beyond its centre."""
    y, x = torch.meshgrid(torch.arange(8.0) + 0.5, torch.arange(8.0) + 0.5, indexing="ij")
    plane, roi = (x + 10 * y)[None, None], torch.tensor([[0.0, 16.0, 32.0, 80.0, 64.0]])  # cells 1..5 and 2..4
    torch.testing.assert_close(roi_align_max(plane, roi, (1, 2), SCALE), torch.tensor([[[[37.5, 39.5]]]]))
    torch.testing.assert_close(roi_align_max(plane, roi, (1, 2), SCALE, 1), roi_align(plane, roi, (1, 2), SCALE, 1))


@pytest.mark.parametrize("size", [(7, 7), (3, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_average_equals_a_loop_over_cells(size, dtype, generator):
    features, rois = feature_map(generator, channels=2, dtype=dtype), odd_rois(generator, 5, dtype)
    ours = forward_and_gradient(lambda f, r: roi_pool_average(f, r, size, SCALE), features, rois)
    loop = forward_and_gradient(lambda f, r: mean_of_cells(f, r, *size), features, rois)
    torch.testing.assert_close(ours, loop, rtol=1e-4, atol=1e-4)
    assert ours[0].dtype == dtype


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("aligned", [True, False])
def test_align_max_equals_a_loop_over_points(samples, aligned, generator):
    features, rois = feature_map(generator, channels=2, dtype=torch.float64), odd_rois(generator, 6, torch.float64)
    cells = rois[:, 1:] * SCALE - (0.5 if aligned else 0)
    sizes = (cells[:, 2:] - cells[:, :2]).clamp(min=0 if aligned else 1)
    given = cells[:, :2].tolist(), sizes.tolist(), rois[:, 0].int().tolist(), 2, 3, samples
    ours = roi_align_max(features, rois, (2, 3), SCALE, samples, aligned)
    torch.testing.assert_close(ours, largest_point(features, *given))


def test_warp_max_is_align_max_on_a_box_of_whole_cells(generator):
    features = feature_map(generator)
    box = torch.tensor([[1.0, 51.0, 29.0, 115.0, 93.0]])  # cells 3..7 and 2..6, ends included
    whole = torch.tensor([[1.0, 48.0, 32.0, 128.0, 112.0]])
    torch.testing.assert_close(roi_warp_max(features, box, 3, SCALE), roi_align_max(features, whole, 3, SCALE))
    assert (roi_warp_max(features, box, 3, SCALE) - roi_align_max(features, box, 3, SCALE)).abs().max() > 0.05


@pytest.mark.parametrize("name", NEW)
def test_maximum_and_average_agree_on_a_flat_map_and_nowhere_else(name, generator):
    """A bin's largest value is not below its average; both are the value itself where all are equal."""
    other = {"roi_pool_average": "roi_pool", "roi_warp_max": "roi_warp", "roi_align_max": "roi_align"}[name]
    features, rois = feature_map(generator), odd_rois(generator)
    one, two = NEW[name](features, rois, 3, SCALE), POOLINGS[other](features, rois, 3, SCALE)
    largest, mean = (two, one) if name == "roi_pool_average" else (one, two)
    assert (largest >= mean - 1e-5).all()
    assert (largest - mean).mean() > 0.05
    inside = rois[(rois[:, 1:].amin(1) >= 0) & (rois[:, 3] < 256) & (rois[:, 4] < 192)]
    flat = NEW[name](torch.full_like(features, 2.5), inside, 3, SCALE)
    assert len(inside) > 20
    torch.testing.assert_close(flat, torch.full_like(flat, 2.5))
    assert POOLINGS[name] is NEW[name]


def test_align_max_equals_torchvisions_points(generator):
    features, rois = feature_map(generator), odd_rois(generator)
    pooled = lambda f, r: F.max_pool2d(torchvision.ops.roi_align(f, r, 14, SCALE, 1, True), 2)  # noqa: E731
    ours = forward_and_gradient(lambda f, r: roi_align_max(f, r, 7, SCALE), features, rois)
    torch.testing.assert_close(ours, forward_and_gradient(pooled, features, rois), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool", NEW.values())
def test_gradcheck(pool, generator):
    features = feature_map(generator, channels=2, height=6, width=5, dtype=torch.float64).requires_grad_()
    rois = torch.tensor([[0, 3, 5, 70, 60], [1, 0, 0, 40, 90]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: pool(f, rois, 2, SCALE), features)


def test_average_in_the_plain_form_equals_the_compiled_loop(generator, monkeypatch):
    features, rois = feature_map(generator), odd_rois(generator)
    fast = forward_and_gradient(lambda f, r: roi_pool_average(f, r, (3, 4), SCALE), features, rois)

    class TwoProducts:
        @staticmethod
        def apply(features, image, *weights):
            a_y, a_x = module._dense(*weights[:2], 13), module._dense(*weights[2:], 17)
            return module._two_products(features, image, a_y, a_x)

    monkeypatch.setattr(module, "_CompiledRoIAlign", TwoProducts)
    plain = forward_and_gradient(lambda f, r: roi_pool_average(f, r, (3, 4), SCALE), features, rois)
    torch.testing.assert_close(plain, fast, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pool", NEW.values())
def test_no_rois_and_bad_rois(pool, generator):
    features = feature_map(generator)
    assert pool(features, torch.empty(0, 5), 7, SCALE).shape == (0, 5, 7, 7)
    with pytest.raises(ValueError, match=r"rois\[0\] names image 7 of a batch of 2"):
        pool(features, torch.tensor([[7.0, 0, 0, 1, 1]]), 7, SCALE)


@pytest.mark.parametrize("pool", [roi_warp_max, roi_align_max])
def test_as_many_points_as_cells_is_no_number_of_points(pool, generator):
    with pytest.raises(ValueError, match="sampling_ratio of 1 or more, got -1"):
        pool(feature_map(generator), torch.tensor([[0.0, 0, 0, 90, 90]]), 7, SCALE, -1)


def test_every_pooling_has_the_same_shape_and_no_two_are_the_same(generator):
    features, rois = feature_map(generator), odd_rois(generator)
    pooled = {name: pool(features, rois, (3, 4), SCALE) for name, pool in POOLINGS.items()}
    assert {tuple(values.shape) for values in pooled.values()} == {(len(rois), 5, 3, 4)}
    names = list(pooled)
    for i, one in enumerate(names):
        for other in names[:i]:
            assert (pooled[one] - pooled[other]).abs().max() > 0.05, (one, other)
    assert torch.equal(pooled["roi_pool"], roi_pool(features, rois, (3, 4), SCALE))
