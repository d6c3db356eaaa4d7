"""Rows sorted into series: one strategy in one setting, a run a seed; and differences between two of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student  # type: ignore[import-untyped]

from benchmarks.results_page.rows import BASELINE, BOUND, BOUNDS, Row
from benchmarks.results_page.words import SEEDS, mean

SETTING = ("network", "initial_share", "strategy", "annotator", "budget")
ORDER = (
    BOUND,
    BASELINE,
    "image",
    "random-pixels",
    "random-regions",
    "entropy",
    "entropy-edge",
    "margin",
    "least-confident",
    "mc-dropout",
    "mc-dropout-bald",
    "committee",
    "sp",
    "sp-crf",
    "sp-crf-class",
    "sp-crf-class-share",
    "tenth",
)
"""The order of strategies in all tables; unknown ones come last."""

PIXELS = frozenset(
    ("image", "random-pixels", "entropy", "entropy-edge", "margin", "least-confident", "committee")
) | {"mc-dropout", "mc-dropout-bald"}
"""Strategies that ask about pixels or images, where a dominant label and an exact one are the same: a pixel
has one class, and whoever labels a whole image gives each of its pixels its own."""

ENTROPY_WITH_DROPOUT = "entropy (with dropout)"
"""Entropy of the network that `mc-dropout` needs: only so does a comparison tell the two strategies apart."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Series:
    """One strategy in one setting.

    Parameters
    ----------
    key : mapping
        What all its rows have in common.
    runs : mapping of int to list of dict
        By seed, the rows of the rounds, rising.
    rounds : int
        How many rounds make a whole run.
    """

    key: Mapping[str, Any]
    runs: Mapping[int, Sequence[Row]]
    rounds: int

    def __getitem__(self, name: str) -> Any:
        return self.key[name]

    @property
    def finished(self) -> list[int]:
        """Seeds whose run is whole."""
        return [seed for seed, rows in self.runs.items() if rows[-1]["round"] >= self.rounds]

    def finals(self, column: str) -> dict[int, float]:
        """Return a column after the last round, by seed, of the runs that are whole."""
        last = {seed: self.runs[seed][-1].get(column) for seed in self.finished}
        return {seed: value for seed, value in last.items() if value is not None}

    def at(self, number: int, column: str) -> dict[int, float]:
        """Return a column after a round, by seed; of whole runs, or of all while none is whole."""
        return {
            seed: row[column]
            for seed in self.finished or self.runs
            for row in self.runs[seed]
            if row["round"] == number and row.get(column) is not None
        }

    def final(self, column: str) -> float | None:
        """Return the mean of a column after the last round; None before a run is whole."""
        return mean(self.finals(column).values())


def divide(rows: Iterable[Row], fields: Sequence[str], rounds: int | None) -> list[Series]:
    """Sort rows into series, in the order of the tables.

    Parameters
    ----------
    rows : iterable of dict
        With `seed` and `round`.
    fields : sequence of str
        Columns that tell series apart; a column that a row lacks counts as None.
    rounds : int or None
        Rounds of a whole run; None: as many as the longest run of the series has.
    """
    parts: dict[tuple[Any, ...], dict[int, list[Row]]] = {}
    for row in rows:
        runs = parts.setdefault(tuple(row.get(name) for name in fields), {})
        runs.setdefault(row["seed"], []).append(row)
    found = []
    for values, runs in parts.items():
        ordered = {seed: sorted(runs[seed], key=lambda row: int(row["round"])) for seed in sorted(runs)}
        whole = max(run[-1]["round"] for run in ordered.values()) if rounds is None else rounds
        key = dict(zip(fields, values, strict=True))
        bound = key.get("strategy") in BOUNDS
        found.append(Series(key, ordered, 0 if bound else whole))
    return sorted(found, key=_place)


def base_of(strategy: str) -> str:
    """Return the strategy of a named run: ``"sp-crf (learned as tenth)"``, ``"tenth without flip"``."""
    return strategy.partition(" ")[0]


def _place(series: Series) -> tuple[Any, ...]:
    key = dict(series.key)
    strategy = str(key.pop("strategy", ""))
    known = ORDER.index(base_of(strategy)) if base_of(strategy) in ORDER else len(ORDER)
    rest = [f"{value:012.4f}" if isinstance(value, int | float) else str(value) for value in key.values()]
    return (key.get("initial_share") or 0.0, str(key.get("network")), known, strategy, rest)


def pick(series: Iterable[Series], **wanted: Any) -> Series | None:
    """Return the series with these values; of one in `PIXELS` either annotator serves."""
    fitting = [
        each
        for each in series
        if all(_fits(each, name, value) for name, value in wanted.items() if name != "annotator")
    ]
    for each in fitting:
        if "annotator" not in wanted or each["annotator"] == wanted["annotator"]:
            return each
    return next((each for each in fitting if base_of(each["strategy"]) in PIXELS), None)


def _fits(series: Series, name: str, value: Any) -> bool:
    own = series.key.get(name)
    if isinstance(value, float) and isinstance(own, int | float):
        return math.isclose(own, value, abs_tol=1e-9)
    return bool(own == value)


@dataclass(frozen=True)
class Difference:
    """Differences of two series, seed by seed, and their mean with its interval (paired t, 95 %)."""

    pairs: Mapping[int, float]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return fmean(self.pairs.values())

    @property
    def enough(self) -> bool:
        """Whether there are seeds enough for an interval."""
        return len(self.pairs) >= SEEDS

    @property
    def interval(self) -> tuple[float, float] | None:
        """Bounds within which the true mean lies, with 95 % confidence; None with too few seeds."""
        if not self.enough:
            return None
        count = len(self.pairs)
        half = student.ppf((1 + CONFIDENCE) / 2, count - 1) * stdev(self.pairs.values()) / math.sqrt(count)
        return self.mean - float(half), self.mean + float(half)

    @property
    def sign(self) -> int:
        """1 or -1 where the interval is above or below zero, else 0; with too few seeds, 0."""
        if self.interval is None:
            return 0
        return int(self.interval[0] > 0) - int(self.interval[1] < 0)


def difference(one: Mapping[int, float], other: Mapping[int, float]) -> Difference | None:
    """Return `one` − `other` for the seeds that both have; None when they share none."""
    shared = [seed for seed in one if seed in other]
    return Difference({seed: one[seed] - other[seed] for seed in shared}) if shared else None
