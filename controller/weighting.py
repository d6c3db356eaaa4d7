"""How much each of several teachers counts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenth.errors import ConfigurationError
from tenth.progress import SILENT, Progress
from tenth.segmentation.distillation import class_weights, stacked_weights
from tenth.segmentation.evaluation import LabelledSample
from tenth.segmentation.inference import Predictor

log = logging.getLogger(__name__)

Weighting = Literal["stacked", "iou"]
"""``stacked``: so that together they make the labels of the validation split likeliest; ``iou``, the
thesis's: class by class, by their IoU on the images that are learned from."""

IMAGES = 100
"""Of the validation split, evenly spread; a few would do."""

Weights = NDArray[np.float64]
"""(teachers, C), each column summing to 1."""


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


def weigh(
    weighting: Weighting,
    teachers: Sequence[str],
    classes: int,
    stacked: Callable[[], Weights],
    ious: Callable[[], Sequence[NDArray[np.float64]]],
) -> Weights:
    """Return what each teacher's word counts for each class; one alone counts without being looked at.

    Parameters
    ----------
    weighting : str
        As configured.
    teachers : sequence of str
        Their names.
    classes : int
        How many there are.
    stacked, ious : callable
        Return the stacked weights; each teacher's IoU by class, (C,), on the images that are learned from.
    """
    if len(teachers) == 1:
        return np.ones((1, classes))
    weights = stacked() if weighting == "stacked" else class_weights(ious())
    for name, share in zip(teachers, weights.mean(1), strict=True):
        log.info("Teacher %s counts %.2f", name, share)
        if share < 0.005:
            log.warning("Teacher %s counts nothing beside the others; leave it out to save its time.", name)
    return weights


def stack(
    predictors: Mapping[str, Predictor],
    images: Sequence[LabelledSample],
    classes: int,
    progress: Progress = SILENT,
) -> Weights:
    """Return the stacked weights of teachers, by at most `IMAGES` images of the validation split.

    Raises
    ------
    DataError
        See `stacked_weights`.
    """
    every = max(1, -(-len(images) // IMAGES))
    return stacked_weights(predictors, images[::every], classes, progress)
