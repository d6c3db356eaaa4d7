"""Random scale, crop, flip and colour: what one labelled image looks like the next time it is seen.

A change is drawn first and then applied to all that belongs to an image: the picture, with and without the
change of its colours, its labels, the weights of its pixels, its soft labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.cells import cells_along, means, shares
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
        change = self.draw(labels.shape, rng)
        return change.image(image), change.map(labels, IGNORE)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Change:
        """Draw a change for an image of this height and width."""
        factor = rng.uniform(*self.scale)
        height, width = (max(1, round(length * factor)) for length in shape)
        offset = (_offset(height, self.size[0], rng), _offset(width, self.size[1], rng))
        # Drawn even when unused: what else is drawn does not depend on how strong the colours change.
        factors = tuple(rng.uniform(1 - self.colour, 1 + self.colour, 3))
        mirrored = self.flip and rng.random() < 0.5
        return Change((height, width), self.size, offset, factors if self.colour else None, mirrored)


@dataclass(frozen=True)
class Change:
    """One change, drawn once and applied to all that belongs to an image.

    Parameters
    ----------
    zoomed : tuple of int
        Height and width that the image is resized to.
    size : tuple of int
        Height and width of the window cut out of it, the size of every result.
    offset : tuple of int
        Row and column of the zoomed image where the window starts; negative with padding before the image.
    colour : tuple of float or None
        Factors of saturation, contrast and brightness; ``None`` leaves the colours alone.
    mirrored : bool
        Whether left and right change places.
    """

    zoomed: tuple[int, int]
    size: tuple[int, int]
    offset: tuple[int, int]
    colour: tuple[float, ...] | None
    mirrored: bool

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image (h, w, 3) uint8, changed in place and colour, of an `image` (H, W, 3) uint8."""
        zoomed = self._zoom(image)
        return self._window(zoomed, PADDING, self._colours(zoomed))

    def image_and_plain(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return what `image` does, and the same pixels in the colours they had; both (h, w, 3) uint8."""
        zoomed = self._zoom(image)
        return self._window(zoomed, PADDING, self._colours(zoomed)), self._window(zoomed, PADDING, None)

    def map(self, values: NDArray[np.uint8], padding: int) -> NDArray[np.uint8]:
        """Return labels or weights (H, W) uint8 as (h, w) uint8: no value is mixed with its neighbours'."""
        if values.shape != self.zoomed:
            # INTER_NEAREST samples pixel corners and would shift labels against the image by half a pixel.
            resized = cv2.resize(values, self.zoomed[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            values = resized.astype(np.uint8, copy=False)
        return self._window(values, (padding,), None)

    def soft(self, probabilities: NDArray[np.float32], stride: int = 1) -> NDArray[np.float32]:
        """Return soft labels (C, H, W) float32 as (C, ⌈h/stride⌉, ⌈w/stride⌉) float32, 0 in the padding.

        They are zoomed as the picture is, smoothly; each is the mean of the pixels of a cell of about
        `stride`×`stride`, those that are not padding, divided by its sum over the classes.
        """
        sides = zip(probabilities.shape[1:], self.zoomed, self.offset, self.size, strict=True)
        rows, columns = (
            shares(length, zoomed, (start, size), cells_along(size, stride))
            for length, zoomed, start, size in sides
        )
        result = means(probabilities, rows, columns[::-1] if self.mirrored else columns)
        sums = result.sum(0)
        result /= np.where(sums > 0, sums, 1)
        return result

    def inside(self) -> NDArray[np.bool_]:
        """Return (h, w) bool, false where the image was padded."""
        mask = np.zeros(self.size, np.bool_)
        mask[self._slices()[1]] = True
        return np.ascontiguousarray(mask[:, ::-1]) if self.mirrored else mask

    def _zoom(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if image.shape[:2] == self.zoomed:
            return image
        smaller = self.zoomed[0] < image.shape[0] or self.zoomed[1] < image.shape[1]
        smooth = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return cv2.resize(image, self.zoomed[::-1], interpolation=smooth).astype(np.uint8, copy=False)

    def _slices(self) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Return the part of the zoomed image that is seen, and where it is in the window."""
        here, there = [], []
        for length, wanted, start in zip(self.zoomed, self.size, self.offset, strict=True):
            stop = min(length, start + wanted)
            here.append(slice(max(0, start), stop))
            there.append(slice(max(0, -start), stop - start))
        return tuple(here), tuple(there)

    def _window(
        self, array: NDArray[np.uint8], padding: tuple[int, ...], colours: NDArray[np.float64] | None
    ) -> NDArray[np.uint8]:
        """Cut the window out of `array`; `colours` (3, 4) maps the pixels in it, `padding` goes around."""
        here, there = self._slices()
        result: NDArray[np.uint8] = np.empty((*self.size, *array.shape[2:]), np.uint8)
        result[...] = np.asarray(padding, np.uint8)
        part: Any = array[here]
        result[there] = part if colours is None else cv2.transform(np.ascontiguousarray(part), colours)
        return np.ascontiguousarray(result[:, ::-1]) if self.mirrored else result

    def _colours(self, image: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """Return saturation, contrast and brightness as one affine map (3, 4) of the colours of `image`."""
        if self.colour is None:
            return None
        saturation, contrast, brightness = self.colour
        matrix = np.empty((3, 4))
        matrix[:, :3] = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * GREY)
        # Contrast keeps the mean luma where it is; a sparse grid measures it well enough and costs nothing.
        matrix[:, 3] = brightness * (1 - contrast) * float((image[::8, ::8] @ GREY).mean())
        return matrix


def _offset(length: int, wanted: int, rng: np.random.Generator) -> int:
    """Draw where the window starts; negative when the image is shorter than the window."""
    spare = length - wanted
    return int(rng.integers(min(0, spare), max(0, spare), endpoint=True))
