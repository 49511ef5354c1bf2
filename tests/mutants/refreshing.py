"""Wrong and right answers to the refresher's exercises (notebook 00a), written as learners write them.

A mutant is (exercise, mistake, function, words that the message must have); a right answer (exercise, style, function).
"""

import math

import numpy as np
import torch

# ---- own_scores ----


def _own_columns(scores, labels):
    return scores[:, labels]


def _own_minus_one(scores, labels):
    return [scores[i, label] for i, label in enumerate(labels.tolist())]


def _own_max(scores, labels):
    return [max(row) for row, label in zip(scores.tolist(), labels.tolist(), strict=True) if label >= 0]


def _own_shifted(scores, labels):
    return [scores[i, label - 1].item() for i, label in enumerate(labels.tolist()) if label >= 0]


def _own_zero(scores, labels):
    return [scores[i, label].item() if label >= 0 else 0.0 for i, label in enumerate(labels.tolist())]


def _own_positive(scores, labels):
    rows = labels > 0
    return scores[rows, labels[rows]]


def _own_transposed(scores, labels):
    rows = torch.nonzero(labels >= 0).flatten()
    return scores[labels[rows], rows]


def _own_renumbered(scores, labels):
    kept = labels[labels >= 0]
    return scores[torch.arange(len(kept)), kept]


def _own_in_place(scores, labels):
    labels[labels < 0] = 0
    return scores[torch.arange(len(labels)), labels]


def _own_loops(scores, labels):
    return [scores[i, label].item() for i, label in enumerate(labels.tolist()) if label >= 0]


def _own_gather(scores, labels):
    rows = labels >= 0
    return scores[rows].gather(1, labels[rows][:, None]).squeeze(1)


def _own_numpy(scores, labels):
    scores, labels = np.asarray(scores), np.asarray(labels)
    return np.take_along_axis(scores, np.maximum(labels, 0)[:, None], axis=1)[labels >= 0, 0]


# ---- output_sizes ----


def _sizes(formula):
    return lambda sizes, kernel, stride, padding: torch.tensor(
        [formula(n, kernel, stride, padding) for n in sizes.tolist()], dtype=torch.int64
    )


def _sizes_floats(sizes, kernel, stride, padding):
    return (sizes + 2 * padding - kernel) / stride + 1


def _sizes_torch(sizes, kernel, stride, padding):
    return torch.div(sizes + 2 * padding - kernel, stride, rounding_mode="floor") + 1


def _sizes_counted(sizes, kernel, stride, padding):
    return [len(range(-padding, n + padding - kernel + 1, stride)) for n in sizes.tolist()]


def _sizes_forever(sizes, kernel, stride, padding):
    counts = []
    for n in sizes.tolist():
        places = start = 0
        while start + kernel <= n + 2 * padding:
            places += 1
        counts.append(places)
    return counts


# ---- cross_entropy ----


def _entropy(loss=lambda p: -math.log(max(p, 1e-300)), powers=None, total=False):
    def answer(logits, labels):
        losses = []
        for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
            shares = [math.exp(z - max(row)) for z in row] if powers is None else powers(row)
            losses.append(loss(shares[label] / sum(shares)))
        return sum(losses) / (1 if total else len(losses))

    return answer


def _entropy_naive(logits, labels):
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(p)), labels.numpy()]).mean()


def _entropy_column(logits, labels):
    p = logits.softmax(dim=0)
    return -p[torch.arange(len(p)), labels].log().mean()


def _entropy_itself(logits, labels):
    p = logits.softmax(dim=1)
    return -(p * p.log()).sum(dim=1).mean()


def _entropy_each(logits, labels):
    return torch.logsumexp(logits, dim=1) - logits[torch.arange(len(logits)), labels]


def _entropy_epsilon(logits, labels):
    p = logits.softmax(dim=1)[torch.arange(len(logits)), labels]
    return float(-(p + 1e-8).log().mean())


