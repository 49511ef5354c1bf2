"""A fine-tuned network as its small difference to the network that it came from.

Everybody who loads such a network has the ImageNet weights already. What fine-tuning adds is small, so that eight bits
a number hold it as well as sixteen hold the weights themselves: the step between two of the 255 levels is a fraction of
the largest *change* in an output channel, not of the largest weight.
"""

import torch
from torch import Tensor

LEVELS = 127  # on each side of zero


def pack_difference(weights: dict[str, Tensor], reference: dict[str, Tensor]) -> dict[str, Tensor]:
    """What must be added to `reference` to get `weights`: for each tensor that differs, NAME (int8) and NAME/largest.

    Of a tensor (O, ...) each of the O slices has its own largest change, (O, 1, ...), a number that half precision can
    hold. ValueError where the two networks differ in their tensors' names or shapes.

    >>> packed = pack_difference({"w": torch.tensor([[1.0, 3.0]])}, {"w": torch.tensor([[1.0, 2.0]])})
    >>> packed["w"], packed["w/largest"]
    (tensor([[  0, 127]], dtype=torch.int8), tensor([[1.]]))
    """
    _require_same(weights, reference)
    packed = {}
    for name, base in reference.items():
        change = weights[name].float().cpu() - base.float().cpu()
        if not change.any():
            continue
        largest = change.abs().flatten(1).amax(dim=1) if change.ndim > 1 else change.abs()  # (O,)
        largest = largest.clamp(min=1e-4).half().float()
        largest = largest.reshape(largest.shape + (1,) * (change.ndim - 1))  # (O, 1, ...)
        packed[name] = (change / largest * LEVELS).round().clamp(-LEVELS, LEVELS).to(torch.int8)
        packed[f"{name}/largest"] = largest
    return packed


def apply_difference(packed: dict[str, Tensor], reference: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that `pack_difference` packed: all tensors of `reference`, changed where there is a difference."""
    known = {name for name in packed if not name.endswith("/largest")}
    if unknown := sorted(known - reference.keys()):
        raise ValueError(f"the difference changes {unknown[0]}, which the network does not have")
    weights = dict(reference)
    for name in known:
        if packed[name].shape != reference[name].shape:
            shapes = tuple(packed[name].shape), tuple(reference[name].shape)
            raise ValueError(f"the difference of {name} has shape {shapes[0]}, the network's {shapes[1]}")
        if f"{name}/largest" not in packed:
            raise ValueError(f"the difference of {name} has no {name}/largest")
        change = packed[name].float() / LEVELS * packed[f"{name}/largest"].float()
        weights[name] = reference[name] + change.to(reference[name])
    return weights


def _require_same(weights: dict[str, Tensor], reference: dict[str, Tensor]) -> None:
    shapes, expected = ({name: t.shape for name, t in w.items()} for w in (weights, reference))
    if shapes != expected:
        name = sorted(n for n in shapes | expected if shapes.get(n) != expected.get(n))[0]
        raise ValueError(f"the networks differ in {name}: {shapes.get(name)} and {expected.get(name)}")
