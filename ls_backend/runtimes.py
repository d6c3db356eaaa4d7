"""What computes predictions: torch, or ONNX Runtime or OpenVINO on the version's export."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from tenth.errors import ConfigurationError, DataError, ExportDiffers, TenthError
from tenth.segmentation.classes import ClassSet
from tenth.segmentation.images import read_image
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.workspace.database import Image
from tenth.workspace.exports import exported_predictor
from tenth.workspace.models import ModelStore
from tenth.workspace.workspace import Workspace

Loader = Callable[[ModelStore, str], tuple[ClassSet, ImagePredictor]]
"""Reads a version from the store: its classes, and what predicts with it."""

_IMAGES = 4

log = logging.getLogger(__name__)


def loader_of(workspace: Workspace) -> Loader:
    """Return what reads versions into the runtime that the workspace's configuration names.

    A version that cannot be exported, or whose export differs from torch, is not exported again: each request
    would find the same, and let others wait.
    """
    runtime = workspace.config.backend.runtime
    training = workspace.config.training
    refused: dict[str, Callable[[], TenthError]] = {}

    def load(store: ModelStore, version: str) -> tuple[ClassSet, ImagePredictor]:
        if runtime == "torch":
            loaded = store.load(version)
            return loaded.classes, Predictor(loaded.network, training.device, training.precision)
        if version in refused:
            raise refused[version]()
        try:
            predictor = exported_predictor(store, version, runtime, lambda: sample_images(workspace))
        except (ConfigurationError, ExportDiffers) as error:
            refused[version] = partial(type(error), str(error))  # the error itself holds on to the network
            raise
        return predictor.metadata.classes, predictor

    return load


def sample_images(workspace: Workspace) -> list[NDArray[np.uint8]]:
    """Return the first images of a workspace that can be read, (H, W, 3) uint8 each.

    Raises
    ------
    DataError
        When there is none.
    """
    found: list[NDArray[np.uint8]] = []
    with workspace.database.reading() as session:
        sources = list(session.scalars(select(Image.source).order_by(Image.id).limit(4 * _IMAGES)))
    for source in sources:
        try:
            found.append(read_image(source))
        except DataError as error:
            log.warning("Not used for an export: %s", error)
        if len(found) == _IMAGES:
            break
    if not found:
        raise DataError(
            f"The workspace {workspace.folder} has no image that can be read, so a model cannot be exported "
            'for their size. Run `controller init` on a data set, or set [backend] runtime = "torch".'
        )
    return found
