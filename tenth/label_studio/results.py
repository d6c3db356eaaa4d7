"""Answers of people ↔ classes and masks. Label Studio's server checks nothing, so everything is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.label_studio.brush import THRESHOLD, decode_rle
from tenth.label_studio.configs import ANSWER, CROP, IMAGE, LABEL, MIXED, PAINT, VOID
from tenth.label_studio.regions import RegionCrop, brush_result, to_image
from tenth.segmentation.classes import IGNORE, ClassSet


class ResultError(DataError):
    """An answer that cannot be used.

    Parameters
    ----------
    reason : str
        What is wrong with it, for the list of problems.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SkippedError(ResultError):
    """The annotator pressed Skip: the region is unanswered, and nothing is wrong."""


@dataclass(frozen=True)
class ParsedAnswer:
    """One person's answer to a region.

    Attributes
    ----------
    kind : "class", "mixed" or "void"
        What was chosen; paint without a choice counts as mixed.
    label : int or None
        Id of the chosen class; ``None`` for mixed and void.
    painted : (H, W) uint8 array or None
        Class of each painted pixel in image pixels, 255 elsewhere; ``None`` when nothing is painted.
    annotation_id : int
        Label Studio's id of the annotation.
    annotator : str
        E-mail address where Label Studio sends it, else its id of the user, else empty.
    lead_time : float or None
        Seconds it took.
    completed_at : datetime or None
        When it was last saved.
    guess_kept : bool
        Whether the pre-selected answer was left as it was, so that the submit was all it cost.
    """

    kind: Literal["class", "mixed", "void"]
    label: int | None
    painted: NDArray[np.uint8] | None
    annotation_id: int
    annotator: str
    lead_time: float | None
    completed_at: datetime | None
    guess_kept: bool


def parse_annotation(
    annotation: Mapping[str, Any],
    *,
    data: Mapping[str, Any],
    region_id: str,
    crop: RegionCrop,
    image_shape: tuple[int, int],
    classes: ClassSet,
) -> ParsedAnswer:
    """Read one annotation of a region task.

    Parts that the model painted and the annotator did not touch count where the pre-selected answer was left
    as it was, or "mixed" was chosen; a different class is meant for the whole region, so they are dropped.

    Parameters
    ----------
    annotation : mapping
        As Label Studio's API gives it.
    data : mapping
        The ``data`` of its task, as Label Studio has it.
    region_id : str
        The region that we sent with this task.
    crop : RegionCrop
        The crop that we sent with this task.
    image_shape : (int, int)
        Height and width of the image.
    classes : ClassSet
        Classes of the project.

    Returns
    -------
    ParsedAnswer

    Raises
    ------
    ResultError
        When it answers another region, or nothing, or several things, names an unknown class or control, or
        holds a mask that is broken or of another picture. `SkippedError` when it was skipped.
    """
    if data.get("region_id") != region_id:
        raise ResultError(f"the task is of region {data.get('region_id')!r}, not of {region_id!r}")
    number = annotation.get("id")
    if type(number) is not int:
        raise ResultError(f"the annotation's id is {number!r}, not a number")
    if annotation.get("was_cancelled"):
        raise SkippedError("the annotator skipped the task")
    choices, brushes = _sorted_results(annotation.get("result"))
    choice = _choice(choices)
    kind, label = _meaning(choice, classes)
    kept = bool(choices) and all(entry.get("origin") == "prediction" for entry in [*choices, *brushes])
    if kind == "class" and choices[0].get("origin") != "prediction":
        brushes = [entry for entry in brushes if entry.get("origin") != "prediction"]
    painted = _painted(brushes, crop, image_shape, classes)
    if choice is None and painted is None:
        raise ResultError("the answer is empty: no choice, and nothing painted")
    return ParsedAnswer(
        kind=kind,
        label=label,
        painted=painted,
        annotation_id=number,
        annotator=_annotator(annotation.get("completed_by")),
        lead_time=_seconds(annotation.get("lead_time")),
        completed_at=_moment(annotation.get("updated_at") or annotation.get("created_at")),
        guess_kept=kept,
    )


