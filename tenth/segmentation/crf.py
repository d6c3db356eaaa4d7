"""Fully connected CRF over pixels (Krähenbühl & Koltun 2011, arXiv 1210.5644).

Mean field inference with a bilateral kernel (near and of similar colour) and a smoothing kernel (near):

    w1 exp(-|p_i - p_j|² / 2 σ_α² - |I_i - I_j|² / 2 σ_β²) + w2 exp(-|p_i - p_j|² / 2 σ_γ²)

Both kernels are normalised symmetrically: a weight is about the energy that a unanimous neighbourhood adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydensecrf.densecrf import DenseCRF2D

from tenth.errors import ConfigurationError, DataError

FREE = 255
"""Value of `fixed` for pixels whose label is not known."""

SMALLEST_PROBABILITY = 1e-5  # -log of it, 11.5, outweighs w1 + w2: the CRF overrules doubt, not certainty
_FORBIDDEN_ENERGY = 1e9  # of a clamped pixel's other classes: exp(-1e9) is 0 whatever the neighbours add


@dataclass(frozen=True)
class CRFOptions:
    """Weights and widths of the two kernels.

    ``w2 = 3`` and ``sigma_gamma = 3`` are DeepLab's. ``w1``, ``sigma_alpha`` and ``sigma_beta`` have to fit
    the data (the thesis cross-validates them on 100 images); the defaults are a start for road scenes of some
    480 × 360 pixels: ``w1 = 4`` raised the accuracy on CamVid, 10 made the ranking of the errors worse;
    ``sigma_alpha = 49`` lies in DeepLab's range (it should grow with the image's size). The permutohedral
    lattice approximates the kernel, well at ``sigma_beta = 13`` but not at all where the width is far below
    the colour noise, as DeepLab's 3 to 6 are: search up to 20 rather than there.

    Parameters
    ----------
    w1 : float
        Weight of the bilateral kernel, ≥ 0.
    sigma_alpha : float
        Its width in pixels, > 0.
    sigma_beta : float
        Its width in grey levels (0 to 255, each of R, G and B), > 0.
    w2 : float
        Weight of the smoothing kernel, ≥ 0.
    sigma_gamma : float
        Its width in pixels, > 0.
    iterations : int
        Mean field iterations, ≥ 1.
    mode : {"pixel", "superpixel"}
        Which CRF `tenth.segmentation.refine.refine` takes: the one here, or the one over superpixels.

    Raises
    ------
    ConfigurationError
        When a value is out of its range.
    """

    w1: float = 4.0
    sigma_alpha: float = 49.0
    sigma_beta: float = 13.0
    w2: float = 3.0
    sigma_gamma: float = 3.0
    iterations: int = 5
    mode: Literal["pixel", "superpixel"] = "pixel"

    def __post_init__(self) -> None:
        for name in ("sigma_alpha", "sigma_beta", "sigma_gamma"):
            if not 0 < getattr(self, name) < np.inf:
                raise ConfigurationError(
                    f"crf.{name} = {getattr(self, name)}: the width of a kernel has to be above 0."
                )
        for name in ("w1", "w2"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigurationError(
                    f"crf.{name} = {getattr(self, name)}: a weight below 0 would push like pixels apart; "
                    "use 0 to switch the kernel off."
                )
        if self.iterations < 1:
            raise ConfigurationError(
                f"crf.iterations = {self.iterations}: the CRF needs at least one; 5 to 10 are usual."
            )
        if self.mode not in ("pixel", "superpixel"):
            raise ConfigurationError(f"crf.mode = {self.mode!r}: it is 'pixel' or 'superpixel'.")


def dense_crf(
    probabilities: npt.NDArray[np.floating[Any]],
    image: npt.NDArray[np.uint8],
    options: CRFOptions,
    fixed: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.float32]:
    """Refine class probabilities by the image's colours.

    Parameters
    ----------
    probabilities : (C, H, W) float
        Class probabilities, summing to 1 over the classes; any memory layout.
    image : (H, W, 3) uint8
        The RGB image they belong to.
    options : CRFOptions
        Weights, widths, iterations; not the mode.
    fixed : (H, W) uint8, optional
        Labels that people gave, 255 where they gave none. They are clamped in the unaries, so they spread to
        their surroundings, and are one-hot in the result.

    Returns
    -------
    (C, H, W) float32
        Approximate marginals, summing to 1 over the classes.

    Raises
    ------
    DataError
        When shapes or types do not fit, the probabilities are none, or `fixed` holds an unknown class.

    References
    ----------
    Krähenbühl & Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials*,
    NIPS 2011.
    """
    check_crf_input(probabilities, image, fixed)
    classes, height, width = probabilities.shape
    if classes == 1:
        return np.ones((1, height, width), np.float32)

    crf = DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(_unary_energy(probabilities, fixed))
    if options.w2 > 0:
        crf.addPairwiseGaussian(sxy=options.sigma_gamma, compat=options.w2)
    if options.w1 > 0:
        crf.addPairwiseBilateral(
            sxy=options.sigma_alpha,
            srgb=options.sigma_beta,
            rgbim=np.ascontiguousarray(image),
            compat=options.w1,
        )
    return np.array(crf.inference(options.iterations), np.float32).reshape(classes, height, width)


def _unary_energy(
    probabilities: npt.NDArray[np.floating[Any]], fixed: npt.NDArray[np.uint8] | None
) -> npt.NDArray[np.float32]:
    """Return −log p as a contiguous (C, H·W) array, clamped where `fixed` knows the label."""
    energy = np.array(probabilities, np.float32, order="C")
    np.maximum(energy, SMALLEST_PROBABILITY, out=energy)
    np.log(energy, out=energy)
    np.negative(energy, out=energy)
    if fixed is not None:
        known = fixed != FREE
        energy[:, known] = np.where(
            np.arange(len(energy))[:, None] == fixed[known], np.float32(0), np.float32(_FORBIDDEN_ENERGY)
        )
    return energy.reshape(len(energy), -1)


def check_crf_input(
    probabilities: npt.NDArray[np.floating[Any]],
    image: npt.NDArray[np.uint8],
    fixed: npt.NDArray[np.uint8] | None,
) -> None:
    """Refuse what the C++ code underneath would read as noise or crash on; arguments as in `dense_crf`.

    Raises
    ------
    DataError
        When shapes or types do not fit, the probabilities are none, or `fixed` holds an unknown class.
    """
    if (
        probabilities.ndim != 3
        or not np.issubdtype(probabilities.dtype, np.floating)
        or not probabilities.size
    ):
        raise DataError(
            f"The CRF got probabilities of shape {probabilities.shape} and type {probabilities.dtype}; "
            "it needs a non-empty floating point array (classes, height, width)."
        )
    classes, height, width = probabilities.shape
    if classes >= FREE:
        raise DataError(
            f"The CRF got {classes} classes; label maps hold at most {FREE - 1}, 255 means ignore."
        )
    if image.shape != (height, width, 3) or image.dtype != np.uint8:
        raise DataError(
            f"The CRF got an image of shape {image.shape} and type {image.dtype} for probabilities of "
            f"{height} × {width} pixels; it needs uint8 RGB of shape ({height}, {width}, 3)."
        )
    total = probabilities.sum(axis=0, dtype=np.float32)
    # 0.01 lets half precision pass; a NaN fails both comparisons
    if not (probabilities.min() >= 0 and np.abs(total - 1).max() <= 0.01):
        raise DataError(
            f"The CRF got values from {probabilities.min()} to {probabilities.max()} whose sums "
            f"over the classes run from {total.min()} to {total.max()}; probabilities sum to 1. "
            "Apply softmax to logits first."
        )
    if fixed is None:
        return
    if fixed.shape != (height, width) or fixed.dtype != np.uint8:
        raise DataError(
            f"The CRF got fixed labels of shape {fixed.shape} and type {fixed.dtype}; "
            f"they have to be uint8 of shape ({height}, {width})."
        )
    unknown = fixed[(fixed >= classes) & (fixed != FREE)]
    if unknown.size:
        raise DataError(
            f"{unknown.size} fixed pixels have label {unknown[0]}, but there are {classes} classes "
            f"(0 to {classes - 1}); use {FREE} for pixels that are free."
        )
