"""What a training learns from: images with labels, some with weights of the pixels, some with soft labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FULL = 255
"""A weight of 1; weights are kept as whole 255ths, a byte a pixel like the labels."""


class LabelledImage(Protocol):
    """Something to learn from; a ``key`` attribute, where there is one, names it in messages."""

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image (H, W, 3) uint8 RGB and its labels (H, W) uint8, 255 = ignore."""


@runtime_checkable
class WeightedImage(LabelledImage, Protocol):
    """A labelled image some labels of which count less, as those of a model do."""

    def load_weighed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Return what `load` does and how much each label counts, (H, W) float32, 0..1.

        Weights are rounded to whole 255ths.
        """


@runtime_checkable
class SoftLabelledImage(LabelledImage, Protocol):
    """An image with what teachers say about it; labels it need not have (they are 255 = ignore then)."""

    def load_soft(self) -> NDArray[np.float32]:
        """Return the teachers' class probabilities (C, H, W) float32, summing to 1 over the classes."""


class Named(LabelledImage, Protocol):
    """A labelled image with a name."""

    @property
    def key(self) -> str:
        """Its name in messages."""


@dataclass(frozen=True)
class DiscountedImage:
    """An image all of whose labels count less, beside others that have fewer labels.

    Parameters
    ----------
    image : Named
        Image and labels.
    weight : float
        What each of its labels counts, 0..1.
    """

    image: Named
    weight: float

    @property
    def key(self) -> str:
        """The image's name."""
        return self.image.key

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the image (H, W, 3) uint8 RGB and its labels (H, W) uint8, 255 = ignore."""
        return self.image.load()

    def load_weighed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Return what `load` does, and the weight for every pixel, (H, W) float32."""
        image, labels = self.load()
        return image, labels, np.full(labels.shape, self.weight, np.float32)


def load_with_weights(
    source: LabelledImage,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32] | None]:
    """Return image, labels and, where it has them, weights; it is loaded once."""
    if isinstance(source, WeightedImage):
        return source.load_weighed()
    return *source.load(), None


def quantised(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return weights 0..1 as (H, W) uint8, in 255ths."""
    return np.rint(weights * FULL).astype(np.uint8)