def _sorted_results(result: Any) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the choices and the brush strokes, each checked to come from our config."""
    if not isinstance(result, list) or not all(isinstance(entry, Mapping) for entry in result):
        raise ResultError("the annotation's result is not a list of objects")
    kinds: dict[str, list[Mapping[str, Any]]] = {ANSWER: [], PAINT: []}
    types = {ANSWER: "choices", PAINT: "brushlabels"}
    for entry in result:
        name = entry.get("from_name")
        if not isinstance(name, str) or name not in kinds or entry.get("to_name") != CROP:
            raise ResultError(
                f"a result goes from {name!r} to {entry.get('to_name')!r}; ours go from "
                f"'{ANSWER}' or '{PAINT}' to '{CROP}'"
            )
        if entry.get("type") != types[name]:
            raise ResultError(
                f"a result from '{name}' has the type {entry.get('type')!r}, not '{types[name]}'"
            )
        if not isinstance(entry.get("value"), Mapping):
            raise ResultError(f"a result from '{name}' has no value")
        kinds[name].append(entry)
    return kinds[ANSWER], kinds[PAINT]


def _choice(choices: list[Mapping[str, Any]]) -> str | None:
    if not choices:
        return None
    values = [entry["value"].get("choices") for entry in choices]
    if len(values) > 1 or not isinstance(values[0], list) or len(values[0]) != 1:
        raise ResultError(f"one choice is expected, but these were made: {values}")
    if not isinstance(values[0][0], str):
        raise ResultError(f"the choice {values[0][0]!r} is not a text")
    return values[0][0]


def _meaning(choice: str | None, classes: ClassSet) -> tuple[Literal["class", "mixed", "void"], int | None]:
    if choice is None or choice == MIXED:
        return "mixed", None
    if choice == VOID:
        return "void", None
    return "class", _class_id(choice, classes)


def _class_id(name: Any, classes: ClassSet) -> int:
    if name not in classes.names:
        raise ResultError(f"{name!r} is no class of this project; known are {', '.join(classes.names)}")
    return classes.names.index(name)


def _painted(
    brushes: list[Mapping[str, Any]], crop: RegionCrop, image_shape: tuple[int, int], classes: ClassSet
) -> NDArray[np.uint8] | None:
    """Lay the strokes over each other, later ones on top as the editor shows them, and map to the image."""
    canvas = np.full(crop.shape, IGNORE, np.uint8)
    for entry in brushes:
        label, mask = _stroke(entry, crop, classes)
        canvas[mask] = label
    painted = to_image(crop, canvas, image_shape)
    return painted if (painted != IGNORE).any() else None


def _stroke(entry: Mapping[str, Any], crop: RegionCrop, classes: ClassSet) -> tuple[int, NDArray[np.bool_]]:
    value = entry["value"]
    labels = value.get("brushlabels")
    if not isinstance(labels, list) or len(labels) != 1:
        raise ResultError(f"a painted part has the labels {labels!r}; one class is expected")
    label = _class_id(labels[0], classes)
    size = (entry.get("original_height"), entry.get("original_width"))
    if size != crop.shape:
        raise ResultError(
            f"a part painted as '{labels[0]}' is of a picture of {size[1]} x {size[0]} pixels, but the "
            f"crop has {crop.shape[1]} x {crop.shape[0]}"
        )
    if entry.get("image_rotation", 0) != 0:
        raise ResultError(
            f"the crop was rotated by {entry['image_rotation']} degrees; it has to stay upright"
        )
    if value.get("format") != "rle" or not isinstance(value.get("rle"), list):
        raise ResultError(f"a part painted as '{labels[0]}' holds no mask in Label Studio's run-length code")
    try:
        return label, decode_rle(value["rle"], *crop.shape) > THRESHOLD
    except DataError as error:
        raise ResultError(f"a part painted as '{labels[0]}' cannot be read: {error}") from error


def _annotator(completed_by: Any) -> str:
    if isinstance(completed_by, Mapping):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return "" if completed_by is None else str(completed_by)


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def image_predictions(
    labels: NDArray[np.uint8], classes: ClassSet, model_version: str, score: float
) -> dict[str, Any]:
    """Return a whole image's classes as a prediction, one brush mask per class that occurs.

    Parameters
    ----------
    labels : (H, W) uint8 array
        Class of each pixel; 255 is left unpainted.
    classes : ClassSet
        Classes of the project.
    model_version : str
        The one version string.
    score : float
        Confidence, 0..1.

    Returns
    -------
    dict
        ``{"result", "score", "model_version"}`` as Label Studio takes it.

    Raises
    ------
    DataError
        When a pixel has an id that is neither a class nor 255.
    """
    present = [int(label) for label in np.unique(labels) if label != IGNORE]
    if present and present[-1] >= len(classes):
        raise DataError(f"Pixels have the class id {present[-1]}, but there are {len(classes)} classes.")
    result = [
        brush_result(f"class-{label}", LABEL, IMAGE, classes.names[label], labels == label)
        for label in present
    ]
    return {"result": result, "score": float(score), "model_version": model_version}
