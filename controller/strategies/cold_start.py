"""The first questions when there is no model: a spread-out group, and spread-out regions in each image."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.strategies.base import EntropyRanked, ImageMaps
from tenth.segmentation.uncertainty import mean_by_region


class ColdStart(EntropyRanked):
    """Superpixels far from each other, of images far from each other; for the first group.

    All images score alike, and `controller.selection.rank_images` spreads equal scores evenly over the pool's
    order: neighbouring frames of a video are near-duplicates. Regions are taken by farthest point sampling of
    their centroids (Gonzalez 1985), from a drawn start.

    Parameters
    ----------
    seed : int, optional
        Seed of the first region of each image.
    """

    name = "cold-start"
    needs_model = False

    def image_score(self, probabilities: npt.NDArray[np.floating[Any]] | None) -> float:  # noqa: ARG002
        """Return 0 for every image."""
        return 0.0

    def region_scores(self, maps: ImageMaps) -> npt.NDArray[np.float64]:
        """Return 1 / place in the order chosen, which compares between images of different region counts."""
        # with the content in the seed, images of the same size do not all start in the same corner
        content = zlib.crc32(np.ascontiguousarray(maps.superpixels, dtype=np.int32).tobytes())
        order = farthest_points(_centroids(maps.superpixels), np.random.default_rng([self.seed, content]))
        scores = np.empty(len(order))
        scores[order] = 1.0 / np.arange(1, len(order) + 1)
        return scores


def farthest_points(points: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return an order of points in which each is the one farthest from all before it.

    Parameters
    ----------
    points : (n, d) float64
        Coordinates, n ≥ 1.
    rng : numpy.random.Generator
        Draws the first point.

    Returns
    -------
    (n,) int64
        A permutation of 0 to n - 1; of equally far points the lowest comes first.
    """
    order = np.empty(len(points), np.int64)
    distance = np.full(len(points), np.inf)
    chosen = int(rng.integers(len(points)))
    for place in range(len(points)):
        order[place] = chosen
        np.minimum(distance, ((points - points[chosen]) ** 2).sum(axis=1), out=distance)
        distance[chosen] = -1.0  # below any distance, points at the same place included
        chosen = int(distance.argmax())
    return order


def _centroids(superpixels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return the (n, 2) mean row and column of each region."""
    rows, columns = np.indices(superpixels.shape)
    return np.stack([mean_by_region(rows, superpixels), mean_by_region(columns, superpixels)], axis=1)
