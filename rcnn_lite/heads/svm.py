"""One linear SVM a class, and the search for the negatives that matter (notebook 06).

R-CNN section 2.3 and appendix B. Positives of a class are its ground-truth boxes and nothing else. Negatives are
proposals whose IoU with every object of the class is below 0.3; what lies between is neither. There are a thousand
negatives to a positive, most of them trivial, and their features do not fit in memory, so the negatives are *mined*:
fit on a few, walk over all images and keep those that the SVM gets wrong or nearly so, fit again.

Notation: K classes with background (class 0, which has no SVM), D features, n proposals of one image.

A *stream* stands for the images: a function without arguments that starts a new walk and yields, for one image after
another, (features (n, D), overlaps (n, K)), where overlaps[i, k] is the largest IoU of proposal i with an object of
class k.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from sklearn.svm import LinearSVC
from torch import Tensor

Stream = Callable[[], Iterator[tuple[Tensor, Tensor]]]


@dataclass(frozen=True)
class SVMSettings:
    """The numbers of section 2.3 and, where the paper is silent, of the authors' code (rcnn_train.m)."""

    C: float = 1e-3  # code: svm_C. Goes with features of mean norm 20, see `feature_scale`
    positive_weight: float = 2.0  # code: pos_loss_weight
    bias_scale: float = 10.0  # code: bias_mult. liblinear penalises the bias; a constant feature of 10 makes that mild
    negative_iou: float = 0.3  # section 2.3: a grid search over 0, 0.1, ..., 0.5
    hard_score: float = -1.0  # appendix B: beyond the margin, a negative costs nothing
    easy_score: float = -1.2  # code: evict_thresh, negatives this easy are forgotten again
    first_per_image: int = 5  # random negatives that the first fit sees
    max_new: int = 2000  # the hardest a class takes from one walk; code: retrain_limit
    max_rounds: int = 6  # walks over all images. The paper converged after one
    tolerance: float = 0.02  # converged: a walk adds less than this part of the negatives held


class LinearSVMs(NamedTuple):
    """K linear classifiers: weight (K, D), bias (K,).

    A class that could not be trained has bias -inf and never fires.
    """

    weight: Tensor
    bias: Tensor

    def scores(self, features: Tensor) -> Tensor:
        """(n, D) -> (n, K); above 0 means yes. Column 0, the background, is -inf."""
        return features @ self.weight.T + self.bias


class Negatives(NamedTuple):
    """Negatives of one class: features (m, D), and rows (m,), their place in the walk over all images, as identity."""

    features: Tensor
    rows: Tensor


def feature_scale(features: Tensor, norm: float = 20.0) -> float:
    """The factor that gives features (n, D) a mean Euclidean norm of 20.

    The best C depends on how long the features are, and layers differ a lot. The authors scale all of them to the same
    mean norm, so that one C (and one lambda for the ridge) serves every layer and network.
    """
    mean = float(features.norm(dim=1).mean()) if len(features) else 0.0
    return norm / mean if mean > 0 else 1.0


def fit_svms(positives: list[Tensor], negatives: list[Tensor], settings: SVMSettings = SVMSettings()):
    """One linear SVM for each class: lists of K tensors (p, D) and (m, D) -> LinearSVMs. Entry 0 of both is ignored.

    A class without positives gets bias -inf: it never fires. A class with positives but no negatives fires always, with
    score 1, the margin. ValueError for lists of different lengths, and features of different sizes or not finite.
    """
    if len(positives) != len(negatives):
        raise ValueError(f"there are positives for {len(positives)} classes and negatives for {len(negatives)}")
    size = positives[0].shape[1]
    for name, values in (("positives", positives), ("negatives", negatives)):
        for k, features in enumerate(values[1:], start=1):
            _require_features(features, size, f"{name}[{k}]")
    weight, bias = torch.zeros(len(positives), size), torch.full((len(positives),), -float("inf"))
    for k in range(1, len(positives)):
        if len(positives[k]) and len(negatives[k]):
            weight[k], bias[k] = _fit_one(positives[k], negatives[k], settings)
        elif len(positives[k]):
            bias[k] = 1.0
    return LinearSVMs(weight, bias)


def _fit_one(positive: Tensor, negative: Tensor, settings: SVMSettings) -> tuple[Tensor, float]:
    """Minimise |w|^2 / 2 + C sum max(0, 1 - y (w x + b))^2, the positives counted twice: (p, D), (m, D) -> w (D,), b.

    The authors' hinge loss is not squared. Squared it has the same margin, beyond which an example costs nothing, and a
    smooth minimum that Newton's method always finds; coordinate descent on the plain hinge can fail to converge. On
    held-out training scenes both gave the same mAP within 0.003, each at its best C.
    """
    machine = LinearSVC(
        loss="squared_hinge",
        dual=False,
        C=settings.C,
        class_weight={1: settings.positive_weight},
        intercept_scaling=settings.bias_scale,
    )
    labels = torch.cat((torch.ones(len(positive)), torch.zeros(len(negative))))
    machine.fit(torch.cat((positive, negative)).double().cpu().numpy(), labels.numpy())
    return torch.from_numpy(machine.coef_[0]).float(), float(machine.intercept_[0])


