"""Candidates for the CRF's bilateral kernel; the smoothing kernel stays as it is (DeepLab: w2 = σ_γ = 3)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import numpy as np

from tenth.errors import ConfigurationError
from tenth.segmentation.crf import CRFOptions

W1 = (0.25, 10.0)
"""Weights searched. DeepLab searched 3 to 6 for pixels; regions want less."""

SIGMA_ALPHA = (1 / 40, 1 / 4)
"""Widths in space, as shares of the image's longer side."""

SIGMA_BETA = (3.0, 20.0)
"""Widths in grey levels. DeepLab searched 3 to 6, where the lattice is a poor approximation."""


def crf_candidates(
    base: CRFOptions,
    search: Literal["random", "grid"],
    trials: int,
    longer_side: int,
    seed: int = 0,
) -> list[CRFOptions]:
    """Return what to try: `base` first, then other values of w1, σ_α and σ_β.

    Parameters
    ----------
    base : CRFOptions
        Settings in use; all else is taken from them.
    search : {"random", "grid"}
        Draw, or go through all combinations of equally spaced values. w1 and σ_α are spaced by their
        logarithms.
    trials : int
        At most so many candidates, ≥ 1. A grid has k³ besides `base`, k as large as fits.
    longer_side : int
        Of the images, in pixels.
    seed : int, optional
        Of the draw. More trials with the same seed begin with the same ones.

    Raises
    ------
    ConfigurationError
        When there is no trial, or the search is of another kind.
    """
    if trials < 1:
        raise ConfigurationError(f"{trials} trials find nothing; make it at least 1.")
    if search == "random":
        points = np.random.default_rng(seed).random((trials - 1, 3)).tolist()
    elif search == "grid":
        steps = max(k for k in range(trials) if k**3 < trials)
        ticks = np.linspace(0, 1, steps).tolist() if steps > 1 else [0.5] * steps
        points = list(itertools.product(ticks, repeat=3))
    else:
        raise ConfigurationError(f"search = {search!r}: it is 'random' or 'grid'.")
    low, high = (share * longer_side for share in SIGMA_ALPHA)
    found = [
        replace(
            base,
            w1=_rounded(W1[0] * (W1[1] / W1[0]) ** a),
            sigma_alpha=_rounded(low * (high / low) ** b),
            sigma_beta=_rounded(SIGMA_BETA[0] + (SIGMA_BETA[1] - SIGMA_BETA[0]) * c),
        )
        for a, b, c in points
    ]
    return list(dict.fromkeys([base, *found]))


def _rounded(value: float) -> float:
    """Return three significant digits, as people would write it into a settings file."""
    return float(f"{value:.3g}")
