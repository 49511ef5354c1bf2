"""Ridge: equal to scikit-learn's, by hand in one dimension, degenerate systems, one regressor a class."""

import pytest
import torch
from sklearn.linear_model import Ridge

from rcnn_lite.boxes import decode_boxes
from rcnn_lite.heads.ridge import LinearMap, fit_box_regressors, fit_ridge


@pytest.mark.parametrize(("pairs", "features"), [(60, 7), (7, 60), (20, 20), (1, 5), (2, 1)])
@pytest.mark.parametrize("lam", [1e-3, 1.0, 1000.0])
def test_equals_scikit_learn(pairs, features, lam, generator):
    X = torch.randn(pairs, features, dtype=torch.float64, generator=generator) * 3 + 5
    Y = torch.randn(pairs, 4, dtype=torch.float64, generator=generator) - 2
    weight, bias = fit_ridge(X, Y, lam)
    trusted = Ridge(alpha=lam, solver="svd").fit(X.numpy(), Y.numpy())
    torch.testing.assert_close(weight.T, torch.from_numpy(trusted.coef_).reshape(4, -1), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(bias, torch.from_numpy(trusted.intercept_), atol=1e-6, rtol=1e-6)


def test_one_dimension_by_hand():
    """x = -1, 1 and y = 2, 8: centred y = -3, 3; w = 6 / (2 + lam) = 2 for lam = 1, b = 5."""
    line = fit_ridge(torch.tensor([[-1.0], [1.0]]), torch.tensor([[2.0], [8.0]]), lam=1.0)
    assert line.weight.item() == pytest.approx(2.0)
    assert line.bias.item() == pytest.approx(5.0)
    assert line.predict(torch.tensor([[10.0]])).item() == pytest.approx(25.0)


def test_the_bias_is_not_penalised(generator):
    X, Y = torch.randn(30, 3, generator=generator), torch.full((30, 4), 7.0)
    weight, bias = fit_ridge(X, Y, lam=1e6)
    torch.testing.assert_close(weight, torch.zeros(3, 4), atol=1e-6, rtol=0)
    torch.testing.assert_close(bias, torch.full((4,), 7.0))


def test_the_solution_is_a_minimum(generator):
    X = torch.randn(40, 6, dtype=torch.float64, generator=generator)
    Y = torch.randn(40, 2, dtype=torch.float64, generator=generator)
    weight, bias = fit_ridge(X, Y, lam=10.0)
    loss = lambda w, b: ((Y - X @ w - b) ** 2).sum() + 10.0 * (w**2).sum()  # noqa: E731
    for _ in range(20):
        step = 1e-3 * torch.randn(7, 2, dtype=torch.float64, generator=generator)
        assert loss(weight + step[:6], bias + step[6]) > loss(weight, bias)


def test_rank_deficient_features_are_fine_with_a_penalty_and_refused_without(generator):
    X = torch.randn(50, 2, dtype=torch.float64, generator=generator)
    X = torch.cat((X, X[:, :1], torch.zeros(50, 1)), dim=1)  # a feature twice, and one that is always zero
    Y = torch.randn(50, 4, dtype=torch.float64, generator=generator)
    weight, _ = fit_ridge(X, Y, lam=1.0)
    torch.testing.assert_close(weight[0], weight[2])  # the twins share the work
    assert weight[3].abs().max() == 0
    with pytest.raises(ValueError, match="lam = 0 and the features do not determine the solution"):
        fit_ridge(X, Y, lam=0)
    with pytest.raises(ValueError, match="choose lam > 0"):
        fit_ridge(X[:2, :3], Y[:2], lam=0)


def test_without_penalty_it_is_least_squares(generator):
    X = torch.randn(30, 4, dtype=torch.float64, generator=generator)
    Y = X @ torch.arange(8.0, dtype=torch.float64).reshape(4, 2) + 3
    weight, bias = fit_ridge(X, Y, lam=0)
    torch.testing.assert_close(weight, torch.arange(8.0, dtype=torch.float64).reshape(4, 2))
    torch.testing.assert_close(bias, torch.full((2,), 3.0, dtype=torch.float64))


def test_no_pairs_predict_no_movement():
    weight, bias = fit_ridge(torch.zeros(0, 5), torch.zeros(0, 4))
    assert weight.shape == (5, 4)
    assert not weight.any()
    assert not bias.any()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"shapes \(N, D\) and \(N, T\), got \(3, 2\) and \(4, 4\)"):
        fit_ridge(torch.zeros(3, 2), torch.zeros(4, 4))
    with pytest.raises(ValueError, match=r"X\[1\] holds a value that is not finite"):
        fit_ridge(torch.tensor([[0.0], [float("nan")]]), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="lam must not be negative, got -1"):
        fit_ridge(torch.zeros(3, 2), torch.zeros(3, 4), lam=-1)
    with pytest.raises(ValueError, match=r"labels must lie in 1 .. 2, got 0 .. 2"):
        fit_box_regressors(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2, 4), torch.tensor([0, 2]), 3)
    with pytest.raises(ValueError, match="must have one row a pair, got 3, 2, 2 and 2"):
        fit_box_regressors(torch.zeros(3, 3), torch.zeros(2, 4), torch.zeros(2, 4), torch.tensor([1, 2]), 3)
    flat = torch.tensor([[0.0, 0.0, 5.0, 5.0], [3.0, 0.0, 3.0, 5.0]])
    with pytest.raises(ValueError, match=r"reference\[1\] has x2 <= x1"):
        fit_box_regressors(torch.zeros(2, 3), flat, flat[:1].expand(2, 4), torch.tensor([1, 2]), 3)


