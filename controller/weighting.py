"""How much each of several teachers counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Progress
from tenth.segmentation.distillation import stacked_weights
from tenth.segmentation.distillation.teachers import logits_of
from tenth.segmentation.evaluation import LabelledSample
from tenth.segmentation.inference import Predictor

Weighting = Literal["stacked", "iou"]
"""``stacked``: so that together they make the labels of the validation split likeliest; ``iou``, the
thesis's: class by class, by their IoU on the images that are learned from."""

IMAGES = 100
"""Of the validation split, evenly spread; a few would do."""


def check_weighting(weighting: Weighting, teachers: int, labels: bool, split: str, otherwise: str) -> None:
    """See that there are labels to weigh the teachers by.

    Parameters
    ----------
    weighting : str
        As configured.
    teachers : int
        How many; one alone needs no weight.
    labels : bool
        Whether the validation split has labels.
    split, otherwise : str
        For the message: that split, and what to set to weigh by IoU.

    Raises
    ------
    ConfigurationError
        When there are none.
    """
    if weighting == "stacked" and teachers > 1 and not labels:
        raise ConfigurationError(
            f"How much each of {teachers} teachers counts is found out on labelled images of {split}, and "
            f"there are none. Label some, or set {otherwise}, which takes their IoU on the images that are "
            "learned from."
        )


def stack(
    predictors: Mapping[str, Predictor], images: Sequence[LabelledSample], progress: Progress = SILENT
) -> NDArray[np.float64]:
    """Return the stacked weights of teachers, (teachers, C) float64, each column summing to 1.

    Parameters
    ----------
    predictors : mapping of str to Predictor
        The teachers by name.
    images : sequence of LabelledSample
        Of the validation split; at most `IMAGES` are looked at.
    progress : Progress, optional
        Where a bar is shown.

    Raises
    ------
    DataError
        When an image cannot be read, or none has a label.
    """
    every = -(-len(images) // IMAGES)
    return stacked_weights(logits_of(predictors, images[::every], progress))
