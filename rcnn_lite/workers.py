"""Work on each picture of a large data set, spread over the cores of a machine (joblib).

What is done with a picture must leave its result where it belongs, whole or not at all, so that nothing is lost but the
pictures at hand when the work is interrupted; whoever calls this knows which are done.
"""

import pickle
import uuid
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from tqdm import tqdm

Work = Callable[[int], object]
_known: dict[str, Work] = {}  # in a worker: the work that it has unpacked, by name


def for_each(work: Work, pictures: Sequence[int], what: str, total: int | None = None, workers: int = 1) -> None:
    """Call ``work(i)`` for each number in `pictures`, in any order, with a progress bar.

    Parameters
    ----------
    work : if there are several workers, a function or object that can be pickled. It is sent to each of them once.
    what : for the bar, which counts to `total`, the pictures that were done before included.
    workers : processes of one thread each. 1 is this process itself, with all its threads.

    Raises
    ------
    ValueError : an image that cannot be used, named by its number. What was done before it stays done.
    """
    done = (total or len(pictures)) - len(pictures)
    with tqdm(total=total, initial=done, desc=what, unit="image", disable=None) as bar:
        for _ in map(_named(work), pictures) if workers == 1 or len(pictures) < 2 else _spread(work, pictures, workers):
            bar.update()


def _spread(work: Work, pictures: Sequence[int], workers: int) -> Iterator[None]:
    """One None for each picture that is done."""
    from joblib import Parallel, delayed, parallel_config

    packed, name = np.frombuffer(pickle.dumps(work), np.uint8), uuid.uuid4().hex  # joblib shares large arrays by a file
    with parallel_config("loky", n_jobs=min(workers, len(pictures)), inner_max_num_threads=1):
        yield from Parallel(return_as="generator_unordered", max_nbytes=1 << 16)(
            delayed(_call)(packed, name, i) for i in pictures
        )


def _call(packed: np.ndarray, name: str, picture: int) -> None:
    """In a worker: unpack the work if it is new, and do it."""
    if name not in _known:
        _known.clear()
        _known[name] = pickle.loads(packed.tobytes())
    _named(_known[name])(picture)


def _named(work: Work) -> Callable[[int], None]:
    """The work, whose complaints say which picture they are about."""

    def call(picture: int) -> None:
        """Do it, or complain."""
        try:
            work(picture)
        except (ValueError, OSError) as error:
            raise ValueError(f"image {picture} of the data set cannot be used: {error}") from error

    return call
