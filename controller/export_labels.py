"""What people said as label maps: their labels, and beside them the model's or none.

Whole files only: each map is replaced in one step, and `labels.json`, which lists them, comes last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from controller.labels import IGNORED_LABEL, LabelMap, Source
from controller.loop import Loop
from controller.merge import label_map_path
from controller.model_folder import require_classes
from controller.pool import as_sample
from controller.predict import check_results, result_paths
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.dataset import Sample
from tenth.segmentation.images import write_png
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.workspace.database import Answer, Image, Region, Step
from tenth.workspace.files import make_output_folder, write_text

DOCUMENT = "labels.json"
"""File of the folder that lists the label maps; where it is, all of them are."""


@dataclass(frozen=True)
class AnsweredImage:
    """An image that people answered regions of.

    Parameters
    ----------
    sample : Sample
        The image.
    round : int
        The last round that merged it.
    labels : Path
        The label array that this round left.
    """

    sample: Sample
    round: int
    labels: Path


@dataclass(frozen=True)
class ExportedLabels:
    """The files of an image and whose labels they hold, as `DOCUMENT` lists them.

    Parameters
    ----------
    key, image : str
        The image: its name in the workspace, and its path or URL.
    labels, colors : str
        The label map and the coloured one, below the folder.
    round : int
        The round whose merged labels were taken.
    pixels : int
        Height times width.
    people_share : float
        Share of the pixels that people labelled; what they called void or left open as mixed counts.
    model_share : float
        Share of the pixels that the model labelled.
    version : str or None
        The model.
    """

    key: str
    image: str
    labels: str
    colors: str
    round: int
    pixels: int
    people_share: float
    model_share: float
    version: str | None


def export_labels(
    loop: Loop,
    out: Path,
    *,
    version: str | None = None,
    answers_only: bool = False,
    device: str | None = None,
) -> dict[str, Any]:
    """Write the label maps of all images that people answered regions of, and a list of them.

    Parameters
    ----------
    loop : Loop
        The workspace.
    out : Path
        Folder of the results, made when missing.
    version : str, optional
        The model; the one in use by default.
    answers_only : bool, optional
        Ignore what nobody labelled, instead of taking the model's label. No model is needed then.
    device : str, optional
        Where the model runs; where the configuration says by default.

    Returns
    -------
    dict
        ``version`` of the model, ``people_share`` and ``model_share`` of all pixels, and ``images``, each as
        in `ExportedLabels`.

    Raises
    ------
    ConfigurationError
        When no answer has been merged yet, there is no such model, it knows other classes or cannot run on
        the device, a result would overwrite a picture, or `out` cannot be written to; then nothing is
        written.
    DataError
        When a label array or a picture is damaged, or they do not fit each other or the classes.
    """
    images = answered_images(loop)
    version = None if answers_only else version or _version_in_use(loop)
    samples = {image.sample.key: image.sample for image in images}
    check_results(samples | _same_names(loop, samples, out), out)
    predictor = None if version is None else _predictor(loop, version, device)
    make_output_folder(out)
    # The list of an earlier call would be wrong from the first map on.
    (out / DOCUMENT).unlink(missing_ok=True)
    written = [
        _write(image, loop.classes, predictor, version, out)
        for image in loop.progress.over(images, len(images), "Writing labels", "image")
    ]
    listed = [asdict(each) for each in written]
    document = {"version": version, **loop.classes.to_dict(), "images": listed}
    write_text(out / DOCUMENT, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return {"version": version, **_shares(written), "images": listed}


def answered_images(loop: Loop) -> list[AnsweredImage]:
    """Return the images that people answered regions of in rounds that are merged, sorted by key.

    Raises
    ------
    ConfigurationError
        When there are none.
    DataError
        When the label array of one is missing.
    """
    with loop.workspace.database.reading() as session:
        merged = list(session.scalars(select(Step.round).where(Step.name == "merge")))
        answered = select(Region.image_id).join(Answer, Answer.region_id == Region.id)
        query = select(Image).where(Image.round.in_(merged), Image.id.in_(answered)).order_by(Image.key)
        images = list(session.scalars(query))
    if not images:
        why = "no usable answer came in" if merged else "no round has been merged"
        raise ConfigurationError(
            f"There are no answers to export in {loop.workspace.folder}: {why} yet. Answers are pulled and "
            f"merged by 'controller next-round --workspace {loop.workspace.folder}', once people have given "
            "them."
        )
    return [_newest(loop, image, merged) for image in images]


def combine(merged: LabelMap, prediction: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Put people's labels over the model's.

    Parameters
    ----------
    merged : LabelMap
        Where people labelled something, and what; its pseudo-labels, of an earlier model, are passed over.
    prediction : (H, W) uint8 or None
        The model's labels; ``None`` ignores what people did not label.

    Returns
    -------
    (H, W) uint8
        Class ids; 255 where people said void, where a mixed region was not painted, and without a model
        wherever they said nothing.
    """
    rest = np.full_like(merged.labels, IGNORED_LABEL) if prediction is None else prediction
    labels: NDArray[np.uint8] = np.where(by_people(merged), merged.labels, rest)
    return labels


