"""A question to people: a region of an image, how it is shown, and what the model guesses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.loop import Loop
from tenth.label_studio.regions import RegionCrop, crop_for
from tenth.segmentation.guess import UNPAINTED, region_guess
from tenth.workspace.database import Image, Region


@dataclass(frozen=True)
class Query:
    """A region to ask about, not stored yet.

    Parameters
    ----------
    region : Region
        Its row of the database, without the name of `parts`.
    parts : (h, w) uint8 or None
        The classes that the model sees in a straddling region, inside the region's crop.
    """

    region: Region
    parts: NDArray[np.uint8] | None


def describe(
    loop: Loop,
    number: int,
    image: Image,
    superpixel: int,
    superpixels: NDArray[np.int32],
    probabilities: NDArray[np.float32] | None,
    score: float,
) -> Query:
    """Return one superpixel of an image as a query of round `number`.

    Parameters
    ----------
    loop : Loop
        Says how much of its surroundings is shown.
    number : int
        The round.
    image : Image
        The image.
    superpixel : int
        Id of the region.
    superpixels : (H, W) int32
        All superpixels of the image.
    probabilities : (C, H, W) float32 or None
        To guess from; ``None`` without a model.
    score : float
        What the region is worth to the strategy.
    """
    mask = superpixels == superpixel
    guess = None if probabilities is None else region_guess(probabilities, mask)
    crop = crop_for(mask, context=loop.config.label_studio.crop_context)
    region = Region(
        id=f"r{number}-{image.id:06d}-{superpixel:05d}",
        round=number,
        image_id=image.id,
        superpixel=superpixel,
        area=int(mask.sum()),
        score=score,
        guess=None if guess is None else guess.label,
        confidence=None if guess is None else guess.confidence,
        x=crop.x,
        y=crop.y,
        width=crop.width,
        height=crop.height,
        scale=crop.scale,
        state="selected",
    )
    parts = None if guess is None or guess.parts is None else guess.parts[window(crop)].copy()
    return Query(region, parts)


def store(loop: Loop, query: Query, size: tuple[int, int]) -> Region:
    """Write the parts of a query, in an image of `size` (height, width); return its row, which names them."""
    region = query.region
    if query.parts is not None:
        parts = np.full(size, UNPAINTED, np.uint8)
        parts[window(region)] = query.parts
        name = f"parts/round-{region.round:03d}/{region.image_id:06d}-{region.superpixel:05d}"
        region.parts = loop.workspace.arrays.save(name, parts=parts)
    return region


def window(crop: RegionCrop | Region) -> tuple[slice, slice]:
    """Return the rows and columns of an image that a crop shows."""
    return slice(crop.y, crop.y + crop.height), slice(crop.x, crop.x + crop.width)
