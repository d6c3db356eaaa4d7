"""The teachers that NAME=WHERE describes: found and checked without their weights, then loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.model_folder import holds_version, require_classes
from tenth.errors import ConfigurationError
from tenth.segmentation.dataset import FolderDataset
from tenth.segmentation.distillation.ensemble import check_temperature
from tenth.segmentation.distillation.huggingface import PREFIX, find_model
from tenth.segmentation.distillation.losses import Form
from tenth.segmentation.distillation.teachers import temperature_of
from tenth.segmentation.networks import NetworkSpec
from tenth.workspace.models import LoadedModel, ModelInfo, ModelStore

RESERVED = {"ensemble", "student"}
"""Names that reports use for what is no teacher."""


@dataclass(frozen=True)
class Teacher:
    """A model version under the name that reports call it by."""

    name: str
    model: LoadedModel

    @property
    def info(self) -> ModelInfo:
        """What is known about it."""
        return self.model.info

    @property
    def identity(self) -> str:
        """What tells it apart from all others."""
        return _identity(self.info)


@dataclass(frozen=True)
class FoundTeacher:
    """A teacher that is not in memory.

    Parameters
    ----------
    name : str
        What reports call it by.
    info : ModelInfo
        What is known about it.
    load_model : callable
        Reads its weights.
    """

    name: str
    info: ModelInfo
    load_model: Callable[[], LoadedModel]

    @property
    def identity(self) -> str:
        """What tells it apart from all others."""
        return _identity(self.info)

    def load(self) -> Teacher:
        """Read its weights; raises DataError when they are damaged."""
        return Teacher(self.name, self.load_model())


def _identity(info: ModelInfo) -> str:
    return f"{info.spec.name}:{info.digest}"


def find_teacher(text: str, dataset: FolderDataset) -> FoundTeacher:
    """Find the teacher that NAME=WHERE describes; its weights are not loaded.

    Parameters
    ----------
    text : str
        WHERE is the folder of a model version, WORKSPACE:VERSION, or ``hf:`` and what
        `tenth.segmentation.distillation.huggingface.find_model` takes.
    dataset : FolderDataset
        Its classes have to be the teacher's; those of a model of Hugging Face are matched with them.

    Raises
    ------
    ConfigurationError
        When the text is something else, there is no such model, or the classes differ.
    DataError
        When the model's description is damaged.
    """
    name, _, where = text.partition("=")
    if name and where.startswith(PREFIX):
        return _from_huggingface(name, where.removeprefix(PREFIX), dataset)
    folder = Path(where)
    if not holds_version(folder):
        workspace, _, version = where.rpartition(":")
        folder = Path(workspace) / "models" / version
    if not name or not holds_version(folder):
        raise ConfigurationError(
            f"'{text}' names no teacher: write NAME=FOLDER with the folder of a model version (the one with "
            "model.json in it), NAME=WORKSPACE:VERSION, or NAME=hf:MODEL with a folder or id of Hugging Face."
        )
    models = ModelStore(folder.parent)
    info = models.info(folder.name)
    require_classes(f"Teacher '{name}'", info, dataset)
    return FoundTeacher(name, info, lambda: models.load(folder.name))


def _from_huggingface(name: str, where: str, dataset: FolderDataset) -> FoundTeacher:
    """Describe a model of Hugging Face the way model versions are described."""
    found = find_model(where, dataset.classes.names)
    info = ModelInfo(
        version=f"{PREFIX}{where}",
        spec=NetworkSpec(found.kind, len(dataset.classes), {"model": found.where}),
        classes=dataset.classes,
        input_size=None,
        metrics={},
        training={},
        parents=(),
        created_at=datetime.fromtimestamp((found.folder / "config.json").stat().st_mtime, UTC),
        git_commit=None,
        libraries={},
        digest=found.digest(),
    )
    return FoundTeacher(name, info, lambda: LoadedModel(found.load(), dataset.classes, info))


def find_teachers(texts: Sequence[str], dataset: FolderDataset) -> list[FoundTeacher]:
    """Find several teachers, each under a name of its own; see `find_teacher` for what is raised."""
    teachers = [find_teacher(text, dataset) for text in texts]
    if len({teacher.name for teacher in teachers} - RESERVED) < len(teachers):
        raise name_clash(teacher.name for teacher in teachers)
    return teachers


def name_clash(names: Iterable[str]) -> ConfigurationError:
    """Return the error that says that teachers cannot be told apart by these names."""
    return ConfigurationError(
        f"The teachers are called {', '.join(names)}; give each a name of its own, neither 'ensemble' nor "
        "'student'."
    )


def load_teacher(text: str, dataset: FolderDataset) -> Teacher:
    """Find a teacher and read its weights; see `find_teacher` and `FoundTeacher.load` for what is raised."""
    return find_teacher(text, dataset).load()


def temperatures_of(
    teachers: Sequence[Teacher | FoundTeacher], given: Sequence[float], form: Form = "kl"
) -> list[float]:
    """Return one temperature a teacher: those given, in order, or the usual ones by network and form.

    Raises
    ------
    ConfigurationError
        When there are more or fewer than teachers, or one is no number above 0.
    """
    if given and len(given) != len(teachers):
        raise ConfigurationError(
            f"{len(given)} temperatures do not fit {len(teachers)} teachers; give one for each, in order, "
            "or none."
        )
    for temperature in given:
        check_temperature(temperature)
    return list(given) or [temperature_of(teacher.info.spec.name, form) for teacher in teachers]
