"""Images at the size that a network wants, and what it says about them back at theirs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F  # noqa: N812

from tenth.segmentation.inference import ImagePredictor, check_image


class ResizedPredictor(ImagePredictor):
    """Lets a predictor see all images at one size, that of its training.

    Parameters
    ----------
    predictor : ImagePredictor
        Predicts them there; its probabilities are resized back.
    size : (int, int)
        Height and width. Sides keep no ratio.
    """

    def __init__(self, predictor: ImagePredictor, size: tuple[int, int]) -> None:
        self.predictor = predictor
        self.size = size

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities of each pixel, see `ImagePredictor`."""
        check_image(image)
        return fitted_back(self.predictor.probabilities(fitted(image, self.size)), image.shape[:2])


def fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return an image (h, w, 3) uint8 resized to `size` (height, width); the same where it has it.

    By Pillow's bilinear filter, which averages where it shrinks.
    """
    if image.shape[:2] == size:
        return image
    height, width = size
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def fitted_back(probabilities: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return probabilities (C, h, w) resized to `size` (height, width) in the same way."""
    if probabilities.shape[1:] != size:
        found = torch.from_numpy(probabilities)[None]
        resized = F.interpolate(found, size, mode="bilinear", antialias=True)
        probabilities = resized.clamp_(0, 1)[0].numpy()
    return np.ascontiguousarray(probabilities)
