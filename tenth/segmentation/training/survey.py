"""A look at all images before the training: sizes, classes, and a digest to recognise them by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.progress import Progress
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.prefetch import prefetched


class LabelledImage(Protocol):
    """Something to learn from; a ``key`` attribute, where there is one, names it in messages."""

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image (H, W, 3) uint8 RGB and its labels (H, W) uint8, 255 = ignore."""


@dataclass(frozen=True)
class Survey:
    """What a set of labelled images is like.

    Parameters
    ----------
    size : tuple of int
        The most common height and width; the largest of them when several are equally common.
    pixels : ndarray
        (C,) int64, labelled pixels by class.
    digest : str
        Changes with any pixel, any label and the order of the images.
    """

    size: tuple[int, int]
    pixels: NDArray[np.int64]
    digest: str


def survey(images: Sequence[LabelledImage], classes: int, workers: int, progress: Progress) -> Survey:
    """Load every image once and describe the set.

    Raises
    ------
    DataError
        When there is nothing to learn from, or an image and its labels do not fit together or to the classes.
    """
    if not images:
        raise DataError("There are no images to train on; label some first.")
    digest = hashlib.blake2b(digest_size=16)
    sizes: Counter[tuple[int, int]] = Counter()
    pixels = np.zeros(256, np.int64)
    loaded = prefetched(lambda place: _checked(images[place], place, classes), range(len(images)), workers)
    with closing(loaded), progress.bar(len(images), "read images", "image") as bar:
        for image, labels in loaded:
            sizes[labels.shape[0], labels.shape[1]] += 1
            pixels += np.bincount(labels.ravel(), minlength=256)
            digest.update(repr(labels.shape).encode())
            digest.update(np.ascontiguousarray(image).data)
            digest.update(np.ascontiguousarray(labels).data)
            bar.update()
    if not pixels[:classes].any():
        raise DataError(
            f"None of the {len(images)} images to train on has a labelled pixel (all are 255 = ignore)."
        )
    size = max(sizes, key=lambda entry: (sizes[entry], entry[0] * entry[1], entry))
    return Survey(size, pixels[:classes], digest.hexdigest())


def _checked(source: LabelledImage, place: int, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image, labels = source.load()
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
    return image, labels
