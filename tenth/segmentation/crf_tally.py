"""What the fit of the CRF counts: hits by class, and errors found where the entropy is highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tenth.errors import DataError
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.uncertainty import pixel_entropy

Measure = Literal["miou", "errors-found"]

ASKED_SHARE = 0.1
"""Share of the pixels among which errors are looked for."""


@dataclass(frozen=True)
class Tally:
    """Counts over some images; they add up.

    Parameters
    ----------
    confusion : (C, C) int64
        Pixels by true and refined class.
    errors : int
        Pixels that the network, without a CRF, has wrong.
    found : float
        How many of them lie in the tenth of each image's labelled pixels with the highest refined entropy.
    """

    confusion: npt.NDArray[np.int64]
    errors: int
    found: float

    @classmethod
    def empty(cls) -> Tally:
        """Return what adds nothing, to counts of any number of classes."""
        return cls(np.zeros((1, 1), np.int64), 0, 0.0)

    def __add__(self, other: Tally) -> Tally:
        """Return the counts of both together."""
        confusion = self.confusion + other.confusion  # that of `empty` is spread over all cells
        return Tally(confusion, self.errors + other.errors, self.found + other.found)

    @property
    def matrix(self) -> ConfusionMatrix:
        """The confusion matrix, for the figures that follow from it."""
        matrix = ConfusionMatrix(len(self.confusion))
        matrix.counts = self.confusion
        return matrix

    def score(self, measure: Measure) -> float:
        """Return mIoU or the share of errors found, 0 to 1; NaN when there is nothing to count."""
        if measure == "miou":
            return self.matrix.miou
        return self.found / self.errors if self.errors else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"confusion": self.confusion.tolist(), "errors": self.errors, "found": self.found}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tally:
        """Return what `to_dict` was made from; raises KeyError, TypeError or ValueError when it was not."""
        confusion = np.array(values["confusion"], np.int64)
        if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
            raise ValueError(f"a confusion matrix of shape {confusion.shape}")
        return cls(confusion, int(values["errors"]), float(values["found"]))


def tally_image(
    probabilities: npt.NDArray[np.floating[Any]],
    refined: npt.NDArray[np.floating[Any]],
    truth: npt.NDArray[np.uint8],
) -> Tally:
    """Count one image.

    Parameters
    ----------
    probabilities, refined : (C, H, W) float
        Before and after the CRF.
    truth : (H, W) uint8
        Labels, 255 = ignore.

    Raises
    ------
    DataError
        When the shapes do not fit or a label is no class.
    """
    if probabilities.shape[1:] != truth.shape:
        raise DataError(
            f"Probabilities of {probabilities.shape[1:]} pixels and labels of {truth.shape} do not belong "
            "to the same image."
        )
    matrix = ConfusionMatrix(len(probabilities))
    matrix.update(refined.argmax(axis=0), truth)
    labelled = truth != IGNORE
    wrong = (probabilities.argmax(axis=0) != truth)[labelled]
    found = errors_found(pixel_entropy(refined)[labelled], wrong)
    return Tally(matrix.counts, int(wrong.sum()), found)


def errors_found(entropy: npt.NDArray[np.floating[Any]], wrong: npt.NDArray[np.bool_]) -> float:
    """Return how many wrong pixels are in the tenth with the highest entropy.

    Of pixels that tie at the threshold (a CRF makes many exactly certain) a like share of the wrong ones
    counts: what a random order of them would give on average.

    Parameters
    ----------
    entropy : (N,) float
        In nats.
    wrong : (N,) bool
        Which pixels are wrong.
    """
    if not entropy.size:
        return 0.0
    asked = max(1, round(ASKED_SHARE * entropy.size))
    threshold = np.partition(entropy, -asked)[-asked]
    above, tied = entropy > threshold, entropy == threshold
    share = (asked - int(above.sum())) / int(tied.sum())
    return float(wrong[above].sum() + share * wrong[tied].sum())