def mine_hard_negatives(
    svms: LinearSVMs, stream: Stream, settings: SVMSettings = SVMSettings(), known: list[Negatives] | None = None
) -> list[Negatives]:
    """One walk over all images: for each class the new negatives with a score above `hard_score`, hardest first.

    At most `max_new` a class are kept; where there are fewer, all of them. Only one image's features and the ones kept
    are in memory. `known`: negatives already held, which are passed over.
    """
    classes, size = svms.weight.shape
    held = [set(n.rows.tolist()) for n in known] if known else [set()] * classes
    found = [_Hardest(settings.max_new, size) for _ in range(classes)]
    start = 0
    for features, overlaps in _walk(stream, classes, size):
        scores = svms.scores(features)  # (n, K)
        hard = (overlaps < settings.negative_iou) & (scores > settings.hard_score)  # (n, K)
        for k in hard.any(dim=0).nonzero().flatten().tolist():
            rows = [i for i in hard[:, k].nonzero().flatten().tolist() if start + i not in held[k]]
            found[k].add(features[rows], torch.tensor(rows, dtype=torch.int64) + start, scores[rows, k])
        start += len(features)
    return [hardest.finish() for hardest in found]


def _walk(stream: Stream, classes: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """One walk, in which each image is checked: features (n, D) that are finite, overlaps (n, K)."""
    for image, (features, overlaps) in enumerate(stream()):
        _require_features(features, size, f"the features of image {image}")
        if overlaps.shape != (len(features), classes):
            expected, got = (len(features), classes), tuple(overlaps.shape)
            raise ValueError(f"the overlaps of image {image} must have shape {expected}, got {got}")
        yield features, overlaps


def _require_features(features: Tensor, size: int, name: str) -> None:
    if features.ndim != 2 or features.shape[1] != size:
        raise ValueError(f"{name} must have shape (n, {size}), got {tuple(features.shape)}")
    if not torch.isfinite(features.sum()) and not torch.isfinite(features).all():  # the sum alone needs no memory
        row = int(torch.nonzero(~torch.isfinite(features))[0, 0])
        raise ValueError(f"{name}: row {row} holds a value that is not finite")


class _Hardest:
    """The `limit` highest-scored of all negatives added so far, in bounded memory."""

    def __init__(self, limit: int, size: int):
        self.limit, self.held = limit, 0
        self.chunks = [(torch.zeros(0, size), torch.zeros(0, dtype=torch.int64), torch.zeros(0))]

    def add(self, features: Tensor, rows: Tensor, scores: Tensor) -> None:
        """Take in the negatives of one image: (m, D), (m,), (m,)."""
        self.chunks.append((features.float().cpu(), rows, scores.float().cpu()))
        self.held += len(rows)
        if self.held > 2 * self.limit:
            self._prune()

    def _prune(self) -> None:
        features, rows, scores = (torch.cat(parts) for parts in zip(*self.chunks, strict=True))
        best = torch.argsort(scores, descending=True, stable=True)[: self.limit]
        self.chunks, self.held = [(features[best], rows[best], scores[best])], len(best)

    def finish(self) -> Negatives:
        """The hardest of all, hardest first."""
        self._prune()
        return Negatives(*self.chunks[0][:2])


def train_svms(
    positives: list[Tensor],
    stream: Stream,
    settings: SVMSettings = SVMSettings(),
    seed: int = 0,
    report: Callable[[dict], None] = lambda line: None,
) -> tuple[LinearSVMs, list[dict]]:
    """Fit on random negatives, then mine and fit again until a walk finds hardly anything new (section 2.3).

    `positives`: K tensors (p, D), entry 0 ignored. Returns the SVMs and one dict a round, also handed to `report` as it
    ends: round; added, negatives new to this round, a class each; held, negatives fitted on, a class each.
    """
    negatives = _random_negatives(stream, len(positives), positives[0].shape[1], settings, seed)
    svms, rounds = fit_svms(positives, [n.features for n in negatives], settings), []
    for index in range(1, settings.max_rounds + 1):
        negatives = [_without_easy(svms, k, n, settings) for k, n in enumerate(negatives)]
        new = mine_hard_negatives(svms, stream, settings, known=negatives)
        negatives = [Negatives(*map(torch.cat, zip(a, b, strict=True))) for a, b in zip(negatives, new, strict=True)]
        svms = fit_svms(positives, [n.features for n in negatives], settings)
        rounds.append({"round": index, "added": [len(n.rows) for n in new], "held": [len(n.rows) for n in negatives]})
        report(rounds[-1])
        if sum(rounds[-1]["added"]) <= settings.tolerance * sum(rounds[-1]["held"]):
            break
    return svms, rounds


def _random_negatives(stream: Stream, num_classes: int, size: int, settings: SVMSettings, seed: int) -> list[Negatives]:
    """Up to `first_per_image` negatives of each class from each image, where there are so many."""
    generator = torch.Generator().manual_seed(seed)
    chunks, start = [[] for _ in range(num_classes)], 0
    for features, overlaps in _walk(stream, num_classes, size):
        order = torch.randperm(len(features), generator=generator)
        for k in range(1, num_classes):
            rows = order[overlaps[order, k] < settings.negative_iou][: settings.first_per_image]
            chunks[k].append((features[rows].float().cpu(), rows + start))
        start += len(features)
    nothing = (torch.zeros(0, size), torch.zeros(0, dtype=torch.int64))
    return [Negatives(*map(torch.cat, zip(nothing, *c, strict=True))) for c in chunks]


def _without_easy(svms: LinearSVMs, k: int, negatives: Negatives, settings: SVMSettings) -> Negatives:
    """Forget the negatives that class k scores below `easy_score`: they have no say in where the boundary lies."""
    keep = negatives.features @ svms.weight[k] + svms.bias[k] >= settings.easy_score
    return Negatives(negatives.features[keep], negatives.rows[keep])
