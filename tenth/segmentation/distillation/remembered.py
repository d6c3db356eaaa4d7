"""Soft labels kept decoded in memory, as far as they fit: a student sees each of them once an epoch."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LIMIT = 2**30
"""Bytes that are kept: 565 images of 240×180 with 11 classes, 27 of 512×1024 with 19."""


class SoftLabels(Protocol):
    """Soft labels by image key."""

    def read(self, key: str) -> NDArray[np.float32]:
        """Return an image's soft labels, (C, H, W) float32."""


class RememberedSoftLabels:
    """Keeps what it has read, first come first kept, until the limit is reached; the rest is read each time.

    Beside that each thread keeps what it read last: one view of an image may need its soft labels twice.
    Nothing makes room for something newer: in passes over all images in random order, what was used least
    recently is as likely to be next as anything else. What is returned does not depend on what is kept.

    Parameters
    ----------
    source : SoftLabels
        Where they come from; must not change any more.
    limit : int, optional
        Bytes to keep at most, 0 or more.
    """

    def __init__(self, source: SoftLabels, limit: int = LIMIT) -> None:
        self.source = source
        self.limit = limit
        self.nbytes = 0
        self._known: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()
        self._last = threading.local()

    def read(self, key: str) -> NDArray[np.float32]:
        """Return an image's soft labels, (C, H, W) float32, not to be written to.

        Raises
        ------
        DataError
            When the source has none, or they are damaged.
        """
        known = self._known.get(key)
        if known is not None:
            return known
        last: tuple[str, NDArray[np.float32]] | None = getattr(self._last, "read", None)
        if last is not None and last[0] == key:
            return last[1]
        labels = self.source.read(key)
        labels.flags.writeable = False
        with self._lock:
            if key not in self._known and self.nbytes + labels.nbytes <= self.limit:
                self._known[key] = labels
                self.nbytes += labels.nbytes
        self._last.read = key, labels
        return labels
