"""Webhooks, kept until the controller has acted on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select, update

from tenth.workspace.database import Database
from tenth.workspace.plain_json import plain
from tenth.workspace.schema import Event, utc_now


class Inbox:
    """The events of a workspace; any number of processes may put, one takes.

    Parameters
    ----------
    database : Database
        Where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, action: str, project: int | None, payload: Mapping[str, Any]) -> int:
        """Keep an event.

        Parameters
        ----------
        action : str
            Label Studio's name of it, such as ``"ANNOTATION_CREATED"``.
        project : int or None
            The project it is about, where that is known.
        payload : mapping
            The webhook's body.

        Returns
        -------
        int
            The event's id, once it is on the disk.
        """
        event = Event(action=action, project=project, payload=plain(payload))
        with self._database.session() as session:
            session.add(event)
        return event.id

    def pending(self, limit: int = 1000) -> list[Event]:
        """Return the oldest events that nobody has handled, in the order of their arrival."""
        with self._database.reading() as session:
            query = select(Event).where(Event.handled_at.is_(None)).order_by(Event.id).limit(limit)
            return list(session.scalars(query))

    def handled(self, ids: Iterable[int]) -> None:
        """Mark events as handled; those that were already keep their time."""
        with self._database.session() as session:
            session.execute(
                update(Event)
                .where(Event.id.in_(list(ids)), Event.handled_at.is_(None))
                .values(handled_at=utc_now())
            )
