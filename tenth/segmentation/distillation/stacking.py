"""How much each teacher counts: the mixture of them under which labels that they never saw are likeliest.

Stacking of densities: Smyth & Wolpert, "Linearly Combining Density Estimators via Stacking", Machine
Learning 36 (1999). The thesis weighs teachers by their IoU on the images that they were trained on, which
says little of others when those are few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.evaluation import LabelledSample
from tenth.segmentation.inference import ImagePredictor

PIXELS = 1000
"""With a label, of each image."""

LEAST_LIKELIHOOD = 1e-6
"""What a teacher gives to any label: one that is sure and wrong is not infinitely wrong."""

LEAST_WEIGHT = 1e-6
"""Added to every weight, so that each teacher has one."""

TOLERANCE = 1e-5
"""In nats: the weights make labels likely to within this of the best."""

STEPS = 10_000
"""At most; some hundred to two thousand do, and each is an improvement on those before."""


def stacked_weights(
    teachers: Mapping[str, ImagePredictor],
    images: Sequence[LabelledSample],
    classes: int,
    progress: Progress = SILENT,
) -> NDArray[np.float64]:
    """Return what each teacher's word counts, the same for all classes, so that labels are likeliest.

    The likelihoods are of unsoftened probabilities: how soft a teacher is made says nothing about how often
    it is right. Weights are rounded to the second decimal: pixels of one image are too alike to tell more,
    and predictions that differ in their last bits, as those of a GPU may, hardly ever give others then.

    Parameters
    ----------
    teachers : mapping of str to ImagePredictor
        By name.
    images : sequence of LabelledSample
        Such that no teacher was trained on.
    classes : int
        How many there are.
    progress : Progress, optional
        Where a bar is shown.

    Returns
    -------
    ndarray
        (teachers, C) float64 above 0; each column sums to 1. For `Ensemble`.

    Raises
    ------
    DataError
        When an image cannot be read, no pixel has a label, or a teacher says what is no probability.
    """
    likelihoods = label_likelihoods(teachers, images, classes, progress)
    if not likelihoods.size:
        raise DataError(
            f"Teachers cannot be weighed by {len(images)} images without a labelled pixel. Label some of the "
            'validation split, or weigh teachers by their IoU on the images that are learned from ("iou").'
        )
    weights = mixture_weights(likelihoods).round(2) + LEAST_WEIGHT
    return np.repeat((weights / weights.sum())[:, None], classes, axis=1)


def label_likelihoods(
    teachers: Mapping[str, ImagePredictor],
    images: Sequence[LabelledSample],
    classes: int,
    progress: Progress = SILENT,
) -> NDArray[np.float64]:
    """Return what each teacher gives to labels, (teachers, pixels) float64 in 0..1.

    The pixels are `PIXELS` of each image, drawn evenly from those with a label. What one teacher says about
    one image is in memory at a time.

    Raises
    ------
    DataError
        When an image cannot be read, or a teacher says what is no probability.
    """
    random = np.random.default_rng(0)
    found: list[NDArray[np.float64]] = [np.empty((len(teachers), 0))]
    for image in progress.over(images, len(images), "Weighing the teachers", "image"):
        picture, labels = image.load()
        known = np.flatnonzero(labels != IGNORE)
        drawn = known[random.choice(len(known), min(PIXELS, len(known)), replace=False)]
        truth = labels.reshape(-1)[drawn]
        here = np.empty((len(teachers), len(drawn)))
        for row, (name, teacher) in zip(here, teachers.items(), strict=True):
            row[:] = teacher.probabilities(picture).reshape(classes, -1)[truth, drawn]
            if not np.isfinite(row).all():
                raise DataError(
                    f"Teacher '{name}' says NaN about an image, so its training went wrong, or it cannot be "
                    "run in this precision. Leave it out, or train it again."
                )
        found.append(here)
    return np.concatenate(found, axis=1)


def mixture_weights(likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights that maximise the mean of ``ln Σ_i w_i l_i``, by expectation maximisation.

    The objective is concave in the weights, so its gradient bounds what is still to be had: the steps end
    when that is less than `TOLERANCE`.

    Parameters
    ----------
    likelihoods : ndarray
        (teachers, pixels) float64 in 0..1: what each gives to the label of each pixel; at least one pixel.

    Returns
    -------
    ndarray
        (teachers,) float64 in 0..1, summing to 1.
    """
    likelihoods = np.maximum(likelihoods, LEAST_LIKELIHOOD)
    weights = np.full(len(likelihoods), 1 / len(likelihoods))
    for _ in range(STEPS):
        gains = (likelihoods / (weights @ likelihoods)).mean(1)
        if gains.max() <= 1 + TOLERANCE:
            break
        weights *= gains
    return weights
