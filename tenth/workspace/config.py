"""`controller.toml`: read, checked, and its paths made absolute."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import Field, PrivateAttr, ValidationError
from sqlalchemy import make_url

from tenth.errors import ConfigurationError
from tenth.workspace.config_errors import explain
from tenth.workspace.distill_settings import DistillSection
from tenth.workspace.section import Section
from tenth.workspace.settings import (
    BackendSection,
    CRFSection,
    DatabaseSection,
    DataSection,
    LabelsSection,
    LabelStudioSection,
    NetworkSection,
    SelectionSection,
    SuperpixelsSection,
    TrainingSection,
)

CONFIG_NAME = "controller.toml"

S = TypeVar("S", bound=Section)


class Config(Section):
    """All settings of a workspace; immutable.

    Attributes are the file's sections: ``config.training.batch_size``. Paths are absolute after `load`.
    """

    data: DataSection = Field(default_factory=DataSection)
    network: NetworkSection = Field(default_factory=NetworkSection)
    training: TrainingSection = Field(default_factory=TrainingSection)
    crf: CRFSection = Field(default_factory=CRFSection)
    superpixels: SuperpixelsSection = Field(default_factory=SuperpixelsSection)
    selection: SelectionSection = Field(default_factory=SelectionSection)
    labels: LabelsSection = Field(default_factory=LabelsSection)
    distill: DistillSection = Field(default_factory=DistillSection)
    label_studio: LabelStudioSection = Field(default_factory=LabelStudioSection)
    backend: BackendSection = Field(default_factory=BackendSection)
    database: DatabaseSection = Field(default_factory=DatabaseSection)

    _file: Path = PrivateAttr(default=Path(CONFIG_NAME))

    @property
    def file(self) -> Path:
        """The file that these settings were read from."""
        return self._file

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read and check a file.

        Parameters
        ----------
        path : str or Path
            A TOML file, UTF-8.

        Raises
        ------
        ConfigurationError
            When it is missing, no TOML, or a key or a value cannot be used; the message names file, section,
            key, value, the reason and the remedy, for all of them at once.
        """
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigurationError(
                f"There is no {file}. Make a workspace with `controller init`, or name it with --workspace."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{file} cannot be read: {error}. Make it a readable UTF-8 file."
            ) from error
        return cls.parse(text, file)

    @classmethod
    def parse(cls, text: str, file: str | Path) -> Config:
        """Check the text of a file that need not exist; see `load`."""
        file = Path(file).expanduser().absolute()
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                f"{file} is not valid TOML: {error}. Texts need quotes, and every [section] may appear once."
            ) from None
        return cls.from_values(values, file)

    @classmethod
    def from_values(cls, values: Mapping[str, object], file: str | Path) -> Config:
        """Check settings given as nested mappings; see `load`."""
        file = Path(file).expanduser().absolute()
        try:
            checked = cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigurationError(explain(error, cls, file)) from None
        resolved = checked._resolved(file.parent)
        resolved._file = file
        return resolved

    def _resolved(self, folder: Path) -> Config:
        """Return a copy whose paths do not depend on the current directory."""
        weights = self.network.weights
        return self.model_copy(
            update={
                "data": _with(
                    self.data,
                    dataset=_absolute(self.data.dataset, folder),
                    pool=_absolute(self.data.pool, folder),
                ),
                "network": _with(
                    self.network, weights=weights if weights == "imagenet" else _absolute(weights, folder)
                ),
                "label_studio": _with(
                    self.label_studio,
                    crop_folder=_absolute(self.label_studio.crop_folder, folder),
                    crop_url=_absolute(self.label_studio.crop_url, folder),
                ),
                "database": _with(self.database, url=absolute_database_url(self.database.url, folder)),
            }
        )


def _with(section: S, **values: str) -> S:
    return section.model_copy(update=values)


def _absolute(value: str, folder: Path) -> str:
    """Return a path below `folder` made absolute; URLs and the empty text stay."""
    if not value or "://" in value:
        return value
    return str((folder / Path(value).expanduser()).resolve())


def absolute_database_url(value: str, folder: Path) -> str:
    """Return the URL with the path of an SQLite file made absolute below `folder`."""
    if not value.startswith("sqlite"):
        return value
    url = make_url(value)
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(
            f"The database {value!r} would be lost when a command ends and cannot be shared. "
            "Name a file, as in 'sqlite:///tenth.db', or leave [database] url empty."
        )
    return url.set(database=_absolute(url.database, folder)).render_as_string(hide_password=False)
