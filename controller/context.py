"""What a round knows of all images: class shares of the pool, mean features of the labelled classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from tenth.segmentation.classes import IGNORE
from tenth.segmentation.inference import Predictor
from tenth.segmentation.training import LabelledImage


def class_shares(
    descriptors: Mapping[str, npt.NDArray[np.float32]], classes: int
) -> npt.NDArray[np.float64] | None:
    """Return the share of each class in the pool, as the network sees it; None for an empty pool.

    Parameters
    ----------
    descriptors : mapping of str to (K,) float32
        `controller.maps.descriptor` of each image.
    classes : int
        Number of classes C.

    Returns
    -------
    (C,) float64
        Summing to 1; or None.
    """
    if not descriptors:
        return None
    mean = np.mean([descriptors[key] for key in sorted(descriptors)], axis=0, dtype=np.float64)
    shares = mean.reshape(classes, -1).mean(axis=1)
    normalised: npt.NDArray[np.float64] = shares / shares.sum()
    return normalised


def class_features(
    images: Iterable[LabelledImage], predictor: Predictor, classes: int
) -> npt.NDArray[np.float32]:
    """Return the mean feature vector of the labelled pixels of each class (thesis, 3.2.5).

    Parameters
    ----------
    images : iterable of LabelledImage
        With people's labels alone: the mean of what the network itself labelled would say what it thinks of
        a class, not what the class looks like. Labels are taken at the features' resolution, by nearest
        neighbour.
    predictor : Predictor
        Its features are averaged.
    classes : int
        Number of classes C.

    Returns
    -------
    (C, D) float32
        NaN for a class that no labelled pixel has.
    """
    sums: npt.NDArray[np.float64] | None = None
    counts = np.zeros(classes)
    for image in images:
        picture, labels = image.load()
        features = predictor.features(picture)
        height, width = features.shape[1:]
        small = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT).ravel()
        vectors = features.reshape(len(features), -1).T.astype(np.float64)
        known = small != IGNORE
        if sums is None:
            sums = np.zeros((classes, vectors.shape[1]))
        np.add.at(sums, small[known], vectors[known])
        counts += np.bincount(small[known], minlength=classes)
    if sums is None:
        return np.full((classes, 1), np.nan, np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums / counts[:, None]
    return means.astype(np.float32)
