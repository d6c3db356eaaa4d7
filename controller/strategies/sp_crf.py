"""SP + CRF (thesis, 3.2.4): the superpixels with the highest summed entropy after a fully connected CRF."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Need
from tenth.segmentation.uncertainty import pixel_entropy, sum_by_region


class SuperpixelsCRF(EntropyRanked):
    """Superpixels by the entropy after the CRF, summed."""

    name = "sp-crf"
    needs: frozenset[Need] = frozenset({"crf"})
    pseudo_labels = "crf"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the entropy in nats, summed over each region.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        return sum_by_region(pixel_entropy(self.given(maps.refined)), maps.superpixels)
