"""The open group: who answered how much of it, and what is left."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from controller.loop import Loop
from controller.push import region_id_of, regions_of
from controller.steps import results
from tenth.errors import WaitingForAnnotators


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
        Regions with an answer; one that will be set aside counts, its annotator is done with it.
    annotators : dict
        Answers of each annotator, by e-mail address.
    """

    round: int
    regions: int
    answered: int
    annotators: dict[str, int] = field(default_factory=dict)

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
        return [*lines, f"  {self.regions - self.answered:5d}  left"]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "round": self.round,
            "regions": self.regions,
            "answered": self.answered,
            "left": self.regions - self.answered,
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
        self.details = {"open_group": progress.to_dict()}


def group_progress(loop: Loop, number: int) -> GroupProgress:
    """Ask Label Studio how far people are with round `number`.

    A task that was skipped, or is gone from Label Studio, counts as answered: nobody can be waited for.
    """
    regions = {region.id for region in regions_of(loop, number, "pushed", "answered", "unanswered")}
    fields = ("data", "cancelled_annotations")
    tasks = loop.client.tasks(loop.project, data={"round": number}, annotated=False, fields=fields)
    waiting = {region_id_of(task) for task in tasks if not task["cancelled_annotations"]}
    open_regions = regions & waiting
    counts: Counter[str] = Counter()
    for task in loop.client.annotated_tasks(loop.project, data={"round": number}):
        if region_id_of(task) in regions:
            counts.update(
                str((annotation["completed_by"] or {}).get("email") or "a deleted user")
                for annotation in task["annotations"]
                if not annotation["was_cancelled"]
            )
    return GroupProgress(number, len(regions), len(regions) - len(open_regions), dict(counts))


def require_answers(loop: Loop, number: int, accept_partial: float) -> None:
    """Raise GroupIncomplete while less than `accept_partial` of the group is answered."""
    if "pull" in results(loop, number):
        return
    progress = group_progress(loop, number)
    if not progress.complete(accept_partial):
        raise GroupIncomplete(progress, accept_partial)
