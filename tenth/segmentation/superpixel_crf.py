"""Fully connected CRF over superpixels: the fast form of `tenth.segmentation.crf`, with exact kernels.

The pixels of a superpixel are taken to look alike, to lie at its centre and to share their marginals. Mean
field over the regions r, a_r being their areas, n = (Σ_s a_s k(r, s))^-½, k one of the two kernels of the
pixel CRF at mean positions and colours:

    m_r = Σ_{s ≠ r} w n_r k(r, s) n_s a_s Q_s        Q_r ∝ exp(mean over r of log p + m_r)

The unary energy is a mean and the kernel counts areas because that is what the pixel CRF's mean field becomes
under these assumptions. Two things depart from the obvious form, which lowers the mIoU below the network's
(CamVid at 240 × 180 in regions of 350 pixels, w1 = 2, σ_α = 25, σ_β = 13: 0.444 against 0.498, the form here
0.503, the pixel CRF 0.502):

- The last step is taken pixel by pixel, Q_i ∝ p_i exp(m_r), so that a region keeps the borders that the
  network saw in it; with one marginal for all its pixels it cannot be better than its dominant label.
- A region gets no message from itself. The paper's sum leaves it out as well; filters such as the lattice
  keep it, which is harmless for pixels. With regions wider than a kernel it would be nearly all of the
  message, and says no more than the unary energy does.

``benchmarks/crf_modes.py`` measures both modes with fitted settings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tenth.errors import DataError
from tenth.segmentation.crf import FREE, SMALLEST_PROBABILITY, CRFOptions, check_crf_input
from tenth.segmentation.uncertainty import count_by_region, dominant_label, mean_by_region

MOST_REGIONS = 20_000
"""The kernels are matrices of regions × regions: so many already take 10 GB while they are made."""

Matrix = npt.NDArray[np.float64]


def superpixel_crf(
    probabilities: npt.NDArray[np.floating[Any]],
    image: npt.NDArray[np.uint8],
    superpixels: npt.NDArray[np.integer[Any]],
    options: CRFOptions,
    fixed: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.float32]:
    """Refine class probabilities by what regions of like colour say.

    Parameters
    ----------
    probabilities : (C, H, W) float
        Class probabilities, summing to 1 over the classes.
    image : (H, W, 3) uint8
        The RGB image they belong to.
    superpixels : (H, W) int
        Region ids, 0 to n - 1; at most 20,000 regions.
    options : CRFOptions
        Weights, widths, iterations; not the mode. Values that were fitted for pixels do not suit regions.
    fixed : (H, W) uint8, optional
        Labels that people gave, 255 where they gave none. A fixed pixel is one-hot in the result and in its
        region's mean; a region more than half of which has one fixed label is clamped to it, so that it
        spreads undiminished.

    Returns
    -------
    (C, H, W) float32
        Approximate marginals, summing to 1 over the classes.

    Raises
    ------
    DataError
        When shapes or types do not fit, the probabilities are none, `fixed` holds an unknown class, or there
        are too many regions.

    References
    ----------
    Krähenbühl & Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials*,
    NIPS 2011, algorithm 1.
    """
    check_crf_input(probabilities, image, fixed)
    _check_regions(superpixels, image)
    log_p = np.log(np.maximum(_with_fixed(probabilities, fixed), np.float32(SMALLEST_PROBABILITY)))
    areas = count_by_region(superpixels).astype(np.float64)
    unaries = np.stack([mean_by_region(plane, superpixels) for plane in log_p], axis=1)
    clamped = None if fixed is None else _clamped(fixed, superpixels, len(log_p))
    messages = _mean_field(unaries, _pair_weights(image, superpixels, areas, options), options, clamped)
    log_p += messages.T.astype(np.float32)[:, superpixels]
    refined: npt.NDArray[np.float32] = torch.softmax(torch.from_numpy(log_p), dim=0).numpy()
    return _with_fixed(refined, fixed)


def _mean_field(
    unaries: Matrix, weights: Matrix, options: CRFOptions, clamped: npt.NDArray[np.uint8] | None
) -> Matrix:
    """Return the (n, C) messages that the regions get in the last iteration."""
    marginals = _softmax(unaries)
    messages = np.zeros_like(unaries)
    for _ in range(options.iterations):
        if clamped is not None:
            known = clamped != FREE
            marginals[known] = np.eye(unaries.shape[1])[clamped[known]]
        messages = weights @ marginals
        marginals = _softmax(unaries + messages)
    return messages


def _pair_weights(
    image: npt.NDArray[np.uint8],
    superpixels: npt.NDArray[np.integer[Any]],
    areas: Matrix,
    options: CRFOptions,
) -> Matrix:
    """Return the (n, n) weights of both kernels: what region r hears of s, nothing of itself."""
    rows, columns = np.indices(superpixels.shape, dtype=np.float32)
    places = np.stack([mean_by_region(rows, superpixels), mean_by_region(columns, superpixels)], axis=1)
    colours = np.stack([mean_by_region(image[..., c], superpixels) for c in range(3)], axis=1)
    weights = np.zeros((len(areas), len(areas)))
    if options.w1 > 0:
        features = np.hstack([places / options.sigma_alpha, colours / options.sigma_beta])
        weights += options.w1 * _normalised_kernel(features, areas)
    if options.w2 > 0:
        weights += options.w2 * _normalised_kernel(places / options.sigma_gamma, areas)
    np.fill_diagonal(weights, 0.0)
    return weights


def _normalised_kernel(features: Matrix, areas: Matrix) -> Matrix:
    """Return n_r k(r, s) n_s a_s for unit-width features (n, d)."""
    squares = (features**2).sum(axis=1)
    kernel = features @ features.T
    kernel *= 2
    kernel -= squares
    kernel -= squares[:, None]
    kernel *= 0.5
    np.exp(np.minimum(kernel, 0, out=kernel), out=kernel)  # rounding must not bring a distance below 0
    norms = 1 / np.sqrt(np.maximum(kernel @ areas, np.finfo(np.float64).tiny))
    kernel *= norms[:, None]
    kernel *= norms * areas
    return kernel


def _softmax(energies: Matrix) -> Matrix:
    values: Matrix = np.exp(energies - energies.max(axis=1, keepdims=True))
    values /= values.sum(axis=1, keepdims=True)
    return values


def _with_fixed(
    probabilities: npt.NDArray[np.floating[Any]], fixed: npt.NDArray[np.uint8] | None
) -> npt.NDArray[np.float32]:
    """Return the probabilities with fixed pixels one-hot, as a new array where there are any."""
    result = np.asarray(probabilities, np.float32)
    if fixed is None:
        return result
    known = fixed != FREE
    result = result.copy()
    result[:, known] = np.arange(len(result))[:, None] == fixed[known]
    return result


def _clamped(
    fixed: npt.NDArray[np.uint8], superpixels: npt.NDArray[np.integer[Any]], classes: int
) -> npt.NDArray[np.uint8]:
    """Return the (n,) label of each region more than half of which has one fixed label, else 255."""
    label = dominant_label(fixed, superpixels, classes)
    share = mean_by_region((fixed == label[superpixels]) & (fixed != FREE), superpixels)
    return np.where(share > 0.5, label, FREE).astype(np.uint8)


def _check_regions(superpixels: npt.NDArray[np.integer[Any]], image: npt.NDArray[np.uint8]) -> None:
    if superpixels.shape != image.shape[:2] or not np.issubdtype(superpixels.dtype, np.integer):
        raise DataError(
            f"The superpixel CRF got regions of shape {superpixels.shape} and type {superpixels.dtype} for "
            f"an image of {image.shape[0]} × {image.shape[1]} pixels; it needs an integer id for each pixel."
        )
    lowest, count = int(superpixels.min()), int(superpixels.max()) + 1
    if lowest < 0 or count > MOST_REGIONS:
        raise DataError(
            f"The superpixel CRF got region ids from {lowest} to {count - 1}; it takes 0 to "
            f'{MOST_REGIONS - 1}. Make the superpixels larger, or set crf.mode = "pixel".'
        )
