"""What an answer costs a person: learned from the times that Label Studio measures, or counted in keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt

ENOUGH = 20
"""Answers of each kind from which on their times are believed."""

LONGEST = 120.0
"""Seconds beyond which somebody was away from the desk."""


@dataclass(frozen=True)
class AnswerCosts:
    """What it costs to accept the model's guess, and to give another answer.

    Parameters
    ----------
    accept, other : float
        In seconds, or in keys; only their ratio matters.
    """

    accept: float = 1.0
    other: float = 2.0

    def expected(self, confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the expected cost of regions whose guess is right with probability `confidence` (n,)."""
        cost: npt.NDArray[np.float64] = confidence * self.accept + (1 - confidence) * self.other
        return cost


def learn_costs(answers: Iterable[tuple[float | None, int]]) -> AnswerCosts:
    """Return the costs that lead times show.

    Parameters
    ----------
    answers : iterable of (lead time, keys)
        Seconds that an answer took (None where they were not measured), and its keys: one when the guess was
        accepted.

    Returns
    -------
    AnswerCosts
        Medians in seconds. While there are fewer than `ENOUGH` times of a kind, keys: 1, and the mean of the
        other answers', of which painted ones have many; 2 while those are too few as well.
    """
    times: dict[bool, list[float]] = {True: [], False: []}
    others = []
    for seconds, keys in answers:
        if keys > 1:
            others.append(keys)
        if seconds is not None and 0 < seconds <= LONGEST:
            times[keys <= 1].append(seconds)
    if min(len(kind) for kind in times.values()) < ENOUGH:
        return AnswerCosts(other=fmean(others)) if len(others) >= ENOUGH else AnswerCosts()
    return AnswerCosts(float(np.median(times[True])), float(np.median(times[False])))
