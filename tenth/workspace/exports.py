"""Exports of model versions, kept beside their weights.

::

    models/v0001-5f2bffd0/onnxruntime/model.onnx     of one input size
    models/v0001-5f2bffd0/onnxruntime/export.json    its SHA-256, the version's digest, agreement with torch
    models/v0001-5f2bffd0/openvino/…                 the same; OpenVINO reads ONNX too

A folder is made on first use, under a temporary name, and renamed when it is whole and its runtime has shown
to agree with torch. It is derived from the weights: one that is damaged, or was made from other weights or by
another release, is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tenth.segmentation.export import (
    ExportedPredictor,
    ExportMetadata,
    OnnxPredictor,
    OpenVinoPredictor,
    common_size,
    compare,
    to_onnx,
)
from tenth.segmentation.export.metadata import FORMAT
from tenth.segmentation.export.parity import TOLERANCE
from tenth.segmentation.inference import Predictor
from tenth.workspace.files import exclusive, sync_file, sync_folder, temporary_path
from tenth.workspace.model_info import LoadedModel, ModelInfo
from tenth.workspace.models import ModelStore

Runtime = Literal["onnxruntime", "openvino"]

_PREDICTORS: dict[Runtime, type[OnnxPredictor] | type[OpenVinoPredictor]] = {
    "onnxruntime": OnnxPredictor,
    "openvino": OpenVinoPredictor,
}
_MODEL = "model.onnx"
_DESCRIPTION = "export.json"
_LOCK = ".export.lock"

log = logging.getLogger(__name__)


def metadata_of(loaded: LoadedModel, input_size: tuple[int, int]) -> ExportMetadata:
    """Return what the export of a version for images of `input_size` (height, width) says about itself."""
    info, network = loaded.info, loaded.network
    return ExportMetadata(
        info.version, info.digest, info.spec, loaded.classes, network.mean, network.std, input_size
    )


def exported_predictor(
    store: ModelStore, version: str, runtime: Runtime, images: Callable[[], Sequence[NDArray[np.uint8]]]
) -> ExportedPredictor:
    """Return a version in another runtime than torch, exported when it has not been yet.

    Processes that ask together wait for the first one.

    Parameters
    ----------
    store : ModelStore
        Where the version is and its export is kept.
    version : str
        Such as ``"v0003-1a2b3c4d"``.
    runtime : {"onnxruntime", "openvino"}
        What predicts.
    images : callable
        Called for an export: some images (H, W, 3) uint8 of the kind to predict. Their most common size
        becomes the input's, and on them the export has to agree with torch.

    Raises
    ------
    DataError
        When there is no such version, it is damaged, or there is no image.
    ExportDiffers
        When the export does not agree.
    ConfigurationError
        When a package is not installed or the network cannot be exported.
    """
    info = store.info(version)
    folder = store.folder / version / runtime
    with exclusive(store.folder / _LOCK):
        content = _read(folder, info)
        if content is not None:
            return _PREDICTORS[runtime](content, str(folder / _MODEL))
        return _export(store, info, runtime, images())


def export_size(store: ModelStore, version: str, runtime: Runtime) -> tuple[int, int] | None:
    """Return height and width of the input of a version's export, ``None`` where there is no whole one.

    Raises
    ------
    DataError
        When there is no such version.
    """
    info = store.info(version)
    folder = store.folder / version / runtime
    with exclusive(store.folder / _LOCK):
        if _read(folder, info) is None:
            return None
        height, width = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))["input_size"]
    return int(height), int(width)


def _read(folder: Path, info: ModelInfo) -> bytes | None:
    """Return the export in `folder`, ``None`` when there is none or it is not what it should be."""
    try:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        content = (folder / _MODEL).read_bytes()
        if {key: description[key] for key in ("format", "digest", "sha256")} == _identity(info, content):
            return content
        reason = "the digest differs"
    except FileNotFoundError as error:
        if not folder.exists():
            return None
        reason = str(error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = repr(error)
    log.warning(
        "%s is of other weights, of another release or damaged (%s); it is made again", folder, reason
    )
    return None


def _export(
    store: ModelStore, info: ModelInfo, runtime: Runtime, images: Sequence[NDArray[np.uint8]]
) -> ExportedPredictor:
    loaded = store.load(info.version)
    metadata = metadata_of(loaded, common_size(images))
    content = to_onnx(loaded.network, metadata)
    predictor = _PREDICTORS[runtime](content, f"The export of {info.version}")
    parity = compare(Predictor(loaded.network, "cpu", "f32"), predictor, images)
    instead = 'Set [backend] runtime = "torch", or another one.'
    parity.check(TOLERANCE, f"The export of {info.version}, in {runtime},", instead)
    description = {
        **_identity(info, content),
        "input_size": metadata.input_size,
        "parity": parity.to_dict(),
    }
    _write(store.folder / info.version / runtime, content, description, store.folder / ".tmp")
    size = " × ".join(map(str, metadata.input_size[::-1]))
    log.info("Model %s is exported for %s, for images of %s pixels", info.version, runtime, size)
    return predictor


def _write(folder: Path, content: bytes, description: Mapping[str, Any], temporary_folder: Path) -> None:
    temporary = temporary_path(temporary_folder)
    temporary.mkdir()
    try:
        (temporary / _MODEL).write_bytes(content)
        (temporary / _DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        for path in (temporary / _MODEL, temporary / _DESCRIPTION, temporary):
            sync_folder(path) if path.is_dir() else sync_file(path)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _identity(info: ModelInfo, content: bytes) -> dict[str, Any]:
    return {"format": FORMAT, "digest": info.digest, "sha256": hashlib.sha256(content).hexdigest()}
