"""How unsure the model is: entropy per pixel, per superpixel, per image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tenth.errors import DataError

IGNORED = 255
_TINY = float(np.finfo(np.float32).tiny)
_STRIP = 64  # rows at a time, so that the intermediate values stay in the cache


def pixel_entropy(probabilities: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Entropy −Σ p ln p of each pixel (eq. 3.2 of the thesis, whose print lacks the minus sign).

    Parameters
    ----------
    probabilities : (C, H, W) float
        Class probabilities.

    Returns
    -------
    (H, W) float32
        Entropy in nats, between 0 and ln C; 0 ln 0 is 0.

    Raises
    ------
    DataError
        When `probabilities` is not a floating point array (C, H, W).
    """
    if probabilities.ndim != 3 or not np.issubdtype(probabilities.dtype, np.floating):
        raise DataError(
            f"Entropy got shape {probabilities.shape} and type {probabilities.dtype}; "
            "it needs floating point probabilities (classes, height, width)."
        )
    values = torch.from_numpy(np.ascontiguousarray(probabilities, dtype=np.float32))
    entropy = torch.empty(values.shape[1:], dtype=torch.float32)
    for top in range(0, entropy.shape[0], _STRIP):
        strip = values[:, top : top + _STRIP]
        # where p is 0 the bounded logarithm is multiplied by 0, which is the limit that is meant
        torch.sum(strip.clamp_min(_TINY).log_().mul_(strip), dim=0, out=entropy[top : top + _STRIP])
    # a rounded probability just above 1 must not make an entropy negative
    return entropy.neg_().clamp_min_(0.0).numpy() + np.float32(0)  # + 0 turns -0 into 0


def image_entropy(probabilities: npt.NDArray[np.floating[Any]]) -> float:
    """Sum of the entropy over all pixels of an image, in nats (the thesis's image entropy).

    Parameters
    ----------
    probabilities : (C, H, W) float
        Class probabilities.
    """
    return float(pixel_entropy(probabilities).sum(dtype=np.float64))


def count_by_region(superpixels: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Number of pixels of each region.

    Parameters
    ----------
    superpixels : (H, W) int
        Region ids, 0 to n - 1.

    Returns
    -------
    (n,) int64
    """
    return np.bincount(superpixels.ravel())


def sum_by_region(
    values: npt.NDArray[Any], superpixels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """Sum of a map over each region.

    Parameters
    ----------
    values : (H, W) real
        The map, for instance the entropy.
    superpixels : (H, W) int
        Region ids, 0 to n - 1.

    Returns
    -------
    (n,) float64

    Raises
    ------
    DataError
        When the shapes differ.
    """
    _same_shape(values, superpixels)
    return np.bincount(superpixels.ravel(), weights=values.ravel()).astype(np.float64, copy=False)


def mean_by_region(
    values: npt.NDArray[Any], superpixels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """Mean of a map over each region; parameters as in `sum_by_region`.

    Returns
    -------
    (n,) float64
        0 for an id that no pixel has.
    """
    means: npt.NDArray[np.float64] = sum_by_region(values, superpixels) / np.maximum(
        count_by_region(superpixels), 1
    )
    return means


def mean_probabilities(
    probabilities: npt.NDArray[np.floating[Any]], superpixels: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """Mean class probabilities of each region: its argmax is the guess, its maximum the confidence.

    Parameters
    ----------
    probabilities : (C, H, W) float
        Class probabilities.
    superpixels : (H, W) int
        Region ids, 0 to n - 1.

    Returns
    -------
    (n, C) float64
        Rows sum to 1.
    """
    return np.stack([mean_by_region(plane, superpixels) for plane in probabilities], axis=1)


def dominant_label(
    labels: npt.NDArray[np.uint8], superpixels: npt.NDArray[np.integer[Any]], classes: int
) -> npt.NDArray[np.uint8]:
    """Most frequent label of each region.

    Parameters
    ----------
    labels : (H, W) uint8
        Class ids, 255 = ignore.
    superpixels : (H, W) int
        Region ids, 0 to n - 1.
    classes : int
        Number of classes C.

    Returns
    -------
    (n,) uint8
        Class ids; 255 where ignored pixels outnumber every class. Of equally frequent labels the lowest wins.

    Raises
    ------
    DataError
        When the shapes differ or a label is neither a class nor 255.
    """
    _same_shape(labels, superpixels)
    unknown = labels[(labels >= classes) & (labels != IGNORED)]
    if unknown.size:
        raise DataError(
            f"{unknown.size} pixels have label {unknown[0]}, but there are {classes} classes "
            f"(0 to {classes - 1}) and {IGNORED} for ignore."
        )
    columns = classes + 1  # the last counts the ignored pixels, so that a class wins a tie with them
    column = np.minimum(labels, classes).ravel().astype(np.int64)
    cells = superpixels.ravel().astype(np.int64) * columns + column
    regions = int(superpixels.max()) + 1
    winner = np.bincount(cells, minlength=regions * columns).reshape(regions, columns).argmax(axis=1)
    return np.where(winner == classes, IGNORED, winner).astype(np.uint8)


def _same_shape(values: npt.NDArray[Any], superpixels: npt.NDArray[np.integer[Any]]) -> None:
    if values.shape != superpixels.shape:
        raise DataError(
            f"A map of shape {values.shape} cannot be summed over superpixels of shape {superpixels.shape}; "
            "both have to belong to the same image."
        )
