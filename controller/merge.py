"""Step "merge": people's answers over the model's own labels, for every image asked so far."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from controller.labels import (
    IGNORED_LABEL,
    LabelMap,
    RegionAnswer,
    Source,
    human_labels,
    load_arrays,
    pixel_weights,
)
from controller.loop import Loop
from controller.merging import NO_PSEUDO_LABELS, MergeOptions, calibrate, merge_answers
from controller.pool import as_sample
from controller.votes import settle
from tenth.errors import ConfigurationError
from tenth.segmentation.dataset import Sample
from tenth.segmentation.inference import Predictor
from tenth.workspace.database import Answer, Image, Region
from tenth.workspace.names import superpixels_name


@dataclass(frozen=True)
class MergedImage:
    """An asked image with its merged label map, as training reads it."""

    sample: Sample
    labels: Path

    @property
    def key(self) -> str:
        """The image's name."""
        return self.sample.key

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the picture (H, W, 3) and its labels (H, W), 255 = ignore."""
        return self.sample.load_image(), load_arrays(self.labels, "labels")["labels"]

    def load_answered(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the picture (H, W, 3) and what people said about it (H, W), 255 elsewhere."""
        merged = load_arrays(self.labels, "labels", "source")
        by_people = np.where(merged["source"] == Source.PSEUDO, np.uint8(IGNORED_LABEL), merged["labels"])
        return self.sample.load_image(), by_people


