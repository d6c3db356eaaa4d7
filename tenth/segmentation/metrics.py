"""How good a segmentation is: one confusion matrix over a whole set, and what follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.segmentation.classes import IGNORE


class ConfusionMatrix:
    """Counts of pixels by true and predicted class.

    Parameters
    ----------
    classes : int
        Number of classes, C.

    Attributes
    ----------
    counts : ndarray
        (C, C) int64; row = true class, column = predicted class.
    """

    def __init__(self, classes: int) -> None:
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.counts)

    def update(self, prediction: NDArray[np.integer[Any]], target: NDArray[np.integer[Any]]) -> None:
        """Count one image; pixels whose target is 255 are left out, whatever was predicted there.

        Parameters
        ----------
        prediction, target : ndarray
            Class ids, integers of the same shape.

        Raises
        ------
        DataError
            When the shapes differ or an id is no class.
        """
        if prediction.shape != target.shape:
            raise DataError(
                f"The prediction is {prediction.shape} and the labels are {target.shape}; they must match."
            )
        counted = target != IGNORE
        truth, guess = target[counted].astype(np.int64), prediction[counted].astype(np.int64)
        for what, ids in (("labels", truth), ("prediction", guess)):
            if ids.size and not (ids.min() >= 0 and ids.max() < self.classes):
                wrong = int(ids[(ids < 0) | (ids >= self.classes)][0])
                raise DataError(
                    f"The {what} contain the id {wrong}; the classes are 0 to {self.classes - 1}."
                )
        pairs = np.bincount(truth * self.classes + guess, minlength=self.classes**2)
        self.counts += pairs.reshape(self.classes, self.classes)

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        """Return the counts of both sets together."""
        if self.classes != other.classes:
            raise DataError(f"Counts of {self.classes} and of {other.classes} classes cannot be added.")
        total = ConfusionMatrix(self.classes)
        total.counts = self.counts + other.counts
        return total

    @property
    def pixels(self) -> int:
        """Number of counted pixels."""
        return int(self.counts.sum())

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union, (C,) float64 in 0..1; NaN for a class neither present nor predicted."""
        hits = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(0) + self.counts.sum(1) - np.diag(self.counts)
        result = np.full(self.classes, np.nan)
        np.divide(hits, union, out=result, where=union > 0)
        return result

    @property
    def miou(self) -> float:
        """Mean of the IoUs that are not NaN; NaN when nothing was counted."""
        known = self.iou[~np.isnan(self.iou)]
        return float(known.mean()) if known.size else float("nan")

    @property
    def pixel_accuracy(self) -> float:
        """Share of the counted pixels that are right; NaN when nothing was counted."""
        return float(np.trace(self.counts) / self.pixels) if self.pixels else float("nan")

    def to_dict(self, names: list[str]) -> dict[str, Any]:
        """Return the figures for JSON: ``miou``, ``pixel_accuracy``, ``pixels`` and ``iou`` by class name.

        What is NaN becomes ``None``, since JSON has no NaN.
        """
        if len(names) != self.classes:
            raise DataError(f"{len(names)} class names were given for {self.classes} classes.")
        return {
            "miou": _finite(self.miou),
            "pixel_accuracy": _finite(self.pixel_accuracy),
            "pixels": self.pixels,
            "iou": {name: _finite(float(value)) for name, value in zip(names, self.iou, strict=True)},
        }


def _finite(value: float) -> float | None:
    return None if np.isnan(value) else value
