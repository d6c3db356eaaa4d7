"""What happened in each round, in numbers: the rows of `controller status` and of the report."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from controller.loop import Loop
from controller.steps import results, seconds
from tenth.workspace.database import Answer, Image, Problem, Region, Round

COLUMNS = ("round", "state", "images", "regions", "pixel_share", "keys", "miou_val", "miou_test", "seconds")


def round_rows(loop: Loop) -> list[dict[str, Any]]:
    """Return one row a round, the oldest first.

    Returns
    -------
    list of dict
        ``images``, ``regions`` and ``keys`` are those of the round. ``pixel_share`` is cumulative: queried
        pixels, void answers included, over all pixels of the images asked so far; ``extra_share`` the same
        for what people painted outside the queries. ``keys`` counts a kept guess 1, a changed one 2, and
        painting its keys and strokes (`controller.pull.keys_of`). ``student`` says what became of the round's
        student (`controller.verdict.Verdict`), ``None`` without one. ``seconds`` has the time of each step.
    """
    with loop.workspace.database.reading() as session:
        rounds = list(session.scalars(select(Round).order_by(Round.number)))
    return [round_row(loop, each) for each in rounds]


def round_row(loop: Loop, current: Round) -> dict[str, Any]:
    """Return the row of one round."""
    number = current.number
    recorded = results(loop, number)
    with loop.workspace.database.reading() as session:
        images = count(session, select(func.count()).where(Image.round == number))
        regions = count(session, select(func.count()).where(Region.round == number))
        answers = (
            select(Answer)
            .join(Region, Answer.region_id == Region.id)
            .where(Region.round == number)
            .subquery()
        )
        keys = count(session, select(func.sum(answers.c["keys"])))
        answered = count(session, select(func.count(func.distinct(answers.c["region_id"]))))
        problems = count(session, select(func.count()).where(Problem.round == number))
        share = pixel_share(session, number)
        pixels = asked_pixels(session, number)
    metrics = recorded.get("evaluate", {})
    extra = recorded.get("merge", {}).get("human_extra_pixels", 0)
    return {
        "round": number,
        "state": current.state,
        "model_version": current.model_version,
        "trained_version": current.trained_version,
        "images": images,
        "regions": regions,
        "answered": answered,
        "problems": problems,
        "pixel_share": share,
        "extra_share": extra / pixels if pixels else 0.0,
        "keys": keys,
        "miou_val": metrics.get("val", {}).get("miou"),
        "miou_test": metrics.get("test", {}).get("miou"),
        "student": recorded.get("publish", {}).get("student"),
        "seconds": {name: round(value, 2) for name, value in seconds(loop, number).items()},
    }


def pixel_share(session: Session, number: int) -> float:
    """Return queried pixels over the pixels of all images asked up to round `number`.

    Void answers count as queried; regions that were withdrawn unanswered do not.
    """
    queried = count(
        session, select(func.sum(Region.area)).where(Region.round <= number, Region.state != "unanswered")
    )
    pixels = asked_pixels(session, number)
    return queried / pixels if pixels else 0.0


def asked_pixels(session: Session, number: int) -> int:
    """Return the pixels of all images asked up to round `number`."""
    return count(
        session,
        select(func.sum(Image.height * Image.width)).where(Image.role == "asked", Image.round <= number),
    )


def count(session: Session, query: Any) -> int:
    """Return the single number that `query` asks for, 0 for none."""
    return int(session.scalar(query) or 0)


def problem_rows(loop: Loop) -> list[dict[str, Any]]:
    """Return the answers that were set aside, the oldest first."""
    with loop.workspace.database.reading() as session:
        return [
            {
                "round": problem.round,
                "task": problem.task_id,
                "annotation": problem.annotation_id,
                "region": problem.region_id,
                "reason": problem.reason,
            }
            for problem in session.scalars(select(Problem).order_by(Problem.id))
        ]
