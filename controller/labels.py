"""The label of every pixel of an image, and where it came from.

People's answers win over pseudo-labels, what they say is void stays ignored, and every pixel names the answer
it came from.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tenth.errors import DataError

IGNORED_LABEL = 255


class Source(IntEnum):
    """Where a pixel's label came from."""

    IGNORED = 0
    """Nowhere: nobody was asked and the model was not sure enough."""
    PSEUDO = 1
    """The model."""
    HUMAN = 2
    """A person who was asked about this region; void answers included."""
    HUMAN_EXTRA = 3
    """A person who painted beyond the region asked about."""


@dataclass(frozen=True)
class RegionAnswer:
    """What a person said about one region.

    ========  =======================================================================
    class     `label`: the whole region; `painted` pixels in it have their own labels
    mixed     neither `label` nor `void`: the painted pixels, the rest is ignored
    void      `void`: the whole region is ignored, whatever is painted in it
    ========  =======================================================================

    Parameters
    ----------
    answer_id : int
        Id of the answer, above 0.
    region : int
        Id of the superpixel.
    label : int or None
        Class of the region.
    painted : (H, W) uint8 or None
        Labels painted by hand, in image coordinates, 255 where nothing was painted; also outside the region.
    void : bool
        Whether the person said that the region belongs to no class.

    Raises
    ------
    DataError
        When the id is not above 0, or an answer is void and has a class.
    """

    answer_id: int
    region: int
    label: int | None
    painted: npt.NDArray[np.uint8] | None = None
    void: bool = False

    def __post_init__(self) -> None:
        if self.answer_id <= 0:
            raise DataError(
                f"Answer id {self.answer_id} of region {self.region}: 0 means 'no answer', ids start at 1."
            )
        if self.void and self.label is not None:
            raise DataError(
                f"Answer {self.answer_id} says that region {self.region} is void and class {self.label}; "
                "only one can be."
            )


@dataclass(frozen=True)
class LabelMap:
    """Labels of an image with their provenance.

    Parameters
    ----------
    labels : (H, W) uint8
        Class ids, 255 = ignore.
    source : (H, W) uint8
        Values of `Source`.
    confidence : (H, W) float16
        The model's probability of a pseudo-label, 0 where the label is 255; 1 for a person's label, or less
        where the model doubts that it holds for this pixel of the region (`controller.merging`).
    answer : (H, W) int32
        Id of the answer that a person's label or void came with, else 0.
    """

    labels: npt.NDArray[np.uint8]
    source: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.float16]
    answer: npt.NDArray[np.int32]

    def weights(self, *, soft: bool) -> npt.NDArray[np.float32]:
        """Return how much each pixel counts in training, (H, W) float32 in 0..1.

        Parameters
        ----------
        soft : bool
            Weigh pseudo-labels by their confidence; otherwise they count like people's labels.
        """
        return pixel_weights(self.source, self.confidence, soft=soft)

    def save(self, path: Path, made_of: str = "") -> None:
        """Write to an npz file, whole or not at all.

        Parameters
        ----------
        path : Path
            The file.
        made_of : str, optional
            What tells whether it would come out otherwise by now; `made_of` returns it.
        """
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                np.savez_compressed(
                    file,
                    labels=self.labels,
                    source=self.source,
                    confidence=self.confidence,
                    answer=self.answer,
                    made_of=np.array(made_of),
                )
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @staticmethod
    def made_of(path: Path) -> str | None:
        """Return what `save` was told that a file is made of; ``None`` where no file says it."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return str(file["made_of"])
        except Exception:  # missing, older, or damaged: to be made again in either case
            return None

    @classmethod
    def load(cls, path: Path) -> LabelMap:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            When the file is missing, broken or holds something else.
        """
        return cls(**load_arrays(path, *ARRAYS))


ARRAYS: dict[str, type[np.generic]] = {
    "labels": np.uint8,
    "source": np.uint8,
    "confidence": np.float16,
    "answer": np.int32,
}
"""What a file of a label map holds."""


