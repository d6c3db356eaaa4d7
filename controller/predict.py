"""Label maps of any images with a model version."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from controller.loop import Loop
from tenth.errors import DataError
from tenth.segmentation.dataset import Sample, list_images
from tenth.segmentation.images import IMAGE_SUFFIXES, write_png
from tenth.segmentation.refine import refine


def predict_images(loop: Loop, version: str, sources: Iterable[str], out: Path, *, crf: bool) -> list[Path]:
    """Label files, folders and URLs; return the label maps written to `out`, one an image.

    Raises
    ------
    DataError
        When a source cannot be read, or two images would be written to the same file.
    """
    samples = find_images(sources)
    predictor = loop.predictor(version)
    written = []
    for name, sample in loop.progress.over(samples.items(), len(samples), "Labelling", "image"):
        image = sample.load_image()
        probabilities = predictor.probabilities(image)
        if crf:
            superpixels = partial(loop.division.superpixels, image)
            probabilities = refine(probabilities, image, superpixels, loop.crf_options)
        labels = probabilities.argmax(axis=0).astype(np.uint8)
        path = out / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, labels)
        write_png(out / f"{name}.color.png", loop.classes.colorize(labels))
        written.append(path)
    return written


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
