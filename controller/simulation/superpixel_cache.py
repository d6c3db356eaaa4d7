"""Superpixels of the pool, made once for all strategies and seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from controller.maps import Division
from controller.simulation.images import LabelledPicture
from controller.strategies import Strategy


class SuperpixelCache:
    """Superpixels by image, kept in memory.

    Parameters
    ----------
    division : Division
        How images are divided.
    """

    def __init__(self, division: Division) -> None:
        self.division = division
        self._known: dict[str, NDArray[np.int32]] = {}

    def regions(self, strategy: Strategy, picture: LabelledPicture) -> NDArray[np.int32]:
        """Return the (H, W) region ids of an image, of the unit that `strategy` asks about."""
        if strategy.unit != "region":
            return self.division.regions(strategy, picture.picture)
        if picture.key not in self._known:
            self._known[picture.key] = self.division.regions(strategy, picture.picture)
        return self._known[picture.key]
