"""Events wait until they are handled, in the order of their arrival."""

from tenth.workspace.database import Database, Event
from tenth.workspace.inbox import Inbox


def test_events_wait_until_handled(database_url: str):
    database = Database(database_url)
    database.create()
    inbox = Inbox(database)
    assert inbox.pending() == []
    payload = {"annotation": {"id": 5, "result": [{"value": None}]}, "é": "ß"}
    first = inbox.put("ANNOTATION_CREATED", 3, payload)
    second = inbox.put("START_TRAINING", None, {})
    third = inbox.put("ANNOTATION_CREATED", 3, {})
    assert first < second < third
    event = inbox.pending()[0]
    assert (event.id, event.action, event.project, event.payload) == (first, "ANNOTATION_CREATED", 3, payload)
    assert [event.id for event in inbox.pending(limit=2)] == [first, second]

    inbox.handled([first, third])
    assert [event.id for event in inbox.pending()] == [second]
    with database.reading() as session:
        handled_at = session.get_one(Event, first).handled_at
    inbox.handled([first])
    inbox.handled([])
    with database.reading() as session:
        assert session.get_one(Event, first).handled_at == handled_at


def test_ids_are_never_used_again(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.create()
    inbox = Inbox(database)
    last = [inbox.put("X", 1, {}) for _ in range(3)][-1]
    with database.session() as session:
        session.delete(session.get_one(Event, last))
    assert inbox.put("X", 1, {}) > last
