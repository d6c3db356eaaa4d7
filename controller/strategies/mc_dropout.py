"""MC dropout (thesis, 2.4.1.2; Gal & Ghahramani, arXiv 1506.02142): the mean of passes with dropout on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps, Need, Unit
from tenth.segmentation.uncertainty import pixel_entropy


class MCDropout(EntropyRanked):
    """Pixels by the entropy of the mean of T passes with dropout.

    Images are still ranked by the entropy of one pass without dropout, as for every strategy of the thesis:
    T passes over the whole pool would cost T times as much.
    """

    name = "mc-dropout"
    unit: Unit = "pixel"
    needs: frozenset[Need] = frozenset({"passes"})
    counterpart = "sp"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the entropy in nats of each pixel's mean probabilities.

        Raises
        ------
        ConfigurationError
            When there are no passes, for there is no model.
        """
        passes = self.given(maps.passes)
        return pixel_entropy(passes.mean(axis=0, dtype=np.float32)).ravel().astype(np.float64)


class MCDropoutBALD(MCDropout):
    """Pixels by the mutual information of label and weights (BALD), from T passes with dropout.

    Noise that every pass sees alike does not count, only what the passes disagree on (Houlsby et al., arXiv
    1112.5745; Gal et al., arXiv 1703.02910).
    """

    name = "mc-dropout-bald"

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return the entropy of the mean less the mean of the entropies, in nats, ≥ 0, of each pixel.

        Raises
        ------
        ConfigurationError
            When there are no passes, for there is no model.
        """
        total = super().region_scores(maps)
        each = np.mean([pixel_entropy(one) for one in self.given(maps.passes)], axis=0, dtype=np.float64)
        return np.maximum(total - each.ravel(), 0.0)  # rounding must not make it negative
