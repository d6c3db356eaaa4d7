"""Maps brought to a grid of cells: each gets the mean of what it covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def cells_along(length: int, stride: int) -> int:
    """Return how many cells of about `stride` pixels a side of `length` is divided into."""
    return -(-length // stride)


def shares(length: int, zoomed: int, window: tuple[int, int], cells: int) -> NDArray[np.float32]:
    """Return what each pixel of one side counts in the mean of each cell of a window.

    The side is zoomed, and the window laid on it divided into equal cells. A cell that covers less than a
    pixel gets what linear interpolation says at its middle, the usual way to enlarge.

    Parameters
    ----------
    length : int
        Pixels L.
    zoomed : int
        Pixels of the side, zoomed.
    window : tuple of int
        Where the window starts, in zoomed pixels, negative with padding before the image; and its length.
    cells : int
        How many there are, n.

    Returns
    -------
    ndarray
        (n, L) float32; a row sums to 1, or to 0 where the cell is all padding.
    """
    start, size = window
    edges = np.clip(start + size * np.arange(cells + 1) / cells, 0, zoomed)
    covered = np.diff(edges) > 0
    edges = edges * (length / zoomed)
    middle, reach = (edges[1:] + edges[:-1]) / 2, np.maximum(np.diff(edges), 1) / 2
    # No further than to the middle of the last pixel, whose value holds from there on.
    first, last = middle - reach, middle + reach
    pixels = np.arange(length)
    overlap = np.minimum(last[:, None], pixels + 1) - np.maximum(first[:, None], pixels)
    overlap = np.where(covered[:, None], np.maximum(overlap, 0), 0)
    sums = overlap.sum(1, keepdims=True)
    result: NDArray[np.float32] = (overlap / np.where(sums > 0, sums, 1)).astype(np.float32)
    return result


def means(
    maps: NDArray[np.float32], rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the means of cells.

    Parameters
    ----------
    maps : ndarray
        (C, H, W) float32.
    rows, columns : ndarray
        (h, H) and (w, W) float32, of `shares`.

    Returns
    -------
    ndarray
        (C, h, w) float32, contiguous; 0 for a cell that is all padding.
    """
    # Sparse: a cell sees few pixels. Nor does this wake the threads of BLAS, which beside those of a training
    # take ten times as long as one.
    down, across = csr_array(rows), csr_array(columns)
    result = np.empty((len(maps), len(rows), len(columns)), np.float32)
    for each, mean in zip(maps, result, strict=True):
        mean[...] = (across @ np.ascontiguousarray((down @ each).T)).T
    return result
