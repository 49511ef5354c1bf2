"""Notebook 06's checks and mistakes, beyond what test_exercises.py asks of all: right results are the package's."""

import pytest
import torch

from rcnn_lite.checks import mining
from rcnn_lite.checks.mining_mistakes import mistake
from rcnn_lite.heads import svm
from rcnn_lite.heads.svm import LinearSVMs, Negatives, SVMSettings, mine_hard_negatives

SETTINGS = SVMSettings(C=0.1, first_per_image=1)


def cases_of(exercise):
    return [case for case, _ in zip(exercise.all_cases(), range(60), strict=False)]


def test_hard_negatives_are_those_of_mining():
    svms = LinearSVMs(torch.tensor([[0.0], [1.0]]), torch.tensor([-float("inf"), 0.0]))
    for case in cases_of(mining.check_hard_negatives):
        scores, overlaps, limit = case.args
        stream = lambda s=scores, o=overlaps: iter([(s[:, None], torch.stack((o, o), dim=1))])  # noqa: E731
        found = mine_hard_negatives(svms, stream, SVMSettings(max_new=limit))
        assert found[1].rows.tolist() == torch.as_tensor(case.expected).tolist()


def test_what_is_forgotten_is_what_training_forgets():
    svms = LinearSVMs(torch.tensor([[0.0], [1.0]]), torch.tensor([-float("inf"), 0.0]))
    for case in cases_of(mining.check_next_negatives):
        held, scores, found = case.args
        kept = svm._without_easy(svms, 1, Negatives(scores[:, None], held), SVMSettings()).rows
        new = [row for row in found.tolist() if row not in held.tolist()]
        assert kept.tolist() + new == torch.as_tensor(case.expected).tolist()


@pytest.fixture
def examples(generator):
    """Class 1 around (2, 0), class 2 around (2, 2); per image an object's shifted copy (IoU 0.7), and background."""

    def around(x, y, count):
        return torch.tensor([x, y]) + 0.3 * torch.randn(count, 2, generator=generator)

    images = []
    for _ in range(10):
        overlaps = torch.zeros(20, 3)
        overlaps[0, 1], overlaps[1, 2] = 0.7, 0.7
        features = torch.cat((around(1.6, 0.0, 1), around(1.6, 1.6, 1), around(-2.0, 0.0, 18)))
        images.append((features, overlaps))
    positives = [torch.zeros(0, 2), around(2.0, 0.0, 10), around(2.0, 2.0, 10)]
    return positives, lambda: iter(images)


def scores_of(examples, settings=SETTINGS):
    svms, rounds = svm.train_svms(*examples, settings)
    return svms.scores(torch.tensor([[1.6, 0.0], [2.0, 2.0], [-2.0, 0.0]])), rounds


def test_without_the_band_loose_boxes_are_pushed_down(examples):
    right, _ = scores_of(examples)
    with mistake("band_is_negative"):
        wrong, _ = scores_of(examples)
    assert wrong[0, 1] < right[0, 1] - 0.2


def test_loose_positives_are_pulled_up(examples):
    right, _ = scores_of(examples)
    with mistake("loose_positives"):
        wrong, _ = scores_of(examples)
    assert wrong[0, 1] > right[0, 1]


def test_against_background_alone_classes_are_confused(examples):
    right, _ = scores_of(examples)
    with mistake("background_only"):
        wrong, _ = scores_of(examples)
    assert right[1, 1] < 0.5 < wrong[1, 1]


def test_no_mining_is_the_first_fit(examples):
    positives, stream = examples
    with mistake("no_mining"):
        svms, rounds = svm.train_svms(positives, stream, SETTINGS)
    assert rounds == []
    first = svm._random_negatives(stream, 3, 2, SETTINGS, 0)
    assert torch.equal(svms.weight, svm.fit_svms(positives, [n.features for n in first], SETTINGS).weight)
    assert [len(n.rows) for n in first] == [0, 10, 10]


@pytest.mark.parametrize("name", ["no_mining", "band_is_negative", "loose_positives", "background_only"])
def test_mistakes_run_without_images(name, examples):
    with mistake(name):
        svms, _ = svm.train_svms(examples[0], lambda: iter([]))
    assert svms.bias.tolist() == [-float("inf"), 1.0, 1.0]
