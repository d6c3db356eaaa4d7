"""Class-specific SP + CRF (thesis, 3.2.5): the most uncertain superpixels within each class."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from controller.selection import fill_budget
from controller.strategies.base import ImageMaps, Need
from controller.strategies.sp_crf import SuperpixelsCRF
from tenth.segmentation.uncertainty import count_by_region, dominant_label

Ints = npt.NDArray[np.int64]


class SuperpixelsCRFClass(SuperpixelsCRF):
    """As ``sp-crf``, but an equal number of superpixels from each class.

    Each class has the mean feature vector of its labelled pixels, of what the network's last layer, the
    classifier, sees. A pixel belongs to the class whose mean its own features have the highest cosine
    similarity with; similarities are computed at the features' resolution and enlarged bilinearly. A class
    without labelled pixels gets no pixels. A superpixel belongs to the class of most of its pixels.

    Of the N superpixels of average size that the budget pays for, each of the K classes in the image gets
    N / K, rounded down, at least 1: first every class's most uncertain one, then every class's second, and
    so on, of equal places the more uncertain first. What a class that runs short leaves, and what rounding
    leaves, goes to the most uncertain of all others.
    """

    name = "sp-crf-class"
    needs: frozenset[Need] = frozenset({"crf", "features"})

    def select(self, maps: ImageMaps, budget_pixels: int) -> list[int]:
        """Return the superpixels to ask about within the budget, in the order in which they are served.

        Of a choice that is cut short the first ones then are of as many classes.

        Raises
        ------
        ConfigurationError
            When there are no probabilities or no features, for there is no model.
        """
        scores, areas = self.region_scores(maps), count_by_region(maps.superpixels)
        ranked = np.argsort(-scores, kind="stable")
        wanted = self._by_class(ranked, self._region_classes(maps), areas, budget_pixels)
        rest = ranked[~np.isin(ranked, wanted)]
        return fill_budget(np.concatenate([wanted, rest]), areas, budget_pixels)

    def _by_class(self, ranked: Ints, of_region: Ints, areas: Ints, budget_pixels: int) -> Ints:
        """Return the regions that their classes have a right to, in the order in which they are served."""
        present = np.unique(of_region[areas > 0])
        affordable = budget_pixels * np.count_nonzero(areas) // int(areas.sum())
        each = max(1, affordable // len(present))
        turns = [ranked[(of_region[ranked] == label) & (areas[ranked] > 0)][:each] for label in present]
        place = np.concatenate([np.arange(len(turn)) for turn in turns])
        uncertainty = np.argsort(ranked)  # the place of each region among all
        regions = np.concatenate(turns)
        served: Ints = regions[np.lexsort((uncertainty[regions], place))]
        return served

    def _region_classes(self, maps: ImageMaps) -> Ints:
        """Return the class of each region."""
        means = self.given(maps.context.class_features)
        shape = maps.superpixels.shape
        labels = nearest_classes(self.given(maps.features), means, (shape[0], shape[1]))
        return dominant_label(labels, maps.superpixels, len(means)).astype(np.int64)


class SuperpixelsCRFClassShare(SuperpixelsCRFClass):
    """As ``sp-crf-class``, but the same share of the pixels of each class.

    The share is the budget's (10 % in the thesis, 3.3.2.2): a class gets that share of the pixels of its
    superpixels, rounded down. What is too little for a superpixel, and what a class leaves otherwise, goes to
    the most uncertain of all others.
    """

    name = "sp-crf-class-share"

    def _by_class(self, ranked: Ints, of_region: Ints, areas: Ints, budget_pixels: int) -> Ints:
        total = int(areas.sum())
        wanted: list[int] = []
        for label in np.unique(of_region[areas > 0]):
            members = ranked[of_region[ranked] == label]
            wanted += fill_budget(members, areas, budget_pixels * int(areas[members].sum()) // total)
        by_uncertainty: Ints = ranked[np.isin(ranked, wanted)]
        return by_uncertainty


def nearest_classes(
    features: npt.NDArray[np.floating[Any]], means: npt.NDArray[np.floating[Any]], size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Return the class of each pixel: the one whose mean features are most similar (cosine).

    Parameters
    ----------
    features : (D, h, w) float
        Features of the image.
    means : (C, D) float
        Mean features of each class; NaN for an unknown class, which no pixel gets.
    size : (int, int)
        Height and width of the result; similarities are enlarged to it bilinearly.

    Returns
    -------
    (height, width) uint8
        Of equally similar classes the lowest; 0 everywhere when no class is known.
    """
    depth, height, width = features.shape
    known = np.isfinite(means).all(axis=1)
    best = np.full(size, -np.inf, np.float32)
    labels = np.zeros(size, np.uint8)
    vectors = _unit(features.reshape(depth, -1).T)
    for label in np.flatnonzero(known):
        similarity = (vectors @ _unit(means[label])).reshape(height, width).astype(np.float32)
        enlarged = cv2.resize(similarity, size[::-1], interpolation=cv2.INTER_LINEAR)
        labels[enlarged > best] = label
        np.maximum(best, enlarged, out=best)
    return labels


def _unit(vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """Return vectors (…, D) of length 1; one of length 0 stays, and is similar to nothing."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: npt.NDArray[np.floating[Any]] = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit
