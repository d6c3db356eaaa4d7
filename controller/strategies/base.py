"""What a query strategy is: pure functions of arrays, no files, no network, no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ImageMaps:
    """What a strategy may look at to rank the regions of one image.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    probabilities : (C, H, W) float32 or None
        Class probabilities, refined by the CRF where the strategy says `needs_crf`; None without a model.
    superpixels : (H, W) int32
        Region ids, 0 to n - 1.
    """

    image: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32] | None
    superpixels: npt.NDArray[np.int32]


class Strategy(Protocol):
    """Ranks images for the group, and regions within an image; higher scores are asked first."""

    @property
    def name(self) -> str:
        """Name in the registry and in ``controller.toml``."""

    @property
    def needs_model(self) -> bool:
        """Whether it wants class probabilities at all."""

    @property
    def needs_crf(self) -> bool:
        """Whether `region_scores` wants its probabilities refined by the CRF."""

    def image_score(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> float:
        """Return how much an image is worth asking about.

        Parameters
        ----------
        probabilities : (C, H, W) float or None
            The network's own class probabilities, not refined; None while there is no model.
        """

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return how much each region is worth asking about.

        Returns
        -------
        (n,) float64
            Finite scores by region id.
        """
