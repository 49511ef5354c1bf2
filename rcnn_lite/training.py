"""The loop that every network here is trained with: AdamW, a warm-up, a cosine, a progress bar, a file to resume from.

`optimise` knows nothing of models. It is given a *step*, a function that draws a batch and returns its losses by name.
`fit` is that for detectors, whose `losses` want pictures, targets and, of some, proposals. Several processes that
torchrun has started share each batch, and end with the weights that one would have (`distributed`).
"""

import math
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from tqdm import tqdm

from rcnn_lite.cache import write_atomically
from rcnn_lite.datasets.transforms import flip_horizontally
from rcnn_lite.distributed import Step, batch_losses, joint_step, leads, require_same, share

History = list[dict[str, float]]  # the losses of each iteration by name
Report = Callable[[History], None]  # called with the losses so far


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns."""

    iterations: int
    warm_up: int = 50  # iterations in which the learning rate grows from zero: AdamW's first steps are too large
    weight_decay: float = 1e-4
    max_norm: float = 10.0  # longer gradients are shortened to this length
    save_every: int = 100  # so many iterations are lost at most when a run is interrupted

    def factor(self, iteration: int) -> float:
        """What the learning rates are multiplied by in iteration 0, 1, ...: a ramp to 1, then half a cosine to 0."""
        if iteration < self.warm_up:
            return (iteration + 1) / self.warm_up
        rest = max(1, self.iterations - self.warm_up)
        return 0.5 * (1 + math.cos(math.pi * (iteration - self.warm_up) / rest))


@dataclass(frozen=True)
class FitSettings:
    """How a detector is trained. The papers' optimiser was SGD; AdamW needs less care with the learning rate."""

    schedule: Schedule = Schedule(iterations=2500)
    learning_rate: float = 3e-4
    images_per_step: int = 2  # N of Fast R-CNN, section 2.3; of all processes together
    flip: float = 0.5  # probability of a mirrored picture, section 2.3


def fit(
    model: nn.Module,
    dataset,
    file: str | Path,
    settings: FitSettings = FitSettings(),
    generator: Generator | None = None,
    proposals: Sequence[Tensor] | None = None,
    report: Report = lambda history: None,
) -> History:
    """Train a detector on a dataset of (image, target) pairs, in place; returns the losses of each iteration.

    Parameters
    ----------
    model : has ``losses(images, targets, proposals, generator) -> dict``, or without proposals if none are given.
        Parameters that do not require a gradient stay as they are.
    file : where the state is kept; a second call with the same arguments goes on from there (see `optimise`).
    generator : of everything random but the model's first weights; default: seed 0.
    proposals : (n, 4) boxes for each image of a model that is given its proposals.
    report : called with the losses so far after each iteration, to draw them for instance.
    """
    if proposals is not None and len(proposals) != len(dataset):
        raise ValueError(f"there are {len(dataset)} images and proposals for {len(proposals)}")
    if len(dataset) < settings.images_per_step:
        raise ValueError(f"a step takes {settings.images_per_step} images, the data set has {len(dataset)}")

    def step(generator: Generator) -> dict[str, Tensor]:
        """Draw images, mirror some of them, and ask the model for its losses."""
        chosen = torch.randperm(len(dataset), generator=generator)[: settings.images_per_step].tolist()
        mirrored = (torch.rand(len(chosen), generator=generator) < settings.flip).tolist()
        renamed, batch = getattr(dataset, "keypoint_flip", None), []
        for i, flip in share(list(zip(chosen, mirrored, strict=True))):
            one = (*dataset[i], None if proposals is None else proposals[i])
            batch.append(flip_horizontally(*one, renamed) if flip else one)
        images, targets, boxes = (list(column) for column in zip(*batch, strict=True))
        return model.losses(images, targets, *([] if proposals is None else [boxes]), generator=generator)

    model.train()
    groups = [{"params": [p for p in model.parameters() if p.requires_grad], "lr": settings.learning_rate}]
    generator = generator or Generator().manual_seed(0)
    history = optimise(step, model, groups, settings.schedule, generator, Path(file), report)
    model.eval()
    return history


def optimise(
    step: Step,
    module: nn.Module,
    groups: Iterable[dict],
    schedule: Schedule,
    generator: Generator,
    file: Path,
    report: Report = lambda history: None,
) -> History:
    """Change `module` so that the sum of the losses falls; returns the losses of each of `schedule.iterations`.

    Parameters
    ----------
    step : generator -> losses by name. Everything random in it must come from the generator. Of several processes each
        does its own `share` of the batch, and the step says so.
    module : what is saved: all parameters that change must be its own.
    groups : AdamW's parameter groups, each {"params": ..., "lr": ...}.
    file : the state of the training, written every `save_every` iterations. If it is there the training goes on from
        it, and ends with the same weights as one that was never interrupted.
    report : called with the losses so far after each iteration, in process 0.

    Raises
    ------
    FloatingPointError : a loss, or its gradient, that is not finite; it names the loss. The file keeps the last good
        state.
    """
    optimiser = torch.optim.AdamW(groups, weight_decay=schedule.weight_decay)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule.factor)
    history = _resume(Path(file), module, optimiser, rates, generator)
    require_same(len(history), f"iterations in {file}")
    step = joint_step(step, module)
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    hidden = None if leads() else True  # None: where nobody would see it
    bar = tqdm(total=schedule.iterations, initial=len(history), desc="training", unit="batch", disable=hidden)
    while len(history) < schedule.iterations:
        losses = step(generator)
        history.append(_require_finite("loss", batch_losses(losses), len(history)))
        optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        length = nn.utils.clip_grad_norm_(parameters, schedule.max_norm)
        _require_finite("gradient of", {" + ".join(losses): length}, len(history) - 1)
        optimiser.step()
        rates.step()
        bar.set_postfix({name: f"{value:.3f}" for name, value in history[-1].items()}, refresh=False)
        bar.update()
        if not leads():
            continue
        report(history)
        if len(history) % schedule.save_every == 0 or len(history) == schedule.iterations:
            _save(Path(file), module, optimiser, rates, generator, history)
    bar.close()
    return history


def _require_finite(what: str, tensors: dict[str, Tensor], iteration: int) -> dict[str, float]:
    """The tensors as numbers; FloatingPointError if one is NaN or infinite."""
    values = {name: float(tensor.detach()) for name, tensor in tensors.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the {what} {name!r} is {value} in iteration {iteration}: a lower learning rate may help"
            )
    return values


def _save(file: Path, module, optimiser, rates, generator: Generator, history: list) -> None:
    state = {"module": module.state_dict(), "optimiser": optimiser.state_dict(), "rates": rates.state_dict()}
    state |= {"generator": generator.get_state(), "history": history}
    write_atomically(file, lambda temporary: torch.save(state, temporary))


def _resume(file: Path, module, optimiser, rates, generator: Generator) -> History:
    """Put everything back as it was when the file was written; the losses until then."""
    if not file.is_file():
        return []
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)  # runs no code
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{file} is damaged ({error}): remove it to start again") from error
    module.load_state_dict(state["module"])
    optimiser.load_state_dict(state["optimiser"])
    rates.load_state_dict(state["rates"])
    generator.set_state(state["generator"])
    return state["history"]
