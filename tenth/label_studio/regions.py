"""Region tasks: which part of the picture a person sees, and how its pixels map to the image's.

The scale of a crop is a whole number, so that every painted pixel maps back exactly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.label_studio.brush import encode_rle
from tenth.label_studio.configs import ANSWER, CROP, PAINT
from tenth.segmentation.classes import IGNORE, ClassSet

TARGET = (900, 630)
"""Width and height in pixels that a crop may take in the editor on a laptop's screen."""

CONTEXT = 0.5
"""Context on each side of a region, as a share of the region's longer side."""

_LEAST_CONTEXT = 16
_UNPAINTED = IGNORE


@dataclass(frozen=True)
class RegionCrop:
    """The part of an image that a region task shows.

    Parameters
    ----------
    x, y : int
        Left upper corner, in image pixels.
    width, height : int
        Size, in image pixels.
    scale : int
        An image pixel is `scale` x `scale` pixels of the crop.
    """

    x: int
    y: int
    width: int
    height: int
    scale: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the image that the crop shows."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture that is shown, in its own pixels."""
        return self.height * self.scale, self.width * self.scale


def crop_for(
    region: NDArray[np.bool_], *, context: float = CONTEXT, target: tuple[int, int] = TARGET
) -> RegionCrop:
    """Choose the crop around a region.

    Parameters
    ----------
    region : (H, W) bool array
        The pixels of the region.
    context : float, optional
        What is shown on each side, as a share of the region's longer side (at least 16 pixels), >= 0.
    target : (int, int), optional
        Width and height in screen pixels; the scale is the largest whole number that stays within, or 1.

    Returns
    -------
    RegionCrop
        Inside the image, and holding the region whole.

    Raises
    ------
    DataError
        When the region has no pixel.
    """
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    if rows.size == 0:
        raise DataError("A region without a single pixel cannot be shown. Give the mask of a superpixel.")
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    margin = 2 * max(_LEAST_CONTEXT, round(context * max(height, width)))
    wide, high = width + margin, height + margin
    scale = max(1, min(target[0] // wide, target[1] // high))
    # What is left of the screen shows more of the surroundings.
    wide, high = max(wide, target[0] // scale), max(high, target[1] // scale)
    y, high = _window(int(rows[0]), height, high, region.shape[0])
    x, wide = _window(int(columns[0]), width, wide, region.shape[1])
    return RegionCrop(x, y, wide, high, scale)


def _window(start: int, length: int, wanted: int, limit: int) -> tuple[int, int]:
    """Return start and length of a window of `wanted` pixels around a span, moved into ``0..limit``."""
    wanted = min(wanted, limit)
    return min(max(0, start - (wanted - length) // 2), limit - wanted), wanted


def to_image(crop: RegionCrop, painted: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Map classes painted on a crop to the image.

    Parameters
    ----------
    crop : RegionCrop
        The crop that was shown.
    painted : (height * scale, width * scale) uint8 array
        Class of each pixel of the crop, 255 where nothing is painted.
    shape : (int, int)
        Height and width of the image.

    Returns
    -------
    (H, W) uint8 array
        An image pixel is painted when most (more than half) of its block is, with the class that covers most
        of what is painted there (the lower id when equal); 255 elsewhere.

    Raises
    ------
    DataError
        When `painted` is not as large as the crop, or the crop does not lie inside the image.
    """
    _check_inside(crop, shape)
    if painted.shape != crop.shape:
        raise DataError(
            f"A painting of {painted.shape[1]} x {painted.shape[0]} pixels is not on this crop, which has "
            f"{crop.shape[1]} x {crop.shape[0]}."
        )
    blocks = painted.reshape(crop.height, crop.scale, crop.width, crop.scale).swapaxes(1, 2)
    blocks = blocks.reshape(crop.height, crop.width, crop.scale**2)
    present = np.unique(painted)
    present = present[present != _UNPAINTED]
    result = np.full(shape, _UNPAINTED, np.uint8)
    if present.size:
        counts = np.stack([(blocks == label).sum(axis=2) for label in present])
        most = counts.sum(axis=0) * 2 > crop.scale**2
        result[crop.slices] = np.where(most, present[counts.argmax(axis=0)], _UNPAINTED)
    return result


def to_crop(crop: RegionCrop, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut a map of the image out and enlarge it to the crop's size, so that `to_image` gives it back.

    Parameters
    ----------
    crop : RegionCrop
        The crop that is shown.
    labels : (H, W) uint8 array
        Any map of the whole image.

    Returns
    -------
    (height * scale, width * scale) uint8 array
        Every pixel repeated.

    Raises
    ------
    DataError
        When the crop does not lie inside the image.
    """
    _check_inside(crop, (labels.shape[0], labels.shape[1]))
    return np.repeat(np.repeat(labels[crop.slices], crop.scale, axis=0), crop.scale, axis=1)


def _check_inside(crop: RegionCrop, shape: tuple[int, int]) -> None:
    if crop.x < 0 or crop.y < 0 or crop.x + crop.width > shape[1] or crop.y + crop.height > shape[0]:
        raise DataError(f"{crop} does not lie inside an image of {shape[1]} x {shape[0]} pixels.")


def region_task(
    *,
    region_id: str,
    round_number: int,
    image_key: str,
    crop_url: str,
    overview_url: str,
    crop: RegionCrop,
) -> dict[str, Any]:
    """Return the task that asks for one region, as Label Studio imports it.

    Parameters
    ----------
    region_id : str
        Our id of the region; it comes back with the answer.
    round_number : int
        The round that asks.
    image_key : str
        Key of the image, for people who look at the task list.
    crop_url, overview_url : str
        Where Label Studio finds the pictures of `tenth.label_studio.render`.
    crop : RegionCrop
        What the crop shows.
    """
    return {
        "data": {
            "region_id": region_id,
            "round": round_number,
            "image": image_key,
            "crop": crop_url,
            "overview": [overview_url],
            "place": asdict(crop),
        }
    }


def region_prediction(
    classes: ClassSet,
    crop: RegionCrop,
    *,
    guess: int | None,
    score: float,
    model_version: str,
    parts: NDArray[np.uint8] | None = None,
) -> dict[str, Any]:
    """Return the model's answer to a region task, which the annotator finds pre-selected.

    Parameters
    ----------
    classes : ClassSet
        Classes of the project.
    crop : RegionCrop
        The crop of the task.
    guess : int or None
        Id of the most likely class; ``None`` selects nothing.
    score : float
        Confidence, 0..1. Label Studio asks for the lowest first.
    model_version : str
        The one version string.
    parts : (H, W) uint8 array, optional
        Where the region straddles classes: the class of each of its pixels, 255 elsewhere, in image pixels.
    """
    result: list[dict[str, Any]] = []
    if guess is not None:
        result.append(
            {
                "id": "guess",
                "type": "choices",
                "from_name": ANSWER,
                "to_name": CROP,
                "value": {"choices": [classes.names[guess]]},
            }
        )
    if parts is not None:
        enlarged = to_crop(crop, parts)
        for label in np.unique(enlarged[enlarged != _UNPAINTED]).tolist():
            name = classes.names[label]
            result.append(brush_result(f"part-{label}", PAINT, CROP, name, enlarged == label))
    return {"result": result, "score": float(score), "model_version": model_version}


def brush_result(
    result_id: str, from_name: str, to_name: str, label: str, mask: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return one painted mask (H, W) bool as Label Studio's annotations and predictions hold it."""
    return {
        "id": result_id,
        "type": "brushlabels",
        "from_name": from_name,
        "to_name": to_name,
        "original_width": mask.shape[1],
        "original_height": mask.shape[0],
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_rle(mask), "brushlabels": [label]},
    }
