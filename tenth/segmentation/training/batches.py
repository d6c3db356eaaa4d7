"""Which images a step sees, and changed in which way: a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.augment import Augmentation
from tenth.segmentation.training.survey import LabelledImage

ORDER, CHANGE = 1, 2
"""Keep the random numbers for the order apart from those for the changes."""


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
    """

    def __init__(
        self, images: Sequence[LabelledImage], augmentation: Augmentation, batch_size: int, seed: int
    ) -> None:
        self.images = images
        self.augmentation = augmentation
        self.batch_size = batch_size
        self.seed = seed

    def indices(self, step: int) -> list[int]:
        """Return the places in `images` of the batch of `step`, which counts from 0."""
        count = len(self.images)
        positions = range(step * self.batch_size, (step + 1) * self.batch_size)
        orders = {
            epoch: np.random.default_rng((self.seed, ORDER, epoch)).permutation(count)
            for epoch in {position // count for position in positions}
        }
        return [int(orders[position // count][position % count]) for position in positions]

    def load(self, step: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the batch of `step`: images (N, h, w, 3) and labels (N, h, w), both uint8."""
        changed = []
        for place, index in enumerate(self.indices(step)):
            rng = np.random.default_rng((self.seed, CHANGE, step * self.batch_size + place))
            changed.append(self.augmentation(*self.images[index].load(), rng))
        return np.stack([image for image, _ in changed]), np.stack([labels for _, labels in changed])
