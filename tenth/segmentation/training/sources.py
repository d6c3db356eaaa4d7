"""What a training learns from: images with labels, some with weights of the pixels, some with soft labels."""

from __future__ import annotations

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


def quantised(weights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return weights 0..1 as (H, W) uint8, in 255ths."""
    return np.rint(weights * FULL).astype(np.uint8)
