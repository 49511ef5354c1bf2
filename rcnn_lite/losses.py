"""What the networks are trained to make small: of the second stage, of the RPN, of the masks (notebooks 10, 11, 14).

Notation: R RoIs, N anchors, K classes with background (label 0), masks of m x m pixels. Every loss is returned as a
dict of scalars by name, which are to be added; of no RoIs at all it is zero, and a gradient flows. The number that a
sum is divided by is that of the whole batch, also where several processes share it (`distributed.divisor`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rcnn_lite.distributed import divisor


def smooth_l1(x: Tensor, beta: float = 1.0) -> Tensor:
    """x^2 / (2 beta) where |x| < beta, else |x| - beta / 2, for each number of x (Fast R-CNN, equation 3, beta = 1).

    Near zero it is a parabola, so that small errors pull gently; far out a line, so that one outlier's gradient is at
    most 1, where that of the squared error grows without end. beta = 0 is |x| itself; a negative one is a ValueError.

    >>> smooth_l1(torch.tensor([0.0, 0.5, -1.0, 3.0]))
    tensor([0.0000, 0.1250, 0.5000, 2.5000])
    """
    if beta < 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    if beta == 0:
        return x.abs()
    return torch.where(x.abs() < beta, x.square() / (2 * beta), x.abs() - beta / 2)  # Fast R-CNN, equation 3


def detection_loss(
    class_logits: Tensor, deltas: Tensor, labels: Tensor, targets: Tensor, weight: float = 1.0, beta: float = 1.0
) -> dict[str, Tensor]:
    """The multi-task loss of Fast R-CNN (equation 1): is it a thing, which one, and where exactly?

        L = L_cls(p, u) + weight [u >= 1] L_loc(t^u, v)

    Parameters
    ----------
    class_logits : (R, K), before the softmax.
    deltas : (R, K, 4), a box for each class; only that of the true class u is judged.
    labels : (R,) int64, u; 0 is background, whose box counts for nothing.
    targets : (R, 4), v, what `encode_boxes` says; rows of background are ignored, whatever they hold.
    weight : lambda, 1 in the paper.
    beta : of `smooth_l1`.

    Returns {"classification", "box_regression"}: sums over the RoIs divided by R, the background's too. So a batch with
    few positives has a small box loss. Raises ValueError for shapes that do not fit.
    """
    count = len(labels)
    _require("class_logits", class_logits, (count, class_logits.shape[-1]))
    _require("deltas", deltas, (count, class_logits.shape[-1], 4))
    _require("targets", targets, (count, 4))
    positive = torch.nonzero(labels > 0).flatten()
    errors = deltas[positive, labels[positive]] - targets[positive]  # (P, 4)
    rois = divisor(count)
    return {
        # Fast R-CNN, equation 1: the first term
        "classification": F.cross_entropy(class_logits, labels, reduction="sum") / rois,
        # Fast R-CNN, equation 1: the second term, equation 2
        "box_regression": weight * smooth_l1(errors, beta).sum() / rois,
    }


def rpn_loss(
    logits: Tensor,
    deltas: Tensor,
    labels: Tensor,
    targets: Tensor,
    locations: int,
    weight: float = 10.0,
    beta: float = 1.0,
) -> dict[str, Tensor]:
    """The loss of the RPN (Faster R-CNN, equation 1):

        L = 1/N_cls sum L_cls(p_i, p_i*) + weight 1/N_reg sum p_i* L_reg(t_i, t_i*)

    Parameters
    ----------
    logits : (N,), objectness before the sigmoid.
    deltas, targets : (N, 4).
    labels : (N,) of 1 (object), 0 (background), -1 (not in the mini-batch, or ignored): the last count for nothing.
    locations : N_reg, the number of places of the feature map, about 2,400 in the paper.
    weight : lambda. With N_cls = 256 and N_reg ~ 2,400, 10 makes both terms about equal.
    beta : of `smooth_l1`.

    Returns {"objectness", "rpn_box_regression"}; N_cls is the number of anchors with label 0 or 1. Raises ValueError
    for shapes that do not fit.
    """
    _require("labels", labels, tuple(logits.shape))
    _require("deltas", deltas, (len(logits), 4))
    _require("targets", targets, (len(logits), 4))
    chosen, positive = torch.nonzero(labels >= 0).flatten(), torch.nonzero(labels == 1).flatten()
    wanted = labels[chosen].to(logits)
    # Faster R-CNN, equation 1: the first term
    classification = F.binary_cross_entropy_with_logits(logits[chosen], wanted, reduction="sum") / divisor(len(chosen))
    errors = smooth_l1(deltas[positive] - targets[positive], beta)
    # Faster R-CNN, equation 1: the second term
    return {"objectness": classification, "rpn_box_regression": weight * errors.sum() / divisor(locations)}


def mask_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Mean binary cross-entropy over the pixels of the *true class's* mask (Mask R-CNN, section 3).

    Masks of other classes cost nothing, so classes do not compete for a pixel.

    Parameters
    ----------
    logits : (R, K, m, m), before the sigmoid.
    labels : (R,) int64, the class of each RoI.
    targets : (R, m, m) in [0, 1].

    Returns {"mask"}. Raises ValueError for shapes that do not fit.
    """
    _require("targets", targets, (len(labels), *logits.shape[2:]))
    _require("logits", logits, (len(labels), *logits.shape[1:]))
    own = logits[torch.arange(len(labels), device=labels.device), labels]  # (R, m, m)
    return {"mask": F.binary_cross_entropy_with_logits(own, targets.to(own), reduction="sum") / divisor(own.numel())}


def _require(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
