"""From teachers to soft labels on disk, and from there to what a student learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from tenth.progress import SILENT, Progress
from tenth.segmentation.distillation.ensemble import Ensemble
from tenth.segmentation.distillation.losses import Form
from tenth.segmentation.distillation.remembered import SoftLabels
from tenth.segmentation.distillation.store import SoftLabelStore
from tenth.segmentation.evaluation import LabelledSample
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.segmentation.metrics import ConfusionMatrix
from tenth.segmentation.prefetch import prefetched

THESIS_TEMPERATURES = {"icnet": 4.0, "erfnet": 3.0, "deeplabv3": 5.0, "deeplabv3plus": 5.0, "enet": 5.0}
"""By network: the thesis's, for teachers (ICNet, ERFNet, DeepLab) and for students (ICNet, ERFNet, ENet)."""


def temperature_of(network: str, form: Form = "kl") -> float:
    """Return the usual temperature of a network, as a teacher or as a student.

    Parameters
    ----------
    network : str
        Its registered name.
    form : str, optional
        What is learned. ``"kl"``: the thesis's temperature, 4 (its middle one) where it has none. ``"cwd"``
        and ``"dist"``: 1; they see classes that are less likely without softening; a softened ``"cwd"``
        taught less (docs/results.md), a softened ``"dist"`` was not tried.
    """
    return THESIS_TEMPERATURES.get(network, 4.0) if form == "kl" else 1.0


class EnsemblePredictor(ImagePredictor):
    """The teachers as one predictor.

    Parameters
    ----------
    ensemble : Ensemble
    predictors : sequence of Predictor
        In the order of its teachers, all on one device.
    """

    def __init__(self, ensemble: Ensemble, predictors: Sequence[Predictor]) -> None:
        self.ensemble = ensemble
        self.predictors = predictors

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the common distribution (C, H, W) float32 of each pixel of an image (H, W, 3) uint8.

        Raises
        ------
        DataError
            When `image` is something else.
        """
        logits = (torch.from_numpy(predictor.logits(image))[None] for predictor in self.predictors)
        result: NDArray[np.float32] = self.ensemble.probabilities(logits)[0].numpy()
        return result


class Keyed(LabelledSample, Protocol):
    """An image with a key of its own; labels may all be 255."""


@dataclass(frozen=True)
class ImageDigests:
    """What tells sets of images apart.

    Parameters
    ----------
    pictures : str
        Of their keys, sizes and pixels, in order.
    labelled : str
        Of the same and of their labels.
    """

    pictures: str
    labelled: str


def digests_of(images: Sequence[Keyed], progress: Progress = SILENT) -> ImageDigests:
    """Return digests of the images; each is loaded once."""
    pictures, labels = (hashlib.blake2b(digest_size=16) for _ in range(2))
    for image in progress.over(images, len(images), "Looking at images", "image"):
        picture, truth = image.load()
        pictures.update(f"{image.key} {picture.shape};".encode())
        pictures.update(np.ascontiguousarray(picture).data)
        labels.update(np.ascontiguousarray(truth).data)
    both = hashlib.blake2b(pictures.digest() + labels.digest(), digest_size=16)
    return ImageDigests(pictures.hexdigest(), both.hexdigest())


def images_digest(images: Sequence[Keyed]) -> str:
    """Return a digest of the images' keys, sizes and pixels; each is loaded once."""
    return digests_of(images).pictures


def write_soft_labels(
    store: SoftLabelStore,
    teachers: EnsemblePredictor,
    images: Sequence[Keyed],
    progress: Progress = SILENT,
    written: Callable[[str, float], None] | None = None,
) -> int:
    """Store the soft labels of the images that have none yet; return how many those were.

    After each image `written` is called with its key and the seconds that it took. A killed call has lost the
    image that it was at. The store's identity has to say what the labels are a function of: the ensemble and
    the images (`Ensemble.identity`, `images_digest`).

    Raises
    ------
    DataError
        When an image cannot be read or a key cannot be stored.
    """
    missing = [image for image in images if image.key not in store]
    loaded = prefetched(lambda image: image.load(), missing, workers=1)
    done = len(images) - len(missing)
    with closing(loaded), progress.bar(len(images), "Soft labels", "image", done) as bar:
        start = perf_counter()
        for image, (picture, _) in zip(missing, loaded, strict=True):
            store.write(image.key, teachers.probabilities(picture))
            before, start = start, perf_counter()
            if written is not None:
                written(image.key, start - before)
            bar.update()
    return len(missing)


@dataclass(frozen=True)
class TaughtImage:
    """An image with its soft labels in a store: what a student is trained on.

    Parameters
    ----------
    source : Keyed
        Image and labels.
    store : SoftLabels
        Has soft labels under the image's key.
    """

    source: Keyed
    store: SoftLabels

    @property
    def key(self) -> str:
        """The image's name."""
        return self.source.key

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image (H, W, 3) uint8 RGB and its labels (H, W) uint8, 255 = ignore."""
        return self.source.load()

    def load_soft(self) -> NDArray[np.float32]:
        """Return the soft labels (C, H, W) float32; raises DataError when there are none or are damaged."""
        return self.store.read(self.key)


@dataclass(frozen=True)
class PseudoLabelledImage(TaughtImage):
    """An image that nobody labelled, with what the teachers find likeliest as its labels.

    Each counts as much as they are sure, at the temperatures of the soft labels, beside the other labels of
    the same step. Soft labels alone say how classes relate; the cross-entropy of the labels would be of the
    few images that have some, and of none in many a step.

    Parameters
    ----------
    source : Keyed
        The image; labels that it may have are not read.
    trust : float
        What a pseudo-label counts that the teachers are sure of, 0..1, a label of people counting 1.
    """

    trust: float = 1.0

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image (H, W, 3) uint8 RGB and the teachers' most probable classes (H, W) uint8."""
        image, labels, _ = self.load_weighed()
        return image, labels

    def load_weighed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Return what `load` does, and what each label counts, its probability times `trust`, (H, W) float32.

        Raises
        ------
        DataError
            When the soft labels are missing or damaged.
        """
        image, _ = self.source.load()
        soft = self.load_soft()
        return image, soft.argmax(0).astype(np.uint8), soft.max(0) * np.float32(self.trust)


def stored_confusion(images: Sequence[TaughtImage], classes: int) -> ConfusionMatrix:
    """Measure soft labels, which are the ensemble's predictions, as they were stored."""
    confusion = ConfusionMatrix(classes)
    for image in images:
        confusion.update(image.load_soft().argmax(0), image.load()[1])
    return confusion


def describe(confusions: Mapping[str, ConfusionMatrix]) -> dict[str, dict[str, object]]:
    """Return mIoU and IoUs by split, as JSON: NaN is null."""
    return {
        split: {
            "miou": confusion.miou,
            "class_iou": [None if np.isnan(iou) else float(iou) for iou in confusion.iou],
        }
        for split, confusion in confusions.items()
    }
