"""Random numbers that stay the same from one version of numpy to the next."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """Numbers that all come from ``Generator.random``, the part of numpy's random streams least likely to change."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def unit(self) -> float:
        """0 <= result < 1."""
        return float(self.rng.random())

    def uniform(self, low: float, high: float) -> float:
        """low <= result < high."""
        return low + (high - low) * self.unit()

    def integer(self, low: int, high: int) -> int:
        """low <= result <= high."""
        return low + int(self.unit() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.unit() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely."""
        return options[self.integer(0, len(options) - 1)]
