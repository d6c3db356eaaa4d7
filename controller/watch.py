"""Rounds by themselves: wait until the open group is answered, then close it and push the next one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from controller.group import GroupIncomplete
from controller.loop import Loop
from controller.retrain import retrain
from controller.round import Outcome, next_round
from tenth.errors import ConfigurationError, DataError, LabelStudioError, OutOfReach, WorkspaceBusy

START_TRAINING = "START_TRAINING"


@dataclass(frozen=True)
class WatchOptions:
    """How to watch.

    Parameters
    ----------
    accept_partial : float
        Share of a group that lets the round go on, in 0..1.
    poll : float
        Seconds between two looks at Label Studio itself: webhooks get lost.
    look : float
        Seconds between two looks into the inbox.
    rounds : int or None
        Rounds to push before stopping; ``None`` goes on until the pool is empty.
    """

    accept_partial: float = 1.0
    poll: float = 60.0
    look: float = 2.0
    rounds: int | None = None


def watch(
    loop: Loop,
    options: WatchOptions,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run rounds until the pool is empty or `options.rounds` are pushed; Ctrl-C may end it anywhere.

    An event of the inbox leads to a look at once; without any, Label Studio is asked every `options.poll`
    seconds. A press of "Start Training" while the group is incomplete trains the model in use further on
    what is known; the open group keeps its version. While Label Studio or the storage of the images is out of
    reach, or another command is at work, the watch goes on; an event counts as handled once what it led to is
    done.
    """
    pushed = 0
    waited = options.poll
    said = ""
    seen: set[int] = set()
    while True:
        events = loop.workspace.inbox.pending()
        if waited >= options.poll or any(event.id not in seen for event in events):
            waited = 0.0
            seen = {event.id for event in events}
            try:
                outcome = step(loop, options.accept_partial)
            except GroupIncomplete as error:
                text = str(error).splitlines()[0]
                if any(event.action == START_TRAINING for event in events):
                    tell(train_on_request(loop))
                loop.workspace.inbox.handled(seen)
            except (LabelStudioError, OutOfReach, WorkspaceBusy) as error:
                text = f"{error} Trying again in {options.poll:g} s."
            else:
                loop.workspace.inbox.handled(seen)
                tell(describe(outcome))
                pushed += outcome.opened is not None
                if outcome.opened is None or pushed == options.rounds:
                    return
                waited = options.poll
                continue
            if text != said:
                tell(text)
                said = text
        sleep(options.look)
        waited += options.look


def train_on_request(loop: Loop) -> str:
    """Train the model in use further under the workspace's lock; return what came of it, in one line."""
    try:
        with loop.workspace.lock():
            return f"Trained further on request: {retrain(loop)['version']}."
    except (ConfigurationError, DataError) as error:  # nothing to learn from yet, or another command at work
        return f"Training was requested, but: {error}"


def step(loop: Loop, accept_partial: float) -> Outcome:
    """Run one call of next-round under the workspace's lock."""
    with loop.workspace.lock():
        return next_round(loop, accept_partial=accept_partial)


def describe(outcome: Outcome) -> str:
    """Return what a call of next-round did, in one line."""
    parts = []
    if outcome.closed is not None:
        parts.append(f"Round {outcome.closed} is closed")
    parts.append(
        f"round {outcome.opened} is pushed" if outcome.opened else f"no group was pushed: {outcome.reason}"
    )
    return "; ".join(parts) + "."