def test_each_class_learns_its_own_movement(generator):
    """Objects of class 1 lie half a width to the right of their proposals, those of class 2 are twice as high.

    Class 3 is absent.
    """
    corners = torch.rand(80, 2, generator=generator) * 50
    boxes = torch.cat((corners, corners + 10 + torch.rand(80, 2, generator=generator) * 20), dim=1)
    labels = torch.arange(80) % 2 + 1
    width, height = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
    zero = torch.zeros(80)
    right = boxes + torch.stack((width / 2, zero, width / 2, zero), dim=1)
    high = boxes + torch.stack((zero, -height / 2, zero, height / 2), dim=1)
    gt_boxes = torch.where((labels == 1)[:, None], right, high)
    features = torch.randn(80, 12, generator=generator)
    maps = fit_box_regressors(features, boxes, gt_boxes, labels, num_classes=4)
    assert isinstance(maps, LinearMap)
    deltas = maps.predict(features)  # (4, 80, 4)
    torch.testing.assert_close(decode_boxes(deltas[1], boxes), right, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(decode_boxes(deltas[2], boxes), high, atol=1e-3, rtol=1e-4)
    assert not deltas[3].any()
    assert not deltas[0].any()


def test_deltas_do_not_depend_on_scale_and_place(generator):
    """Section C of the paper: targets are relative, so the same pairs, moved and enlarged, give the same regressor."""
    features = torch.randn(20, 3, generator=generator)
    boxes = torch.tensor([10.0, 20.0, 30.0, 50.0]) + 3 * torch.randn(20, 4, generator=generator)
    gt_boxes = torch.tensor([10.0, 20.0, 30.0, 50.0]).expand(20, 4)
    labels = torch.ones(20, dtype=torch.int64)
    here = fit_box_regressors(features, boxes, gt_boxes, labels, 2, lam=1.0)
    there = fit_box_regressors(features, 8 * boxes + 64, 8 * gt_boxes + 64, labels, 2, lam=1.0)
    torch.testing.assert_close(here.weight, there.weight, atol=1e-5, rtol=1e-4)


def test_classes_without_pairs_and_no_pairs_at_all(generator):
    """One pair of class 2: with lambda it gives a bias, its own movement; the others stay."""
    box, moved = torch.tensor([[0.0, 0.0, 10.0, 10.0]]), torch.tensor([[5.0, 0.0, 15.0, 10.0]])
    maps = fit_box_regressors(torch.randn(1, 6, generator=generator), box, moved, torch.tensor([2]), num_classes=4)
    assert not maps.weight.any()
    assert maps.bias.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 0]]
    nothing = torch.zeros(0, 4)
    maps = fit_box_regressors(torch.zeros(0, 6), nothing, nothing, torch.zeros(0, dtype=torch.int64), num_classes=4)
    assert maps.weight.shape == (4, 6, 4)
    assert not maps.weight.any()
    assert maps.predict(torch.zeros(0, 6)).shape == (4, 0, 4)


def test_both_systems_give_the_same_solution(generator):
    """With one pair fewer or more than features the code solves N or D equations; both must be the ridge solution."""
    X, Y = torch.randn(9, 8, generator=generator).double(), torch.randn(9, 4, generator=generator).double()
    for pairs in (7, 8, 9):
        weight, bias = fit_ridge(X[:pairs], Y[:pairs], 3.0)
        X_c, Y_c = X[:pairs] - X[:pairs].mean(0), Y[:pairs] - Y[:pairs].mean(0)
        torch.testing.assert_close(X_c.T @ (Y_c - X_c @ weight), 3.0 * weight)
        torch.testing.assert_close((Y[:pairs] - X[:pairs] @ weight - bias).mean(0), torch.zeros(4).double())
