"""Several teachers as one: softened, and weighted by how much each knows.

Thesis, eq. 4.1. As printed it sums over classes; the sum over the teachers is meant:
``p_j = Σ_i c_j^i p_j^i / Σ_i c_j^i``, c_j^i being teacher i's IoU of class j on the training set, from which
`class_weights` makes weights; `tenth.segmentation.distillation.stacking` finds others. Weights that differ
between classes leave a sum other than 1 over the classes, so the result is divided by it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tenth.errors import ConfigurationError

LEAST_IOU = 1e-6
"""Added to every IoU, so that no class is without weight and no pixel without a distribution."""


def check_temperature(temperature: float) -> None:
    """Raise ConfigurationError unless `temperature` is a number above 0."""
    if not 0 < temperature < math.inf:
        raise ConfigurationError(
            f"A temperature of {temperature} cannot soften anything; give a number above 0 (1 = unchanged)."
        )


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Return the softmax of ``logits / temperature`` over the classes.

    Parameters
    ----------
    logits : Tensor
        (N, C, H, W), of any floating type.
    temperature : float
        Above 0; the higher, the softer. 1 is the plain softmax.

    Returns
    -------
    Tensor
        (N, C, H, W) float32 in 0..1, on the same device.

    Raises
    ------
    ConfigurationError
        When the temperature is not above 0.
    """
    check_temperature(temperature)
    return (logits.float() / temperature).softmax(1)


def class_weights(ious: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return what each teacher's word counts for each class.

    A NaN (the class neither occurs nor was predicted, see `ConfusionMatrix.iou`) says nothing in favour of a
    teacher and counts as 0. A class that has no IoU above 0 from any teacher gets equal weights.

    Parameters
    ----------
    ious : sequence of ndarray
        For each teacher (C,) float64 in 0..1 or NaN: its IoU by class on the training set.

    Returns
    -------
    ndarray
        (teachers, C) float64; each column sums to 1.

    Raises
    ------
    ConfigurationError
        When there is no teacher, the lengths differ, or a value is outside 0..1.
    """
    lengths = {len(iou) for iou in ious}
    if len(lengths) != 1:
        raise ConfigurationError(
            f"The teachers' IoUs are of {sorted(lengths) or 'no'} classes; give at least one teacher, "
            "and for each the IoUs of the same classes."
        )
    table = np.nan_to_num(np.stack(ious).astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    if table.min() < 0 or table.max() > 1:
        wrong = table[(table < 0) | (table > 1)][0]
        raise ConfigurationError(f"An IoU of {wrong} is impossible; they lie in 0..1 (NaN: class absent).")
    table += LEAST_IOU
    weights: NDArray[np.float64] = table / table.sum(0)
    return weights


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What turns the teachers' logits into one distribution a pixel.

    Parameters
    ----------
    teachers : sequence of str
        What tells each teacher apart from all others, such as ``"icnet:<digest of its weights>"``.
    temperatures : sequence of float
        Each teacher's temperature (the thesis: ICNet 4, ERFNet 3, DeepLab 5).
    weights : ndarray
        (teachers, C) float64 above 0, each column summing to 1: `class_weights`, `stacked_weights`.

    Raises
    ------
    ConfigurationError
        When the lengths differ or a value cannot be used.
    """

    teachers: Sequence[str]
    temperatures: Sequence[float]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the values."""
        count = len(self.teachers)
        if not count or len(self.temperatures) != count or self.weights.shape[:1] != (count,):
            raise ConfigurationError(
                f"{count} teachers, {len(self.temperatures)} temperatures and weights of shape "
                f"{self.weights.shape} do not fit; there has to be one temperature and one row of weights "
                "for each teacher, and at least one teacher."
            )
        for temperature in self.temperatures:
            check_temperature(temperature)
        if self.weights.ndim != 2 or not (
            self.weights.min() > 0 and np.allclose(self.weights.sum(0), 1, atol=1e-6)
        ):
            raise ConfigurationError(
                "The weights of the teachers have to be above 0 and sum to 1 for each class; "
                "class_weights and stacked_weights make such."
            )

    def probabilities(self, logits: Iterable[Tensor]) -> Tensor:
        """Return the teachers' common distribution, eq. 4.1.

        Parameters
        ----------
        logits : iterable of Tensor
            One (N, C, H, W) for each teacher, in order. Given a generator, only one teacher's are held at a
            time.

        Returns
        -------
        Tensor
            (N, C, H, W) float32 in 0..1, summing to 1 over the classes.

        Raises
        ------
        ConfigurationError
            When there are more or fewer than teachers, or the classes are not those of the weights.
        """
        given = iter(logits)
        total = torch.zeros(())
        for temperature, weights in zip(self.temperatures, self.weights, strict=True):
            each = next(given, None)
            if each is None or each.ndim != 4 or each.shape[1] != len(weights):
                raise self._misfit()
            share = torch.from_numpy(weights).to(each.device, torch.float32)[:, None, None]
            total = total.to(each.device) + soften(each, temperature).mul_(share)
        if next(given, None) is not None:
            raise self._misfit()
        return total.div_(total.sum(1, keepdim=True))

    def _misfit(self) -> ConfigurationError:
        count, classes = self.weights.shape
        return ConfigurationError(
            f"The logits do not fit the ensemble; it takes {count} tensors, one of each teacher in order, of "
            f"shape (images, {classes}, height, width)."
        )

    def identity(self) -> dict[str, Any]:
        """Return, as JSON, what the distributions are a function of beside the images."""
        return {
            "teachers": list(self.teachers),
            "temperatures": [float(temperature) for temperature in self.temperatures],
            "weights": self.weights.tolist(),
        }
