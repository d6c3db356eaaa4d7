"""Sessions, constraints, time zones, schema versions, and many processes at once."""

import multiprocessing
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import MetaData, UniqueConstraint, func, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError, StatementError

import tenth
from tenth.errors import ConfigurationError
from tenth.workspace.database import (
    SCHEMA_VERSION,
    Answer,
    Database,
    Event,
    Image,
    Problem,
    Region,
    Round,
    SchemaInfo,
    Step,
)
from tenth.workspace.inbox import Inbox
from tenth.workspace.schema import Base

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(database_url)
    database.create()
    return database


def a_round(number: int = 1) -> Round:
    return Round(number=number, strategy="sp-crf", seed=0, model_version="v0001-00000000")


def an_image(number: int = 1) -> Image:
    return Image(key=f"train/{number}", source=f"/x/{number}.png", role="pool", height=4, width=6)


def a_region(superpixel: int = 3, image: int = 1) -> Region:
    return Region(
        id=f"r1-{image:06d}-{superpixel:04d}", round=1, image_id=image, superpixel=superpixel, area=9,
        score=1.5, guess=2, confidence=0.5, x=0, y=0, width=4, height=4, scale=8,
    )  # fmt: skip


def an_answer(annotation: int, region: str = "r1-000001-0003") -> Answer:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    return Answer(
        region_id=region, kind="class", label=2, annotator="a@b", annotation_id=annotation, keys=1,
        completed_at=moment,
    )  # fmt: skip


def test_what_is_stored_comes_back(database: Database):
    with database.session() as session:
        session.add_all([a_round(), an_image()])
        session.flush()
        session.add(a_region())
        session.add(Step(round=1, name="score", seconds=2.5, result={"iou": [0.5, float("nan")], "ä": 1}))
        session.flush()
        session.add(an_answer(7))
        session.add(Problem(round=1, task_id=3, region_id="foreign", reason="unknown label 'x'"))
    with database.reading() as session:
        assert session.scalars(select(Round)).one().state == "open"
        region = session.scalars(select(Region)).one()
        assert (region.state, region.score, region.task_id) == ("selected", 1.5, None)
        # NaN has no place in JSON: the same on every database.
        assert session.get_one(Step, (1, "score")).result == {"iou": [0.5, None], "ä": 1}
        answer = session.scalars(select(Answer)).one()
        assert answer.completed_at == datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
        assert session.scalars(select(Problem)).one().region_id == "foreign"


def test_moments_are_aware_and_utc(database: Database):
    tokyo = datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=9)))
    before = datetime.now(UTC)
    with database.session() as session:
        session.add(Event(action="X", project=1, payload={}, handled_at=tokyo))
    with database.reading() as session:
        event = session.scalars(select(Event)).one()
        assert event.handled_at == tokyo
        assert event.handled_at.utcoffset() == event.received_at.utcoffset() == timedelta(0)
        assert before <= event.received_at <= datetime.now(UTC)
        assert session.scalar(select(Event.id).where(Event.handled_at == tokyo)) == event.id
        assert session.scalar(select(Event.id).where(Event.handled_at < tokyo)) is None


def test_naive_moments_are_refused(database: Database):
    with pytest.raises(StatementError, match="no time zone"), database.session() as session:
        session.add(Event(action="X", payload={}, handled_at=datetime(2026, 1, 1)))


def test_foreign_keys_unique_keys_and_states_are_enforced(database: Database):
    with database.session() as session:
        session.add_all([a_round(), an_image()])
        session.flush()
        session.add(a_region())
    for broken in (a_region(image=99), an_image(), Step(round=9, name="x", seconds=0, result={})):
        with pytest.raises(IntegrityError), database.session() as session:
            session.add(broken)
    twice = a_region()
    twice.id = "other"
    with pytest.raises(IntegrityError), database.session() as session:
        session.add(twice)
    with pytest.raises(DatabaseError), database.session() as session:
        session.execute(text("UPDATE images SET role = 'nonsense'"))
    with pytest.raises(StatementError), database.session() as session:
        session.add(Image(key="z", source="z", role="nonsense", height=1, width=1))


def test_an_error_rolls_back(database: Database):
    with pytest.raises(KeyError), database.session() as session:
        session.add(a_round())
        session.flush()
        raise KeyError
    with database.reading() as session:
        assert session.scalars(select(Round)).all() == []


def test_a_reading_session_cannot_write(database: Database):
    with (
        pytest.raises((ConfigurationError, DatabaseError), match=r"(?i)read.?only"),
        database.reading() as session,
    ):
        session.add(a_round())
        session.commit()
    with database.session() as session:
        session.add(a_round())


def test_a_reader_sees_one_state_and_does_not_wait(database: Database):
    with database.reading() as reader:
        assert reader.scalar(select(func.count()).select_from(Round)) == 0
        with database.session() as writer:
            writer.add(a_round())
            writer.flush()
            with database.reading() as other:
                assert other.scalar(select(func.count()).select_from(Round)) == 0
        assert reader.scalar(select(func.count()).select_from(Round)) == 0
    with database.reading() as reader:
        assert reader.scalar(select(func.count()).select_from(Round)) == 1


def _count_up(url: str, times: int) -> None:
    database = Database(url)
    inbox = Inbox(database)
    for _ in range(times):
        with (
            database.session() as session
        ):  # read, then write: the case that deadlocks without BEGIN IMMEDIATE
            step = session.get_one(Step, (1, "count"), with_for_update=True)
            step.result = {"n": step.result["n"] + 1}
        inbox.put("ANNOTATION_CREATED", 1, {"pid": os.getpid()})
        inbox.pending(limit=3)