def _entropy_loops(logits, labels):
    losses = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        largest = max(row)
        losses.append(largest + math.log(sum(math.exp(z - largest) for z in row)) - row[label])
    return sum(losses) / len(losses)


def _entropy_torch(logits, labels):
    return (torch.logsumexp(logits, dim=1) - logits[torch.arange(len(logits)), labels]).mean()


def _entropy_numpy(logits, labels):
    z = logits.double().numpy()
    z = z - z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels.numpy()]).mean()


MUTANTS = [
    ("own_scores", "columns of every row", _own_columns, ""),
    ("own_scores", "-1 is the last column", _own_minus_one, "an index of -1 is the last column"),
    ("own_scores", "largest of the row", _own_max, "whatever its label is"),
    ("own_scores", "labels from 1", _own_shifted, "count the labels from 1"),
    ("own_scores", "0 without a label", _own_zero, "left out"),
    ("own_scores", "label 0 left out", _own_positive, "the shape is (0,) where (1,) is right"),
    ("own_scores", "rows for columns", _own_transposed, ""),
    ("own_scores", "rows counted anew", _own_renumbered, "where 4 is right"),
    ("own_scores", "in place", _own_in_place, "changes its argument `labels`"),
    ("output_sizes", "no + 1", _sizes(lambda n, k, s, p: (n + 2 * p - k) // s), "forget the + 1"),
    ("output_sizes", "padding once", _sizes(lambda n, k, s, p: (n + p - k) // s + 1), "on both sides"),
    ("output_sizes", "rounded up", _sizes(lambda n, k, s, p: math.ceil((n + 2 * p - k) / s) + 1), "you round up"),
    ("output_sizes", "stride only", _sizes(lambda n, k, s, p: n // s), "leave kernel and padding out"),
    ("output_sizes", "half places", _sizes_floats, "must be integers"),
    ("output_sizes", "1 inside", _sizes(lambda n, k, s, p: (n + 2 * p - k + 1) // s), "add the 1 before dividing"),
    ("output_sizes", "no padding", _sizes(lambda n, k, s, p: (n - k) // s + 1), "it gives 3 where 5 is right"),
    ("output_sizes", "stride of 1", _sizes(lambda n, k, s, p: n + 2 * p - k + 1), "it gives 6 where 3 is right"),
    ("cross_entropy", "sum", _entropy(total=True), "Take their mean"),
    ("cross_entropy", "base 2", _entropy(loss=lambda p: -math.log2(max(p, 1e-300))), ""),
    ("cross_entropy", "no minus", _entropy(loss=lambda p: math.log(max(p, 1e-300))), "minus is missing"),
    ("cross_entropy", "1 - p", _entropy(loss=lambda p: 1 - p), "grows without bound"),
    ("cross_entropy", "no exp", _entropy(powers=lambda row: row), "stops with ZeroDivisionError"),
    ("cross_entropy", "overflow", _entropy_naive, "Subtract the largest logit"),
    ("cross_entropy", "down the columns", _entropy_column, "it gives"),
    ("cross_entropy", "the entropy, without labels", _entropy_itself, "it gives"),
    ("cross_entropy", "one for each row", _entropy_each, "the shape is"),
    ("cross_entropy", "a small number inside the logarithm", _entropy_epsilon, "where 1000 is right"),
]

ENDLESS = [("output_sizes", "the window never moves", _sizes_forever, "does each round bring the end nearer?")]

RIGHT = [
    ("own_scores", "plain loops", _own_loops),
    ("own_scores", "torch, gather", _own_gather),
    ("own_scores", "numpy", _own_numpy),
    ("output_sizes", "torch", _sizes_torch),
    ("output_sizes", "counted", _sizes_counted),
    ("cross_entropy", "plain loops", _entropy_loops),
    ("cross_entropy", "torch", _entropy_torch),
    ("cross_entropy", "numpy", _entropy_numpy),
]
