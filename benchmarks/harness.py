"""Paired timing: our function and its peer take turns in one process, and what counts is the ratio of each pair.

Two runs on a shared machine can differ by a factor of two; two calls a moment apart seldom do. A ratio from one run
therefore says something on another machine, where a time in milliseconds does not.
"""

import datetime
import gc
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("numpy", "numba", "torch", "torchvision")


@dataclass(frozen=True)
class Comparison:
    """The timing of two functions: medians in milliseconds, the pairs' ratios ours / peer (below 1 we are faster)."""

    name: str
    ours_ms: float
    peer_ms: float
    ratio_median: float
    ratio_min: float
    ratio_max: float
    repeats: int


def summarise(name: str, ours_s: Sequence[float], peer_s: Sequence[float]) -> Comparison:
    """The figures of a comparison from its timings: pair i is ``ours_s[i]``, ``peer_s[i]``, in seconds.

    The ratio is the median of the pairs' ratios, not the ratio of the medians: a slow moment of the machine spoils one
    pair.

    >>> summarise("example", [1.0, 2.0, 9.0], [2.0, 2.0, 3.0]).ratio_median
    1.0
    """
    if not ours_s or len(ours_s) != len(peer_s):
        raise ValueError(
            f"{name}: need as many timings of ours as of the peer and at least one, got {len(ours_s)} and {len(peer_s)}"
        )
    ratios = [ours / peer for ours, peer in zip(ours_s, peer_s, strict=True)]
    return Comparison(
        name=name,
        ours_ms=1e3 * statistics.median(ours_s),
        peer_ms=1e3 * statistics.median(peer_s),
        ratio_median=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        repeats=len(ratios),
    )


def compare(
    name: str,
    ours: Callable[[], object],
    peer: Callable[[], object],
    repeats: int = 15,
    warmup: int = 2,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Times ``ours()`` and ``peer()`` in turns, A B A B ...

    First come ``warmup`` untimed turns, which also compile and fill caches. Both are called without arguments, so
    prepare the input outside and close over it. Set the number of threads before the call
    (``torch.set_num_threads(2)``, ``numba.set_num_threads(2)``). The garbage collector rests while the clock runs.
    """
    for _ in range(warmup):
        ours()
        peer()
    timings: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        for _ in range(repeats):
            for function, seconds in zip((ours, peer), timings, strict=True):
                start = clock()
                function()
                seconds.append(clock() - start)
    finally:
        gc.enable()
    return summarise(name, *timings)


def cpu_model() -> str:
    """The processor's model as the system names it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions(packages: Iterable[str]) -> str:
    """``name version`` of Python and of each of ``packages`` that is installed, once each, separated by commas."""
    found = [f"Python {platform.python_version()}"]
    for package in dict.fromkeys(packages):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def threads() -> str:
    """How many threads torch and numba use in this process."""
    import numba
    import torch

    return f"torch {torch.get_num_threads()}, numba {numba.get_num_threads()}"


def how_made(script: str, argv: Sequence[str] | None = None) -> dict[str, str]:
    """What a file of measurements says of itself: "command", "date", "machine". Default: this process's arguments."""
    return {
        "command": f"python benchmarks/{script} {shlex.join(sys.argv[1:] if argv is None else argv)}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{cpu_model()}, {threads()}, {versions(('torch', 'numba'))}",
    }


def write_table(
    path: str | Path, title: str, rows: Sequence[Comparison], note: str = "", packages: Sequence[str] = ()
) -> Path:
    """Writes the comparisons as a markdown table with machine, threads, versions and date; prints it; returns its path.

    ``path`` is a name such as ``"nms"`` (becomes ``benchmarks/results/nms.md``) or a full path. ``note`` says what was
    compared with what and what the input was; ``packages`` adds the versions of the peers' packages.
    """
    lines = [
        f"# {title}",
        "",
        *([note, ""] if note else []),
        "| case | ours, ms | peer, ms | ratio (median of pairs) | min .. max | pairs |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.ours_ms:.3f} | {row.peer_ms:.3f} | **{row.ratio_median:.2f}** "
        f"| {row.ratio_min:.2f} .. {row.ratio_max:.2f} | {row.repeats} |"
        for row in rows
    ]
    lines += [
        "",
        f"- machine: {cpu_model()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        f"- threads: {threads()}",
        f"- versions: {versions([*PACKAGES, *packages])}",
        f"- date: {datetime.date.today().isoformat()}",
        "",
    ]
    text = "\n".join(lines)
    target = (RESULTS / path).with_suffix(".md")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, target)
    print(text)
    return target
