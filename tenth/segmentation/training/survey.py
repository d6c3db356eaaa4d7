"""A look at all images before the training: sizes, classes, and a digest to recognise them by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.progress import Progress
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.prefetch import prefetched
from tenth.segmentation.training.sources import (
    LabelledImage,
    SoftLabelledImage,
    load_with_weights,
    quantised,
)


@dataclass(frozen=True)
class Survey:
    """What a set of labelled images is like.

    Parameters
    ----------
    size : tuple of int
        The most common height and width; the largest of them when several are equally common.
    pixels : ndarray
        (C,) int64, labelled pixels by class, those of weight 0 not counted.
    digest : str
        Changes with any pixel, any label, any weight, any soft label that is used and the order of the
        images.
    weighted : bool
        Whether any image comes with weights.
    """

    size: tuple[int, int]
    pixels: NDArray[np.int64]
    digest: str
    weighted: bool = False


def survey(
    images: Sequence[LabelledImage], classes: int, workers: int, progress: Progress, *, soft: bool = False
) -> Survey:
    """Load every image once and describe the set; with `soft`, its soft labels too.

    Raises
    ------
    DataError
        When there is nothing to learn from, or an image, its labels, its weights and its soft labels do not
        fit together or to the classes.
    """
    if not images:
        raise DataError("There are no images to train on; label some first.")
    digest = hashlib.blake2b(digest_size=16)
    sizes: Counter[tuple[int, int]] = Counter()
    pixels = np.zeros(256, np.int64)
    weighted = False

    def load(place: int) -> _Loaded:
        return _checked(images[place], place, classes, soft=soft)

    loaded = prefetched(load, range(len(images)), workers)
    with closing(loaded), progress.bar(len(images), "read images", "image") as bar:
        for image, labels, weights, soft_digest in loaded:
            sizes[labels.shape[0], labels.shape[1]] += 1
            counted = labels.ravel() if weights is None else labels[weights > 0]
            pixels += np.bincount(counted, minlength=256)
            digest.update(repr(labels.shape).encode())
            digest.update(np.ascontiguousarray(image).data)
            digest.update(np.ascontiguousarray(labels).data)
            if weights is not None:
                weighted = True
                digest.update(b"weights")
                digest.update(weights.data)
            digest.update(soft_digest)
            bar.update()
    if not soft and not pixels[:classes].any():
        raise DataError(
            f"None of the {len(images)} images to train on has a labelled pixel (all are 255 = ignore, "
            "or weigh 0)."
        )
    size = max(sizes, key=lambda entry: (sizes[entry], entry[0] * entry[1], entry))
    return Survey(size, pixels[:classes], digest.hexdigest(), weighted)


_Loaded = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None, bytes]


def _checked(source: LabelledImage, place: int, classes: int, *, soft: bool) -> _Loaded:
    """Load an image, its labels, where it has them its weights in 255ths, and a digest of its soft labels."""
    image, labels, weights = load_with_weights(source)
    name = getattr(source, "key", f"Image number {place}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(f"{name} is {image.shape} {image.dtype}; it has to be (height, width, 3) uint8 RGB.")
    if labels.dtype != np.uint8 or labels.shape != image.shape[:2]:
        raise DataError(
            f"{name} is {image.shape[:2]} pixels, but its labels are {labels.shape} {labels.dtype}; "
            "they have to be uint8 of the same height and width."
        )
    wrong = labels[(labels >= classes) & (labels != IGNORE)]
    if wrong.size:
        raise DataError(
            f"{name} has {wrong.size} pixels labelled {wrong.max()}, but the network has the classes "
            f"0 to {classes - 1}; correct the labels or use 255 to ignore them."
        )
    counts = None if weights is None else _quantised(weights, labels.shape, name)
    return image, labels, counts, _soft_digest(source, (classes, *labels.shape), name) if soft else b""


def _soft_digest(source: LabelledImage, shape: tuple[int, ...], name: str) -> bytes:
    if not isinstance(source, SoftLabelledImage):
        raise DataError(
            f"{name} has no soft labels (no load_soft), and distillation needs those of every image; compute "
            "them first."
        )
    soft = source.load_soft()
    if soft.dtype != np.float32 or soft.shape != shape:
        raise DataError(
            f"{name} needs soft labels of shape {shape}, a float32 for each class and pixel, but has "
            f"{soft.shape} {soft.dtype}."
        )
    return hashlib.blake2b(np.ascontiguousarray(soft).data, digest_size=16).digest()


def _quantised(weights: NDArray[np.float32], shape: tuple[int, ...], name: str) -> NDArray[np.uint8]:
    if weights.dtype != np.float32 or weights.shape != shape:
        raise DataError(
            f"{name} is {shape} pixels, but its weights are {weights.shape} {weights.dtype}; "
            "they have to be float32 of the same height and width."
        )
    # Asked this way round, NaN is refused too.
    wrong = weights[~((weights >= 0) & (weights <= 1))]
    if wrong.size:
        raise DataError(
            f"{name} has {wrong.size} weights like {wrong[0]}; a weight has to be a number from 0 to 1."
        )
    return quantised(weights)
