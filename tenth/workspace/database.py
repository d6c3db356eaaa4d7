"""Sessions on a workspace's database: SQLite by default, PostgreSQL by URL.

SQLite runs in WAL mode, so that readers and the one writer do not wait for each other. A writing session
takes the write lock when it begins (BEGIN IMMEDIATE): a transaction that read first and wrote later would
fail at once instead of waiting when another process had written in between.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import tenth
from tenth.errors import ConfigurationError
from tenth.workspace.migrations import MIGRATIONS
from tenth.workspace.plain_json import dumps
from tenth.workspace.schema import (
    SCHEMA_VERSION,
    Answer,
    AnswerKind,
    Base,
    Event,
    Image,
    Problem,
    Region,
    RegionState,
    Role,
    Round,
    RoundState,
    SchemaInfo,
    Step,
    utc_now,
)

__all__ = [
    "SCHEMA_VERSION",
    "Answer",
    "AnswerKind",
    "Database",
    "Event",
    "Image",
    "Problem",
    "Region",
    "RegionState",
    "Role",
    "Round",
    "RoundState",
    "SchemaInfo",
    "Step",
    "utc_now",
]

_BUSY_MILLISECONDS = 30_000


class Database:
    """A database of rounds, images, regions and answers.

    Parameters
    ----------
    url : str
        ``sqlite:////absolute/file`` or ``postgresql://user@host/name``.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url)
        self._reading = self.engine.execution_options(tenth_reading=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is an SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session that writes: committed at the end, rolled back when an error leaves it.

        Keep it short: on SQLite all other writers wait. Objects stay readable after the end.
        """
        with (
            _explained(self.url),
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that only reads, one consistent state, without waiting for writers."""
        with (
            _explained(self.url),
            Session(self._reading, expire_on_commit=False, autoflush=False) as session,
        ):
            yield session

    def create(self) -> None:
        """Make the tables; does nothing when an earlier attempt got that far.

        Raises
        ------
        ConfigurationError
            When the database belongs to another workspace already, or cannot be reached.
        """
        with self.session() as session:
            if not inspect(session.connection()).has_table(SchemaInfo.__tablename__):
                Base.metadata.create_all(session.connection())
                session.add(SchemaInfo(id=1, version=SCHEMA_VERSION, tenth_version=tenth.__version__))
        self.check()
        with self.reading() as session:
            used = [model.__tablename__ for model in (Round, Image) if session.scalar(_count(model))]
        if used:
            raise ConfigurationError(
                f"The database {self.url!r} holds another workspace's {used[0]} already. "
                "Give every workspace a database of its own ([database] url)."
            )

    def check(self) -> None:
        """Check that the tables are there, and bring those of an earlier version into their present shape.

        Raises
        ------
        ConfigurationError
            When they are not there, their version is too old or too new, or the database cannot be reached.
        """
        if self.is_sqlite and not Path(str(self.url.database)).is_file():
            raise ConfigurationError(
                f"The workspace's database {self.url.database} is missing. Restore it from a backup, "
                "or make a new workspace with `controller init`."
            )
        with self.reading() as session:
            if not inspect(session.connection()).has_table(SchemaInfo.__tablename__):
                raise ConfigurationError(
                    f"The database {self.url!r} has no tables of Tenth. Check [database] url, "
                    "or make a new workspace with `controller init`."
                )
            found = session.scalars(select(SchemaInfo)).one()
        if found.version in MIGRATIONS:
            found = self._migrate()
        if found.version == SCHEMA_VERSION:
            return
        made = f"The workspace was made by Tenth {found.tenth_version} with schema version {found.version}"
        remedy = (
            f"Update Tenth (this is {tenth.__version__})"
            if found.version > SCHEMA_VERSION
            else f"Finish it with Tenth {found.tenth_version}, or make a new workspace with `controller init`"
        )
        raise ConfigurationError(f"{made}, but this one works with {SCHEMA_VERSION}. {remedy}.")

    def _migrate(self) -> SchemaInfo:
        """Bring the tables into their present shape, in one transaction; return what they are now."""
        with self.session() as session:
            # Locked: of several processes that start at once, one migrates.
            info = session.scalars(select(SchemaInfo).with_for_update()).one()
            while info.version in MIGRATIONS:
                MIGRATIONS[info.version](session.connection())
                info.version += 1
                info.tenth_version = tenth.__version__
        return info


def _count(model: type[Base]) -> Any:
    return select(func.count()).select_from(model)


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError):
        raise ConfigurationError(
            "The database's URL cannot be read. Write 'sqlite:////absolute/file' or 'postgresql://user@host/name'."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    """Turn what the driver says when there is no database into an error for the user."""
    try:
        yield
    except DatabaseError as error:
        if not isinstance(error, OperationalError) and type(error) is not DatabaseError:
            raise  # a broken constraint is a mistake of ours; a file that is no database is not
        raise ConfigurationError(
            f"The database {url!r} cannot be used: {str(error.orig).strip()}. "
            "Check [database] url, and that the server runs and the folder can be written."
        ) from error


def _sqlite(url: URL) -> Engine:
    # A connection a session: none can be carried over a fork (gunicorn), which SQLite forbids.
    engine = create_engine(url, poolclass=NullPool, json_serializer=dumps)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA foreign_keys = ON")
        mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        cursor.close()
        if mode != "wal":
            raise ConfigurationError(
                f"{url.database} lies on a file system where SQLite cannot share a database (journal mode "
                f"{mode}). Put the workspace on a local disk, or use PostgreSQL ([database] url)."
            )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("tenth_reading"):
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, json_serializer=dumps)
    except ImportError as error:
        raise ConfigurationError(
            "PostgreSQL needs its driver. Install it with `pip install 'tenth[postgres]'`."
        ) from error

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("tenth_reading"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    reference = weakref.ref(engine)

    def forget_connections() -> None:
        # A forked worker must not talk on its parent's connections.
        if (engine := reference()) is not None:
            engine.dispose(close=False)

    os.register_at_fork(after_in_child=forget_connections)
    return engine
