"""Peak memory of a function: how far the resident set of a fresh process grows while it runs (Linux)."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path


def peak(prepare: Callable[[], Callable[[], object]]) -> int:
    """Bytes by which a process grows, at most, while it calls what `prepare` returns.

    `prepare` makes the input; both run in a new process. It must be a function of a module, and may be a
    `functools.partial`. What compiles should do so in `prepare`.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(prepare, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


def _measure(prepare: Callable[[], Callable[[], object]], pipe) -> None:
    function = prepare()
    Path("/proc/self/clear_refs").write_text("5")  # the kernel's high-water mark starts anew
    before = _status("VmRSS")
    function()
    pipe.send(max(0, _status("VmHWM") - before))


def high_water() -> int | None:
    """Bytes that this process has held at most since it began; None where the kernel keeps no such report."""
    return _status("VmHWM") if Path("/proc/self/status").is_file() else None


def _status(name: str) -> int:
    """A line of the kernel's report on this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