@dataclass(frozen=True)
class WeighedImage(MergedImage):
    """An asked image whose pixels count for more or less."""

    soft: bool = False

    def load_weighed(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Return what `load` does, and how much each pixel counts, (H, W) float32 in 0..1."""
        merged = load_arrays(self.labels, "labels", "source", "confidence")
        weights = pixel_weights(merged["source"], merged["confidence"], soft=self.soft)
        return self.sample.load_image(), merged["labels"], weights


def merge(loop: Loop, number: int) -> dict[str, Any]:
    """Write the label map of every image asked up to round `number`.

    Pseudo-labels are those of the last round's version; with ``labels.refresh = false`` images of earlier
    rounds keep the map of their own round. A killed call goes on behind the last image written. Maps that
    were made by other settings, or of other answers, are made again.
    """
    version = loop.workspace.models.teacher()
    asked = asked_images(loop, number)
    made_of = ingredients(loop, asked)
    left = [image for image in asked if not _is_merged(loop, number, image, made_of[image.id])]
    wanted = version is not None and merge_options(loop, None).needs_probabilities
    predictor = loop.predictor(str(version)) if wanted and left else None
    options = merge_options(loop, predictor)
    for image in loop.progress.over(left, len(left), f"Round {number}: merging labels", "image"):
        merged = merge_image(loop, image, predictor, options)
        path = label_map_path(loop, number, image)
        path.parent.mkdir(parents=True, exist_ok=True)
        merged.save(path, made_of[image.id])
    counts = np.zeros(len(Source), np.int64)
    for image in asked:
        source = load_arrays(label_map_path(loop, number, image), "source")["source"]
        counts += np.bincount(source.ravel(), minlength=len(Source))
    return {
        "images": len(asked),
        **{f"{source.name.lower()}_pixels": int(counts[source]) for source in Source},
    }


def ingredients(loop: Loop, images: Sequence[Image]) -> dict[int, str]:
    """Return digests, by the ids of images, of what their label maps are made of, but for the model.

    Which version the pseudo-labels come from does not count: a map is not made again because there is a newer
    one.
    """
    options = asdict(merge_options(loop, None)) | {"soft": loop.config.labels.soft}
    settings = json.dumps([options, asdict(loop.crf_options)], sort_keys=True)
    said: dict[int, list[tuple[Any, ...]]] = {image.id: [] for image in images}
    query = select(Region.image_id, Answer.id, Answer.kind, Answer.label, Answer.painted).join(
        Region, Answer.region_id == Region.id
    )
    with loop.workspace.database.reading() as session:
        for image_id, *answer in session.execute(query.order_by(Answer.id)):
            if image_id in said:
                said[image_id].append(tuple(answer))
    return {image_id: _digest(settings, answers) for image_id, answers in said.items()}


def _digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _is_merged(loop: Loop, number: int, image: Image, made_of: str) -> bool:
    """Tell whether there is a map of an image that can stay."""
    path = label_map_path(loop, number, image)
    if not loop.config.labels.refresh and image.round != number:
        return path.exists()
    return LabelMap.made_of(path) == made_of


def merge_image(loop: Loop, image: Image, predictor: Predictor | None, options: MergeOptions) -> LabelMap:
    """Merge one image: answers over pseudo-labels, as ``[labels]`` says."""
    assert image.round is not None  # it was asked  # noqa: S101
    superpixels = loop.workspace.arrays.load(superpixels_name(image.round, image.id))["superpixels"]
    with loop.workspace.database.reading() as session:
        answers = answers_of(loop, session, image)
    if predictor is None:
        return human_labels(superpixels, answers)
    picture = as_sample(loop, image).load_image()
    probabilities = predictor.probabilities(picture)
    return merge_answers(picture, superpixels, answers, probabilities, options, loop.crf_options)


def require_mergeable(loop: Loop) -> None:
    """Refuse settings that "merge" would refuse, so that nobody answers for a round that cannot learn.

    Raises
    ------
    ConfigurationError
        When answers are to be spread into pseudo-labels of the CRF, and the strategy has none.
    """
    try:
        merge_options(loop, None)
    except ConfigurationError as error:
        name = loop.strategy.name
        raise ConfigurationError(f"selection.strategy = '{name}' in {loop.config.file}: {error}") from error


def merge_options(loop: Loop, predictor: Predictor | None) -> MergeOptions:
    """Return how the workspace merges; whose pseudo-labels are taken follows the strategy.

    Soft pseudo-labels are calibrated on the validation split, where there is one with labels.

    Raises
    ------
    ConfigurationError
        When answers are to be spread into pseudo-labels of the CRF, and the strategy has none.
    """
    settings, pseudo = loop.config.labels, loop.strategy.pseudo_labels
    known = loop.labelled_split(loop.config.data.val_split) if settings.soft and predictor else []
    calibration = None
    if known and predictor is not None:
        calibration = calibrate(known, predictor, pseudo, loop.crf_options, loop.division)
    least = settings.min_confidence if settings.pseudo else NO_PSEUDO_LABELS
    return MergeOptions(pseudo, settings.propagate, least, settings.sieve, calibration)


def answers_of(loop: Loop, session: Session, image: Image) -> list[RegionAnswer]:
    """Return what people said about the regions of an image, one settled answer a region."""
    query = (
        select(Region.superpixel, Answer)
        .join(Region, Answer.region_id == Region.id)
        .where(Region.image_id == image.id)
        .order_by(Answer.completed_at, Answer.id)
    )
    by_region: dict[int, list[Answer]] = {}
    for superpixel, answer in session.execute(query):
        by_region.setdefault(superpixel, []).append(answer)
    settled = ((region, settle(answers)) for region, answers in by_region.items())
    return [as_region_answer(loop, region, answer) for region, answer in settled]


def as_region_answer(loop: Loop, region: int, answer: Answer) -> RegionAnswer:
    """Return a row of the database as merging understands it."""
    painted = None if answer.painted is None else loop.workspace.arrays.load(answer.painted)["painted"]
    return RegionAnswer(answer.id, region, answer.label, painted, void=answer.kind == "void")


def asked_images(loop: Loop, number: int) -> list[Image]:
    """Return the images asked up to round `number`."""
    with loop.workspace.database.reading() as session:
        query = select(Image).where(Image.role == "asked", Image.round <= number).order_by(Image.id)
        return list(session.scalars(query))


def label_map_path(loop: Loop, number: int, image: Image) -> Path:
    """Return the file of the label map of an asked image that counts in round `number`."""
    assert image.round is not None  # it was asked  # noqa: S101
    number = number if loop.config.labels.refresh else image.round
    return loop.workspace.folder / "arrays" / "labels" / f"round-{number:03d}" / f"{image.id:06d}.npz"


def merged_images(loop: Loop, number: int) -> list[MergedImage]:
    """Return all images asked up to round `number`, with their label maps."""
    settings = loop.config.labels
    found = [
        (as_sample(loop, image), label_map_path(loop, number, image)) for image in asked_images(loop, number)
    ]
    if settings.soft or settings.sieve:
        return [WeighedImage(sample, path, settings.soft) for sample, path in found]
    return [MergedImage(sample, path) for sample, path in found]
