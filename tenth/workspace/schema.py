"""The tables of a workspace: images, rounds, steps, regions, answers, problems and webhook events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import JSON, DateTime, Dialect, Enum, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 2
"""Raised whenever a table or a column changes; `migrations` makes the version before it this one."""

Role = Literal["initial", "pool", "asked"]
RoundState = Literal["open", "closed"]
RegionState = Literal["selected", "pushed", "answered", "unanswered"]
AnswerKind = Literal["class", "mixed", "void"]


def utc_now() -> datetime:
    """Return the present, with its time zone."""
    return datetime.now(UTC)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment: aware and in UTC on the Python side, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC; SQLite keeps it without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone, so it names no moment; use utc_now().")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_of(words: Any, name: str) -> Enum:
    return Enum(*get_args(words), name=name, native_enum=False, create_constraint=True, length=16)


class Base(DeclarativeBase):
    """What all tables share: how Python types are stored."""

    type_annotation_map = {  # noqa: RUF012
        datetime: UTCDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
    }


class SchemaInfo(Base):
    """One row: which shape the tables have."""

    __tablename__ = "schema_info"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    tenth_version: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Round(Base):
    """One group of images and what happened to it."""

    __tablename__ = "rounds"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    strategy: Mapped[str]
    seed: Mapped[int]
    model_version: Mapped[str | None]  # that asks; None in a cold start
    trained_version: Mapped[str | None]
    state: Mapped[RoundState] = mapped_column(_one_of(RoundState, "round_state"), default="open")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    closed_at: Mapped[datetime | None]


class Step(Base):
    """A finished step of a round; what has a row here is not done again."""

    __tablename__ = "steps"
    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    seconds: Mapped[float]
    result: Mapped[dict[str, Any]]
    finished_at: Mapped[datetime] = mapped_column(default=utc_now)


class Image(Base):
    """An image of the initial set or of the pool; it leaves the pool once asked about."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str]
    labels: Mapped[str | None]
    role: Mapped[Role] = mapped_column(_one_of(Role, "image_role"), index=True)
    round: Mapped[int | None] = mapped_column(ForeignKey("rounds.number"), index=True)
    height: Mapped[int | None]  # known once the image is asked: a pool need not be opened to be listed
    width: Mapped[int | None]


class Region(Base):
    """A superpixel that people are asked about: place, the model's guess, crop and task."""

    __tablename__ = "regions"
    __table_args__ = (UniqueConstraint("round", "image_id", "superpixel"),)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"), index=True)
    superpixel: Mapped[int]
    area: Mapped[int]  # pixels
    score: Mapped[float]  # the strategy's uncertainty
    guess: Mapped[int | None]
    confidence: Mapped[float | None]
    parts: Mapped[str | None]  # name of the array with the classes that the model sees in a straddling region
    x: Mapped[int]  # the crop in image coordinates, scaled by a whole number
    y: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    scale: Mapped[int]
    task_id: Mapped[int | None] = mapped_column(index=True)
    state: Mapped[RegionState] = mapped_column(_one_of(RegionState, "region_state"), default="selected")


class Answer(Base):
    """What a person said about a region; `painted` names an array of the array store."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("region_id", "annotation_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    region_id: Mapped[str] = mapped_column(ForeignKey("regions.id"), index=True)
    kind: Mapped[AnswerKind] = mapped_column(_one_of(AnswerKind, "answer_kind"))
    label: Mapped[int | None]
    painted: Mapped[str | None]
    annotator: Mapped[str]
    annotation_id: Mapped[int]  # unique in one Label Studio; another one counts from 1 again
    lead_time: Mapped[float | None]  # seconds
    keys: Mapped[int]
    completed_at: Mapped[datetime]


class Problem(Base):
    """An answer that was set aside; its region may not be one of ours."""

    __tablename__ = "problems"
    id: Mapped[int] = mapped_column(primary_key=True)
    round: Mapped[int] = mapped_column(ForeignKey("rounds.number"), index=True)
    task_id: Mapped[int]
    annotation_id: Mapped[int | None]
    region_id: Mapped[str | None]
    reason: Mapped[str]
    found_at: Mapped[datetime] = mapped_column(default=utc_now)


class Event(Base):
    """A webhook, kept until the controller has acted on it."""

    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]
    project: Mapped[int | None]
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime] = mapped_column(default=utc_now)
    handled_at: Mapped[datetime | None] = mapped_column(index=True)
