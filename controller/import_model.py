"""A model version that Tenth wrote, here or elsewhere, taken into a workspace."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from controller.loop import Loop
from controller.model_folder import load_folder, require_classes
from controller.publish import point
from controller.train import architecture
from tenth.errors import ConfigurationError
from tenth.workspace.models import LoadedModel, ModelInfo

log = logging.getLogger(__name__)


def import_model(loop: Loop, folder: Path, *, use: bool) -> dict[str, Any]:
    """Add the model version in a folder to the workspace; one that is there already is not added again.

    Parameters
    ----------
    loop : Loop
        The workspace.
    folder : Path
        Of the version.
    use : bool
        Make it the version in use. Rounds go on from it where it is of the configured network, else from the
        version that they went on from before.

    Returns
    -------
    dict
        ``version`` in the workspace, ``imported_from`` with the folder, whether it was ``added``, and the
        version ``in_use`` now.

    Raises
    ------
    ConfigurationError
        When there is no version in the folder, its classes are not the workspace's, or rounds would have
        nothing to go on from.
    DataError
        When it is damaged.
    """
    loaded = load_folder(folder)
    require_classes(f"The model {folder}", loaded.info, loop.dataset)
    if use:
        _require_teacher(loop, loaded.info)
    models = loop.workspace.models
    known = models.find(loaded.info.digest)
    version = known or _add(loop, loaded)
    if use:
        _serve(loop, version)
        _tell_size(loaded.info)
    return {
        "version": version,
        "imported_from": str(folder),
        "added": known is None,
        "in_use": models.current(),
    }


def _add(loop: Loop, loaded: LoadedModel) -> str:
    info = loaded.info
    # What the other store says stays apart: its rounds, students and parents are not those of this workspace.
    origin = {
        "version": info.version,
        "parents": list(info.parents),
        "created_at": info.created_at.isoformat(),
        "training": info.training,
    }
    return loop.workspace.models.add(
        loaded.network,
        info.spec,
        loaded.classes,
        metrics=info.metrics,
        parents=[],
        training={"imported": origin},
        input_size=info.input_size,
    )


def _trains_on(loop: Loop, info: ModelInfo) -> bool:
    return architecture(info.spec) == architecture(loop.network_spec)


def _require_teacher(loop: Loop, info: ModelInfo) -> None:
    if loop.workspace.models.teacher() is None and not _trains_on(loop, info):
        raise ConfigurationError(
            f"{info.version} is {architecture(info.spec)}, but [network] of {loop.config.file} describes "
            f"{architecture(loop.network_spec)}, and the workspace has no model yet that rounds could go on "
            "from. Train one first with 'controller train', set [network] to the imported one's, or leave "
            "--use away."
        )


def _tell_size(info: ModelInfo) -> None:
    if info.input_size is not None:
        height, width = info.input_size
        log.warning(
            "%s was trained on images resized to %dx%d, but a workspace shows it images in their own size. "
            "Where theirs is another, measure it with 'controller evaluate --workspace', or train one "
            "without --size.",
            info.version,
            width,
            height,
        )


def _serve(loop: Loop, version: str) -> None:
    models = loop.workspace.models
    if _trains_on(loop, models.info(version)):
        point(loop, version, None)
        return
    models.teach(models.teacher())
    models.use(version)
