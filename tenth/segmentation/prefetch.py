"""Loading ahead in the background while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def prefetched(load: Callable[[K], V], keys: Iterable[K], workers: int) -> Generator[V, None, None]:
    """Yield ``load(key)`` for each key, in order, while `workers` threads load what comes next.

    Threads and not processes: decoding and resizing release the interpreter lock, and nothing has to be
    pickled or copied between processes.

    Parameters
    ----------
    load : callable
        Called with one key at a time, from several threads at once when `workers` is above 1.
    keys : iterable
        May be endless; at most ``workers + 1`` results wait.
    workers : int
        Number of threads; 0 loads in the caller's thread when asked for the next.

    Yields
    ------
    object
        What `load` returned; what it raised is raised here, at its turn. Close the generator to stop early.
    """
    if workers == 0:
        yield from map(load, keys)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="load")
    waiting: deque[Future[V]] = deque()
    try:
        for key in keys:
            waiting.append(pool.submit(load, key))
            if len(waiting) > workers + 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
