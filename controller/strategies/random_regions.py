"""Random superpixels of random images: the control that every other way of choosing regions has to beat."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.selection import generator_of
from controller.strategies.base import EntropyRanked, ImageMaps


class RandomRegions(EntropyRanked):
    """Random superpixels of random images.

    An image's draw depends on the seed and the image's key, a region's on the seed and the image's content:
    the order in which images are looked at does not matter, nor what the model makes of them.

    Parameters
    ----------
    seed : int, optional
        Of both draws.
    """

    name = "random-regions"
    needs_model = False

    def image_score(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> float:  # noqa: ARG002
        """Return 0 for every image; `group` draws."""
        return 0.0

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return a number drawn from 0..1 for each region."""
        return generator_of(self.seed, maps.image).random(int(maps.superpixels.max()) + 1)

    def group(
        self,
        scores: Mapping[str, float],
        descriptors: Mapping[str, npt.NDArray[np.float32]],  # noqa: ARG002
        size: int,
    ) -> list[str]:
        """Return the first `size` of the pool's images in a drawn order."""
        return sorted(scores, key=lambda key: (self._draw(key), key))[:size]

    def _draw(self, key: str) -> float:
        return float(np.random.default_rng([self.seed, zlib.crc32(key.encode())]).random())