def load_arrays(path: Path, *names: str) -> dict[str, npt.NDArray[Any]]:
    """Read some of the arrays that `LabelMap.save` wrote: training has no use for most of a file.

    Parameters
    ----------
    path : Path
        The file.
    *names : str
        Parameters of `LabelMap`.

    Raises
    ------
    DataError
        When the file is missing, broken or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in names}
    except Exception as error:  # a flipped bit makes zlib, zipfile and numpy raise anything
        raise DataError(
            f"{path} cannot be read as a label map ({error!r}). Restore it from a backup."
        ) from error
    for name, array in arrays.items():
        kind = ARRAYS[name]
        if array.dtype != kind or array.ndim != 2 or array.shape != arrays[names[0]].shape:
            raise DataError(
                f"{path}: '{name}' has shape {array.shape} and type {array.dtype}; "
                f"a label map needs (H, W) {np.dtype(kind)} like its other arrays. "
                "Restore it from a backup."
            )
    return arrays


def pixel_weights(
    source: npt.NDArray[np.uint8], confidence: npt.NDArray[np.float16], *, soft: bool
) -> npt.NDArray[np.float32]:
    """Return `LabelMap.weights` of a map with this `source` and `confidence`."""
    weights = confidence.astype(np.float32)
    if not soft:
        weights[source == Source.PSEUDO] = 1.0
    return np.clip(weights, 0, 1)


def merge_labels(
    superpixels: npt.NDArray[np.int32],
    answers: Sequence[RegionAnswer],
    probabilities: npt.NDArray[np.floating[Any]],
    min_confidence: float = 0.0,
) -> LabelMap:
    """Put people's answers over the model's pseudo-labels.

    Parameters
    ----------
    superpixels : (H, W) int32
        Region ids, 0 to n - 1.
    answers : sequence of RegionAnswer
        In the order given; of several to one region only the last counts.
    probabilities : (C, H, W) float
        The CRF's result: its argmax is the pseudo-label, its maximum the confidence.
    min_confidence : float, optional
        Pseudo-labels below it are ignored, 0 to 1.

    Returns
    -------
    LabelMap

    Raises
    ------
    DataError
        When shapes do not fit, or an answer names an unknown region or class.
    """
    if probabilities.ndim != 3 or probabilities.shape[1:] != superpixels.shape:
        raise DataError(
            f"Probabilities of shape {probabilities.shape} cannot be merged with superpixels of shape "
            f"{superpixels.shape}; both have to belong to the same image."
        )
    _check(superpixels, answers, classes=len(probabilities))
    confidence = probabilities.max(axis=0)
    sure = confidence >= min_confidence
    merged = LabelMap(
        labels=np.where(sure, probabilities.argmax(axis=0), IGNORED_LABEL).astype(np.uint8),
        source=np.where(sure, Source.PSEUDO, Source.IGNORED).astype(np.uint8),
        confidence=np.where(sure, confidence, 0).astype(np.float16),
        answer=np.zeros(superpixels.shape, np.int32),
    )
    _apply(merged, superpixels, answers)
    return merged


def human_labels(superpixels: npt.NDArray[np.int32], answers: Sequence[RegionAnswer]) -> LabelMap:
    """Return people's answers alone, everything else ignored; parameters and errors as in `merge_labels`."""
    _check(superpixels, answers, classes=IGNORED_LABEL)
    shape = superpixels.shape
    human = LabelMap(
        labels=np.full(shape, IGNORED_LABEL, np.uint8),
        source=np.full(shape, Source.IGNORED, np.uint8),
        confidence=np.zeros(shape, np.float16),
        answer=np.zeros(shape, np.int32),
    )
    _apply(human, superpixels, answers)
    return human


def fixed_labels(
    superpixels: npt.NDArray[np.int32], answers: Sequence[RegionAnswer]
) -> npt.NDArray[np.uint8]:
    """Return the (H, W) uint8 labels that people gave, 255 elsewhere: the `fixed` of `dense_crf`.

    The CRF run with them spreads an answer to its surroundings; `merge_labels` then takes its result.
    """
    return human_labels(superpixels, answers).labels


def _check(superpixels: npt.NDArray[np.int32], answers: Sequence[RegionAnswer], classes: int) -> None:
    """Refuse answers that do not belong to this image or these classes."""
    known = set(np.unique(superpixels).tolist())
    for answer in answers:
        what = f"Answer {answer.answer_id} of region {answer.region}"
        if answer.region not in known:
            raise DataError(
                f"{what}: this image has no such region; the answer belongs to another image or round."
            )
        if answer.label is not None and not 0 <= answer.label < classes:
            raise DataError(
                f"{what}: class {answer.label} is unknown; there are {classes} (0 to {classes - 1})."
            )
        if answer.painted is None:
            continue
        if answer.painted.shape != superpixels.shape or answer.painted.dtype != np.uint8:
            raise DataError(
                f"{what}: painted pixels of shape {answer.painted.shape} and type {answer.painted.dtype}; "
                f"they have to be uint8 in the image's shape {superpixels.shape}."
            )
        unknown = answer.painted[(answer.painted >= classes) & (answer.painted != IGNORED_LABEL)]
        if unknown.size:
            raise DataError(f"{what}: painted class {unknown[0]} is unknown; there are {classes}.")


def _apply(target: LabelMap, superpixels: npt.NDArray[np.int32], answers: Sequence[RegionAnswer]) -> None:
    """Write the answers into `target`: what was painted beyond the regions first, so that answers win."""
    last = {answer.region: place for place, answer in enumerate(answers)}
    latest = [answers[place] for place in sorted(last.values())]
    for answer in latest:
        if answer.painted is not None:
            extra = answer.painted != IGNORED_LABEL
            _write(target, extra, answer.painted[extra], Source.HUMAN_EXTRA, answer.answer_id)
    _write_regions(target, superpixels, latest)
    for answer in latest:
        if answer.painted is not None and not answer.void:
            by_hand = (superpixels == answer.region) & (answer.painted != IGNORED_LABEL)
            _write(target, by_hand, answer.painted[by_hand], Source.HUMAN, answer.answer_id)


def _write_regions(
    target: LabelMap, superpixels: npt.NDArray[np.int32], answers: Sequence[RegionAnswer]
) -> None:
    """Give each answered region its class, all in one pass: there may be thousands."""
    regions = int(superpixels.max()) + 1
    labels, ids = np.full(regions, IGNORED_LABEL, np.uint8), np.zeros(regions, np.int32)
    for answer in answers:
        labels[answer.region] = IGNORED_LABEL if answer.label is None else answer.label
        ids[answer.region] = answer.answer_id
    given = ids[superpixels]
    answered = given > 0
    target.labels[answered] = labels[superpixels[answered]]
    target.answer[answered] = given[answered]
    target.source[answered] = Source.HUMAN
    target.confidence[answered] = target.labels[answered] != IGNORED_LABEL


def _write(
    target: LabelMap,
    mask: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.uint8],
    source: Source,
    answer_id: int,
) -> None:
    target.labels[mask] = labels
    target.source[mask] = source
    target.confidence[mask] = labels != IGNORED_LABEL
    target.answer[mask] = answer_id
