"""Predictors measured on splits, each once: what was counted is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from controller.memo import Memo
from tenth.segmentation.metrics import ConfusionMatrix


@dataclass(frozen=True)
class Measured:
    """Pixels by true and predicted class, and how long the counting took."""

    confusion: ConfusionMatrix
    seconds: float


def measured_once(
    memo: Memo, predictor: object, images: str, count: Callable[[], ConfusionMatrix]
) -> Measured:
    """Return what an earlier call counted, or count.

    Parameters
    ----------
    memo : Memo
        Where it is kept.
    predictor : object
        JSON; what tells apart who predicted.
    images : str
        Digest of the images and their labels.
    count : callable
        Predicts and counts.
    """

    def compute() -> dict[str, Any]:
        start = perf_counter()
        confusion = count()
        return {"counts": confusion.counts, "seconds": perf_counter() - start}

    found = memo.recall({"confusion": predictor, "images": images}, compute)
    confusion = ConfusionMatrix(len(found["counts"]))
    confusion.counts = np.array(found["counts"], np.int64)
    return Measured(confusion, float(found["seconds"]))
