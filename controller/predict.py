"""Label maps of any images with a model version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.loop import Loop
from tenth.errors import DataError
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.dataset import Sample, list_images
from tenth.segmentation.images import IMAGE_SUFFIXES, write_png
from tenth.segmentation.inference import ImagePredictor
from tenth.segmentation.refine import refine

Refiner = Callable[[NDArray[np.float32], NDArray[np.uint8]], NDArray[np.float32]]
"""Makes better probabilities (C, H, W) from those of the network and the image (H, W, 3)."""


def predict_images(
    predictor: ImagePredictor,
    classes: ClassSet,
    sources: Iterable[str],
    out: Path,
    *,
    refiner: Refiner | None = None,
    progress: Progress = SILENT,
) -> list[Path]:
    """Label files, folders and URLs; return the label maps written to `out`, one an image.

    Parameters
    ----------
    predictor : ImagePredictor
        Predicts the classes.
    classes : ClassSet
        Their colours.
    sources : iterable of str
        The images.
    out : Path
        Made when missing.
    refiner : callable, optional
        See `crf_refiner`.
    progress : Progress, optional
        Where bars are shown.

    Raises
    ------
    DataError
        When a source cannot be read, or two images would be written to the same file.
    """
    samples = find_images(sources)
    written = []
    for name, sample in progress.over(samples.items(), len(samples), "Labelling", "image"):
        image = sample.load_image()
        probabilities = predictor.probabilities(image)
        if refiner is not None:
            probabilities = refiner(probabilities, image)
        labels = probabilities.argmax(axis=0).astype(np.uint8)
        path = out / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, labels)
        write_png(out / f"{name}.color.png", classes.colorize(labels))
        written.append(path)
    return written


def crf_refiner(loop: Loop) -> Refiner:
    """Return the dense CRF that the configuration describes."""

    def refiner(probabilities: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return refine(probabilities, image, partial(loop.division.superpixels, image), loop.crf_options)

    return refiner


def find_images(sources: Iterable[str]) -> dict[str, Sample]:
    """Return the images that `sources` name, by the name of their result."""
    found: dict[str, Sample] = {}
    for source in sources:
        if Path(source).suffix.lower() in IMAGE_SUFFIXES:
            samples = [Sample(f"pool/{Path(source).stem}", source, None)]
        else:
            samples = list_images(source)
        for sample in samples:
            name = sample.key.removeprefix("pool/")
            if name in found:
                raise DataError(
                    f"{found[name].image} and {sample.image} would both be written to '{name}.png'. "
                    "Label them in two calls with different --out folders."
                )
            found[name] = sample
    return found
