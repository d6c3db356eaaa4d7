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

    def load_weights(self) -> NDArray[np.float32]:
        """Return how much each label counts, (H, W) float32, 0..1; it is rounded to whole 255ths."""


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

    def load_weights(self) -> NDArray[np.float32]:
        """Return the weight for every pixel, (H, W) float32."""
        return np.full(self.load()[1].shape, self.weight, np.float32)


def quantised(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return weights 0..1 as (H, W) uint8, in 255ths."""
    return np.rint(weights * FULL).astype(np.uint8)
