"""Mistakes that learners make in the refresher's exercises (notebook 00a); each docstring is what they are told."""

import torch
from torch import Tensor
from torch.nn import functional as F

# ---- own_scores ----


def own_all_pairs(scores: Tensor, labels: Tensor) -> Tensor:
    """`scores[:, labels]` takes all those columns of every row. Give the row numbers too: `scores[rows, labels]`."""
    return scores[:, labels[labels >= 0]]


def own_last_for_none(scores: Tensor, labels: Tensor) -> Tensor:
    """you take the row labelled -1 as well: an index of -1 is the last column. Leave such rows out first."""
    return scores[torch.arange(len(labels)), labels]


def own_best(scores: Tensor, labels: Tensor) -> Tensor:
    """you take each row's largest score, whatever its label is."""
    return scores[labels >= 0].amax(dim=1) if len(scores) else scores[:, 0]


def own_from_one(scores: Tensor, labels: Tensor) -> Tensor:
    """you count the labels from 1: column 0 is label 0."""
    rows = torch.nonzero(labels >= 0).flatten()
    return scores[rows, labels[rows] - 1]


def own_zero_for_none(scores: Tensor, labels: Tensor) -> Tensor:
    """you give 0 to a row without a label. It is to be left out, so the result is shorter."""
    return torch.where(labels >= 0, scores[torch.arange(len(labels)), labels], 0.0)


def own_column_of_first(scores: Tensor, labels: Tensor) -> Tensor:
    """you take the first row's column in all rows. Each row has a label of its own."""
    found = labels[labels >= 0]
    return scores[labels >= 0][:, found[0]] if len(found) else scores[:0, 0]


# ---- output_sizes ----


def sizes_without_one(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you forget the + 1: a window that fits exactly has one place, not none."""
    return (sizes + 2 * padding - kernel) // stride


def sizes_padding_once(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you add the padding once. It lies on both sides."""
    return (sizes + padding - kernel) // stride + 1


def sizes_rounded_up(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you round up: the last window would reach out of the picture. Only whole steps count."""
    return -(-(sizes + 2 * padding - kernel) // stride) + 1


def sizes_only_stride(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you divide the size by the stride and leave kernel and padding out."""
    return sizes // stride


def sizes_fraction(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you divide with `/`, so half a place may come out. `//` rounds down."""
    return (sizes + 2 * padding - kernel) / stride + 1


def sizes_kernel_less_one(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you subtract kernel - 1 and add 1 besides: that is one place too many where the stride is 1."""
    return (sizes + 2 * padding - kernel + 1) // stride + 1


def sizes_one_inside(sizes: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """you add the 1 before dividing. It is the first place, at 0, and comes after."""
    return (sizes + 2 * padding - kernel + 1) // stride


# ---- cross_entropy ----


def entropy_sum(logits: Tensor, labels: Tensor) -> float:
    """you add the losses of the rows up. Take their mean."""
    return float(F.cross_entropy(logits, labels, reduction="sum"))


def entropy_log2(logits: Tensor, labels: Tensor) -> float:
    """your logarithm has base 2. The formula has the natural one."""
    return float(F.cross_entropy(logits, labels)) / torch.log(torch.tensor(2.0)).item()


def entropy_sign(logits: Tensor, labels: Tensor) -> float:
    """the minus is missing: logarithms of probabilities are negative, a loss is not."""
    return -float(F.cross_entropy(logits, labels))


def entropy_without_log(logits: Tensor, labels: Tensor) -> float:
    """you average 1 - p. The loss is -ln p, which grows without bound where p goes to 0."""
    return float((1 - logits.softmax(dim=1)[torch.arange(len(labels)), labels]).mean())


def entropy_over_rows(logits: Tensor, labels: Tensor) -> float:
    """your softmax runs down the columns (dim 0). The classes of one row must add up to 1: dim 1."""
    return float(-logits.log_softmax(dim=0)[torch.arange(len(labels)), labels].mean())


def entropy_overflow(logits: Tensor, labels: Tensor) -> float:
    """e to the 1000 is infinite in a float. Subtract the largest logit of each row first: the result is the same."""
    powers = logits.exp()
    return float(-(powers[torch.arange(len(labels)), labels] / powers.sum(dim=1)).log().mean())


def entropy_of_best(logits: Tensor, labels: Tensor) -> float:
    """you take the largest probability of each row. The one of its label is meant."""
    return float(-logits.log_softmax(dim=1).amax(dim=1).mean())


def entropy_twice(logits: Tensor, labels: Tensor) -> float:
    """you apply the softmax twice: probabilities are taken for logits."""
    return float(F.cross_entropy(logits.softmax(dim=1), labels))


def entropy_all_classes(logits: Tensor, labels: Tensor) -> float:
    """you average over all classes of a row. Only the class of its label counts."""
    return float(-logits.log_softmax(dim=1).mean())
