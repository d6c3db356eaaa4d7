"""One request at a time, and none that waits longer than Label Studio waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class TooLate(Exception):
    """A request's time is over."""


@contextmanager
def turn(lock: threading.Lock, deadline: float) -> Iterator[None]:
    """Hold `lock`.

    Parameters
    ----------
    lock : Lock
        Which others may hold.
    deadline : float
        Until when to wait for it, by `time.monotonic`.

    Raises
    ------
    TooLate
        When others held it until then.
    """
    if not lock.acquire(timeout=seconds_left(deadline)):
        raise TooLate
    try:
        yield
    finally:
        lock.release()


def seconds_left(deadline: float) -> float:
    """Return the seconds until `deadline`, by `time.monotonic`.

    Raises
    ------
    TooLate
        When there are none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TooLate
    return left
