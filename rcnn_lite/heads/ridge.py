"""Box regression by ridge: four numbers that move a proposal onto its object, linear in the features (notebook 07).

Notation: N pairs of a proposal and its ground truth, D features, T targets (4: t_x t_y t_w t_h), K classes with
background.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rcnn_lite.boxes import encode_boxes


class LinearMap(NamedTuple):
    """y = x W + b. `weight` (..., D, T), `bias` (..., T); the leading axis, if any, is the class."""

    weight: Tensor
    bias: Tensor

    def predict(self, X: Tensor) -> Tensor:
        """(N, D) -> (N, T); with a class axis (K, D, T) -> (K, N, T)."""
        return X @ self.weight + self.bias.unsqueeze(-2)


def fit_ridge(X: Tensor, Y: Tensor, lam: float = 1000.0) -> LinearMap:
    """The ridge solution in closed form: (N, D), (N, T) -> weight (D, T), bias (T,), in the dtype of X.

    Minimises  sum_i |Y_i - X_i W - b|^2 + lam |W|^2  (R-CNN appendix C, equation 5, where the bias is not written). The
    bias is not penalised. Without any pair (N = 0) weight and bias are zero: boxes stay where they are.

    Parameters
    ----------
    X, Y : float (N, D), (N, T). The sums run in float64.
    lam : the paper's lambda = 1000, for features of the size that `svm.feature_scale` makes.

    Raises
    ------
    ValueError : other shapes, values that are not finite, negative lam, or lam = 0 where X does not determine the
    solution.

    >>> line = fit_ridge(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[1.0], [3.0], [5.0]]), lam=0)
    >>> round(line.weight.item(), 6), round(line.bias.item(), 6)
    (2.0, 1.0)
    """
    _require_pairs(X, Y, lam)
    if len(X) == 0:
        return LinearMap(X.new_zeros(X.shape[1], Y.shape[1]), X.new_zeros(Y.shape[1]))
    # Bias. Setting the derivative by b to zero gives b = mean(Y) - mean(X) W. Put back, b is gone and X, Y are centred:
    #
    #     minimise |Y - X W|^2 + lam |W|^2
    #
    # Derivative by W:  -2 X'(Y - X W) + 2 lam W = 0,  so  (X'X + lam I) W = X'Y,  D equations. With fewer pairs than
    # features solve N instead. Multiply the line above by X and call a = (Y - X W) / lam, so that W = X'a:
    #
    #     X X'a = X W = Y - lam a,  so  (X X' + lam I) a = Y  and  W = X'a.
    mean_x, mean_y = X.double().mean(dim=0), Y.double().mean(dim=0)  # (D,), (T,)
    X_c, Y_c = X.double() - mean_x, Y.double() - mean_y  # (N, D), (N, T)
    pairs, features = X.shape
    if pairs < features and lam > 0:
        weight = X_c.T @ _solve(X_c @ X_c.T, Y_c, lam)  # (D, N) (N, T): R-CNN, equation 5
    else:
        weight = _solve(X_c.T @ X_c, X_c.T @ Y_c, lam)  # (D, T): R-CNN, equation 5
    return LinearMap(weight.to(X), (mean_y - mean_x @ weight).to(X))


def fit_box_regressors(
    features: Tensor, boxes: Tensor, gt_boxes: Tensor, labels: Tensor, num_classes: int, lam: float = 1000.0
) -> LinearMap:
    """A regressor for each class from its own pairs: weight (K, D, 4), bias (K, 4); R-CNN section 2.3 and appendix C.

    Parameters
    ----------
    features : (N, D) of the proposals.
    boxes, gt_boxes : (N, 4) proposals and the ground truth that each overlaps most (IoU at least 0.6 in the paper).
    labels : (N,) int, class of each ground truth, 1 .. K - 1.

    A class without pairs (and the background, row 0) keeps its boxes as they are.
    """
    if not len(features) == len(boxes) == len(gt_boxes) == len(labels):
        counts = f"{len(features)}, {len(boxes)}, {len(gt_boxes)} and {len(labels)}"
        raise ValueError(f"features, boxes, gt_boxes and labels must have one row a pair, got {counts}")
    if len(labels) and not (int(labels.min()) >= 1 and int(labels.max()) < num_classes):
        raise ValueError(f"labels must lie in 1 .. {num_classes - 1}, got {int(labels.min())} .. {int(labels.max())}")
    targets = encode_boxes(gt_boxes, boxes)  # (N, 4), equations 6 - 9
    classes = [fit_ridge(features[labels == k], targets[labels == k], lam) for k in range(num_classes)]
    return LinearMap(torch.stack([c.weight for c in classes]), torch.stack([c.bias for c in classes]))


def _solve(gram: Tensor, right: Tensor, lam: float) -> Tensor:
    """(gram + lam I)^-1 right, for a symmetric, not negative gram (n, n) and right (n, T)."""
    if lam == 0 and torch.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        raise ValueError(
            "lam = 0 and the features do not determine the solution (fewer independent pairs than features): "
            "choose lam > 0"
        )
    factor = torch.linalg.cholesky(gram + lam * torch.eye(len(gram), dtype=gram.dtype, device=gram.device))
    return torch.cholesky_solve(right, factor)


def _require_pairs(X: Tensor, Y: Tensor, lam: float) -> None:
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y):
        raise ValueError(f"X and Y must have shapes (N, D) and (N, T), got {tuple(X.shape)} and {tuple(Y.shape)}")
    for name, values in (("X", X), ("Y", Y)):
        if not torch.isfinite(values).all():
            raise ValueError(
                f"{name}[{int(torch.nonzero(~torch.isfinite(values))[0, 0])}] holds a value that is not finite"
            )
    if not lam >= 0:
        raise ValueError(f"lam must not be negative, got {lam}")
