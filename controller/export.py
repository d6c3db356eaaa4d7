"""A model version as a file for other runtimes, checked on images of the workspace or of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.loop import Loop
from controller.pool import divide
from tenth.progress import SILENT, Progress
from tenth.segmentation.dataset import FolderDataset, Sample, choose_initial
from tenth.segmentation.export import Format, common_size, write_exported
from tenth.workspace.exports import metadata_of
from tenth.workspace.models import LoadedModel


def export_model(
    loaded: LoadedModel,
    samples: Sequence[Sample],
    kind: Format,
    out: Path,
    size: tuple[int, int] | None,
    tolerance: float,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Export a version and compare it with torch; see `tenth.segmentation.export.write_exported`.

    Parameters
    ----------
    loaded : LoadedModel
        Model version.
    samples : sequence of Sample
        Images to compare on; at least one.
    kind : {"onnx", "openvino"}
        Format.
    out : Path
        The file.
    size : (int, int) or None
        Height and width of the input; ``None`` takes the one size of the version's training, where it had
        one, else the most common of the images compared.
    tolerance : float
        See `tenth.segmentation.export.Parity.check`.
    progress : Progress, optional
        Where bars are shown.

    Returns
    -------
    dict
        Version, file, input size and agreement.

    Raises
    ------
    ConfigurationError, DataError
        As `write_exported`; also when an image cannot be read.
    """
    size = size or loaded.info.input_size or common_size(_read(samples, "Reading the sizes", progress))
    metadata = metadata_of(loaded, size)
    images = _read(samples, "Comparing", progress)
    parity = write_exported(loaded.network, metadata, kind, out, images, tolerance)
    height, width = metadata.input_size
    return {
        "version": loaded.info.version,
        "file": str(out),
        "format": kind,
        "size": f"{width}x{height}",
        **parity.to_dict(),
        "tolerance": tolerance,
    }


def samples_to_compare(loop: Loop, count: int) -> list[Sample]:
    """Return up to `count` images, spread over the first there is of validation split, test split, pool."""
    data = loop.config.data
    samples = _first_split(loop.dataset, (data.val_split, data.test_split))
    if samples is None:
        initial, pool = divide(loop)
        samples = pool or initial
    return choose_initial(samples, min(count, len(samples)))


def samples_of(dataset: FolderDataset, count: int) -> list[Sample]:
    """Return up to `count` images of a data set, spread over the first split there is: val, test, any."""
    samples = _first_split(dataset, ("val", "test", *dataset.splits)) or []
    return choose_initial(samples, min(count, len(samples)))


def _first_split(dataset: FolderDataset, names: Sequence[str]) -> list[Sample] | None:
    return next((dataset.split(name) for name in names if name in dataset.splits), None)


def _read(samples: Sequence[Sample], title: str, progress: Progress) -> Iterator[NDArray[np.uint8]]:
    return (sample.load_image() for sample in progress.over(samples, len(samples), title, "image"))
