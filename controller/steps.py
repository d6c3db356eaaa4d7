"""Steps of a round: each is run once, timed, and recorded before the next one starts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import delete, select

from controller.loop import Loop
from tenth.workspace.database import Round, Step

log = logging.getLogger(__name__)

StepFunction = Callable[[Loop, int], dict[str, Any]]


def run_steps(loop: Loop, number: int, steps: Iterable[tuple[str, StepFunction]]) -> None:
    """Run the steps of round `number` that are not recorded yet, in order.

    Every step is idempotent, so that one killed half-way is simply run again.
    """
    done = results(loop, number)
    for name, function in steps:
        if name in done:
            continue
        log.info("Round %d: %s", number, name)
        started = time.perf_counter()
        result = function(loop, number)
        seconds = time.perf_counter() - started
        with loop.workspace.database.session() as session:
            session.add(Step(round=number, name=name, seconds=seconds, result=result))


def forget_step(loop: Loop, number: int, name: str) -> None:
    """Let `run_steps` run a step of a round again, whether it is recorded or not."""
    with loop.workspace.database.session() as session:
        session.execute(delete(Step).where(Step.round == number, Step.name == name))


def results(loop: Loop, number: int) -> dict[str, dict[str, Any]]:
    """Return what the finished steps of a round recorded, by name, the oldest first."""
    with loop.workspace.database.reading() as session:
        rows = session.scalars(select(Step).where(Step.round == number).order_by(Step.finished_at))
        return {step.name: step.result for step in rows}


def seconds(loop: Loop, number: int) -> dict[str, float]:
    """Return how long each finished step of a round took."""
    with loop.workspace.database.reading() as session:
        rows = session.scalars(select(Step).where(Step.round == number).order_by(Step.finished_at))
        return {step.name: step.seconds for step in rows}


def last_round(loop: Loop) -> Round | None:
    """Return the round with the highest number, ``None`` before the first."""
    with loop.workspace.database.reading() as session:
        return session.scalars(select(Round).order_by(Round.number.desc()).limit(1)).first()
