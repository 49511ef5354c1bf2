"""Calling a function that may never end.

The function runs in a thread of its own. When its time is up, an exception is raised inside that thread at its next
Python instruction (``PyThreadState_SetAsyncExc``), so a loop really stops; it does not go on burning a core behind
the notebook's back. Unlike an alarm signal this works on Windows and in any thread, and unlike a second process it
needs no pickling, so a function defined in a notebook cell can be called.
"""

import contextlib
import ctypes
import io
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

GRACE = 2.0
"""Seconds that a function has to stop in once its time is up, before it is left behind."""


class TimeUp(SystemExit):
    """Raised inside a function whose time is up. A SystemExit, since ``except Exception`` must not swallow it and a
    thread may end with it silently.

    A bare ``except:`` inside a loop would swallow it all the same. So when it is made, in the thread that is to
    end, it sets a trap: the next line that is executed, the one after that ``except:``, raises it again.
    """

    def __init__(self):
        super().__init__()
        frame = sys._getframe(1)
        while frame and frame.f_code.co_filename != __file__:
            frame.f_trace = _raise_again
            frame = frame.f_back
        sys.settrace(_raise_again)  # for this thread only


def _raise_again(frame, event, arg):
    raise TimeUp


@dataclass
class Outcome:
    """What a call came to: ``value``, or ``error``, or neither when its time was up; what it printed, how long it took,
    and its arguments afterwards."""

    value: object = None
    error: BaseException | None = None
    finished: bool = False
    stopped: bool = True
    printed: str = ""
    seconds: float = 0.0
    args: tuple = ()


def call_with_deadline(function: Callable, args: tuple, seconds: float) -> Outcome:
    """Call ``function(*args)`` for at most ``seconds``; whatever it raises is caught, what it prints is kept.

    ``finished`` is false when its time was up; ``stopped`` is false when it could not even be stopped, because it does
    not come back from a call into compiled code.

    >>> call_with_deadline(max, (2, 3), seconds=5.0).value
    3
    """
    outcome, left = Outcome(), threading.Event()

    def work():
        try:
            outcome.value = function(*args)
            outcome.finished = True
        except TimeUp:
            pass
        except BaseException as error:  # a learner's code may raise anything
            outcome.error, outcome.finished = error, True
        finally:
            sys.settrace(None)
            left.set()

    thread = threading.Thread(target=work, daemon=True, name="answer")
    start = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thread.start()
        _wait(thread, seconds)
        _stop(thread, left)
    outcome.stopped, outcome.printed = not thread.is_alive(), printed.getvalue()
    outcome.seconds = time.monotonic() - start
    return outcome


def _wait(thread: threading.Thread, seconds: float) -> None:
    """Join in short slices, so that the notebook's stop button is heard on Windows too; if it is, stop the thread."""
    end = time.monotonic() + seconds
    try:
        while thread.is_alive() and (left := end - time.monotonic()) > 0:
            thread.join(min(left, 0.1))
    except KeyboardInterrupt:
        _raise_in(thread, TimeUp)
        raise


def _stop(thread: threading.Thread, left: threading.Event) -> None:
    """Raise `TimeUp` in the thread until it has left the function."""
    give_up = time.monotonic() + GRACE
    while not left.is_set() and time.monotonic() < give_up:
        _raise_in(thread, TimeUp)
        left.wait(0.02)
    if left.is_set():
        thread.join()


def _raise_in(thread: threading.Thread, exception: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(exception))
