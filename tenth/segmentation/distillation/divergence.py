"""How far one distribution is from another, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS = 32  # at a time: the intermediates are float64, and the whole image would take four times its memory


def kl_divergence(p: NDArray[np.float32], q: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return KL(p ‖ q) = Σ p ln(p / q) of each pixel.

    Parameters
    ----------
    p, q : ndarray
        (C, H, W) float32, distributions over the C classes; q above 0.

    Returns
    -------
    ndarray
        (H, W) float64, nats.
    """
    result = np.empty(p.shape[1:])
    for top in range(0, len(result), _ROWS):
        rows = slice(top, top + _ROWS)
        exact = p[:, rows].astype(np.float64)
        # Where p is 0 the logarithm is multiplied by 0; any finite one will do.
        ratio = np.where(exact > 0, exact, 1) / q[:, rows]
        result[rows] = (exact * np.log(ratio)).sum(0)
    return result
