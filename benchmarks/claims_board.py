"""What the scoreboard, whose rows have several seeds, says of claims that were first measured with one."""

import statistics
from collections.abc import Sequence

BOARD = "data/measurements/scoreboard.json"


class Scores:
    """The scoreboard's rows and variants by name; without the file there are none."""

    def __init__(self, read):
        try:
            document = read(BOARD)
        except FileNotFoundError:
            document = {"rows": [], "variants": []}
        self.rows = {row["name"]: row for row in (*document["rows"], *document["variants"])}

    def seeds(self, *names: str) -> int:
        """How many seeds all of these have; 0 if one is missing."""
        there = [set(self.rows[name]["seeds"]) if name in self.rows else set() for name in names]
        return len(set.intersection(*there))

    def values(self, name: str, key: str = "mAP") -> list[float]:
        """One number of each training."""
        return [run[key] for run in self.rows[name]["runs"]]

    def seconds(self, name: str, *without: str) -> list[float]:
        """Processor seconds a picture of each training, some stages left out."""
        row = self.rows[name]
        pairs = zip(row["total seconds"], row["seconds of each seed"], strict=True)
        return [total - sum(stages.get(stage, 0.0) for stage in without) for total, stages in pairs]

    def stages(self, name: str, *stages: str) -> list[float]:
        """Processor seconds a picture that some stages take in each training."""
        return [sum(each.get(stage, 0.0) for stage in stages) for each in self.rows[name]["seconds of each seed"]]

    def training(self, *names: str) -> list[tuple[float, ...]]:
        """Processor seconds of trainings of these with the same seed, where all are known."""
        by_seed = [dict(zip(row["seeds"], row["training processor seconds"], strict=True)) for row in self.of(names)]
        seeds = sorted(set.intersection(*map(set, by_seed))) if by_seed else []
        costs = [tuple(one[seed] for one in by_seed) for seed in seeds]
        return [each for each in costs if all(each)]

    def of(self, names: Sequence[str]) -> list[dict]:
        """Rows by name; none if one is missing."""
        return [self.rows[name] for name in names] if set(names) <= set(self.rows) else []


def ratios(slow: Sequence[float], fast: Sequence[float]) -> list[float]:
    """How many times as fast, training by training."""
    return [a / b for a, b in zip(slow, fast, strict=False)]


def told(values: Sequence[float], digits: int = 1) -> str:
    """The mean, the least and the most of several, or the one there is.

    >>> told([10.0, 12.0, 14.0], 0), told([12.0])
    ('12 (10 .. 14)', '12.0')
    """
    low, high = min(values), max(values)
    if len(values) == 1:
        return f"{low:.{digits}f}"
    return f"{statistics.fmean(values):.{digits}f} ({low:.{digits}f} .. {high:.{digits}f})"
