"""Random (thesis, 3.3.2.2): pixels drawn uniformly."""

from __future__ import annotations

from controller.strategies.base import Unit
from controller.strategies.random_regions import RandomRegions


class RandomPixels(RandomRegions):
    """Random pixels of random images."""

    name = "random-pixels"
    unit: Unit = "pixel"
    counterpart = "random-regions"
