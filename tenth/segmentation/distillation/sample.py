"""A fixed number of pixels, drawn evenly from any number of images that pass by once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError


class PixelSample:
    """The logits of several teachers at the same pixels.

    Every pixel gets a random number and those with the smallest ones are kept, so each pixel of each image is
    as likely to be in the sample as any other, and no more than `capacity` are held.

    Parameters
    ----------
    capacity : int
        Number of pixels to keep, at least 1.
    seed : int
        Which pixels.

    Attributes
    ----------
    logits : dict of str to ndarray
        For each teacher (pixels, C) float32.
    labels : ndarray
        (pixels,) uint8, 255 = no label.
    """

    def __init__(self, capacity: int, seed: int) -> None:
        self.capacity = capacity
        self.logits: dict[str, NDArray[np.float32]] = {}
        self.labels: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._draws: NDArray[np.float64] = np.empty(0)
        self._random = np.random.default_rng(seed)

    def add(self, logits: Mapping[str, NDArray[np.float32]], labels: NDArray[np.uint8]) -> None:
        """Let an image pass by.

        Parameters
        ----------
        logits : mapping of str to ndarray
            For each teacher (C, H, W) float32.
        labels : ndarray
            (H, W) uint8, 255 = no label.

        Raises
        ------
        DataError
            When the teachers or the classes differ from those of the images before, or the sizes differ.
        """
        self._check(logits, labels)
        draws = self._random.random(labels.size)
        here = _smallest(draws, self.capacity)
        all_draws = np.concatenate([self._draws, draws[here]])
        kept = _smallest(all_draws, self.capacity)
        self._draws = all_draws[kept]
        self.labels = np.concatenate([self.labels, labels.reshape(-1)[here]])[kept]
        for teacher, values in logits.items():
            new = values.reshape(len(values), -1)[:, here].T
            before = self.logits.get(teacher, new[:0])
            self.logits[teacher] = np.concatenate([before, new])[kept]

    def _check(self, logits: Mapping[str, NDArray[np.float32]], labels: NDArray[np.uint8]) -> None:
        known = list(self.logits) or list(logits)
        classes = {values.shape[1] for values in self.logits.values()}
        classes |= {values.shape[0] for values in logits.values()}
        fits = all(values.shape[1:] == labels.shape for values in logits.values())
        if list(logits) != known or len(classes) != 1 or not fits:
            shapes = {teacher: values.shape for teacher, values in logits.items()}
            raise DataError(
                f"Logits of shapes {shapes} and labels of shape {labels.shape} cannot be sampled; each of "
                f"the teachers {', '.join(known)} has to give (classes, height, width), the same for all."
            )


def _smallest(draws: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return where the `count` smallest are, in rising order of place."""
    if len(draws) <= count:
        return np.arange(len(draws))
    return np.sort(np.argpartition(draws, count - 1)[:count])
