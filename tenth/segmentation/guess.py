"""What the model would answer for one region: the guess that the annotator finds pre-selected.

Controller and backend both ask here, so that a prediction pushed with a task and one computed on request
agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError

UNPAINTED = 255
PART_SHARE = 0.10


@dataclass(frozen=True)
class RegionGuess:
    """The model's answer for a region.

    Attributes
    ----------
    label : int
        The dominant class: the one that most of the region's pixels have as their most probable class.
    confidence : float
        Mean probability of that class over the region, in 0..1.
    parts : (H, W) uint8 array or None
        Where the region straddles classes: the class of each of its pixels, 255 outside the region.
        ``None`` where a single class covers it.
    """

    label: int
    confidence: float
    parts: NDArray[np.uint8] | None


def region_guess(
    probabilities: NDArray[np.floating], region: NDArray[np.bool_], part_share: float = PART_SHARE
) -> RegionGuess:
    """Return the dominant class of a region, how sure the model is, and the parts it sees.

    Parameters
    ----------
    probabilities : (C, H, W) float array
        Class probabilities of the whole image (of the network, or refined by the CRF), summing to 1 over C.
    region : (H, W) bool array
        The pixels of the region.
    part_share : float, optional
        A class is a part when it is the most probable one of at least this share of the region, in 0..1.
        Pixels of rarer classes join the most probable of the parts, as nobody paints a handful of pixels.

    Returns
    -------
    RegionGuess
        Equal counts go to the lower class id, so that the guess is the same every time.

    Raises
    ------
    DataError
        When the region has no pixel, or its shape is not the probabilities'.
    """
    if probabilities.ndim != 3 or region.shape != probabilities.shape[1:]:
        raise DataError(
            f"A region of shape {region.shape} does not fit probabilities of shape {probabilities.shape}: "
            "both have to be of the same image. Give (C, H, W) probabilities and an (H, W) mask."
        )
    inside = probabilities[:, region]
    pixels = inside.shape[1]
    if pixels == 0:
        raise DataError("A region without a single pixel has no class. Give the mask of a superpixel.")
    counts = np.bincount(inside.argmax(axis=0), minlength=len(probabilities))
    label = int(counts.argmax())
    confidence = min(1.0, float(inside[label].mean(dtype=np.float64)))
    classes = np.flatnonzero(counts >= part_share * pixels)
    if len(classes) < 2:
        return RegionGuess(label, confidence, None)
    parts = np.full(region.shape, UNPAINTED, np.uint8)
    parts[region] = classes[inside[classes].argmax(axis=0)]
    return RegionGuess(label, confidence, parts)
