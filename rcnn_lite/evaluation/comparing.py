"""Which of two detectors is better, and does that bear out what a paper claims? Notebook 16 builds these.

A gain is the difference of two scores, such as mAP; how sure it is, is said by an interval: where the gain lies in 95 %
of the sets of images that might have been drawn (notebook 02). A claim is one of three things afterwards.
"""

from collections.abc import Sequence

from torch import Tensor

REPRODUCED, NOT_REPRODUCED, CANNOT_TELL = "reproduced", "not reproduced", "cannot tell"
NOT_TESTABLE = "not testable at this size"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE, CANNOT_TELL)
LITTLE = 0.03  # of mAP: what the papers call "barely" or "nearly"; X6's own figures span 2.7 points


def better(gain: Sequence[float]) -> str:
    """The verdict on "A is better than B", from the interval (low, high) of A - B.

    The interval must lie on one side of 0: above it the claim is reproduced, below it is not, and across it these
    images cannot tell. Raises ValueError if low > high.

    >>> better((0.01, 0.04)), better((-0.04, -0.01)), better((-0.01, 0.04))
    ('reproduced', 'not reproduced', 'cannot tell')
    """
    low, high = _ordered(gain)
    return REPRODUCED if low > 0 else NOT_REPRODUCED if high < 0 else CANNOT_TELL


def alike(gain: Sequence[float], margin: float = LITTLE) -> str:
    """The verdict on "A is as good as B, within a margin", from the interval (low, high) of A - B.

    An interval across 0 is not enough, or few images would make all detectors alike: the whole of it must lie within
    the margin. Raises ValueError if low > high or the margin is negative.

    >>> alike((-0.02, 0.01)), alike((0.05, 0.09)), alike((-0.06, 0.05))
    ('reproduced', 'not reproduced', 'cannot tell')
    """
    low, high = _ordered(gain)
    _require_margin(margin)
    outside = low > margin or high < -margin
    return REPRODUCED if -margin <= low and high <= margin else NOT_REPRODUCED if outside else CANNOT_TELL


def not_worse(gain: Sequence[float], margin: float = LITTLE) -> str:
    """The verdict on "A is at least nearly as good as B": only the lower end counts for it, only the upper against it.

    >>> not_worse((-0.02, 0.07)), not_worse((-0.09, -0.04)), not_worse((-0.05, 0.01))
    ('reproduced', 'not reproduced', 'cannot tell')
    """
    low, high = _ordered(gain)
    _require_margin(margin)
    return REPRODUCED if low >= -margin else NOT_REPRODUCED if high < -margin else CANNOT_TELL


def all_of(verdicts: Sequence[str]) -> str:
    """The verdict on a claim with several parts: one that fails brings it down, one that is open leaves it open.

    >>> all_of(["reproduced", "cannot tell"]), all_of(["cannot tell", "not reproduced"])
    ('cannot tell', 'not reproduced')
    """
    for verdict in (NOT_REPRODUCED, CANNOT_TELL):
        if verdict in verdicts:
            return verdict
    return REPRODUCED


def pareto_front(seconds: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """Which of D detectors nobody beats: no other is at least as fast and at least as good, and better in one of both.

    Two that are equal in both do not beat each other. Raises ValueError unless there is a score for each.

    >>> pareto_front([0.1, 0.5, 0.6], [0.8, 0.9, 0.85])
    [True, True, False]
    """
    if len(seconds) != len(scores):
        raise ValueError(f"there are seconds for {len(seconds)} detectors and scores for {len(scores)}")
    both = list(zip(seconds, scores, strict=True))
    return [not any(s <= a and v >= b and (s < a or v > b) for s, v in both) for a, b in both]


def resampled_gains(hits: Tensor, other_hits: Tensor, objects: Tensor, draws: Tensor) -> Tensor:
    """The gain in recall of one detector over another in B sets of images drawn with replacement: (B,).

    Notation: N images, in which `objects` (N,) can be found, and the two detectors find `hits` and `other_hits` (N,).
    `draws` (B, N) are the numbers of the images in each set. Both detectors see the same sets: what makes a set easy
    makes it easy for both, and their difference varies less than each by itself (a paired bootstrap; Efron 1979).
    Raises ValueError where the lengths differ, and for a set without objects.

    >>> import torch
    >>> hits, other, objects = torch.tensor([1, 2]), torch.tensor([1, 0]), torch.tensor([1, 3])
    >>> resampled_gains(hits, other, objects, torch.tensor([[0, 1], [1, 1]])).tolist()
    [0.5, 0.6666666865348816]
    """
    if not len(hits) == len(other_hits) == len(objects):
        raise ValueError(
            f"hits, other_hits and objects are of {len(hits)}, {len(other_hits)} and {len(objects)} images"
        )
    total = objects[draws].sum(dim=1)  # (B,)
    if (total == 0).any():
        raise ValueError(f"draws[{int((total == 0).nonzero()[0, 0])}] has no objects")
    return (hits - other_hits)[draws].sum(dim=1) / total


def speed_up(before: dict[str, float], after: dict[str, float]) -> float:
    """How many times as fast a detector is as a whole when each of its stages takes `after` seconds, not `before`.

    A stage that `after` does not name takes as long as it did. Amdahl's law: what is left as it was limits the whole.
    Raises ValueError for a stage of `after` that there is not, and where nothing takes any time afterwards.

    >>> speed_up({"convolutions": 1.0, "heads": 9.0}, {"heads": 1.0})
    5.0
    """
    if other := sorted(set(after) - set(before)):
        raise ValueError(f"there is no stage {other[0]!r} before: {', '.join(before)}")
    rest = sum((before | after).values())
    if rest <= 0:
        raise ValueError("no stage takes any time afterwards")
    return sum(before.values()) / rest


def _ordered(gain: Sequence[float]) -> tuple[float, float]:
    low, high = gain
    if not low <= high:
        raise ValueError(f"gain is an interval (low, high) and has low > high: {list(gain)}")
    return low, high


def _require_margin(margin: float) -> None:
    if margin < 0:
        raise ValueError(f"margin must not be negative: {margin}")
