"""The open group: who answered how much of it, and what is left."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.loop import Loop
from controller.push import region_id_of, regions_of
from controller.steps import results
from tenth.errors import LabelStudioError, WaitingForAnnotators
from tenth.workspace.database import Region


@dataclass(frozen=True)
class GroupProgress:
    """How far people are with the open group.

    Parameters
    ----------
    round : int
        The round that asks.
    regions : int
        Regions asked.
    answered : int
        Regions that nobody is waited for any more: with an answer, also one that will be set aside, skipped,
        or gone.
    annotators : dict
        Answers of each annotator, by e-mail address.
    gone : int
        Regions whose tasks were deleted in Label Studio.
    """

    round: int
    regions: int
    answered: int
    annotators: dict[str, int] = field(default_factory=dict)
    gone: int = 0

    def needed(self, accept_partial: float) -> int:
        """Return how many answers let the round go on."""
        return math.ceil(accept_partial * self.regions - 1e-9)

    def complete(self, accept_partial: float) -> bool:
        """Tell whether enough is answered."""
        return self.answered >= self.needed(accept_partial)

    def share_done(self) -> float:
        """Return the answered share, rounded down to a number that `complete` accepts."""
        for digits in (2, 3, 4):
            share = math.floor(self.answered / self.regions * 10**digits) / 10**digits
            if share:
                break
        return share

    def summary(self, accept_partial: float = 1.0) -> str:
        """Return how much is done, in one line."""
        left = self.needed(accept_partial) - self.answered
        return f"round {self.round}: {self.answered} of {self.regions} regions answered, {left} still needed"

    def lines(self) -> list[str]:
        """Return the same for people, with a line for each annotator."""
        lines = [f"Round {self.round} is open: {self.answered} of {self.regions} regions answered."]
        lines += [
            f"  {count:5d}  {who}" for who, count in sorted(self.annotators.items(), key=lambda e: -e[1])
        ]
        lines += [f"  {self.gone:5d}  count as answered: their tasks were deleted"] if self.gone else []
        return [*lines, f"  {self.regions - self.answered:5d}  left"]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "round": self.round,
            "regions": self.regions,
            "answered": self.answered,
            "left": self.regions - self.answered,
            "gone": self.gone,
            "annotators": self.annotators,
        }


class GroupIncomplete(WaitingForAnnotators):
    """Says who did how much and what is left.

    Parameters
    ----------
    progress : GroupProgress
        The open group.
    """

    def __init__(self, progress: GroupProgress, accept_partial: float) -> None:
        super().__init__(
            "\n".join(
                [
                    f"waiting for annotators, {progress.summary(accept_partial)}.",
                    *progress.lines()[1:],
                    "Nothing was changed. Call again later, or go on without the rest: "
                    f"--accept-partial {progress.share_done():g}"
                    if progress.answered
                    else "Nothing was changed. Call again once people have answered.",
                ]
            )
        )
        self.progress = progress
        self.details = {"open_group": progress.to_dict()}


class GroupGone(LabelStudioError):
    """Not one task of the open group is in the project: emptied, replaced, or restored from an older backup.

    Parameters
    ----------
    progress : GroupProgress
        The open group.
    """

    def __init__(self, progress: GroupProgress, loop: Loop) -> None:
        super().__init__(
            f"Project {loop.project} of {loop.client.url} has no task of round {progress.round}, which asks "
            f"{progress.regions} regions there: the project was emptied or replaced, or is an older copy. "
            "Nothing was changed. Restore the project, or close the round without answers, after which its "
            f"images are not asked again: controller next-round --workspace {loop.workspace.folder} --give-up"
        )


def group_progress(loop: Loop, number: int) -> GroupProgress:
    """Ask Label Studio how far people are with round `number`.

    A region is done once one of its tasks is answered or skipped, or none is left: nobody can be waited for.
    """
    regions = regions_of(loop, number, "pushed", "answered", "unanswered")
    tasks = loop.client.who_answered(loop.project, data={"round": number})
    asked = asked_regions(loop, number, regions, tasks)
    there, done = set(), set()
    counts: Counter[str] = Counter()
    for task in tasks:
        region = asked.get(task["id"])
        if region is None:
            continue
        there.add(region)
        if task["annotations"]:
            done.add(region)
        counts.update(
            str((annotation["completed_by"] or {}).get("email") or "a deleted user")
            for annotation in task["annotations"]
            if not annotation["was_cancelled"]
        )
    left, gone = len(there - done), len(regions) - len(there)
    return GroupProgress(number, len(regions), len(regions) - left, dict(counts), gone)


def asked_regions(
    loop: Loop, number: int, regions: Sequence[Region], tasks: Sequence[dict[str, Any]]
) -> dict[int, str]:
    """Return which of `regions` each of the round's `tasks` asks, by task id.

    Of tasks that were not pushed, and may be copies, Label Studio is asked for what they hold.
    """
    asked = {region.task_id: region.id for region in regions if region.task_id is not None}
    others = [task["id"] for task in tasks if task["id"] not in asked]
    if not others:
        return asked
    ids = {region.id for region in regions}
    found = loop.client.tasks(loop.project, data={"round": number}, fields=("data",), after=min(others) - 1)
    return {task["id"]: region_id_of(task) for task in found if region_id_of(task) in ids} | asked


def require_answers(loop: Loop, number: int, accept_partial: float) -> None:
    """See that enough of the group is answered; a share of 0 gives the group up, whatever is answered.

    Raises
    ------
    GroupGone
        When none of the group's tasks is in Label Studio.
    GroupIncomplete
        While less than `accept_partial` is answered.
    """
    if not accept_partial or "pull" in results(loop, number):
        return
    progress = group_progress(loop, number)
    if 0 < progress.regions == progress.gone:
        raise GroupGone(progress, loop)
    if not progress.complete(accept_partial):
        raise GroupIncomplete(progress, accept_partial)
