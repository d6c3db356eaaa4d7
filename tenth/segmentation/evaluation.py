"""Measuring a network on a labelled set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.inference import ImagePredictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.prefetch import prefetched


class LabelledSample(Protocol):
    """Something to measure on."""

    @property
    def key(self) -> str:
        """Its name in messages."""

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image (H, W, 3) uint8 RGB and its labels (H, W) uint8, 255 = ignore."""


def evaluate(
    predictor: ImagePredictor,
    samples: Sequence[LabelledSample],
    classes: ClassSet,
    progress: Progress = SILENT,
    description: str = "evaluate",
) -> ConfusionMatrix:
    """Predict all `samples` and count the pixels by true and predicted class.

    Parameters
    ----------
    predictor : ImagePredictor
        A network, or its export in another runtime.
    samples : sequence of LabelledSample
        Such as `tenth.segmentation.dataset.Sample` with labels.
    classes : ClassSet
        Their classes.
    progress : Progress
        Where the progress bar goes.
    description : str
        The text before the bar.

    Raises
    ------
    DataError
        When there are no samples, or one has no labels or labels that do not fit.
    """
    if not samples:
        raise DataError("There is no labelled image to evaluate on; choose a split that has some.")
    confusion = ConfusionMatrix(len(classes))
    loaded = prefetched(lambda sample: sample.load(), samples, workers=1)
    with closing(loaded), progress.bar(len(samples), description, "image") as bar:
        for sample, (image, labels) in zip(samples, loaded, strict=True):
            try:
                confusion.update(predictor.labels(image), labels)
            except DataError as error:
                raise DataError(f"{sample.key}: {error}") from error
            bar.update()
    return confusion
