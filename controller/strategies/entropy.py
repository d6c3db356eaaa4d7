"""Entropy (thesis, 3.2.2): the pixels that the network is least sure about."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Unit
from tenth.segmentation.uncertainty import pixel_entropy


class Entropy(EntropyRanked):
    """Pixels by the network's entropy."""

    name = "entropy"
    unit: Unit = "pixel"
    counterpart = "sp"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return each pixel's entropy −Σ p ln p in nats (eq. 3.2, whose print lacks the minus sign).

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        return pixel_entropy(self.given(maps.probabilities)).ravel().astype(np.float64)
