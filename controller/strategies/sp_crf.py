"""SP + CRF (thesis, 3.2.4): the superpixels with the highest summed entropy after a fully connected CRF."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from controller.strategies.base import ImageMaps
from tenth.errors import ConfigurationError
from tenth.segmentation.uncertainty import image_entropy, pixel_entropy, sum_by_region

_NO_MODEL = (
    "The strategy 'sp-crf' ranks by a model's uncertainty and there is no model yet; "
    "train one first, or ask the first group with 'cold-start'."
)


class SuperpixelsCRF:
    """Images by the network's summed entropy, regions by the summed entropy of the refined probabilities.

    Parameters
    ----------
    seed : int, optional
        Not used: nothing is drawn.
    """

    name = "sp-crf"
    needs_model = True
    needs_crf = True

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def image_score(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> float:
        """Return the image's entropy in nats, summed over its pixels.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        if probabilities is None:
            raise ConfigurationError(_NO_MODEL)
        return image_entropy(probabilities)

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the entropy in nats, summed over each region.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        if maps.probabilities is None:
            raise ConfigurationError(_NO_MODEL)
        return sum_by_region(pixel_entropy(maps.probabilities), maps.superpixels)
