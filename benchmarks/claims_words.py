"""How a claim and what came of it are put into words: numbers as the papers give them, intervals, seeds."""

from collections.abc import Sequence

from rcnn_lite.evaluation.comparing import VERDICTS


def points(value: float) -> str:
    """A score from 0 to 1 as the papers give it.

    >>> points(0.8354)
    '83.5'
    """
    return f"{100 * value:.1f}"


def mean_of(row: dict, name: str = "mAP") -> str:
    """The mean of a row over its seeds, and the least and the most of them."""
    values = [run[name] for run in row["runs"]]
    return f"{points(sum(values) / len(values))} ({points(min(values))} .. {points(max(values))})"


def gained(gain: Sequence[float]) -> str:
    """An interval of a difference, in points.

    >>> gained([-0.0186, 0.029])
    '-1.9 .. +2.9'
    """
    return f"{100 * gain[0]:+.1f} .. {100 * gain[1]:+.1f}"


def times(ratio: float) -> str:
    """How many times as fast, with as many digits as it deserves.

    >>> times(13.27), times(4.81)
    ('13 times', '4.8 times')
    """
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def entry(claim: tuple[str, str, str], here: str, seeds: int, verdict: str, why: str | dict, source: str) -> dict:
    """One line of benchmarks/claims.json.

    claim : id, what is claimed, the paper's figures.
    why : a sentence, or one for each verdict that was foreseen; another verdict is an error, so that a new measurement
        cannot be explained by an old sentence.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"{claim[0]}: no verdict is called {verdict!r}")
    if isinstance(why, dict):
        if verdict not in why:
            raise ValueError(f"{claim[0]} is now {verdict!r}: say why, in the table that makes it")
        why = why[verdict]
    line = dict(zip(("id", "claim", "paper"), claim, strict=True))
    return line | {"here": here, "seeds": seeds, "verdict": verdict, "why": why, "source": source}
