"""Temperatures that make teachers equally soft.

The thesis softens each teacher so that all are "in the same range": one that is surer than the others would
otherwise decide alone. Equally soft means the same mean entropy here. How soft is the user's choice; a
teacher's best calibration (lowest negative log-likelihood, Guo et al., arXiv 1706.04599) is much sharper than
what distills well, so it is reported, not sought.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.distillation.ensemble import check_temperature
from tenth.segmentation.distillation.sample import PixelSample

LOWEST, HIGHEST = 1e-2, 1e3
"""Temperatures are looked for in between."""

_HALVINGS = 40  # of ln(HIGHEST / LOWEST): exact to 1e-11


@dataclass(frozen=True)
class Reference:
    """As soft as this teacher is at this temperature; the thesis's would be ICNet at 4.

    Parameters
    ----------
    teacher : str
        Its name.
    temperature : float
        Above 0.
    """

    teacher: str
    temperature: float


@dataclass(frozen=True)
class TemperatureFit:
    """One teacher's temperature, and how well it is calibrated there and elsewhere.

    Parameters
    ----------
    temperature : float
        Where the mean entropy is the wanted one.
    entropy, entropy_unsoftened : float
        Mean entropy in nats at that temperature and at 1.
    nll, nll_unsoftened : float
        Mean negative log-likelihood of the labels in nats at that temperature and at 1; NaN without labels.
    best_temperature, best_nll : float
        Where it is lowest (at the end of the range when the labels are all told exactly), and how low.
    """

    temperature: float
    entropy: float
    entropy_unsoftened: float
    nll: float
    nll_unsoftened: float
    best_temperature: float
    best_nll: float


def fit_temperatures(
    images: Iterable[tuple[Mapping[str, NDArray[np.float32]], NDArray[np.uint8]]],
    softness: float | Reference,
    *,
    pixels: int = 200_000,
    seed: int = 0,
) -> dict[str, TemperatureFit]:
    """Find a temperature for each teacher so that all have the same mean entropy.

    The images are gone through once and `pixels` of all their pixels are kept, which bounds the memory.

    Parameters
    ----------
    images : iterable of (mapping, ndarray)
        For each image the logits by teacher, (C, H, W) float32, and the labels (H, W) uint8, 255 = none; the
        entropies are of all pixels, the likelihoods of those with a label.
    softness : float or Reference
        The wanted mean entropy, as a share of ln C between 0 and 1, or by example.
    pixels : int, optional
        Size of the sample.
    seed : int, optional
        Which pixels are in it.

    Returns
    -------
    dict of str to TemperatureFit

    Raises
    ------
    ConfigurationError
        When the softness is outside 0..1 or its example is not among the teachers.
    DataError
        When there are no images, they do not fit together, or a teacher cannot be made that soft or sharp.
    """
    sample = PixelSample(pixels, seed)
    for logits, labels in images:
        sample.add(logits, labels)
    if not sample.logits:
        raise DataError("Temperatures cannot be fitted without images; give at least one.")
    target = _target(sample, softness)
    return {
        teacher: _fit(teacher, logits.astype(np.float64), sample.labels, target)
        for teacher, logits in sample.logits.items()
    }


def mean_entropy(logits: NDArray[np.float64], temperature: float) -> float:
    """Return the mean entropy in nats of ``softmax(logits / temperature)``, logits (pixels, C)."""
    logs = _log_softmax(logits / temperature)
    return float(-(np.exp(logs) * logs).sum(1).mean())


def mean_nll(logits: NDArray[np.float64], labels: NDArray[np.uint8], temperature: float) -> float:
    """Return the mean of −ln of the labels' softened probabilities, in nats; NaN without a label.

    Parameters
    ----------
    logits : ndarray
        (pixels, C) float64.
    labels : ndarray
        (pixels,) uint8, 255 = none.
    temperature : float
        Above 0.
    """
    known = labels != IGNORE
    if not known.any():
        return math.nan
    logs = _log_softmax(logits[known] / temperature)
    return float(-np.take_along_axis(logs, labels[known, None].astype(np.intp), 1).mean())


def _log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = scores - scores.max(1, keepdims=True)
    result: NDArray[np.float64] = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return result


def _target(sample: PixelSample, softness: float | Reference) -> float:
    if isinstance(softness, Reference):
        check_temperature(softness.temperature)
        if softness.teacher not in sample.logits:
            raise ConfigurationError(
                f"'{softness.teacher}' is none of the teachers ({', '.join(sample.logits)}); "
                "name one of them as the reference of softness."
            )
        return mean_entropy(sample.logits[softness.teacher].astype(np.float64), softness.temperature)
    if not 0 < softness < 1:
        raise ConfigurationError(
            f"A softness of {softness} is impossible; give a share of the largest entropy, between 0 and 1."
        )
    classes = next(iter(sample.logits.values())).shape[1]
    return softness * math.log(classes)


def _fit(
    teacher: str, logits: NDArray[np.float64], labels: NDArray[np.uint8], target: float
) -> TemperatureFit:
    lowest, highest = mean_entropy(logits, LOWEST), mean_entropy(logits, HIGHEST)
    if not lowest <= target <= highest:
        raise DataError(
            f"Teacher '{teacher}' has a mean entropy of {lowest:.4f} to {highest:.4f} nats at temperatures "
            f"of {LOWEST} to {HIGHEST}, so it cannot be brought to {target:.4f}. Choose one between."
        )
    # Softer with every degree: dH/dT = Var(logits / T) / T.
    temperature = _root(lambda t: mean_entropy(logits, t) - target)
    best = _best_temperature(logits, labels)
    return TemperatureFit(
        temperature=temperature,
        entropy=mean_entropy(logits, temperature),
        entropy_unsoftened=mean_entropy(logits, 1),
        nll=mean_nll(logits, labels, temperature),
        nll_unsoftened=mean_nll(logits, labels, 1),
        best_temperature=best,
        best_nll=mean_nll(logits, labels, best),
    )


def _best_temperature(logits: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    known = labels != IGNORE
    if not known.any():
        return math.nan
    logits = logits[known]
    truth = np.take_along_axis(logits, labels[known, None].astype(np.intp), 1).mean()

    def surplus(temperature: float) -> float:
        # The NLL's derivative by 1 / T, which rises with 1 / T: the NLL is convex in it.
        expected = (np.exp(_log_softmax(logits / temperature)) * logits).sum(1).mean()
        return float(truth - expected)

    return _root(surplus)


def _root(rising: Callable[[float], float]) -> float:
    """Return the temperature at which a function that rises with it is 0, or the nearer end of the range."""
    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if rising(math.exp(middle)) < 0:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
