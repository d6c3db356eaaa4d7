"""Random scale, crop, flip and colour: what one labelled image looks like the next time it is seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.classes import IGNORE

PADDING = (124, 116, 104)
"""Colour outside the image: the ImageNet mean, which normalising turns into zero."""

GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the luma of ITU-R BT.601."""


@dataclass(frozen=True)
class Augmentation:
    """A random change of an image and its labels, always to the same size.

    Parameters
    ----------
    size : tuple of int
        Height and width of the result. What sticks out is cut off at a random place, what is missing is
        padded with `PADDING` and labelled as ignore.
    scale : tuple of float
        Range of the random zoom; (1, 1) leaves the scale alone.
    flip : bool
        Mirror left and right in half of the cases.
    colour : float
        Brightness, contrast and saturation are each multiplied by a number from 1 - colour to 1 + colour.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)
    flip: bool = True
    colour: float = 0.2

    def __call__(
        self, image: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change one image.

        Parameters
        ----------
        image : ndarray
            (H, W, 3) uint8 RGB.
        labels : ndarray
            (H, W) uint8 ids, 255 = ignore.
        rng : numpy.random.Generator
            Where the randomness comes from; an equal state gives an equal result.

        Returns
        -------
        tuple of ndarray
            Image (h, w, 3) and labels (h, w), both uint8, of height and width `size`.
        """
        image, labels = _zoom(image, labels, rng.uniform(*self.scale))
        offset = (_offset(labels.shape[0], self.size[0], rng), _offset(labels.shape[1], self.size[1], rng))
        image = _window(image, self.size, offset, PADDING, _colour_change(image, self.colour, rng))
        labels = _window(labels, self.size, offset, (IGNORE,), None)
        if self.flip and rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def _zoom(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], factor: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    height, width = (max(1, round(length * factor)) for length in labels.shape)
    if (height, width) == labels.shape:
        return image, labels
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    zoomed = cv2.resize(image, (width, height), interpolation=smooth)
    # INTER_NEAREST samples pixel corners and would shift the labels against the image by half a pixel.
    nearest = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return zoomed.astype(np.uint8, copy=False), nearest.astype(np.uint8, copy=False)


def _offset(length: int, wanted: int, rng: np.random.Generator) -> int:
    """Draw where the window starts; negative when the image is shorter than the window."""
    spare = length - wanted
    return int(rng.integers(min(0, spare), max(0, spare), endpoint=True))


def _window(
    array: NDArray[np.uint8],
    size: tuple[int, int],
    offset: tuple[int, int],
    fill: tuple[int, ...],
    colours: NDArray[np.float64] | None,
) -> NDArray[np.uint8]:
    """Cut a window out of `array`; `colours` (3, 4) maps the pixels inside, `fill` is laid around them."""
    here, there = [], []
    for length, wanted, start in zip(array.shape, size, offset, strict=False):
        stop = min(length, start + wanted)
        here.append(slice(max(0, start), stop))
        there.append(slice(max(0, -start), stop - start))
    result: NDArray[np.uint8] = np.empty((*size, *array.shape[2:]), np.uint8)
    result[...] = np.asarray(fill, np.uint8)
    part: Any = array[tuple(here)]
    result[tuple(there)] = part if colours is None else cv2.transform(np.ascontiguousarray(part), colours)
    return result


def _colour_change(
    image: NDArray[np.uint8], strength: float, rng: np.random.Generator
) -> NDArray[np.float64] | None:
    """Draw saturation, contrast and brightness, as one affine map (3, 4) of the colours."""
    saturation, contrast, brightness = rng.uniform(1 - strength, 1 + strength, 3)
    if strength == 0:
        return None
    matrix = np.empty((3, 4))
    matrix[:, :3] = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * GREY)
    # Contrast keeps the mean luma where it is; a sparse grid measures it well enough and costs nothing.
    matrix[:, 3] = brightness * (1 - contrast) * float((image[::8, ::8] @ GREY).mean())
    return matrix
