"""How often a network is right when it says that it is: confidence calibrated class by class.

A frequent class is right more often at the same confidence than a rare one, so that one threshold or one
weight for all of them keeps what is common and wrong and drops what is rare and right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tenth.errors import DataError

BINS = 20
"""Bins of the confidence, of equal width."""

PRIOR = 50.0
"""Pixels that a bin is pulled towards its own confidence with: little evidence changes little."""


class Reliability:
    """Counts of how often each class was right at each confidence.

    Parameters
    ----------
    classes : int
        Number of classes C.
    """

    def __init__(self, classes: int) -> None:
        self.right = np.zeros((classes, BINS))
        self.total = np.zeros((classes, BINS))
        self.confidence = np.zeros((classes, BINS))

    def update(self, probabilities: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.uint8]) -> None:
        """Count the pixels of one image whose truth is known.

        Parameters
        ----------
        probabilities : (C, H, W) float
            Class probabilities.
        truth : (H, W) uint8
            Class ids, 255 where it is not known.

        Raises
        ------
        DataError
            When the shapes differ.
        """
        if probabilities.shape[1:] != truth.shape or len(probabilities) != len(self.total):
            raise DataError(
                f"Probabilities of shape {probabilities.shape} cannot be compared with labels of shape "
                f"{truth.shape} and {len(self.total)} classes; both have to be of the same image."
            )
        known = truth != 255
        guess, sure = probabilities.argmax(axis=0)[known], probabilities.max(axis=0)[known]
        cells = guess * BINS + _bin(sure)
        shape, size = self.total.shape, self.total.size
        self.total += np.bincount(cells, minlength=size).reshape(shape)
        self.right += np.bincount(cells, weights=guess == truth[known], minlength=size).reshape(shape)
        self.confidence += np.bincount(cells, weights=sure, minlength=size).reshape(shape)

    def calibration(self) -> Calibration:
        """Return the curves that these counts give: monotone, pulled towards the raw confidence."""
        middles = (np.arange(BINS) + 0.5) / BINS
        mean = np.where(self.total > 0, self.confidence / np.maximum(self.total, 1), middles)
        rate = (self.right + PRIOR * mean) / (self.total + PRIOR)
        weight = self.total + 1  # a bin without evidence gives way to its neighbours
        curves = np.stack([_monotone(*row) for row in zip(rate, weight, strict=True)])
        return Calibration(mean, curves)


@dataclass(frozen=True)
class Calibration:
    """From the confidence of a prediction to how often it is right, for each class.

    Parameters
    ----------
    confidence : (C, B) float64
        Mean confidence of each bin, rising.
    accuracy : (C, B) float64
        How often it was right, never falling.
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]

    def __call__(self, probabilities: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Return the calibrated confidence of each pixel's most probable class.

        Parameters
        ----------
        probabilities : (C, H, W) float
            Class probabilities.

        Returns
        -------
        (H, W) float32
            In 0..1.
        """
        guess, sure = probabilities.argmax(axis=0), probabilities.max(axis=0)
        result = np.empty(guess.shape, np.float32)
        for label in np.unique(guess):
            where = guess == label
            result[where] = np.interp(sure[where], self.confidence[label], self.accuracy[label])
        return result


def _bin(confidence: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def _monotone(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the nearest never falling sequence: pool adjacent violators (isotonic regression)."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, mass, length = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * mass) / (before[1] + mass)
            before[1] += mass
            before[2] += length
    return np.concatenate([np.full(int(length), mean) for mean, _, length in blocks])
