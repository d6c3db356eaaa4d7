"""Whole images, all pixels (the thesis's baseline, 3.3.2.1); the budget is images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Unit
from tenth.segmentation.uncertainty import pixel_entropy, sum_by_region


class WholeImages(EntropyRanked):
    """Whole images, by the network's entropy summed over the image.

    In one image it is all or nothing: `select` returns the image, region 0, when the budget covers it. How
    many images a budget pays for says `controller.selection.budget_images`.
    """

    name = "image"
    unit: Unit = "image"
    counterpart = "sp-crf"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the entropy in nats, summed over the image: (1,).

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        return sum_by_region(pixel_entropy(self.given(maps.probabilities)), maps.superpixels)
