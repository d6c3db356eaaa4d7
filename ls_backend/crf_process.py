"""The CRF in a process of its own.

Its C++ code keeps Python's interpreter lock for seconds. In the worker's process that would silence
`/health`, for which Label Studio waits one second before it counts the backend as dead.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np
from numpy.typing import NDArray

from ls_backend.turns import turn
from tenth.errors import DataError
from tenth.segmentation.crf import CRFOptions
from tenth.segmentation.refine import Regions, refine


class CrfProcess:
    """Refines probabilities in a child process, which the first call starts.

    Safe to share between threads; one image is refined at a time. The child ends with its parent, however
    that ends.

    Parameters
    ----------
    options : CRFOptions
        Mode, weights, widths, iterations.
    """

    def __init__(self, options: CRFOptions) -> None:
        self._options = options
        self._turn = threading.Lock()
        self._child: tuple[BaseProcess, Connection] | None = None

    def refine(
        self,
        probabilities: NDArray[np.float32],
        image: NDArray[np.uint8],
        superpixels: Callable[[], Regions],
        deadline: float,
    ) -> NDArray[np.float32]:
        """Return `tenth.segmentation.refine.refine` of probabilities (C, H, W) and image (H, W, 3) uint8.

        `superpixels` is called only where the CRF works on them. Other images are waited for until `deadline`
        (by `time.monotonic`).

        Raises
        ------
        DataError
            When the CRF refuses them, or its process died (of memory, mostly); the next call starts another.
        TooLate
            When it was not their turn until then.
        """
        regions = None if self._options.mode == "pixel" else superpixels()
        with turn(self._turn, deadline):
            connection = self._connection()
            try:
                connection.send((probabilities, image, regions, self._options))
                answer: NDArray[np.float32] | DataError = connection.recv()
            except (EOFError, OSError) as error:
                self._end()
                raise DataError(
                    f"The CRF's process died at an image of {image.shape[1]} × {image.shape[0]} pixels "
                    f"and {len(probabilities)} classes; most likely memory ran out. Give the machine more, "
                    "or the task a smaller image."
                ) from error
        if isinstance(answer, DataError):
            raise answer
        return answer

    def close(self) -> None:
        """End the child process."""
        with self._turn:
            self._end()

    def _connection(self) -> Connection:
        if self._child is None:
            # Not forked: a worker has threads, whose locks a forked child would inherit locked.
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), name="dense-crf", daemon=True)
            process.start()
            theirs.close()
            self._child = process, ours
        return self._child[1]

    def _end(self) -> None:
        if self._child is not None:
            process, connection = self._child
            self._child = None
            connection.close()
            process.terminate()
            process.join()


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and its end of the pipe ends us
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            arguments = connection.recv()
            try:
                connection.send(refine(*arguments))
            except DataError as error:
                connection.send(error)
