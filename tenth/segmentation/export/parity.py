"""Whether an exported model says what the network says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError, ExportDiffers
from tenth.segmentation.export.runtimes import ExportedPredictor
from tenth.segmentation.inference import ImagePredictor
from tenth.segmentation.resized import fitted

TOLERANCE = 1e-3
"""What float32 in another order of summation stays well below (about 1e-5), and a wrong graph does not."""


@dataclass(frozen=True)
class Parity:
    """How far two predictors of the same model agree.

    Parameters
    ----------
    images, pixels : int
        How many were compared.
    agreement : float
        Share of the pixels with the same most probable class, 0..1.
    max_difference : float
        Largest difference of a probability, 0..1.
    """

    images: int
    pixels: int
    agreement: float
    max_difference: float

    def to_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)

    def check(self, tolerance: float, what: str, instead: str) -> None:
        """Refuse a model that differs.

        Parameters
        ----------
        tolerance : float
            Bound of the largest difference, and of the share of pixels with another class.
        what : str
            The exported model, for the message.
        instead : str
            What the user can do about it, for the message.

        Raises
        ------
        ExportDiffers
            When one of them is larger (or not a number).
        """
        # Asked this way round, NaN is refused too.
        if not (self.max_difference <= tolerance and 1 - self.agreement <= tolerance):
            raise ExportDiffers(
                f"{what} is not what torch computes: probabilities differ by up to "
                f"{self.max_difference:.2e} and {1 - self.agreement:.4%} of the pixels get another class, on "
                f"{self.images} images; {tolerance:g} is tolerated. Nothing was kept. {instead}"
            )


def compare(
    reference: ImagePredictor, exported: ExportedPredictor, images: Iterable[NDArray[np.uint8]]
) -> Parity:
    """Predict images with both and compare every pixel.

    Parameters
    ----------
    reference : ImagePredictor
        The network.
    exported : ExportedPredictor
        Its export.
    images : iterable of ndarray
        (H, W, 3) uint8 RGB. They are resized to the export's input size first, for both: what is measured
        is the export, not the resizing.

    Raises
    ------
    DataError
        When there is no image.
    """
    count = pixels = same = 0
    largest = 0.0
    for image in images:
        small = fitted(image, exported.metadata.input_size)
        expected, found = reference.probabilities(small), exported.probabilities(small)
        count += 1
        pixels += expected[0].size
        same += int((expected.argmax(0) == found.argmax(0)).sum())
        largest = float(np.maximum(largest, np.abs(expected - found).max()))  # unlike max(), keeps NaN
    if not count:
        raise DataError("There is no image to compare the exported model with torch on; give at least one.")
    return Parity(count, pixels, same / pixels, largest)


def common_size(images: Iterable[NDArray[np.uint8]]) -> tuple[int, int]:
    """Return the most common height and width; the largest of them when several are equally common.

    Raises
    ------
    DataError
        When there is no image.
    """
    sizes = Counter((image.shape[0], image.shape[1]) for image in images)
    if not sizes:
        raise DataError("There is no image to take the input size from; give at least one, or the size.")
    return max(sizes, key=lambda size: (sizes[size], size[0] * size[1], size))
