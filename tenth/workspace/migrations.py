"""How the tables of an earlier version become those of this one: one function a schema version."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, func, insert, select

from tenth.workspace.schema import Answer, Base


def answers_of_any_server(connection: Connection) -> None:
    """Let an annotation's id be unique within its region: every new Label Studio counts from 1 again.

    SQLite cannot drop a constraint, so the table is made anew. Rows keep their ids, which label maps name.
    """
    table = Base.metadata.tables[Answer.__tablename__]
    rows = connection.execute(select(table).order_by(table.c.id)).mappings().all()
    table.drop(connection)
    table.create(connection)
    if rows:
        connection.execute(insert(table), [dict(row) for row in rows])
    if rows and connection.dialect.name == "postgresql":  # its counter has not seen these ids
        counter = func.pg_get_serial_sequence(table.name, "id")
        connection.execute(select(func.setval(counter, max(row["id"] for row in rows))))


MIGRATIONS: dict[int, Callable[[Connection], None]] = {1: answers_of_any_server}
"""Schema version → what makes it the next one, within a transaction."""
