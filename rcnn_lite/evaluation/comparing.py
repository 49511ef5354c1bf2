"""Which of two detectors is better, and does that bear out what a paper claims? Notebook 16 builds these.

A gain is the difference of two scores, such as mAP; how sure it is, is said by an interval: where the gain lies in 95 %
of the sets of images that might have been drawn (notebook 02). A claim is one of three things afterwards.
"""

from collections.abc import Sequence

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


def _ordered(gain: Sequence[float]) -> tuple[float, float]:
    low, high = gain
    if not low <= high:
        raise ValueError(f"gain is an interval (low, high) and has low > high: {list(gain)}")
    return low, high


def _require_margin(margin: float) -> None:
    if margin < 0:
        raise ValueError(f"margin must not be negative: {margin}")
