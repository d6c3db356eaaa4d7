"""Answers to region tasks as Label Studio's editor sends them, for programs that answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenth.label_studio.configs import ANSWER, CROP, PAINT
from tenth.label_studio.regions import RegionCrop, brush_result, to_crop
from tenth.segmentation.classes import IGNORE, ClassSet


def class_result(classes: ClassSet, label: int, *, accepted: bool) -> dict[str, Any]:
    """Return the choice of a class.

    Parameters
    ----------
    classes : ClassSet
        Classes of the project.
    label : int
        Id of the class.
    accepted : bool
        Whether it is the pre-selected guess, left as it was.
    """
    return {**special_result(classes.names[label]), "origin": "prediction" if accepted else "manual"}


def special_result(choice: str) -> dict[str, Any]:
    """Return the choice of "mixed", "void" or any other answer that the annotator made."""
    return {
        "id": "answer",
        "type": "choices",
        "from_name": ANSWER,
        "to_name": CROP,
        "origin": "manual",
        "value": {"choices": [choice]},
    }


def painted_results(crop: RegionCrop, painted: NDArray[np.uint8], classes: ClassSet) -> list[dict[str, Any]]:
    """Return painted classes, one mask each.

    Parameters
    ----------
    crop : RegionCrop
        The crop that the task shows.
    painted : (H, W) uint8
        Class of each pixel of the image, 255 where nothing is painted.
    classes : ClassSet
        Classes of the project.
    """
    enlarged = to_crop(crop, painted)
    return [
        {
            **brush_result(f"paint-{label}", PAINT, CROP, classes.names[label], enlarged == label),
            "origin": "manual",
        }
        for label in np.unique(enlarged[enlarged != IGNORE]).tolist()
    ]
