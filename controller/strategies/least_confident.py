"""Least confident (Lewis & Gale 1994): pixels whose most probable class is improbable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Unit


class LeastConfident(EntropyRanked):
    """Pixels by how improbable their most probable class is."""

    name = "least-confident"
    unit: Unit = "pixel"
    counterpart = "sp"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return 1 − max p of each pixel, in 0..1.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        confidence = self.given(maps.probabilities).max(axis=0).astype(np.float64)
        scores: npt.NDArray[np.float64] = 1.0 - confidence.ravel()
        return scores
