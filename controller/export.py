"""A model version as a file for other runtimes, checked on images of the workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.loop import Loop
from controller.pool import divide
from tenth.segmentation.dataset import Sample, choose_initial
from tenth.segmentation.export import Format, common_size, write_exported
from tenth.workspace.exports import metadata_of


def export_model(
    loop: Loop,
    version: str,
    kind: Format,
    out: Path,
    size: tuple[int, int] | None,
    images: int,
    tolerance: float,
) -> dict[str, Any]:
    """Export a version and compare it with torch; see `tenth.segmentation.export.write_exported`.

    Parameters
    ----------
    loop : Loop
        The workspace.
    version : str
        Model version.
    kind : {"onnx", "openvino"}
        Format.
    out : Path
        The file.
    size : (int, int) or None
        Height and width of the input; ``None`` takes the most common size of the images compared.
    images : int
        How many images to compare on, at most.
    tolerance : float
        See `tenth.segmentation.export.Parity.check`.

    Returns
    -------
    dict
        Version, file, input size and agreement.

    Raises
    ------
    ConfigurationError, DataError
        As `write_exported`; also when the version or an image cannot be read.
    """
    loaded = loop.workspace.models.load(version)
    samples = samples_to_compare(loop, images)
    metadata = metadata_of(loaded, size or common_size(_loaded(loop, samples, "Reading the sizes")))
    parity = write_exported(
        loaded.network, metadata, kind, out, _loaded(loop, samples, "Comparing"), tolerance
    )
    height, width = metadata.input_size
    return {
        "version": version,
        "file": str(out),
        "format": kind,
        "size": f"{width}x{height}",
        **parity.to_dict(),
        "tolerance": tolerance,
    }


def samples_to_compare(loop: Loop, count: int) -> list[Sample]:
    """Return up to `count` images, spread over the first there is of validation split, test split, pool."""
    data = loop.config.data
    for split in (data.val_split, data.test_split):
        if split in loop.dataset.splits:
            samples = loop.dataset.split(split)
            break
    else:
        initial, pool = divide(loop)
        samples = pool or initial
    return choose_initial(samples, min(count, len(samples)))


def _loaded(loop: Loop, samples: list[Sample], title: str) -> Iterator[NDArray[np.uint8]]:
    return (sample.load_image() for sample in loop.progress.over(samples, len(samples), title, "image"))
