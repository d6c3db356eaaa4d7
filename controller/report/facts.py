"""What the report tells, as plain values taken from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from controller.loop import Loop
from controller.status import count, round_rows
from controller.steps import results
from tenth.workspace.database import Region

SPLITS = ("test", "val")


@dataclass(frozen=True)
class ClassRow:
    """IoU of one class, 0..1, before and after; ``None`` where it does not occur."""

    name: str
    color: str
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """What the rounds brought."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True)
class Facts:
    """All numbers of the report.

    Attributes
    ----------
    rows : list of dict
        Closed rounds as `controller.status.round_rows` gives them, and with ``queried``: the pixels asked in
        this and all earlier rounds.
    control : dict
        ``val`` and ``test`` → mIoU of the control, where there is one.
    split : str or None
        The split that headline and classes are about: test, or else val; ``None`` when nothing is measured.
    classes : list of ClassRow
        On that split.
    open_round : int or None
        A round whose group people are still answering.
    """

    rows: list[dict[str, Any]]
    control: dict[str, float]
    split: str | None
    classes: list[ClassRow]
    open_round: int | None

    @property
    def asking(self) -> list[dict[str, Any]]:
        """The rounds that asked people."""
        return [row for row in self.rows if row["round"] > 0]

    def total(self, name: str) -> int:
        """Return the sum of a column over all closed rounds."""
        return sum(row[name] for row in self.rows)

    @property
    def before(self) -> float | None:
        """The mIoU of the first model."""
        return self.rows[0][f"miou_{self.split}"] if self.rows and self.split else None

    @property
    def after(self) -> float | None:
        """The mIoU of the last model."""
        return self.rows[-1][f"miou_{self.split}"] if self.rows and self.split else None

    @property
    def gain(self) -> float | None:
        """What the rounds brought."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def control_score(self) -> float | None:
        """The control's mIoU on the same split."""
        return self.control.get(self.split or "")

    @property
    def ahead(self) -> float | None:
        """How far the last model is ahead of the control."""
        if self.after is None or self.control_score is None:
            return None
        return self.after - self.control_score

    @property
    def steps(self) -> list[str]:
        """Names of all steps, in the order in which they are done."""
        return list(dict.fromkeys(name for row in reversed(self.rows) for name in row["seconds"]))


def gather_facts(loop: Loop, control: Mapping[str, Any] | None) -> Facts:
    """Read what happened in the closed rounds of a workspace; `control` as in `write_report`."""
    rows = round_rows(loop)
    closed = [
        {**row, "queried": queried_pixels(loop, row["round"])} for row in rows if row["state"] == "closed"
    ]
    measured = [name for name in SPLITS if any(row[f"miou_{name}"] is not None for row in closed)]
    split = measured[0] if measured else None
    scores = {name: (control or {}).get(f"miou_{name}") for name in SPLITS}
    opened = [row["round"] for row in rows if row["state"] == "open" and row["round"] > 0]
    return Facts(
        rows=closed,
        control={name: float(value) for name, value in scores.items() if value is not None},
        split=split,
        classes=[] if split is None else class_rows(loop, closed, split),
        open_round=opened[-1] if opened else None,
    )


def queried_pixels(loop: Loop, number: int) -> int:
    """Return the pixels of all regions asked up to round `number`; withdrawn ones left out."""
    asked = select(func.sum(Region.area)).where(Region.round <= number, Region.state != "unanswered")
    with loop.workspace.database.reading() as session:
        return count(session, asked)


def class_rows(loop: Loop, closed: list[dict[str, Any]], split: str) -> list[ClassRow]:
    """Return the IoU of every class by the first and the last closed round, in the order of the classes."""
    first, last = (
        results(loop, row["round"]).get("evaluate", {}).get(split, {}).get("iou", {})
        for row in (closed[0], closed[-1])
    )
    return [
        ClassRow(entry.name, css_color(entry.color), first.get(entry.name), last.get(entry.name))
        for entry in loop.classes.classes
    ]


def css_color(color: tuple[int, int, int]) -> str:
    """Return a colour as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*color)
