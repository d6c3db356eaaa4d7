"""A trained network at work: class probabilities of one image."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tenth.errors import DataError
from tenth.segmentation.device import Precision, autocast, check_precision, resolve_device, to_input
from tenth.segmentation.networks import SegmentationNetwork


class ImagePredictor(Protocol):
    """What predicts images, in whatever runtime; `Predictor` says what goes in and comes out."""

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities (C, H, W) of an image (H, W, 3)."""

    def labels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the most probable class (H, W) of each pixel of an image (H, W, 3)."""


class Predictor:
    """Predicts images of any size with a network.

    The same weights, image and device give the same result each time.

    Parameters
    ----------
    network : SegmentationNetwork
        Is moved to the device and used as it is at the time of each call, so that a network in training can
        be watched.
    device : str
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    precision : str
        ``"auto"`` is float32 here, unlike in training: the ranking of regions depends on small probabilities.
        ``"bf16"`` runs the network in bfloat16; the softmax is float32 in any case.

    Raises
    ------
    ConfigurationError
        When the device or the precision cannot be used.
    """

    def __init__(
        self, network: SegmentationNetwork, device: str = "auto", precision: Precision = "auto"
    ) -> None:
        check_precision(precision)
        self.device = resolve_device(device)
        self.network = network.to(self.device)
        self.bf16 = precision == "bf16"

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities of each pixel.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8 RGB.

        Returns
        -------
        ndarray
            (C, H, W) float32 in 0..1, summing to 1 over the classes within 1e-5.

        Raises
        ------
        DataError
            When `image` is something else.
        """
        with torch.inference_mode():
            result: NDArray[np.float32] = self._logits(image).softmax(0).contiguous().cpu().numpy()
        return result

    def labels(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the most probable class of each pixel of `image` (H, W, 3) uint8: (H, W) uint8.

        Raises
        ------
        DataError
            When `image` is something else.
        """
        with torch.inference_mode():
            result: NDArray[np.uint8] = self._logits(image).argmax(0).to(torch.uint8).cpu().numpy()
        return result

    def _logits(self, image: NDArray[np.uint8]) -> Tensor:
        check_image(image)
        self.network.eval()
        with autocast(self.device, bf16=self.bf16):
            logits: Tensor = self.network(to_input(image[None], self.network, self.device))
        return logits[0].float()


def check_image(image: NDArray[np.uint8]) -> None:
    """Refuse what no predictor takes.

    Raises
    ------
    DataError
        When `image` is not (H, W, 3) uint8, or is empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise DataError(
            f"An image of shape {image.shape} and type {image.dtype} cannot be predicted; "
            "it has to be (height, width, 3) uint8 RGB."
        )
