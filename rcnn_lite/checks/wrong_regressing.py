"""Mistakes that learners make in notebook 07's exercises; each docstring is what they are told."""

import torch
from torch import Tensor

from rcnn_lite.boxes import box_iou

# ---- select_pairs ----


def _pairs(chosen: Tensor, nearest: Tensor) -> tuple[Tensor, Tensor]:
    rows = torch.nonzero(chosen).flatten()
    return rows, nearest[rows]


def _nearest(boxes: Tensor, gt_boxes: Tensor) -> tuple[Tensor, Tensor]:
    if len(gt_boxes) == 0:
        return torch.zeros(len(boxes)), torch.zeros(len(boxes), dtype=torch.int64)
    best, nearest = box_iou(boxes, gt_boxes).max(dim=1)
    return best, nearest


def pairs_above(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """a pair at exactly the threshold belongs to them: IoU *at least* so much."""
    best, nearest = _nearest(boxes, gt_boxes)
    return _pairs(best > threshold, nearest)


def pairs_first_object(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """you take the first object that is near enough; it is the one of *largest* overlap that counts."""
    best, _ = _nearest(boxes, gt_boxes)
    near = box_iou(boxes, gt_boxes) >= threshold
    return _pairs(best >= threshold, near.int().argmax(dim=1) if len(gt_boxes) else torch.zeros(len(boxes)).long())


def pairs_all(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """you pair a proposal with every object that it overlaps enough; each proposal has one object, or none."""
    rows, objects = torch.nonzero(box_iou(boxes, gt_boxes) >= threshold, as_tuple=True)
    return rows, objects


def pairs_best_of_object(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """you take the best proposal of each object. All proposals that are near enough learn, each with its object."""
    if not len(boxes) or not len(gt_boxes):
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    best, rows = box_iou(boxes, gt_boxes).max(dim=0)
    keep = torch.nonzero(best >= threshold).flatten()
    return rows[keep], keep


def pairs_without_threshold(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """you keep proposals that are far from every object: what they should do cannot be seen from where they are."""
    best, nearest = _nearest(boxes, gt_boxes)
    return _pairs(best >= 0 if len(gt_boxes) else best > 0, nearest)


def pairs_swapped(boxes: Tensor, gt_boxes: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """you return the objects first: the proposals' rows come first, then the objects' indices."""
    best, nearest = _nearest(boxes, gt_boxes)
    return _pairs(best >= threshold, nearest)[::-1]


# ---- ridge_objective ----


def objective_mean(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    """you take the mean over the pairs; equation 5 has a sum. With a mean, lambda would mean something else."""
    return ((Y - X @ W - b) ** 2).sum(dim=1).mean() + lam * (W**2).sum() if len(X) else lam * (W**2).sum()


def objective_root(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    """you take the norm of W; the penalty is its square."""
    return ((Y - X @ W - b) ** 2).sum() + lam * (W**2).sum().sqrt()


def objective_penalises_bias(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    """you penalise the bias too; it is only the mean movement and costs nothing."""
    return ((Y - X @ W - b) ** 2).sum() + lam * ((W**2).sum() + (b**2).sum())


def objective_without_bias(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    """you leave the bias out of the prediction: it is X W + b."""
    return ((Y - X @ W) ** 2).sum() + lam * (W**2).sum()


def objective_absolute(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    """you sum absolute errors; equation 5 squares them."""
    return (Y - X @ W - b).abs().sum() + lam * (W**2).sum()


def objective_without_penalty(X: Tensor, Y: Tensor, W: Tensor, b: Tensor, lam: float) -> Tensor:
    """the penalty is missing."""
    return ((Y - X @ W - b) ** 2).sum()


# ---- ridge_weights ----


def ridge_uncentred(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """you do not subtract the means first: the weights then try to do what the bias is for."""
    W = torch.linalg.solve(X.T @ X + lam * torch.eye(X.shape[1]), X.T @ Y)
    return W, (Y - X @ W).mean(dim=0)


def ridge_without_bias(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """your bias is the mean of Y: with weights it is mean(Y) - mean(X) W."""
    centred = X - X.mean(dim=0)
    W = torch.linalg.solve(centred.T @ centred + lam * torch.eye(X.shape[1]), centred.T @ (Y - Y.mean(dim=0)))
    return W, Y.mean(dim=0)


def ridge_lambda_per_pair(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """your lambda grows with the number of pairs: the sum of equation 5 is no mean."""
    return _ridge(X, Y, lam * len(X))


def ridge_no_lambda(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """lambda is missing: this is plain least squares."""
    return _ridge(X, Y, 0.0)


def ridge_half_lambda(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """your lambda is twice as large as asked for: both terms of the derivative have the factor 2, and it cancels."""
    return _ridge(X, Y, 2 * lam)


def _ridge(X: Tensor, Y: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    mean_x, mean_y = X.mean(dim=0), Y.mean(dim=0)
    gram = (X - mean_x).T @ (X - mean_x) + lam * torch.eye(X.shape[1])
    W = torch.linalg.lstsq(gram, (X - mean_x).T @ (Y - mean_y)).solution
    return W, mean_y - mean_x @ W


# ---- class_deltas ----


def deltas_first_map(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """you use the map of row i for box i: it is the map of the box's *class*, weight[labels[i]]."""
    rows = torch.arange(len(features)) % len(weight)
    return (features[:, :, None] * weight[rows]).sum(dim=1) + bias[rows]


def deltas_one_off(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """you subtract 1 from the labels: row 0 of the maps is the background's, label 1 has row 1."""
    return (features[:, :, None] * weight[labels - 1]).sum(dim=1) + bias[labels - 1]


def deltas_without_bias(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """the bias is missing."""
    return (features[:, :, None] * weight[labels]).sum(dim=1)


def deltas_mean_map(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """you average over the classes: each class has its own map."""
    return features @ weight.mean(dim=0) + bias.mean(dim=0)


def deltas_of_first_label(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """all boxes get the map of the first box's class."""
    return features @ weight[labels[0]] + bias[labels[0]] if len(labels) else features.new_zeros(0, 4)


def deltas_all_classes(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """you return the deltas of all classes (K, N, 4): for each box pick those of its class."""
    return features @ weight + bias[:, None]
