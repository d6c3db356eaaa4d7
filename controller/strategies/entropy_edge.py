"""Entropy + edge (thesis, 3.2.3): entropy counts more on the edges of the image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from controller.strategies.base import ImageMaps
from controller.strategies.entropy import Entropy
from tenth.errors import ConfigurationError

LOW, HIGH = 100, 200
"""Thresholds of Canny's hysteresis, on the 3×3 Sobel gradient |dx| + |dy| of the grey image (0 to 255)."""


class EntropyEdge(Entropy):
    """Pixels by the network's entropy, which is multiplied by a weight on Canny edges.

    Parameters
    ----------
    seed : int, optional
        Draws nothing.
    edge_weight : float, optional
        The weight w_e, above 1.

    Raises
    ------
    ConfigurationError
        When `edge_weight` is not above 1.
    """

    name = "entropy-edge"

    def __init__(self, seed: int = 0, edge_weight: float = 2.0) -> None:
        super().__init__(seed)
        if not 1 < edge_weight < np.inf:
            raise ConfigurationError(
                f"selection.edge_weight = {edge_weight}: entropy on edges is multiplied by it, to count more "
                "than elsewhere, so it has to be above 1; 2 is the default. To go without, take 'entropy'."
            )
        self.edge_weight = edge_weight

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return w_e · entropy for each pixel on an edge, entropy for the others, in nats.

        Raises
        ------
        ConfigurationError
            When there are no probabilities.
        """
        weights = np.where(edges(maps.image).ravel(), self.edge_weight, 1.0)
        scores: npt.NDArray[np.float64] = super().region_scores(maps) * weights
        return scores


def edges(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where Canny (1986), as OpenCV has it, sees edges in an RGB image (H, W, 3) uint8: (H, W)."""
    found: npt.NDArray[np.bool_] = cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), LOW, HIGH) > 0
    return found
