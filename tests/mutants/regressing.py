"""Wrong and right answers to notebook 07's exercises, written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import numpy as np
import torch

from rcnn_lite.boxes import box_iou

# ---- select_pairs ----


def _by_hand(boxes, gt_boxes):
    """IoUs as nested lists."""
    return box_iou(boxes, gt_boxes).tolist() if len(gt_boxes) else [[] for _ in range(len(boxes))]


def _selected(accept, choose):
    """Pairs by a rule on a box's IoUs and a choice among the objects."""

    def answer(boxes, gt_boxes, threshold):
        found = [
            (i, choose(v, threshold)) for i, v in enumerate(_by_hand(boxes, gt_boxes)) if v and accept(v, threshold)
        ]
        return [row for row, _ in found], [j for _, j in found]

    return answer


def _largest(values, threshold):
    return values.index(max(values))


_pairs_loops = _selected(lambda v, t: max(v) >= t, _largest)
_pairs_strictly = _selected(lambda v, t: max(v) > t, _largest)
_pairs_first = _selected(lambda v, t: max(v) >= t, lambda v, t: [x >= t for x in v].index(True))
_pairs_any = _selected(lambda v, t: True, _largest)


def _pairs_each(boxes, gt_boxes, threshold):
    rows, objects = torch.where(box_iou(boxes, gt_boxes) >= threshold)
    return rows, objects


def _pairs_backwards(boxes, gt_boxes, threshold):
    rows, objects = _pairs_loops(boxes, gt_boxes, threshold)
    return objects, rows


def _pairs_no_objects(boxes, gt_boxes, threshold):
    best, nearest = box_iou(boxes, gt_boxes).max(dim=1)
    rows = torch.nonzero(best >= threshold).flatten()
    return rows, nearest[rows]


def _pairs_numpy(boxes, gt_boxes, threshold):
    if len(gt_boxes) == 0 or len(boxes) == 0:
        return np.zeros(0, int), np.zeros(0, int)
    overlap = box_iou(boxes, gt_boxes).numpy()
    rows = np.flatnonzero(overlap.max(axis=1) >= np.float32(threshold))
    return rows, overlap.argmax(axis=1)[rows]


# ---- ridge_objective ----


def _objective_loops(X, Y, W, b, lam):
    total = 0.0
    for x, y in zip(X.tolist(), Y.tolist(), strict=True):
        for t in range(len(y)):
            predicted = sum(x[d] * W[d, t].item() for d in range(len(x))) + b[t].item()
            total += (y[t] - predicted) ** 2
    return total + lam * sum(value**2 for row in W.tolist() for value in row)


def _objective_numpy(X, Y, W, b, lam):
    X, Y, W, b = (np.asarray(part) for part in (X, Y, W, b))
    return np.square(Y - (X @ W + b)).sum() + lam * np.square(W).sum()


def _objective_mse(X, Y, W, b, lam):
    errors = ((Y - X @ W - b) ** 2).sum(dim=1)
    return errors.sum() / max(len(X), 1) + lam * (W**2).sum()


def _objective_norm(X, Y, W, b, lam):
    return ((Y - X @ W - b) ** 2).sum() + lam * W.norm()


def _objective_all_penalised(X, Y, W, b, lam):
    return ((Y - X @ W - b) ** 2).sum() + lam * torch.cat((W, b[None])).square().sum()


def _objective_no_bias(X, Y, W, b, lam):
    return (Y - X @ W).square().sum() + lam * W.square().sum()


def _objective_l1(X, Y, W, b, lam):
    return (Y - X @ W - b).abs().sum() + lam * W.square().sum()


def _objective_free(X, Y, W, b, lam):
    return (Y - X @ W - b).square().sum()


# ---- ridge_weights ----


def _centred(X, Y, lam, scale=1.0):
    X_c, Y_c = X - X.mean(dim=0), Y - Y.mean(dim=0)
    return torch.linalg.solve(X_c.T @ X_c + scale * lam * torch.eye(X.shape[1]), X_c.T @ Y_c)


def _ridge_torch(X, Y, lam):
    W = _centred(X, Y, lam)
    return W, (Y - X @ W).mean(dim=0)


def _ridge_numpy(X, Y, lam):
    """A column of ones, not penalised, in place of centring."""
    A = np.hstack((X.double().numpy(), np.ones((len(X), 1))))
    penalty = lam * np.diag([1.0] * X.shape[1] + [0.0])
    both = np.linalg.solve(A.T @ A + penalty, A.T @ Y.double().numpy())
    return both[:-1], both[-1]


