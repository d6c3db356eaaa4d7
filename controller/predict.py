"""Label maps of any images with a model version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from controller.loop import Loop
from tenth.errors import ConfigurationError, DataError
from tenth.progress import SILENT, Progress
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.dataset import Sample, list_images
from tenth.segmentation.images import IMAGE_SUFFIXES, write_png
from tenth.segmentation.inference import ImagePredictor
from tenth.segmentation.refine import refine
from tenth.workspace.files import make_output_folder

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
    ConfigurationError
        When a result would overwrite one of the images, or `out` cannot be written to; no image has been
        labelled then.
    DataError
        When a source cannot be read, or two images would be written to the same file.
    """
    samples = find_images(sources)
    check_results(samples, out)
    make_output_folder(out)
    written = []
    for name, sample in progress.over(samples.items(), len(samples), "Labelling", "image"):
        image = sample.load_image()
        probabilities = predictor.probabilities(image)
        if refiner is not None:
            probabilities = refiner(probabilities, image)
        labels = probabilities.argmax(axis=0).astype(np.uint8)
        path, coloured = result_paths(out, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, labels)
        write_png(coloured, classes.colorize(labels))
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


def result_paths(out: Path, name: str) -> tuple[Path, Path]:
    """Return the files below `out` that hold an image's class ids and their colours."""
    return out / f"{name}.png", out / f"{name}.color.png"


def check_results(samples: Mapping[str, Sample], out: Path) -> None:
    """See that no result overwrites a picture or another result.

    Parameters
    ----------
    samples : mapping of str to Sample
        The images, as `find_images` returns them.
    out : Path
        Folder of the results.

    Raises
    ------
    ConfigurationError
        When one would.
    """
    pictures = {path: sample.image for sample in samples.values() if (path := _local_path(sample.image))}
    results: dict[Path, str] = {}
    for name, sample in samples.items():
        for path in result_paths(out, name):
            place = path.resolve()
            if place in pictures:
                raise ConfigurationError(
                    f"The labels of {sample.image} would overwrite the picture {pictures[place]}. "
                    f"Give another folder than --out {out}, one without pictures to label."
                )
            if place in results:
                raise ConfigurationError(
                    f"The results of {results[place]} and {sample.image} would both be written to '{path}'. "
                    "Label them in two calls with different --out folders."
                )
            results[place] = sample.image


def _local_path(image: str) -> Path | None:
    """Return where a picture lies on this machine, links followed; ``None`` when it is elsewhere."""
    if "://" not in image:
        return Path(image).resolve()
    if not image.startswith(("file://", "local://")):
        return None
    filesystem, path = fsspec.core.url_to_fs(image)
    return Path(str(path)).resolve() if isinstance(filesystem, LocalFileSystem) else None
