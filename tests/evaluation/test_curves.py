"""average_precision: hand-worked curves, and what must hold for every curve."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rcnn_lite.evaluation import average_precision

# Three objects; the detections, best first: right, wrong, right, wrong, right.
RECALL = [1 / 3, 1 / 3, 2 / 3, 2 / 3, 1]
PRECISION = [1, 1 / 2, 2 / 3, 1 / 2, 3 / 5]


def test_area_by_hand():
    # envelope 1, 2/3, 2/3, 3/5, 3/5; each third of the recall under its own step
    assert average_precision(RECALL, PRECISION) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_eleven_points_by_hand():
    # 0 .1 .2 .3 see 1; .4 .5 .6 see 2/3; .7 .8 .9 1 see 3/5
    assert average_precision(RECALL, PRECISION, use_07_metric=True) == pytest.approx(
        (4 * 1 + 3 * 2 / 3 + 4 * 3 / 5) / 11
    )


def test_precision_that_rises_is_flattened_from_the_right():
    # wrong, right, right: precision 0, 1/2, 2/3; the envelope is 2/3 everywhere
    assert average_precision([0, 0.5, 1], [0, 1 / 2, 2 / 3]) == pytest.approx(2 / 3)


def test_recall_never_reached_counts_as_zero():
    assert average_precision([0.25], [1.0]) == pytest.approx(0.25)
    assert average_precision([0.25], [1.0], use_07_metric=True) == pytest.approx(3 / 11)


@pytest.mark.parametrize("tenths", range(1, 11))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_level_that_is_met_exactly_is_reached(tenths, dtype):
    # 0.1 * 3 > 0.3 in floating point, and 0.7 in float32 is below 0.7: neither may cost a point
    recall = torch.tensor([tenths], dtype=dtype) / 10
    assert average_precision(recall, torch.ones(1), use_07_metric=True) == pytest.approx((tenths + 1) / 11)


@pytest.mark.parametrize("metric", [False, True])
def test_empty_and_undefined_curves(metric):
    assert average_precision([], [], metric) == 0.0
    assert math.isnan(average_precision([math.nan], [0.0], metric))


@pytest.mark.parametrize("metric", [False, True])
def test_perfect_and_useless(metric):
    assert average_precision([0.5, 1.0], [1.0, 1.0], metric) == 1.0
    assert average_precision([0.0, 0.0], [0.0, 0.0], metric) == 0.0


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 5))
def test_area_is_the_sum_over_objects_of_the_best_precision_from_there(verdicts, missed):
    objects = max(sum(verdicts) + missed, 1)
    right = [sum(verdicts[: n + 1]) for n in range(len(verdicts))]
    precision = [r / (n + 1) for n, r in enumerate(right)]
    expected = sum(
        max((p for r, p in zip(right, precision, strict=True) if r >= k), default=0) for k in range(1, objects + 1)
    )
    assert average_precision([r / objects for r in right], precision) == pytest.approx(expected / objects)


def test_bad_input():
    with pytest.raises(ValueError, match=r"same|shape \(N,\), got \(2,\) and \(1,\)"):
        average_precision([0.1, 0.2], [1.0])
    with pytest.raises(ValueError, match=r"recall\[1\] = 0.1 comes after 0.2"):
        average_precision([0.2, 0.1], [1.0, 1.0])
