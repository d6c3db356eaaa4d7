"""Which images a step sees, and changed in which way: a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.augment import Augmentation
from tenth.segmentation.classes import IGNORE
from tenth.segmentation.training.sources import (
    FULL,
    LabelledImage,
    SoftLabelledImage,
    load_with_weights,
    quantised,
)

ORDER, CHANGE = 1, 2
"""Keep the random numbers for the order apart from those for the changes."""


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Parameters
    ----------
    images : ndarray
        (N, h, w, 3) uint8 RGB.
    labels : ndarray
        (N, h, w) uint8, 255 = ignore.
    weights : ndarray or None
        (N, h, w) uint8, how much each label counts, in 255ths, 0 in the padding; ``None``: all the same.
    plain : ndarray or None
        (N, h, w, 3) uint8 RGB, `images` without the change of their colours, for a teacher to look at.
    inside : ndarray or None
        (N, h, w) bool, false in the padding, which is no pixel of any image; comes with `plain`.
    soft : ndarray or None
        (N, C, ⌈h/stride⌉, ⌈w/stride⌉) float32, class probabilities, 0 in the padding.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    weights: NDArray[np.uint8] | None = None
    plain: NDArray[np.uint8] | None = None
    inside: NDArray[np.bool_] | None = None
    soft: NDArray[np.float32] | None = None


class Batches:
    """The batches of a training, by step.

    The images are gone through in a new random order each time; batches do not stop at the end of a pass, so
    all are full. Nothing is carried from step to step: a resumed training sees what it would have seen.

    Parameters
    ----------
    images : sequence of LabelledImage
    augmentation : Augmentation
    batch_size : int
    seed : int
    weighted : bool, optional
        Whether to load weights; images without them weigh 1.
    plain : bool, optional
        Whether to keep the images as they are without the change of their colours, too.
    soft : int, optional
        The stride of the soft labels to load, which all images have to have then; 0 loads none.
    """

    def __init__(
        self,
        images: Sequence[LabelledImage],
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        *,
        weighted: bool = False,
        plain: bool = False,
        soft: int = 0,
    ) -> None:
        self.images = images
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.seed = seed
        self.weighted = weighted
        self.plain = plain
        self.soft = soft

    def indices(self, step: int) -> list[int]:
        """Return the places in `images` of the batch of `step`, which counts from 0."""
        count = len(self.images)
        positions = range(step * self.batch_size, (step + 1) * self.batch_size)
        orders = {
            epoch: np.random.default_rng((self.seed, ORDER, epoch)).permutation(count)
            for epoch in {position // count for position in positions}
        }
        return [int(orders[position // count][position % count]) for position in positions]

    def load(self, step: int) -> Batch:
        """Return the batch of `step`."""
        changed = []
        for place, index in enumerate(self.indices(step)):
            rng = np.random.default_rng((self.seed, CHANGE, step * self.batch_size + place))
            changed.append(self._view(self.images[index], rng))
        return Batch(**{name: np.stack([view[name] for view in changed]) for name in changed[0]})

    def _view(self, source: LabelledImage, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Return one image's part of each array of a batch."""
        image, labels, weights = load_with_weights(source)
        change = self.augmentation.draw(labels.shape, rng)
        view: dict[str, NDArray[Any]] = {"labels": change.map(labels, IGNORE)}
        if self.weighted:
            counts = np.full_like(labels, FULL) if weights is None else quantised(weights)
            view["weights"] = change.map(counts, 0)
        if self.plain:
            view["images"], view["plain"] = change.image_and_plain(image)
            view["inside"] = change.inside()
        else:
            view["images"] = change.image(image)
        if self.soft and isinstance(source, SoftLabelledImage):
            view["soft"] = change.soft(source.load_soft(), self.soft)
        return view
