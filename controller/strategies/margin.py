"""Margin (Scheffer et al. 2001): pixels whose two most probable classes are close."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Unit


class Margin(EntropyRanked):
    """Pixels by how close their two most probable classes are."""

    name = "margin"
    unit: Unit = "pixel"
    counterpart = "sp"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return 1 − (p1 − p2) of each pixel, in 0..1.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        probabilities = self.given(maps.probabilities)
        first = np.zeros(probabilities.shape[1:])
        second = np.zeros_like(first)
        for plane in probabilities:  # a pass over the classes is quicker than sorting each pixel's
            np.maximum(second, np.minimum(first, plane), out=second)
            np.maximum(first, plane, out=first)
        return (1.0 - (first - second)).ravel()