def by_people(merged: LabelMap) -> NDArray[np.bool_]:
    """Return which pixels people labelled, (H, W) bool; void and mixed are labels as well."""
    return np.isin(merged.source, (Source.HUMAN, Source.HUMAN_EXTRA))


def _version_in_use(loop: Loop) -> str:
    version = loop.workspace.models.current()
    if version is None:
        raise ConfigurationError(
            f"There is no model in {loop.workspace.folder} yet to label what people did not. Train one with "
            f"'controller train --workspace {loop.workspace.folder}', or write what people said alone: "
            "--answers-only."
        )
    return version


def _predictor(loop: Loop, version: str, device: str | None) -> Predictor:
    loaded = loop.workspace.models.load(version)
    require_classes(f"Model {version}", loaded.info, loop.dataset)
    training = loop.config.training
    return Predictor(loaded.network, device=device or training.device, precision=training.precision)


def _same_names(loop: Loop, samples: Mapping[str, Sample], out: Path) -> dict[str, Sample]:
    """Return the workspace's other pictures that are called like a result: only these could be overwritten.

    A pool may be large, and following the links of each picture in it takes a while.
    """
    names = {path.name for key in samples for path in result_paths(out, key)}
    with loop.workspace.database.reading() as session:
        pictures = session.execute(select(Image.key, Image.source)).all()
    return {
        key: Sample(key, source, None)
        for key, source in pictures
        if key not in samples and PurePosixPath(source).name in names
    }


def _newest(loop: Loop, image: Image, merged: Sequence[int]) -> AnsweredImage:
    """Find the newest label array of an image; not every round writes one (``labels.refresh``)."""
    configured = label_map_path(loop, max(merged), image)
    for number in sorted(merged, reverse=True):
        path = configured.parents[1] / f"round-{number:03d}" / configured.name
        if path.is_file():
            return AnsweredImage(as_sample(loop, image), number, path)
    raise DataError(f"The merged labels of {image.key} are missing: {configured}. Restore it from a backup.")


def _write(
    image: AnsweredImage, classes: ClassSet, predictor: ImagePredictor | None, version: str | None, out: Path
) -> ExportedLabels:
    """Write the two maps of an image."""
    merged = _load(image, classes)
    labels = combine(merged, None if predictor is None else _predict(image, predictor, merged))
    key = image.sample.key
    path, coloured = result_paths(out, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, labels)
    write_png(coloured, classes.colorize(labels))
    people = float(by_people(merged).mean())
    return ExportedLabels(
        key=key,
        image=image.sample.image,
        labels=path.relative_to(out).as_posix(),
        colors=coloured.relative_to(out).as_posix(),
        round=image.round,
        pixels=labels.size,
        people_share=people,
        model_share=0.0 if predictor is None else 1 - people,
        version=version,
    )


def _load(image: AnsweredImage, classes: ClassSet) -> LabelMap:
    """Read the label array of an image, and see that the data set still has all classes in it."""
    merged = LabelMap.load(image.labels)
    said = merged.labels[by_people(merged)]
    unknown = said[(said >= len(classes)) & (said != IGNORED_LABEL)]
    if unknown.size:
        raise DataError(
            f"{image.labels} holds the class {unknown[0]}, but the classes are 0 to {len(classes) - 1}. "
            "Put back the classes.json that people were asked with."
        )
    return merged


def _predict(image: AnsweredImage, predictor: ImagePredictor, merged: LabelMap) -> NDArray[np.uint8]:
    """Return the model's labels (H, W) uint8 of an image, the same as `controller predict` writes."""
    picture = image.sample.load_image()
    if picture.shape[:2] != merged.labels.shape:
        (height, width), (asked_height, asked_width) = picture.shape[:2], merged.labels.shape
        raise DataError(
            f"{image.sample.image} is {width}×{height} pixels, but people were asked about "
            f"{asked_width}×{asked_height} ({image.labels}). Put back the picture that they saw."
        )
    labels: NDArray[np.uint8] = predictor.probabilities(picture).argmax(axis=0).astype(np.uint8)
    return labels


def _shares(written: Sequence[ExportedLabels]) -> dict[str, float]:
    """Return the shares of all pixels of all images."""
    pixels = sum(each.pixels for each in written)
    return {
        name: sum(getattr(each, name) * each.pixels for each in written) / pixels
        for name in ("people_share", "model_share")
    }
