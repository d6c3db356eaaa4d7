"""SP (thesis, 3.2.4): the superpixels with the highest summed entropy of the network's probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps
from tenth.segmentation.uncertainty import pixel_entropy, sum_by_region


class Superpixels(EntropyRanked):
    """Superpixels by the network's entropy, summed."""

    name = "sp"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the entropy in nats, summed over each superpixel (eq. 3.3).

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        return sum_by_region(pixel_entropy(self.given(maps.probabilities)), maps.superpixels)
