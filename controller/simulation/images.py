"""A labelled data set in memory, at the size that a simulation works at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import Sample


@dataclass(frozen=True)
class LabelledPicture:
    """An image with its ground truth.

    Parameters
    ----------
    key : str
        ``split/stem``.
    picture : (H, W, 3) uint8
        RGB.
    truth : (H, W) uint8
        Class ids, 255 = void.
    """

    key: str
    picture: NDArray[np.uint8]
    truth: NDArray[np.uint8]

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return picture and truth, as training and evaluation read them."""
        return self.picture, self.truth


Known = TypeVar("Known", LabelledPicture, Sample)
"""Images with keys."""

FRAME = re.compile(
    r"([_-][A-Za-z]?\d+)+"  # numbers: _000000_000019, -0012, _f00930
    r"([_-][A-Za-z0-9]*[A-Za-z])*$"  # what sort of picture it is: _leftImg8bit, _L
    r"|\d+$"  # a number right behind a word: frame0001
)
"""What a stem says about the frame, behind the name of its drive."""


def drive_of(key: str) -> str:
    """Return a key's stem without its frame number: ``0006R0`` for ``train/0006R0_f00930``."""
    stem = PurePosixPath(key).name
    return FRAME.sub("", stem) or stem


def by_drive(pictures: Sequence[Known]) -> dict[str, list[Known]]:
    """Return the images of a split by drive, the recording that they belong to, sorted by its name.

    Where the stems tell no drives, with fewer than two images in each on average, the split is one.
    """
    drives: dict[str, list[Known]] = {}
    for picture in pictures:
        drives.setdefault(drive_of(picture.key), []).append(picture)
    if len(pictures) < 2 * len(drives):
        return {PurePosixPath(pictures[0].key).parent.name: list(pictures)}
    return dict(sorted(drives.items()))


def load_pictures(
    samples: Sequence[Sample], size: tuple[int, int] | None, progress: Progress = SILENT
) -> list[LabelledPicture]:
    """Read images and labels, resized where a size is given.

    Parameters
    ----------
    samples : sequence of Sample
        All with labels.
    size : tuple of int or None
        Width and height to resize to (pictures by area averaging, labels by nearest neighbour); None keeps
        each image as it is.
    progress : Progress, optional
        Where a bar is shown.

    Raises
    ------
    DataError
        When one cannot be read or has no labels.
    """
    pictures = []
    for sample in progress.over(samples, len(samples), "Reading images", "image"):
        picture, truth = sample.load()
        if size is not None and size != (picture.shape[1], picture.shape[0]):
            smooth = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
            picture = cv2.resize(picture, size, interpolation=smooth).astype(np.uint8, copy=False)
            nearest = cv2.resize(truth, size, interpolation=cv2.INTER_NEAREST_EXACT)
            truth = nearest.astype(np.uint8, copy=False)
        pictures.append(LabelledPicture(sample.key, picture, truth))
    return pictures


def split_initial(pictures: Sequence[Known], count: int, seed: int) -> tuple[list[Known], list[Known]]:
    """Return the initial set, one contiguous piece of each drive, and the rest: the pool.

    Neighbouring frames are near-duplicates: an initial set spread over a drive would know most of the pool.
    Each drive gives its share of the images; where its piece starts is drawn.

    Parameters
    ----------
    pictures : sequence of LabelledPicture or Sample
        Sorted by key.
    count : int
        Size of the initial set; 0 where the network knows the classes already.
    seed : int
        Of the draws.

    Raises
    ------
    DataError
        When `count` leaves no pool.
    """
    if not 0 <= count < len(pictures):
        raise DataError(
            f"An initial set of {count} images leaves no pool of {len(pictures)} images. "
            f"Give --initial from 0 to {len(pictures) - 1}."
        )
    rng = np.random.default_rng(seed)
    initial: set[str] = set()
    left, total = count, len(pictures)
    for frames in by_drive(pictures).values():
        share = round(left * len(frames) / total)
        start = int(rng.integers(len(frames) - share + 1))
        initial |= {frame.key for frame in frames[start : start + share]}
        left, total = left - share, total - len(frames)
    return (
        [picture for picture in pictures if picture.key in initial],
        [picture for picture in pictures if picture.key not in initial],
    )
