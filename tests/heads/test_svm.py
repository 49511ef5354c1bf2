"""SVMs and their negatives.

What counts as a negative, mining against a search through everything, memory, and classes that lack examples.
"""

import weakref

import numpy as np
import pytest
import torch

from rcnn_lite.heads.svm import (
    LinearSVMs,
    Negatives,
    SVMSettings,
    feature_scale,
    fit_svms,
    mine_hard_negatives,
    train_svms,
)

SETTINGS = SVMSettings(C=0.05, positive_weight=1.0)


def blobs(number, centre, generator, spread=0.3):
    return torch.tensor(centre) + spread * torch.randn(number, len(centre), generator=generator)


@pytest.fixture
def stream(generator):
    """Twelve images with 30 proposals: class 1 lies around (3, 0), class 2 around (0, 3), the rest around (0, 0)."""
    images = []
    for _ in range(12):
        features = torch.cat(
            [blobs(20, [0.0, 0.0], generator, 1.0), blobs(5, [3.0, 0.0], generator), blobs(5, [0.0, 3.0], generator)]
        )
        overlaps = torch.zeros(30, 3)
        overlaps[20:25, 1] = 0.8
        overlaps[25:, 2] = 0.8
        images.append((features, overlaps))
    return lambda: iter(images)


@pytest.fixture
def positives(generator):
    return [torch.zeros(0, 2), blobs(15, [3.0, 0.0], generator), blobs(15, [0.0, 3.0], generator)]


def test_the_boundary_in_one_dimension_by_hand():
    """Positives at 2 and 3, negatives at 0 and -1: the widest margin lies between 0 and 2, so w = 1 and b = -1."""
    svms = fit_svms(
        [torch.zeros(0, 1), torch.tensor([[2.0], [3.0]])],
        [torch.zeros(0, 1), torch.tensor([[0.0], [-1.0]])],
        SVMSettings(C=1e4, positive_weight=1.0),
    )
    assert svms.weight[1].item() == pytest.approx(1.0, abs=0.01)
    assert svms.bias[1].item() == pytest.approx(-1.0, abs=0.01)
    assert svms.scores(torch.tensor([[5.0]]))[0].tolist() == pytest.approx([-np.inf, 4.0], abs=0.05)


def test_missed_positives_count_twice(generator):
    """With classes that overlap, weight on the positives moves the boundary towards the negatives."""
    positive, negative = blobs(200, [1.0], generator, 1.0), blobs(200, [-1.0], generator, 1.0)
    nothing = torch.zeros(0, 1)
    found = []
    for weight in (1.0, 2.0):
        svms = fit_svms([nothing, positive], [nothing, negative], SVMSettings(C=0.01, positive_weight=weight))
        found.append(int((svms.scores(positive)[:, 1] > 0).sum()))
    assert found[1] > found[0]


