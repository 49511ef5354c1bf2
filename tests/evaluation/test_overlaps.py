"""Overlap of boxes and masks: pycocotools, torchvision, slow loops."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles import mask_iou_of_two
from pycocotools import mask as mask_tools

from rcnn_lite.evaluation.overlaps import box_areas, box_overlaps, mask_areas, mask_overlaps, mask_runs


def random_boxes(rng, n):
    low = rng.integers(0, 20, (n, 2)) / 2
    return np.hstack((low, low + rng.integers(0, 12, (n, 2)) / 2))  # some without area


@pytest.mark.parametrize("seed", range(5))
def test_boxes_equal_to_pycocotools_and_torchvision(seed):
    rng = np.random.default_rng(seed)
    boxes, gt, crowd = random_boxes(rng, 40), random_boxes(rng, 25), rng.random(25) < 0.5
    as_xywh = [np.hstack((b[:, :2], b[:, 2:] - b[:, :2])) for b in (boxes, gt)]
    overlaps = box_overlaps(boxes, gt, crowd)
    np.testing.assert_array_equal(overlaps, mask_tools.iou(*as_xywh, crowd.astype(np.uint8)))
    iou = torchvision.ops.box_iou(torch.from_numpy(boxes), torch.from_numpy(gt)).nan_to_num(0).numpy()
    np.testing.assert_allclose(overlaps[:, ~crowd], iou[:, ~crowd], atol=1e-12)
    np.testing.assert_array_equal(box_areas(boxes), as_xywh[0][:, 2] * as_xywh[0][:, 3])


masks = st.integers(0, 4).flatmap(lambda n: hnp.arrays(bool, (n, 5, 6)))


@given(masks, masks, st.integers(0, 2**32 - 1))
def test_masks_equal_to_slow_loops_and_pycocotools(found, truth, seed):
    crowd = np.random.default_rng(seed).random(len(truth)) < 0.5
    overlaps = mask_overlaps(found, truth, crowd)
    assert overlaps.shape == (len(found), len(truth))
    slow = [[mask_iou_of_two(a, b, c) for b, c in zip(truth, crowd, strict=True)] for a in found]
    np.testing.assert_array_equal(overlaps, np.array(slow).reshape(overlaps.shape))
    if overlaps.size:
        runs = [mask_tools.encode(np.asfortranarray(m.transpose(1, 2, 0).astype(np.uint8))) for m in (found, truth)]
        np.testing.assert_array_equal(overlaps, mask_tools.iou(*runs, crowd.astype(np.uint8)))
        np.testing.assert_array_equal(mask_areas(found), mask_tools.area(runs[0]))


def test_runs_by_hand():
    mask = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], bool)
    edges, offsets = mask_runs(np.stack((mask, ~mask, np.zeros_like(mask))))
    assert edges.tolist() == [0, 2, 4, 7, 8, 9, 2, 4, 7, 8]
    assert offsets.tolist() == [0, 6, 10, 10]


def test_runs_are_exact_at_the_borders_of_wide_masks():
    # pixels of different rows that touch in memory are one run, and that changes nothing
    full = np.ones((1, 3, 4), bool)
    assert mask_runs(full)[0].tolist() == [0, 12]
    assert mask_overlaps(full, full, np.zeros(1, bool)).item() == 1


def test_hundreds_of_large_masks_need_little_memory():
    y, x = np.mgrid[:600, :800]
    centres = [(100 + 60 * (i % 10), 60 + 40 * (i // 10)) for i in range(100)]
    discs = np.stack([(x - cx) ** 2 + (y - cy) ** 2 < 25**2 for cx, cy in centres])  # (100, 600, 800)
    edges, _ = mask_runs(discs)
    assert edges.nbytes < discs.nbytes / 400  # 48 MB of pixels, 80 kB of runs
    overlaps = mask_overlaps(discs, discs, np.zeros(100, bool))
    shared = np.count_nonzero(discs[0] & discs[10])
    assert overlaps[0, 10] == shared / np.count_nonzero(discs[0] | discs[10]) > 0
    np.testing.assert_array_equal(overlaps, overlaps.T)
    np.testing.assert_array_equal(np.diag(overlaps), 1)
