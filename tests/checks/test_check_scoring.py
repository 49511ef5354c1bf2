"""The checks of notebook 16 agree with the package, and the package with what is worked out by hand."""

import numpy as np
import pytest
import torch

from rcnn_lite.checks import scoring
from rcnn_lite.evaluation import comparing


def test_the_front_of_the_package_is_that_of_the_check():
    for case in scoring.check_not_beaten.all_cases():
        assert comparing.pareto_front(*(each.tolist() for each in case.args)) == case.expected.tolist()


def test_the_gains_of_the_package_are_those_of_the_check():
    for case in scoring.check_gains_in_recall.all_cases():
        torch.testing.assert_close(comparing.resampled_gains(*case.args), torch.as_tensor(case.expected).float())


def test_the_verdicts_of_the_package_are_those_of_the_check():
    for case in scoring.check_judge.all_cases():
        gain, margin = case.args[0].tolist(), case.args[1]
        said = comparing.alike(gain, margin) if margin else comparing.better(gain)
        assert said == case.expected


def test_the_speed_of_the_package_is_that_of_the_check():
    for case in scoring.check_times_as_fast.all_cases():
        stages, name, factor = case.args
        assert comparing.speed_up(stages, {name: stages[name] / factor}) == pytest.approx(case.expected)


def test_both_detectors_see_the_same_sets():
    rng = np.random.default_rng(0)
    objects = torch.from_numpy(rng.integers(1, 6, 60))
    easy = torch.from_numpy(rng.random(60))
    hits, other = (torch.round(objects * (easy * share)).long() for share in (0.95, 0.9))
    draws = torch.from_numpy(rng.integers(0, 60, (400, 60)))
    paired = comparing.resampled_gains(hits, other, objects, draws)
    apart = comparing.resampled_gains(hits, 0 * other, objects, draws)
    apart -= comparing.resampled_gains(other, 0 * other, objects, draws.flip(0))
    assert paired.std() < apart.std() / 2


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="seconds for 2 detectors and scores for 1"):
        comparing.pareto_front([0.1, 0.2], [0.5])
    ones = torch.ones(2, dtype=torch.int64)
    with pytest.raises(ValueError, match="are of 2, 1 and 2 images"):
        comparing.resampled_gains(ones, ones[:1], ones, torch.zeros(1, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"draws\[1\] has no objects"):
        comparing.resampled_gains(0 * ones, 0 * ones, torch.tensor([1, 0]), torch.tensor([[0, 1], [1, 1]]))
    with pytest.raises(ValueError, match="there is no stage 'masks' before: heads"):
        comparing.speed_up({"heads": 1.0}, {"masks": 1.0})
    with pytest.raises(ValueError, match="no stage takes any time"):
        comparing.speed_up({"heads": 1.0}, {"heads": 0.0})
    with pytest.raises(ValueError, match="low > high"):
        comparing.better((0.2, 0.1))
    with pytest.raises(ValueError, match="must not be negative"):
        comparing.alike((0.0, 0.1), -1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        comparing.not_worse((0.0, 0.1), -1.0)
