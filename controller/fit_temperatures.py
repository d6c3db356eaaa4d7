"""Temperatures for teachers, from images of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.find_teacher import find_teachers, temperatures_of
from controller.standalone import sized
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset, choose_initial, without_labels
from tenth.segmentation.distillation import Reference, fit_temperatures
from tenth.segmentation.evaluation import LabelledSample
from tenth.segmentation.inference import Predictor
from tenth.workspace.plain_json import plain

Logits = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Fitting:
    """What to fit temperatures on: the options of ``controller fit-temperatures``.

    Parameters
    ----------
    dataset : Path
        Data set with the classes of the teachers.
    split : str
        Where the images are from; those without labels count for the entropies alone.
    size : tuple of int or None
        Width and height to resize to; ``None`` keeps each image as it is.
    images : int
        How many to draw, at most; at least 1.
    seed : int
        Of the draws of images and of their pixels.
    device : str
        Where the teachers run.
    """

    dataset: Path
    split: str = "train"
    size: tuple[int, int] | None = None
    images: int = 100
    seed: int = 0
    device: str = "auto"


def fit_teachers(
    fitting: Fitting,
    texts: Sequence[str],
    softness: float | Reference | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Find the temperatures at which all teachers are as soft as wanted.

    Parameters
    ----------
    fitting : Fitting
        On which images.
    texts : sequence of str
        For `find_teacher`.
    softness : float, Reference or None
        See `fit_temperatures`; ``None``: as soft as the first teacher is at the thesis's temperature.
    progress : Progress, optional
        Where bars are shown.

    Returns
    -------
    dict
        As JSON: figures by teacher, and the arguments for ``controller distill``.

    Raises
    ------
    ConfigurationError, DataError
        When a teacher, the softness or the images cannot be used.
    """
    dataset = FolderDataset(fitting.dataset)
    found = find_teachers(texts, dataset)
    if softness is None:
        softness = Reference(found[0].name, temperatures_of(found[:1], [])[0])
    samples = [each if each.labels else without_labels(each) for each in dataset.split(fitting.split)]
    drawn = choose_initial(samples, min(fitting.images, len(samples)), "random", fitting.seed)
    images = sized(drawn, fitting.size, progress)
    predictors = {each.name: Predictor(each.load().model.network, fitting.device) for each in found}
    fits = fit_temperatures(_logits(images, predictors, progress), softness, seed=fitting.seed)
    result: dict[str, Any] = plain(
        {
            "split": fitting.split,
            "images": len(images),
            "softness": asdict(softness) if isinstance(softness, Reference) else softness,
            "teachers": {name: asdict(fit) for name, fit in fits.items()},
            "arguments": [
                "--form",
                "kl",
                "--temperatures",
                *(f"{fit.temperature:.4g}" for fit in fits.values()),
            ],
        }
    )
    return result


def _logits(
    images: Sequence[LabelledSample], predictors: Mapping[str, Predictor], progress: Progress
) -> Iterator[tuple[Logits, NDArray[np.uint8]]]:
    for image in progress.over(images, len(images), "Asking the teachers", "image"):
        picture, labels = image.load()
        yield {name: predictor.logits(picture) for name, predictor in predictors.items()}, labels