def test_many_processes_write_at_once(database: Database, database_url: str):
    with database.session() as session:
        session.add(a_round())
        session.flush()
        session.add(Step(round=1, name="count", seconds=0, result={"n": 0}))
    workers = [SPAWN.Process(target=_count_up, args=(database_url, 10)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with database.reading() as session:
        assert session.get_one(Step, (1, "count")).result == {"n": 30}
        assert session.scalar(select(func.count()).select_from(Event)) == 30


def _read_once(database: Database) -> None:
    with database.reading() as session:
        assert session.scalar(select(SchemaInfo.version)) == SCHEMA_VERSION


def test_a_forked_worker_opens_its_own_connections(database: Database):
    _read_once(database)  # leaves a connection in the pool, where there is one
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=_read_once, args=(database,)) for _ in range(3)]
    for worker in workers:
        worker.start()
        _read_once(database)
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    _read_once(database)


def test_creating_twice_is_harmless_until_there_is_data(database: Database, database_url: str):
    Database(database_url).create()
    with database.session() as session:
        session.add(an_image())
    with pytest.raises(ConfigurationError, match=r"another workspace's images"):
        Database(database_url).create()


@pytest.mark.parametrize(("version", "remedy"), [(0, "Finish it with Tenth 0.0.1"), (99, "Update Tenth")])
def test_workspaces_of_other_versions_are_refused(database: Database, version: int, remedy: str):
    database.check()
    with database.session() as session:
        found = session.scalars(select(SchemaInfo)).one()
        found.version, found.tenth_version = version, "0.0.1"
    with pytest.raises(ConfigurationError, match=rf"schema version {version}.*{remedy}"):
        database.check()


def test_another_label_studio_counts_its_annotations_from_1_again(database: Database):
    with database.session() as session:
        session.add_all([a_round(), an_image()])
        session.flush()
        session.add_all([a_region(3), a_region(4)])
        session.flush()
        session.add_all([an_answer(7, "r1-000001-0003"), an_answer(7, "r1-000001-0004")])
    with pytest.raises(IntegrityError), database.session() as session:
        session.add(an_answer(7))


def as_of_version_1(database: Database) -> None:
    """Make the table of the answers what it was, with ids unique over all rounds."""
    tables = MetaData()
    for table in Base.metadata.sorted_tables:
        table.to_metadata(tables)
    answers = tables.tables["answers"]
    answers.constraints = {each for each in answers.constraints if not isinstance(each, UniqueConstraint)}
    answers.append_constraint(UniqueConstraint("annotation_id"))
    with database.session() as session:
        answers.drop(session.connection())
        answers.create(session.connection())
        info = session.scalars(select(SchemaInfo)).one()
        info.version, info.tenth_version = 1, "0.0.1"


def test_a_workspace_of_version_1_is_migrated_and_keeps_its_answers(database: Database, database_url: str):
    as_of_version_1(database)
    with database.session() as session:
        session.add_all([a_round(), an_image()])
        session.flush()
        session.add_all([a_region(3), a_region(4)])
        session.flush()
        session.add_all([an_answer(9), an_answer(8), an_answer(7)])
    with database.session() as session:  # withdrawn, so that the ids have a gap
        session.delete(session.scalars(select(Answer).where(Answer.annotation_id == 8)).one())
    with database.reading() as session:
        ids = set(session.scalars(select(Answer.id)))
    with pytest.raises(IntegrityError), database.session() as session:
        session.add(an_answer(7, "r1-000001-0004"))

    processes = [SPAWN.Process(target=_check, args=(database_url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]

    with database.session() as session:
        info = session.scalars(select(SchemaInfo)).one()
        assert (info.version, info.tenth_version) == (SCHEMA_VERSION, tenth.__version__)
        session.add(an_answer(7, "r1-000001-0004"))
    with database.reading() as session:
        kept = session.scalars(select(Answer).order_by(Answer.id)).all()
    assert [(answer.region_id[-1], answer.annotation_id) for answer in kept] == [("3", 9), ("3", 7), ("4", 7)]
    assert {answer.completed_at for answer in kept} == {an_answer(7).completed_at}
    assert {answer.id for answer in kept[:2]} == ids  # label maps name them
    assert kept[2].id > max(ids)


def _check(url: str) -> None:
    Database(url).check()


def test_a_database_without_tables_is_refused(database_url: str, tmp_path: Path):
    database = Database(database_url)
    if database.is_sqlite:
        with pytest.raises(ConfigurationError, match="is missing"):
            database.check()
        assert not (tmp_path / "test.db").exists()
        (tmp_path / "test.db").touch()
    with pytest.raises(ConfigurationError, match="no tables of Tenth"):
        database.check()


def test_a_database_that_cannot_be_opened(tmp_path: Path):
    (tmp_path / "not-a-database.db").write_text("hello, this is not a database at all" * 100)
    with pytest.raises(ConfigurationError, match=r"not-a-database\.db"):
        Database(f"sqlite:///{tmp_path}/not-a-database.db").check()
    with pytest.raises(ConfigurationError, match=r"nowhere/x\.db"):
        Database(f"sqlite:///{tmp_path}/nowhere/x.db").create()
    with pytest.raises(ConfigurationError, match="server runs") as caught:
        Database("postgresql://me:hunter2@127.0.0.1:1/x").check()
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Database("nonsense")


def test_sqlite_is_set_up_for_sharing(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.create()
    with database.session() as session:
        settings = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous")
        }
        assert settings == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2}
        assert session.scalar(text("PRAGMA busy_timeout")) >= 10_000
