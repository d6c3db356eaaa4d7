"""How much each teacher counts: the mixture of them under which labels that they never saw are likeliest.

Stacking of densities: Smyth & Wolpert, "Linearly Combining Density Estimators via Stacking", Machine
Learning 36 (1999). The thesis weighs teachers by their IoU on the images that they were trained on, which
says little of others when those are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from tenth.errors import DataError
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.distillation.sample import PixelSample

PIXELS = 100_000
"""So many tell weights of a few teachers to the third decimal."""

LEAST_LIKELIHOOD = 1e-6
"""What a teacher gives to any label: one that is sure and wrong is not infinitely wrong."""

LEAST_WEIGHT = 1e-6
"""Added to every weight, so that each teacher has one."""

TOLERANCE = 1e-4
"""In nats: the weights make labels likely to within this of the best."""


def stacked_weights(
    images: Iterable[tuple[Mapping[str, NDArray[np.float32]], NDArray[np.uint8]]], *, seed: int = 0
) -> NDArray[np.float64]:
    """Return what each teacher's word counts, the same for all classes, so that labels are likeliest.

    The likelihoods are of unsoftened probabilities: how soft a teacher is made says nothing about how often
    it is right. Weights are rounded to the third decimal, so that predictions which differ in their last
    bits, as those of a GPU may, give the same.

    Parameters
    ----------
    images : iterable of (mapping, ndarray)
        For each image the logits by teacher, (C, H, W) float32, and the labels (H, W) uint8, 255 = none; best
        images that no teacher was trained on. They are gone through once; `PIXELS` of their pixels are kept.
    seed : int, optional
        Which pixels.

    Returns
    -------
    ndarray
        (teachers, C) float64 above 0; each column sums to 1. For `Ensemble`.

    Raises
    ------
    DataError
        When no pixel has a label, or the images do not fit together.
    """
    sample = PixelSample(PIXELS, seed)
    for logits, labels in images:
        sample.add(logits, labels)
    known = sample.labels != IGNORE
    if not known.any():
        raise DataError("Teachers cannot be weighed without labels; give at least one image that has some.")
    truth = sample.labels[known, None].astype(np.intp)
    likelihoods = [
        np.exp(np.take_along_axis(log_softmax(logits[known].astype(np.float64), axis=1), truth, 1)[:, 0])
        for logits in sample.logits.values()
    ]
    weights = mixture_weights(np.stack(likelihoods)).round(3) + LEAST_WEIGHT
    classes = next(iter(sample.logits.values())).shape[1]
    return np.repeat((weights / weights.sum())[:, None], classes, axis=1)


def mixture_weights(likelihoods: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights that maximise the mean of ``ln Σ_i w_i l_i``, by expectation maximisation.

    The objective is concave in the weights, so its gradient bounds what is still to be had: the steps end
    when that is less than `TOLERANCE`.

    Parameters
    ----------
    likelihoods : ndarray
        (teachers, pixels) float64 in 0..1: what each gives to the label of each pixel.

    Returns
    -------
    ndarray
        (teachers,) float64 in 0..1, summing to 1.
    """
    likelihoods = np.maximum(likelihoods, LEAST_LIKELIHOOD)
    weights = np.full(len(likelihoods), 1 / len(likelihoods))
    while True:
        gains = (likelihoods / (weights @ likelihoods)).mean(1)
        if gains.max() <= 1 + TOLERANCE:
            return weights
        weights *= gains
