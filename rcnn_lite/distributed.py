"""One training in several processes, on one machine or many: torchrun starts them, DistributedDataParallel joins them.

Processes share the work, not the result: the pictures of each batch are dealt out to them like cards, each puts its own
through a copy of the network, and the gradients are averaged, so that all copies stay the same. W processes then do
what one does with the whole batch, up to rounding, and a run may go on with another number of them. Besides the
gradients, three things that one process has for itself are held together here:

    random draws   come from one generator, in the order of the batch: `in_turn`
    divisors       a loss is a sum over regions divided by their number: by that of the whole batch, `divisor`
    files          process 0 writes them, all read them: `leads`, `stage`. So all must see the same folders

Without torchrun there is one process, and all of this is nothing.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Generator, Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Step = Callable[[Generator], dict[str, Tensor]]
Batch = TypeVar("Batch", bound=Sequence)

PATIENCE = timedelta(minutes=30)  # for the others in a step; a process that has died is noticed at once
STAGE_PATIENCE = timedelta(days=7)  # for process 0 in a stage that it works through alone

_in_batch = ContextVar("_in_batch", default=False)  # a batch is being worked on: what is drawn and counted is shared
_waiting_room = None  # the group of all processes with the longer patience


@contextmanager
def processes(device: str = "cpu", patience: timedelta = PATIENCE) -> Iterator[None]:
    """Be one of the processes that torchrun started, as long as the block lasts; without torchrun nothing happens.

    They talk over gloo, and on GPUs over NCCL, each with a GPU of its own: "cuda" means that one. ValueError if the
    machine has too few. RuntimeError says in plain words that another process has died.
    """
    global _waiting_room
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        yield
        return
    backend = _backend(device)
    store, own, total = next(dist.rendezvous("env://", timeout=patience))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # where those of the attempt before were is void
    store = dist.PrefixStore(f"attempt {attempt}", store)
    dist.init_process_group(backend, store=store, rank=own, world_size=total, timeout=patience)
    _waiting_room = dist.new_group(backend="gloo", timeout=STAGE_PATIENCE)
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(name in str(error).lower() for name in ("gloo", "nccl")):
            raise RuntimeError(
                f"process {rank()} of {count()} has lost the others: one has died (its own message says why) or does "
                f"not answer. Start all of them again with the same command; it goes on from the last state that was "
                f"saved. [{str(error).splitlines()[0]}]"
            ) from error
        raise
    _waiting_room = None
    dist.destroy_process_group()


def _backend(device: str) -> str:
    """How processes talk; on GPUs this one takes its own."""
    if torch.device(device).type != "cuda":
        return "gloo"
    own = int(os.environ["LOCAL_RANK"])
    if own >= torch.cuda.device_count():
        raise ValueError(
            f"process {own} of this machine needs GPU {own}, and there are {torch.cuda.device_count()}: start as many "
            "processes as there are GPUs"
        )
    torch.cuda.set_device(own)
    return "cpu:gloo,cuda:nccl"


def joined() -> bool:
    """Whether this is one of several processes."""
    return dist.is_available() and dist.is_initialized()


def count() -> int:
    """W, the number of processes."""
    return dist.get_world_size() if joined() else 1


def rank() -> int:
    """Which of them this is, 0 to W - 1."""
    return dist.get_rank() if joined() else 0


def leads() -> bool:
    """Whether this is process 0, the one that writes files, shows progress and talks."""
    return rank() == 0


def meet() -> None:
    """Nobody goes on before all are here."""
    if joined():
        dist.barrier(group=_waiting_room)


def stage(file: Path, make: Callable[[], object]) -> None:
    """A stage of a training that leaves a file: process 0 makes it if it is missing, the others wait until it is there.

    `make` writes the file, whole or not at all.
    """
    if leads() and not file.is_file():
        make()
    meet()


def share(batch: Batch) -> Batch:
    """What this process has to do of a batch: number r, r + W, r + 2 W, ...

    ValueError if not all would get the same number.

    >>> share(["a", "b"])  # one process does all
    ['a', 'b']
    """
    if len(batch) % count():
        raise ValueError(
            f"a batch of {len(batch)} cannot be dealt out to {count()} processes: its size must be a multiple"
        )
    return batch[rank() :: count()]


def joint_step(step: Step, module: nn.Module) -> Step:
    """`step`, done with the others: the gradients of its losses arrive averaged. One process: `step` itself."""
    if not joined():
        return step
    parallel = DistributedDataParallel(_Losses(module, step))  # starts from the weights of process 0

    def jointly(generator: Generator) -> dict[str, Tensor]:
        """The losses of this process's share."""
        token = _in_batch.set(True)
        try:
            return parallel(generator)
        finally:
            _in_batch.reset(token)

    return jointly


class _Losses(nn.Module):
    """Losses as the output of a module, which is what DistributedDataParallel wants."""

    def __init__(self, module: nn.Module, step: Step):
        super().__init__()
        self.module, self.step = module, step

    def forward(self, generator: Generator) -> dict[str, Tensor]:
        """One step."""
        return self.step(generator)


@contextmanager
def in_turn(generator: Generator | None) -> Iterator[None]:
    """In a joint step, draw from the generator one process after another, each where the one before it has stopped.

    In a step every process must come here equally often, once for each of its pictures: as the pictures were dealt out,
    these are then the draws of one process, in its order. A turn within a turn is part of it.
    """
    if not _in_batch.get():
        yield
        return
    generator, token = generator or torch.default_generator, _in_batch.set(False)
    try:
        for number in range(count()):
            if number == rank():
                yield
            state = generator.get_state()
            dist.broadcast(state, src=number)
            generator.set_state(state)
    finally:
        _in_batch.reset(token)


def divisor(number: int) -> float:
    """What a sum over `number` things of a batch is divided by to be a mean: their number, but at least 1.

    In a joint step it is the mean number of all processes, so that the mean of their losses is the loss of the whole
    batch: sum_r (S_r / (N / W)) / W = S / N.

    >>> divisor(128), divisor(0)
    (128, 1)
    """
    if not _in_batch.get():
        return max(number, 1)
    total = torch.tensor(number)
    dist.all_reduce(total)
    return max(int(total), 1) / count()


def batch_losses(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    """The losses of the whole batch, from those of this process's share."""
    if not joined():
        return losses
    values = torch.stack([value.detach().cpu().double() for value in losses.values()])
    dist.all_reduce(values)
    return dict(zip(losses, values / count(), strict=True))


def require_same(number: int, what: str) -> None:
    """ValueError unless all processes come with the same number; `what` says of what."""
    if not joined():
        return
    ends = torch.tensor([number, -number])
    dist.all_reduce(ends, dist.ReduceOp.MAX)
    if ends[0] != number or -ends[1] != number:
        raise ValueError(
            f"process {rank()} has {number} {what}, others {-int(ends[1])} to {int(ends[0])}: all processes must see "
            "the same folder"
        )
