"""The two pictures of a region task: the crop with the region's outline, and where it lies in the image."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tenth.errors import DataError
from tenth.label_studio.regions import RegionCrop, to_crop

OVERVIEW_BYTES = 30_000
"""An overview is never larger than this, as every task carries one."""

_DIMMED = 0.8
_OVERVIEW_WIDTH = 600
_MARK = (255, 230, 0)


def render_crop(image: NDArray[np.uint8], region: NDArray[np.bool_], crop: RegionCrop) -> bytes:
    """Draw the crop: its surroundings a little dimmed, a white and black line around the region.

    The line lies outside the region and hides none of its pixels; inside, the picture is as it is.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB.
    region : (H, W) bool array
        The pixels of the region.
    crop : RegionCrop
        The part to show.

    Returns
    -------
    bytes
        A PNG of ``crop.shape``.

    Raises
    ------
    DataError
        When the crop does not lie inside the image.
    """
    inside = to_crop(crop, region.astype(np.uint8)).astype(np.bool_)
    height, width = crop.shape
    # Smooth enlargement is easier to recognise than squares; it keeps every pixel's place.
    picture = cv2.resize(image[crop.slices], (width, height), interpolation=cv2.INTER_CUBIC)
    drawn = np.where(inside[..., None], picture, (picture * np.float32(_DIMMED)).astype(np.uint8))
    line = max(2, round(max(height, width) / 350))
    white, black = _around(inside, line), _around(inside, 2 * line)
    drawn[black & ~inside] = 0
    drawn[white & ~inside] = 255
    return _encode(drawn, "PNG", compress_level=3)


def _around(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return the mask grown by a disc."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(np.bool_)


def render_overview(image: NDArray[np.uint8], region: NDArray[np.bool_], crop: RegionCrop) -> bytes:
    """Draw the whole image small, the region's outline and the crop's frame on it.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
        RGB.
    region : (H, W) bool array
        The pixels of the region.
    crop : RegionCrop
        The part that the crop shows.

    Returns
    -------
    bytes
        A JPEG of at most `OVERVIEW_BYTES`.
    """
    if region.shape != image.shape[:2]:
        raise DataError(f"A region of shape {region.shape} is not on an image of shape {image.shape[:2]}.")
    width = _OVERVIEW_WIDTH
    while True:
        drawn = _overview(image, region, crop, width)
        for quality in (85, 70, 55):
            encoded = _encode(drawn, "JPEG", quality=quality, optimize=True)
            if len(encoded) <= OVERVIEW_BYTES:
                return encoded
        width = width * 3 // 4


def _overview(
    image: NDArray[np.uint8], region: NDArray[np.bool_], crop: RegionCrop, longest: int
) -> NDArray[np.uint8]:
    factor = longest / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    shrink = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    drawn = cv2.resize(image, size, interpolation=shrink)
    inside = cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
    drawn[_around(inside, 3) & ~_around(inside, 1)] = 0
    drawn[_around(inside, 1) & ~inside] = _MARK
    corner = (round(crop.x * factor), round(crop.y * factor))
    opposite = (round((crop.x + crop.width) * factor) - 1, round((crop.y + crop.height) * factor) - 1)
    for color, thickness in (((0, 0, 0), 5), (_MARK, 2)):
        cv2.rectangle(drawn, corner, opposite, color, thickness)
    return drawn.astype(np.uint8, copy=False)


def _encode(picture: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()
