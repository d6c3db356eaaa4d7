"""The cosine transform of 16×16 blocks: smooth maps become few numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 16


def _basis() -> NDArray[np.float32]:
    k, i = np.arange(BLOCK)[:, None], np.arange(BLOCK)
    basis: NDArray[np.float64] = np.sqrt(2 / BLOCK) * np.cos(np.pi * k * (2 * i + 1) / (2 * BLOCK))
    basis[0] /= np.sqrt(2)
    return basis.astype(np.float32)


BASIS = _basis()
"""(16, 16) float32: DCT-II, a frequency a row; orthonormal, so squared errors stay what they are."""


def blocks_over(height: int, width: int) -> tuple[int, int]:
    """Return how many blocks it takes, down and across, to cover so many pixels."""
    return -(-height // BLOCK), -(-width // BLOCK)


def to_frequencies(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transform maps block by block; a border block is filled up with its last row and column.

    Parameters
    ----------
    maps : ndarray
        (C, H, W) float32.

    Returns
    -------
    ndarray
        (16, 16, C, ⌈H/16⌉, ⌈W/16⌉) float32: vertical and horizontal frequency, then map and block. A view
        that is not contiguous.
    """
    count, height, width = maps.shape
    down, across = blocks_over(height, width)
    padding = ((0, 0), (0, down * BLOCK - height), (0, across * BLOCK - width))
    rows = np.pad(maps, padding, mode="edge").reshape(-1, BLOCK) @ BASIS.T
    both: NDArray[np.float32] = np.matmul(BASIS, rows.reshape(count * down, BLOCK, across * BLOCK))
    return both.reshape(count, down, BLOCK, across, BLOCK).transpose(2, 4, 0, 1, 3)


def to_maps(frequencies: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Invert `to_frequencies`.

    Parameters
    ----------
    frequencies : ndarray
        (V, U, C, ⌈H/16⌉, ⌈W/16⌉) float32; V, U in 1..16 are as many as are not all zero: the fewer, the
        faster.
    height, width : int
        H and W.

    Returns
    -------
    ndarray
        (C, H, W) float32. A view that is not contiguous.
    """
    vertical, horizontal, count, down, across = frequencies.shape
    columns = frequencies.transpose(2, 3, 0, 4, 1).reshape(count * down, vertical, across * horizontal)
    rows = np.matmul(BASIS[:vertical].T, columns).reshape(-1, horizontal)
    maps: NDArray[np.float32] = (rows @ BASIS[:horizontal]).reshape(count, down * BLOCK, across * BLOCK)
    return maps[:, :height, :width]