def test_the_fit_is_the_minimum_of_its_objective(generator):
    """|w|^2 / 2 + (b / 10)^2 / 2 + C sum c max(0, 1 - y s)^2 has no slope there: c is 2 for positives, 1 for others."""
    positive, negative = blobs(40, [1.0, 0.0], generator, 1.0), blobs(60, [-1.0, 0.0], generator, 1.0)
    nothing = torch.zeros(0, 2)
    svms = fit_svms([nothing, positive], [nothing, negative], SVMSettings(C=0.1, positive_weight=2.0, bias_scale=10.0))
    w, b = svms.weight[1].double().requires_grad_(), svms.bias[1].double().requires_grad_()
    short = lambda x, y: (1 - y * (x.double() @ w + b)).clamp(min=0) ** 2  # noqa: E731
    losses = 2 * short(positive, 1).sum() + short(negative, -1).sum()
    (w.square().sum() / 2 + (b / 10) ** 2 / 2 + 0.1 * losses).backward()
    torch.testing.assert_close(w.grad, torch.zeros(2).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(b.grad, torch.zeros(()).double(), atol=0.02, rtol=0)
    assert abs(b.item()) > 0.1  # so that its penalty matters


def test_classes_without_examples_are_defined():
    some, nothing = torch.ones(3, 2), torch.zeros(0, 2)
    svms = fit_svms([nothing, nothing, some, some], [nothing, some, nothing, -some], SETTINGS)
    scores = svms.scores(torch.randn(5, 2, generator=torch.Generator().manual_seed(0)))
    assert (scores[:, 0] == -np.inf).all()  # background
    assert (scores[:, 1] == -np.inf).all()  # no positives: never
    assert (scores[:, 2] == 1.0).all()  # no negatives: always
    assert svms.scores(some)[0, 3] > 0
    with pytest.raises(ValueError, match="positives for 2 classes and negatives for 3"):
        fit_svms([nothing] * 2, [nothing] * 3)


def test_features_that_cannot_be_learned_from_are_named(positives):
    nothing, some = torch.zeros(0, 2), torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"negatives\[1\] must have shape \(n, 2\), got \(3, 5\)"):
        fit_svms([nothing, some], [nothing, torch.ones(3, 5)])
    broken = torch.tensor([[0.0, 1.0], [float("nan"), 0.0]])
    with pytest.raises(ValueError, match=r"positives\[1\]: row 1 holds a value that is not finite"):
        fit_svms([nothing, broken], [nothing, some])
    good = (some, torch.zeros(3, 3))
    for bad, words in (
        ((torch.ones(3, 4), torch.zeros(3, 3)), r"the features of image 1 must have shape \(n, 2\), got \(3, 4\)"),
        ((some, torch.zeros(2, 3)), r"the overlaps of image 1 must have shape \(3, 3\), got \(2, 3\)"),
        ((some, torch.zeros(3, 2)), r"the overlaps of image 1 must have shape \(3, 3\), got \(3, 2\)"),
        ((broken, torch.zeros(2, 3)), "the features of image 1: row 1 holds a value that is not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            train_svms(positives, lambda bad=bad: iter([good, bad]), SETTINGS)
        svms = LinearSVMs(torch.zeros(3, 2), torch.zeros(3))
        with pytest.raises(ValueError, match=words):
            mine_hard_negatives(svms, lambda bad=bad: iter([good, bad]))


def test_fewer_negatives_than_asked_for_are_all_used(positives):
    """Three negatives in all, asked for 5 an image and 2,000 a walk; and a class whose only proposals are ignored."""
    features = torch.tensor([[0.0, 0.0], [0.5, 0.0], [2.0, 0.0]])
    overlaps = torch.tensor([[0.0, 0.0, 0.9], [0.0, 0.0, 0.9], [0.0, 0.0, 0.5]])
    svms, rounds = train_svms(positives, lambda: iter([(features, overlaps)]), SVMSettings(C=1.0, easy_score=-9.0))
    assert rounds[-1]["held"] == [0, 3, 0]
    assert svms.bias[2] == 1.0
    assert (svms.weight[2] == 0).all()


def test_mining_equals_a_search_through_everything(stream):
    """Score above -1 and IoU below 0.3, the hardest first, at most so many."""
    svms = LinearSVMs(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.tensor([-np.inf, -1.5, -1.5]))
    features, overlaps = (torch.cat(parts) for parts in zip(*stream(), strict=True))
    for limit in (7, 10_000):
        found = mine_hard_negatives(svms, stream, SVMSettings(max_new=limit))
        for k in (1, 2):
            scored = [(float(features[i, k - 1]) - 1.5, i) for i in range(len(features))]
            expected = [i for s, i in sorted(scored, reverse=True) if s > -1 and overlaps[i, k] < 0.3][:limit]
            assert found[k].rows.tolist() == expected
            assert torch.equal(found[k].features, features[expected])
        assert len(found[0].rows) == 0
    assert len(found[1].rows) > 20  # fewer than asked: all there are


def test_the_ignored_band_is_never_mined(stream):
    """A threshold of 0.9 makes the objects themselves negatives; 0.3 leaves them out, and so does exactly 0.3."""
    svms = LinearSVMs(torch.zeros(3, 2), torch.zeros(3))  # everything is hard
    rows = mine_hard_negatives(svms, stream)[1].rows % 30
    assert sorted(set(rows.tolist())) == [*range(20), *range(25, 30)]
    assert len(mine_hard_negatives(svms, stream, SVMSettings(negative_iou=0.9))[1].rows) == 12 * 30
    exactly = lambda: iter([(torch.zeros(1, 2), torch.full((1, 3), 0.3))])  # noqa: E731
    assert len(mine_hard_negatives(svms, exactly)[1].rows) == 0


def test_negatives_already_held_are_passed_over(stream):
    svms = LinearSVMs(torch.zeros(3, 2), torch.zeros(3))
    first = mine_hard_negatives(svms, stream, SVMSettings(max_new=50))
    second = mine_hard_negatives(svms, stream, SVMSettings(max_new=50), known=first)
    assert len(first[1].rows) == len(second[1].rows) == 50
    assert not set(first[1].rows.tolist()) & set(second[1].rows.tolist())


def test_mining_makes_the_hard_negatives_right(stream, positives):
    """Negatives of class 1 include class 2 and stragglers near (3, 0); after mining fewer of them score above zero."""
    settings = SVMSettings(C=0.05, positive_weight=8.0, first_per_image=1)
    svms, rounds = train_svms(positives, stream, settings)
    features, overlaps = (torch.cat(parts) for parts in zip(*stream(), strict=True))
    scores = svms.scores(features)
    for k in (1, 2):
        assert float((scores[overlaps[:, k] < 0.3, k] > 0).float().mean()) < 0.05
        assert float((scores[overlaps[:, k] > 0.3, k] > 0).float().mean()) > 0.9
    assert 1 <= len(rounds) < settings.max_rounds  # converged
    assert sum(rounds[0]["added"]) > sum(rounds[-1]["added"])
    assert rounds[0].keys() == {"round", "added", "held"}


def test_easy_negatives_are_forgotten(positives):
    """Negatives at -20 lie far beyond the margin of the first fit; only those near the positives stay to the end."""
    far, near = torch.tensor([[-20.0, 0.0]]).expand(5, 2), torch.tensor([[2.0, 0.0]]).expand(5, 2)
    stream = lambda: iter([(torch.cat((far, near)), torch.zeros(10, 3))])  # noqa: E731
    _, rounds = train_svms(positives, stream, SVMSettings(C=0.05, first_per_image=10))
    assert rounds[0]["held"][1] == 5


def test_mining_ends_when_a_walk_adds_little(stream, positives):
    """With 5 new ones a walk: until a walk finds nothing, until it adds at most a fifth of what is held, or 3 walks."""
    settings = SVMSettings(C=0.05, max_new=5, first_per_image=1, max_rounds=40)
    added = {}
    for tolerance in (0.0, 0.2):
        _, rounds = train_svms(positives, stream, SVMSettings(**vars(settings) | {"tolerance": tolerance}))
        added[tolerance] = [sum(line["added"]) / sum(line["held"]) for line in rounds]
        assert all(share > tolerance for share in added[tolerance][:-1])
        assert added[tolerance][-1] <= tolerance
    assert len(added[0.2]) < len(added[0.0]) < 40
    _, rounds = train_svms(positives, stream, SVMSettings(**vars(settings) | {"tolerance": 0.0, "max_rounds": 3}))
    assert len(rounds) == 3


def test_training_is_reproducible_and_reports_each_round(stream, positives):
    lines = []
    first, rounds = train_svms(positives, stream, SETTINGS, seed=3, report=lines.append)
    again, _ = train_svms(positives, stream, SETTINGS, seed=3)
    assert lines == rounds
    assert torch.equal(first.weight, again.weight)
    assert torch.equal(first.bias, again.bias)


def test_without_images_or_positives(positives):
    empty = lambda: iter([])  # noqa: E731
    svms, _ = train_svms(positives, empty, SETTINGS)
    assert svms.bias.tolist() == [-np.inf, 1.0, 1.0]
    no_proposals = lambda: iter([(torch.zeros(0, 2), torch.zeros(0, 3))])  # noqa: E731
    svms, _ = train_svms([torch.zeros(0, 2)] * 3, no_proposals, SETTINGS)
    assert svms.bias.tolist() == [-np.inf] * 3


def test_only_one_image_is_in_memory_at_a_time(positives):
    alive, most = weakref.WeakSet(), []

    class Features(torch.Tensor):
        pass

    def walk():
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            features = torch.randn(50, 2, generator=generator).as_subclass(Features)
            alive.add(features)
            most.append(sum(t.shape == (50, 2) for t in alive))
            yield features, torch.zeros(50, 3)

    train_svms(positives, walk, SVMSettings(max_new=10, max_rounds=2))
    assert max(most) <= 2  # the one in use, and the one being made


def test_features_are_scaled_to_a_mean_norm_of_20(generator):
    features = 7 * torch.randn(40, 9, generator=generator)
    assert float((features * feature_scale(features)).norm(dim=1).mean()) == pytest.approx(20.0, rel=1e-5)
    assert feature_scale(torch.zeros(0, 9)) == 1.0
    assert feature_scale(torch.zeros(4, 9)) == 1.0


def test_settings_of_the_paper():
    settings = SVMSettings()
    assert (settings.negative_iou, settings.hard_score) == (0.3, -1.0)
    assert isinstance(Negatives(torch.zeros(0, 1), torch.zeros(0)), tuple)
