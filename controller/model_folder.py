"""A model version by the folder that it is in, whether or not that belongs to a workspace."""

from __future__ import annotations

from pathlib import Path

from tenth.errors import ConfigurationError
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.inference import ImagePredictor, Predictor
from tenth.segmentation.resized import ResizedPredictor
from tenth.workspace.models import LoadedModel, ModelInfo, ModelStore


def holds_version(folder: Path) -> bool:
    """Tell whether a folder is that of a model version."""
    return (folder / "model.json").is_file()


def load_folder(folder: Path) -> LoadedModel:
    """Read the model version in a folder, checking its digest.

    Raises
    ------
    ConfigurationError
        When there is no model version, or its network comes from a package that is not installed.
    DataError
        When it is damaged, or the folder has another name than the version.
    """
    folder = folder.absolute()  # "." has no name
    if not holds_version(folder):
        raise ConfigurationError(
            f"{folder} is no model version: there is no model.json in it. Name the folder of one version, "
            "such as models/v0001-5f2bffd0."
        )
    return ModelStore(folder.parent).load(folder.name)


def predictor_of(loaded: LoadedModel) -> ImagePredictor:
    """Return what predicts images of any size with a version, at the size of its training if it had one."""
    predictor = Predictor(loaded.network)
    size = loaded.info.input_size
    return predictor if size is None else ResizedPredictor(predictor, size)


def require_classes(what: str, info: ModelInfo, dataset: FolderDataset) -> None:
    """Refuse a model that knows other classes than a data set has, or in another order.

    Parameters
    ----------
    what : str
        The model, for the message, which begins with it.
    info : ModelInfo
        What is known about it.
    dataset : FolderDataset
        Names are compared; colours and keys are free.

    Raises
    ------
    ConfigurationError
        When they differ.
    """
    if info.classes.names != dataset.classes.names:
        raise ConfigurationError(
            f"{what} knows the classes {', '.join(info.classes.names)}, but {dataset.root} has "
            f"{', '.join(dataset.classes.names)}. Take one trained on the same classes."
        )
