"""A round: people answer a group of regions, the model learns from them, and the next group is pushed.

Round 0 learns from the initial labelled set and asks nobody. Every later round has two halves::

    opening   score the pool → choose regions → push them as tasks
    closing   pull the answers → merge → train → (distill) → evaluate → publish

One call of :func:`next_round` closes the open round and opens the one after it. Each step commits its result
before the next starts (:mod:`controller.steps`), so a killed call is continued by calling again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, select

from controller.choose import choose_regions
from controller.evaluate import evaluate
from controller.group import require_answers
from controller.loop import Loop
from controller.merge import merge, require_mergeable
from controller.pool import register_images
from controller.pool_end import NothingToAsk
from controller.publish import publish
from controller.pull import pull
from controller.push import push
from controller.score import score
from controller.steps import StepFunction, last_round, results, run_steps
from controller.strategies import require_pushable
from controller.student import check_distillation, distill
from controller.train import train
from tenth.workspace.database import Image, Round, Step

OPENING = (("score", score), ("choose", choose_regions), ("push", push))
LEARNING = (("train", train), ("evaluate", evaluate), ("publish", publish))
CLOSING = (("pull", pull), ("merge", merge), *LEARNING)


@dataclass(frozen=True)
class Outcome:
    """What a call of :func:`next_round` did.

    Attributes
    ----------
    closed : int or None
        The round that learned, ``None`` when none was open.
    opened : int or None
        The round whose group was pushed, ``None`` when none was.
    reason : str
        Why no group was pushed, else empty.
    """

    closed: int | None
    opened: int | None
    reason: str = ""


def next_round(loop: Loop, *, accept_partial: float = 1.0, push_next: bool = True) -> Outcome:
    """Close the open round and open the next one; continue where a killed call stopped.

    Parameters
    ----------
    accept_partial : float, optional
        Share of the group that has to be answered, in 0..1; the unanswered rest is withdrawn. 0 gives the
        group up: what is answered counts, even if that is nothing.
    push_next : bool, optional
        ``False`` stops once the model has learned, without a new group.

    Raises
    ------
    WaitingForAnnotators
        While fewer regions of the open group are answered.
    GroupGone
        When none of the open group's tasks is in Label Studio.
    ConfigurationError
        When the next group would be chosen by a strategy that people cannot be asked with, or its answers
        could not be merged as ``[labels]`` says, or a student cannot be taught as ``[distill]`` says.
    """
    if push_next:  # before hours of training, and before people answer
        require_pushable(loop.strategy)
        require_mergeable(loop)
    asking = asking_round(loop)
    if asking is not None:  # before the pool is looked at: `watch` calls this after every answer
        require_answers(loop, asking, accept_partial)
    check_distillation(loop)
    loop.client.project(loop.project)  # hours of training should not end in a wrong key
    register_images(loop)
    closed = learn_initial(loop) if is_pending(loop, 0) else None
    if asking is not None:
        run_steps(loop, asking, closing(loop, asking))
        close(loop, asking)
        closed = asking
    if not push_next:
        return Outcome(closed, None, "no further group was asked for")
    try:
        return Outcome(closed, open_next(loop))
    except NothingToAsk as error:
        return Outcome(closed, None, str(error))


def asking_round(loop: Loop) -> int | None:
    """Return the round whose group people answer, ``None`` while none is pushed as a whole."""
    current = last_round(loop)
    if current is None or current.state == "closed" or "push" not in results(loop, current.number):
        return None
    return current.number


def learn_initial(loop: Loop) -> int:
    """Train, evaluate and publish the initial model; return the number of its round, 0."""
    check_distillation(loop)
    begin(loop, 0)
    run_steps(loop, 0, learning(loop, 0))
    close(loop, 0)
    return 0


def learning(loop: Loop, number: int) -> tuple[tuple[str, StepFunction], ...]:
    """Return the steps in which a round learns; with ``[distill]`` a student is taught after the training.

    Not in a round that has been evaluated already: then the setting counts from the next one on.
    """
    if not loop.config.distill.student or "evaluate" in results(loop, number):
        return LEARNING
    return (LEARNING[0], ("distill", distill), *LEARNING[1:])


def closing(loop: Loop, number: int) -> tuple[tuple[str, StepFunction], ...]:
    """Return the steps of the second half of a round."""
    return (*CLOSING[: -len(LEARNING)], *learning(loop, number))


def open_next(loop: Loop) -> int:
    """Push the group of the round that is half opened, or of a new one.

    Raises
    ------
    NothingToAsk
        When the pool is empty, or what is left of it cannot be asked about.
    """
    current = last_round(loop)
    if current is None or current.state == "closed":
        if not pool_size(loop):
            raise NothingToAsk("every image of the pool has been asked")
        current = begin(loop, 1 if current is None else current.number + 1)
    try:
        run_steps(loop, current.number, OPENING)
    except NothingToAsk:
        forget(loop, current.number)  # images that come later are for a round that scores them
        raise
    return current.number


def is_pending(loop: Loop, number: int) -> bool:
    """Tell whether a round has yet to be closed; round 0 needs an initial set to learn from."""
    with loop.workspace.database.session() as session:
        known = session.get(Round, number)
        if known is not None:
            return known.state == "open"
        labelled = session.scalar(select(func.count()).where(Image.role == "initial"))
        return number == 0 and bool(labelled)


def pool_size(loop: Loop) -> int:
    """Return how many images of the pool have not been asked yet."""
    with loop.workspace.database.session() as session:
        return session.scalar(select(func.count()).where(Image.role == "pool")) or 0


def begin(loop: Loop, number: int) -> Round:
    """Record the start of a round, unless it is recorded; the last round's version is the one that asks."""
    with loop.workspace.database.session() as session:
        known = session.get(Round, number)
        if known is not None:
            return known
        selection = loop.config.selection
        started = Round(
            number=number,
            strategy=selection.strategy,
            seed=selection.seed,
            model_version=loop.workspace.models.teacher(),
            state="open",
        )
        session.add(started)
        return started


def forget(loop: Loop, number: int) -> None:
    """Remove a round that has asked nothing, as if it had never begun."""
    with loop.workspace.database.session() as session:
        session.execute(delete(Step).where(Step.round == number))
        session.execute(delete(Round).where(Round.number == number))


def close(loop: Loop, number: int) -> None:
    """Record that a round is over: its answers are learned from, its group is no longer open."""
    with loop.workspace.database.session() as session:
        current = session.get_one(Round, number)
        current.state = "closed"
        current.closed_at = datetime.now(UTC)
