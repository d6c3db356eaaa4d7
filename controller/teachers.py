"""Whom the student of a round learns from: what `[distill] teachers` names, found, checked and loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from controller.find_teacher import FoundTeacher, find_teacher, name_clash, temperatures_of
from controller.loop import Loop
from controller.train import trained_network
from tenth.errors import ConfigurationError, DataError
from tenth.segmentation.distillation.teachers import temperature_of
from tenth.segmentation.networks import SegmentationNetwork
from tenth.segmentation.training.checkpoint import digest_of
from tenth.workspace.database import Round
from tenth.workspace.model_info import number_of

NEW = "new"
"""The model that the round has just trained; it is no version yet."""

HUGGING_FACE = "hf:"

_PREVIOUS = re.compile(r"previous:([1-9]\d{0,3})")


@dataclass(frozen=True)
class Named:
    """A teacher that is not loaded.

    Parameters
    ----------
    name : str
        `NEW`, a version of the workspace, or the NAME or folder that the configuration gives it.
    text : str
        For `controller.find_teacher.find_teacher`; empty for `NEW`.
    temperature : float or None
        The configured one; ``None``: that of its network.
    """

    name: str
    text: str
    temperature: float | None


@dataclass(frozen=True)
class RoundTeacher:
    """A teacher in memory.

    Parameters
    ----------
    name : str
        See `Named`.
    version : str
        The model version, `NEW` for the one that is none yet.
    identity : str
        What tells it apart from all others.
    temperature : float
        What softens it.
    network : SegmentationNetwork
        In evaluation mode.
    """

    name: str
    version: str
    identity: str
    temperature: float
    network: SegmentationNetwork


def named_teachers(loop: Loop) -> list[Named]:
    """Return the configured teachers, ``previous:N`` taken apart, each once.

    One that is named again, as a version that ``previous:N`` stands for too may be, counts where it comes
    first.

    Raises
    ------
    ConfigurationError
        When there is none, because only earlier rounds are named and none is closed, or when several have one
        name.
    """
    settings = loop.config.distill
    temperatures = settings.temperatures or (None,) * len(settings.teachers)
    found: dict[tuple[str, str], Named] = {}
    for entry, temperature in zip(settings.teachers, temperatures, strict=True):
        for name, text in _expanded(loop, entry):
            found.setdefault((name, text), Named(name, text, temperature))
    if not found:
        raise ConfigurationError(
            f"[distill] teachers = {list(settings.teachers)} in {loop.config.file} names models of earlier "
            f'rounds only, and no round is closed yet. Add "{NEW}", the model that the round trains.'
        )
    teachers = list(found.values())
    if len({teacher.name for teacher in teachers}) < len(teachers):
        error = name_clash(teacher.name for teacher in teachers)
        raise ConfigurationError(f"[distill] teachers in {loop.config.file}: {error}")
    return teachers


def most_teachers(entries: Sequence[str]) -> int:
    """Return how many teachers the entries of the setting will stand for once there are enough rounds."""
    counts = [_PREVIOUS.fullmatch(entry) for entry in entries]
    return sum(int(match[1]) if match else 1 for match in counts)


def check_teachers(loop: Loop) -> list[Named]:
    """See that every configured teacher is there and knows the data set's classes; return them, not loaded.

    Raises
    ------
    ConfigurationError
        When one is not or does not.
    DataError
        When its description is damaged.
    """
    teachers = named_teachers(loop)
    for teacher in teachers:
        if teacher.text:
            found_teacher(loop, teacher)
    return teachers


def found_teacher(loop: Loop, teacher: Named) -> FoundTeacher:
    """Find a teacher other than `NEW`; see `check_teachers` for what is raised."""
    try:
        return find_teacher(teacher.text, loop.dataset)
    except ConfigurationError as error:
        raise ConfigurationError(f"[distill] teachers in {loop.config.file}: {error}") from error


def load_teachers(loop: Loop, name: str) -> list[RoundTeacher]:
    """Load the configured teachers; ``new`` is what `controller.train.fit_network` left under `name`."""
    return [_loaded(loop, name, teacher) for teacher in named_teachers(loop)]


def _loaded(loop: Loop, name: str, teacher: Named) -> RoundTeacher:
    form = loop.config.distill.form
    if not teacher.text:
        network, spec = trained_network(loop, name), loop.network_spec
        identity = f"{spec.name}:{digest_of(network.state_dict())}"
        temperature = teacher.temperature or temperature_of(spec.name, form)
        return RoundTeacher(NEW, NEW, identity, temperature, network)
    found = found_teacher(loop, teacher).load()
    (temperature,) = temperatures_of([found], [teacher.temperature] if teacher.temperature else [], form)
    return RoundTeacher(teacher.name, found.info.version, found.identity, temperature, found.model.network)


def _expanded(loop: Loop, entry: str) -> Iterator[tuple[str, str]]:
    """Yield names and texts of the teachers that an entry of the setting stands for."""
    if entry == NEW:
        yield NEW, ""
    elif match := _PREVIOUS.fullmatch(entry):
        for version in previous_versions(loop, int(match[1])):
            yield version, f"{version}={loop.workspace.models.folder / version}"
    elif number_of(entry):
        try:
            loop.workspace.models.info(entry)
        except DataError as error:
            raise ConfigurationError(f"[distill] teachers in {loop.config.file}: {error}") from error
        yield entry, f"{entry}={loop.workspace.models.folder / entry}"
    else:
        yield _located(loop, entry)


def previous_versions(loop: Loop, count: int) -> list[str]:
    """Return the versions of the last `count` closed rounds, the newest first."""
    with loop.workspace.database.reading() as session:
        query = select(Round.trained_version).where(Round.state == "closed").order_by(Round.number.desc())
        trained = [version for version in session.scalars(query) if version is not None]
    return trained[:count]


def _located(loop: Loop, entry: str) -> tuple[str, str]:
    """Return name and text of FOLDER, NAME=FOLDER or NAME=WORKSPACE:VERSION.

    Relative paths are relative to the configuration's folder, as all in that file are.
    """
    name, equals, where = entry.partition("=")
    if not equals:
        name, where = Path(entry).name, entry
    if where.startswith(HUGGING_FACE):
        return name, f"{name}={_beside(loop, where)}"
    beside = loop.config.file.parent / Path(where).expanduser()
    folder = _version_folder(str(beside))
    if folder is not None:
        return name, f"{name}={folder}"
    if not equals:
        raise ConfigurationError(
            f"[distill] teachers in {loop.config.file} has '{entry}', which is no teacher: '{beside}' holds "
            f'no model.json. Write "{NEW}", "previous:2", a version of this workspace (`controller status`), '
            'the folder of a model version, or "NAME=WORKSPACE:VERSION".'
        )
    return name, entry


def _beside(loop: Loop, where: str) -> str:
    """Return hf:MODEL or hf:MODEL#MAPPING, what lies beside the configuration as a path of its own."""
    model, hash_, mapping = where.removeprefix(HUGGING_FACE).partition("#")
    folder = loop.config.file.parent
    parts = [str(folder / each) if each and (folder / each).exists() else each for each in (model, mapping)]
    return f"{HUGGING_FACE}{parts[0]}{hash_}{parts[1]}"


def _version_folder(where: str) -> Path | None:
    """Return the folder of the model version that FOLDER or WORKSPACE:VERSION names, if there is one."""
    workspace, _, version = where.rpartition(":")
    for folder in (Path(where), Path(workspace) / "models" / version):
        if (folder / "model.json").is_file():
            return folder
    return None
