"""What `controller next-round` would do, for ``--dry-run``."""

from __future__ import annotations

from controller.group import GroupGone, GroupIncomplete, require_answers
from controller.loop import Loop
from controller.pool import divide, left_to_ask
from controller.round import OPENING, closing, learning
from controller.steps import last_round, results
from tenth.errors import LabelStudioError


def planned(loop: Loop, accept_partial: float, *, push_next: bool) -> list[str]:
    """Return the steps of the next call, one line each; nothing is changed."""
    current = last_round(loop)
    lines: list[str] = []
    left = left_to_ask(loop)
    if current is None:
        initial, _ = divide(loop)
        if initial:
            lines += [f"round 0: {name}" for name, _ in learning(loop, 0)]
    elif current.state == "open" and current.number == 0:
        lines += unfinished(loop, 0, [name for name, _ in learning(loop, 0)])
    elif current.state == "open" and "push" in results(loop, current.number):
        try:
            require_answers(loop, current.number, accept_partial)
        except GroupIncomplete as error:
            return [f"wait: {error.progress.summary(accept_partial)}"]
        except GroupGone as error:
            return [f"refuse: {error}"]
        except LabelStudioError as error:
            lines.append(f"ask how much of round {current.number} is answered, which fails now: {error}")
        lines += unfinished(loop, current.number, [name for name, _ in closing(loop, current.number)])
    elif current.state == "open" and push_next:
        return unfinished(loop, current.number, [name for name, _ in OPENING])
    if push_next and left:
        following = 1 if current is None else current.number + 1
        size = min(loop.config.selection.group_size, left)
        names = [name for name, _ in OPENING]
        lines += [f"round {following}: {name}" for name in names]
        lines.append(
            f"round {following} asks about {size} of {left} images, at most "
            f"{loop.config.selection.max_regions} regions"
        )
    reason = "every image of the pool has been asked" if push_next else "no group is open"
    return lines or [f"nothing: {reason}"]


def unfinished(loop: Loop, number: int, names: list[str]) -> list[str]:
    """Return the steps of a round that are not recorded yet."""
    done = results(loop, number)
    return [f"round {number}: {name}" for name in names if name not in done]
