"""The CRF that the options name, over pixels or over superpixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tenth.segmentation.crf import CRFOptions, dense_crf
from tenth.segmentation.superpixel_crf import superpixel_crf

Regions = npt.NDArray[np.integer[Any]]


def refine(
    probabilities: npt.NDArray[np.floating[Any]],
    image: npt.NDArray[np.uint8],
    superpixels: Regions | Callable[[], Regions],
    options: CRFOptions,
    fixed: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.float32]:
    """Refine class probabilities by the image's colours.

    Parameters
    ----------
    probabilities : (C, H, W) float
        Class probabilities, summing to 1 over the classes.
    image : (H, W, 3) uint8
        The RGB image they belong to.
    superpixels : (H, W) int, or a function that returns them
        Region ids, 0 to n - 1. The function is called in the mode ``"superpixel"`` only.
    options : CRFOptions
        Mode, weights, widths, iterations.
    fixed : (H, W) uint8, optional
        Labels that people gave, 255 where they gave none.

    Returns
    -------
    (C, H, W) float32
        Approximate marginals, summing to 1 over the classes.

    Raises
    ------
    DataError
        When one of the arrays does not fit the others; see `dense_crf` and `superpixel_crf`.
    """
    if options.mode == "pixel":
        return dense_crf(probabilities, image, options, fixed)
    regions = superpixels() if callable(superpixels) else superpixels
    return superpixel_crf(probabilities, image, regions, options, fixed)
