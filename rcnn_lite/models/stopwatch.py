"""Where the time goes: seconds added up by name."""

import time
from collections import defaultdict
from contextlib import contextmanager

import torch


class Stopwatch:
    """`with watch("warp"): ...` adds the block's wall-clock time to `watch.seconds["warp"]`.

    >>> watch = Stopwatch()
    >>> with watch("nothing"):
    ...     pass
    >>> watch.seconds["nothing"] < 1
    True
    """

    def __init__(self):
        self.seconds = defaultdict(float)

    @contextmanager
    def __call__(self, name: str):
        start = self._now()
        try:
            yield
        finally:
            self.seconds[name] += self._now() - start

    @staticmethod
    def _now() -> float:
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # kernels run on after the call that started them
            torch.cuda.synchronize()
        return time.perf_counter()
