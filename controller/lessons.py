"""What a student learns from: the labels of the round, and the images of the pool, which have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import or_, select

from controller.loop import Loop
from controller.merge import MergedImage, WeighedImage
from controller.pool import as_sample
from tenth.segmentation.dataset import UnlabelledSample, without_labels
from tenth.segmentation.distillation import RememberedSoftLabels, SoftLabelStore
from tenth.segmentation.distillation.teachers import Keyed, PseudoLabelledImage, TaughtImage
from tenth.segmentation.training.sources import DiscountedImage
from tenth.workspace.database import Image


@dataclass(frozen=True)
class AnsweredImage:
    """An asked image with people's labels alone: the model's own say nothing about how good a teacher is."""

    merged: MergedImage

    @property
    def key(self) -> str:
        """The image's name."""
        return self.merged.key

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the picture (H, W, 3) uint8 RGB and people's labels (H, W) uint8, 255 elsewhere."""
        return self.merged.load_answered()


@dataclass(frozen=True)
class TaughtWeighedImage(TaughtImage):
    """An image with soft labels, the labels of which count for more or less."""

    source: WeighedImage | DiscountedImage

    def load_weighed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Return what `load` does, and how much each label counts, (H, W) float32 in 0..1."""
        return self.source.load_weighed()


def unlabelled_images(loop: Loop, number: int) -> list[UnlabelledSample]:
    """Return the images that nobody was asked about up to round `number`."""
    asked_later = (Image.role == "asked") & (Image.round > number)
    query = select(Image).where(or_(Image.role == "pool", asked_later)).order_by(Image.key)
    with loop.workspace.database.reading() as session:
        return [without_labels(as_sample(loop, image)) for image in session.scalars(query)]


def measurable(images: Sequence[Keyed]) -> list[Keyed]:
    """Return the same images with labels by people alone."""
    return [AnsweredImage(each) if isinstance(each, MergedImage) else each for each in images]


def taught(images: Sequence[Keyed], store: SoftLabelStore, pseudo: float = 0.0) -> list[TaughtImage]:
    """Return the images with their soft labels, and with the weights of their labels where they have some.

    Parameters
    ----------
    images : sequence of Keyed
        Of all kinds.
    store : SoftLabelStore
        Has the soft labels of all of them.
    pseudo : float, optional
        What pseudo-labels of images without labels count, 0..1; 0: they get none.
    """
    labels = RememberedSoftLabels(store)

    def lesson(image: Keyed) -> TaughtImage:
        if pseudo and isinstance(image, UnlabelledSample):
            return PseudoLabelledImage(image, labels, pseudo)
        if isinstance(image, WeighedImage | DiscountedImage):
            return TaughtWeighedImage(image, labels)
        return TaughtImage(image, labels)

    return [lesson(image) for image in images]


def trust_in_pseudo_labels(loop: Loop, images: Sequence[Keyed]) -> float:
    """Return what pseudo-labels of the pool count beside the labels of `images`; 0: there are to be none.

    All pixels of such an image have one, as all of an initial image have a label: beside asked images in the
    same step, few pixels of which have, both count less.
    """
    settings = loop.config.distill
    if not settings.pseudo or settings.form == "kl":
        return 0.0
    asked = any(isinstance(image, MergedImage) for image in images)
    return loop.config.labels.initial_weight if asked else 1.0
