"""Notebook 07's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch
from sklearn.linear_model import Ridge

from rcnn_lite import boxes
from rcnn_lite.checks import regressing
from rcnn_lite.checks.regressing_mistakes import mistake
from rcnn_lite.heads import ridge
from rcnn_lite.models.feature_store import close_pairs


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(60), strict=False)]


def test_pairs_are_those_of_the_package():
    for case in cases_of(regressing.check_select_pairs):
        proposals, objects, threshold = case.args
        rows, nearest = close_pairs({"proposals": proposals, "objects": objects}, threshold)
        assert (rows.tolist(), nearest.tolist()) == tuple(torch.as_tensor(part).tolist() for part in case.expected)


def test_the_objective_is_the_one_that_ridge_minimises(generator):
    objective = regressing.check_ridge_objective.reference
    X, Y = torch.randn(9, 3, generator=generator).double(), torch.randn(9, 2, generator=generator).double()
    W, b = ridge.fit_ridge(X, Y, 2.0)
    least = objective(X, Y, W, b, 2.0)
    for _ in range(10):
        step = 0.01 * torch.randn(4, 2, generator=generator).double()
        assert objective(X, Y, W + step[:3], b + step[3], 2.0) > least


def test_ridge_weights_are_scikit_learns():
    for case in cases_of(regressing.check_ridge_weights):
        X, Y, lam = case.args
        trusted = Ridge(alpha=lam).fit(X.double().numpy(), Y.double().numpy())
        W, b = (torch.as_tensor(part).double() for part in case.expected)
        torch.testing.assert_close(W.T, torch.from_numpy(trusted.coef_).reshape(W.T.shape), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(b, torch.from_numpy(trusted.intercept_).reshape(b.shape), atol=1e-5, rtol=1e-5)


@pytest.fixture
def pairs(generator):
    """Objects of class 1 lie half a width to the right of their proposals, those of class 2 are twice as wide."""
    proposals = torch.tensor([[10.0, 10.0, 30.0, 40.0]]).repeat(8, 1)
    labels = torch.tensor([1, 2] * 4)
    right, wide = torch.tensor([20.0, 10.0, 40.0, 40.0]), torch.tensor([0.0, 10.0, 40.0, 40.0])
    objects = torch.where((labels == 1)[:, None], right, wide)
    return torch.randn(8, 3, generator=generator), proposals, objects, labels


def moved(pairs, lam=1.0):
    features, proposals, _, labels = pairs
    maps = ridge.fit_box_regressors(*pairs, 3, lam)
    return boxes.decode_boxes(maps.predict(features)[labels, torch.arange(8)], proposals)


def test_without_a_mistake_the_boxes_arrive(pairs):
    torch.testing.assert_close(moved(pairs), pairs[2], atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("name", "class_1", "class_2"),
    [
        ("targets_inverted", [0.0, 10.0, 20.0, 40.0], [15.0, 10.0, 25.0, 40.0]),
        ("targets_by_object", [20.0, 10.0, 40.0, 40.0], [0.0, 10.0, 40.0, 40.0]),  # equal widths, equal centres
        ("maps_one_off", [10.0, 10.0, 30.0, 40.0], [20.0, 10.0, 40.0, 40.0]),
    ],
)
def test_each_mistake_by_hand(name, class_1, class_2, pairs):
    with mistake(name):
        found = moved(pairs)
    torch.testing.assert_close(found[:2], torch.tensor([class_1, class_2]), atol=1e-3, rtol=0)
    torch.testing.assert_close(moved(pairs), pairs[2], atol=1e-3, rtol=0)


def test_targets_by_object_count_in_its_widths():
    small, large = torch.tensor([[0.0, 0.0, 10.0, 10.0]]), torch.tensor([[0.0, 0.0, 20.0, 10.0]])
    assert boxes.encode_boxes(large, small)[0, 0].item() == pytest.approx(0.5)
    with mistake("targets_by_object"):
        assert boxes.encode_boxes(large, small)[0, 0].item() == pytest.approx(0.25)


def test_without_penalty_training_pairs_are_fitted_exactly(generator):
    X, Y = torch.randn(4, 9, generator=generator), torch.randn(4, 4, generator=generator)
    assert (ridge.fit_ridge(X, Y, 1000.0).predict(X) - Y).abs().max() > 0.1
    with mistake("no_penalty"):
        torch.testing.assert_close(ridge.fit_ridge(X, Y, 1000.0).predict(X), Y, atol=1e-3, rtol=0)
