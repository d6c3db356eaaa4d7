"""An exported model as a file, which appears only once it has shown that it agrees with torch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tenth.errors import ConfigurationError
from tenth.segmentation.export.graph import to_onnx, write_openvino
from tenth.segmentation.export.metadata import ExportMetadata
from tenth.segmentation.export.parity import TOLERANCE, Parity, compare
from tenth.segmentation.export.runtimes import load_exported
from tenth.segmentation.inference import Predictor
from tenth.segmentation.networks import SegmentationNetwork

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}


def write_exported(
    network: SegmentationNetwork,
    metadata: ExportMetadata,
    kind: Format,
    path: Path,
    images: Iterable[NDArray[np.uint8]],
    tolerance: float = TOLERANCE,
) -> Parity:
    """Export a network, load the file into its runtime, and keep it when the two agree.

    Parameters
    ----------
    network : SegmentationNetwork
        Is moved to the CPU, where it is compared in float32.
    metadata : ExportMetadata
        Of the network; its `input_size` becomes the graph's.
    kind : {"onnx", "openvino"}
        Format.
    path : Path
        Ends in ``.onnx`` or, for OpenVINO, ``.xml``; the weights come as ``.bin`` beside that. Replaces what
        is there.
    images : iterable of ndarray
        What to compare on: (H, W, 3) uint8 RGB.
    tolerance : float, optional
        See `Parity.check`.

    Returns
    -------
    Parity
        Within the tolerance.

    Raises
    ------
    ConfigurationError
        When `path` has another ending or cannot be written, a package is not installed, or the network cannot
        be exported.
    DataError
        When there is no image.
    ExportDiffers
        When the two do not agree; then nothing is written, and an older file stays.
    """
    if path.suffix != SUFFIXES[kind]:
        raise ConfigurationError(f"{path} is no name for the format {kind}; let it end in {SUFFIXES[kind]}.")
    content = to_onnx(network, metadata)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The temporary files lie beside the target: a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / path.name
            if kind == "onnx":
                draft.write_bytes(content)
            else:
                write_openvino(content, draft)
            parity = compare(Predictor(network, "cpu", "f32"), load_exported(draft), images)
            instead = "If such differences do no harm, raise the tolerance; else use another format or torch."
            parity.check(tolerance, f"The export of {metadata.version} as {kind}", instead)
            _move(draft, path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error}. Name a file in a folder that you may write to."
        ) from error
    return parity


def _move(draft: Path, path: Path) -> None:
    weights = draft.with_suffix(".bin")
    if weights.exists():
        path.unlink(missing_ok=True)  # at no time do the old graph and the new weights stand together
        weights.replace(path.with_suffix(".bin"))
    draft.replace(path)
