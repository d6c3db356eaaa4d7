"""A workspace: the folder that outlives every process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from tenth.errors import ConfigurationError
from tenth.workspace.arrays import ArrayStore
from tenth.workspace.config import CONFIG_NAME, Config
from tenth.workspace.database import Database, Region, Round
from tenth.workspace.files import write_text
from tenth.workspace.inbox import Inbox
from tenth.workspace.lock import exclusive_lock
from tenth.workspace.secrets import database_url

if TYPE_CHECKING:
    from tenth.workspace.models import ModelStore


class OpenGroup(NamedTuple):
    """The round that people are answering."""

    round: int
    model_version: str | None


class Workspace:
    """Configuration, database, arrays, models and inbox of one project.

    ::

        controller.toml   settings
        tenth.db          rounds, regions, answers (unless [database] url says otherwise)
        arrays/           label maps, superpixels
        models/           model versions and the pointer to the current one
        lock              who is at work

    Make one with `create`, open it with `open`.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config
        self.database = Database(database_url(config.database.url) or f"sqlite:///{folder / 'tenth.db'}")
        self.inbox = Inbox(self.database)

    @classmethod
    def create(cls, folder: str | Path, toml: str) -> Workspace:
        """Make a workspace.

        Parameters
        ----------
        folder : str or Path
            Made when missing.
        toml : str
            The text of its `controller.toml`; `default_toml` writes one.

        Raises
        ------
        ConfigurationError
            When there is a workspace already, the text is not valid, or the database cannot be used.
        """
        folder = Path(folder).expanduser().absolute()
        file = folder / CONFIG_NAME
        if file.exists():
            raise ConfigurationError(
                f"{folder} is a workspace already. Go on with it, or choose another folder with --workspace."
            )
        workspace = cls(folder, Config.parse(toml, file))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            workspace.database.create()
            write_text(file, toml)  # last: where it is, the workspace is whole
        except OSError as error:
            raise ConfigurationError(
                f"The workspace {folder} cannot be made: {error}. Choose a folder that you may write to."
            ) from error
        return workspace

    @classmethod
    def open(cls, folder: str | Path) -> Workspace:
        """Open a workspace.

        Raises
        ------
        ConfigurationError
            When there is none, its settings are not valid, or its database was made by another version.
        """
        folder = Path(folder).expanduser().absolute()
        workspace = cls(folder, Config.load(folder / CONFIG_NAME))
        workspace.database.check()
        return workspace

    @cached_property
    def arrays(self) -> ArrayStore:
        """Label maps, superpixels and painted answers."""
        return ArrayStore(self.folder / "arrays")

    @cached_property
    def models(self) -> ModelStore:
        """Model versions."""
        from tenth.workspace.models import ModelStore  # imports torch, which `status` can do without

        return ModelStore(self.folder / "models")

    def lock(self) -> AbstractContextManager[None]:
        """Keep other commands out while the context lasts.

        Raises
        ------
        ConfigurationError
            On entering, when one is at work; the message names it. The lock of a dead process does not count.
        """
        return exclusive_lock(self.folder / "lock")

    def open_group(self) -> OpenGroup | None:
        """Return the round whose regions are pushed and which is not closed, if there is one."""
        pushed = select(Region.id).where(Region.round == Round.number, Region.state != "selected").exists()
        query = select(Round).where(Round.state == "open", pushed).order_by(Round.number.desc()).limit(1)
        with self.database.reading() as session:
            found = session.scalars(query).first()
        return OpenGroup(found.number, found.model_version) if found else None