def _ridge_not_centred(X, Y, lam):
    W = torch.linalg.inv(X.T @ X + lam * torch.eye(X.shape[1])) @ X.T @ Y
    return W, (Y - X @ W).mean(dim=0)


def _ridge_mean_bias(X, Y, lam):
    return _centred(X, Y, lam), Y.mean(dim=0)


def _ridge_scaled(X, Y, lam):
    W = _centred(X, Y, lam, len(X))
    return W, (Y - X @ W).mean(dim=0)


def _ridge_least_squares(X, Y, lam):
    W = torch.linalg.pinv(X - X.mean(dim=0)) @ (Y - Y.mean(dim=0))
    return W, (Y - X @ W).mean(dim=0)


def _ridge_twice(X, Y, lam):
    W = _centred(X, Y, lam, 2)
    return W, (Y - X @ W).mean(dim=0)


def _ridge_transposed(X, Y, lam):
    W, b = _ridge_torch(X, Y, lam)
    return W.T, b


# ---- class_deltas ----


def _deltas_loops(features, labels, weight, bias):
    rows = [x @ weight[k] + bias[k] for x, k in zip(features, labels.tolist(), strict=True)]
    return torch.stack(rows) if rows else torch.zeros(0, 4)


def _deltas_numpy(features, labels, weight, bias):
    chosen = labels.numpy()
    return np.einsum("nd,ndt->nt", features.numpy(), weight.numpy()[chosen]) + bias.numpy()[chosen]


def _deltas_shifted(features, labels, weight, bias):
    return torch.einsum("nd,ndt->nt", features, weight[labels - 1]) + bias[labels - 1]


def _deltas_unbiased(features, labels, weight, bias):
    return torch.einsum("nd,ndt->nt", features, weight[labels])


def _deltas_shared(features, labels, weight, bias):
    return features @ weight.mean(0) + bias.mean(0)


def _deltas_every_class(features, labels, weight, bias):
    return torch.stack([features @ w + b for w, b in zip(weight, bias, strict=True)])


def _deltas_one_class(features, labels, weight, bias):
    if len(labels) == 0:
        return torch.zeros(0, 4)
    return features @ weight[labels[0]] + bias[labels[0]]


MUTANTS = [
    ("select_pairs", "strictly above", _pairs_strictly, "at least*"),
    ("select_pairs", "first object near enough", _pairs_first, "*largest* overlap"),
    ("select_pairs", "no threshold", _pairs_any, "far from every object"),
    ("select_pairs", "every pair", _pairs_each, "one object, or none"),
    ("select_pairs", "objects first", _pairs_backwards, "objects first"),
    ("select_pairs", "no objects", _pairs_no_objects, "gt_boxes = torch.zeros((0, 4))"),
    ("ridge_objective", "mean", _objective_mse, "mean over the pairs"),
    ("ridge_objective", "norm", _objective_norm, "its square"),
    ("ridge_objective", "bias penalised", _objective_all_penalised, "penalise the bias"),
    ("ridge_objective", "no bias", _objective_no_bias, "leave the bias out"),
    ("ridge_objective", "absolute errors", _objective_l1, "absolute errors"),
    ("ridge_objective", "no penalty", _objective_free, "penalty is missing"),
    ("ridge_weights", "not centred", _ridge_not_centred, "subtract the means"),
    ("ridge_weights", "bias is the mean", _ridge_mean_bias, "mean(Y) - mean(X) W"),
    ("ridge_weights", "lambda times N", _ridge_scaled, "number of pairs"),
    ("ridge_weights", "least squares", _ridge_least_squares, "lambda is missing"),
    ("ridge_weights", "lambda twice", _ridge_twice, "twice as large"),
    ("ridge_weights", "transposed", _ridge_transposed, "shape"),
    ("class_deltas", "labels one off", _deltas_shifted, "subtract 1 from the labels"),
    ("class_deltas", "no bias", _deltas_unbiased, "bias is missing"),
    ("class_deltas", "one map for all", _deltas_shared, "average over the classes"),
    ("class_deltas", "all classes", _deltas_every_class, "all classes (K, N, 4)"),
    ("class_deltas", "class of the first", _deltas_one_class, "first box's class"),
]

ENDLESS = []

RIGHT = [
    ("select_pairs", "loops", _pairs_loops),
    ("select_pairs", "numpy", _pairs_numpy),
    ("ridge_objective", "loops", _objective_loops),
    ("ridge_objective", "numpy", _objective_numpy),
    ("ridge_weights", "torch", _ridge_torch),
    ("ridge_weights", "numpy, a column of ones", _ridge_numpy),
    ("class_deltas", "loops", _deltas_loops),
    ("class_deltas", "numpy", _deltas_numpy),
]
