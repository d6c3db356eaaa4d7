"""Figure 3.12 and its like: the same strategy with groups or regions of another size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from benchmarks.results_page.load import Results
from benchmarks.results_page.rows import BOUNDS
from benchmarks.results_page.series import SETTING, Difference, Series, difference, divide
from benchmarks.results_page.tables import COST_HEAD, annotator, cost, differences, name
from benchmarks.results_page.words import plain, points, seeds, share, span, table

VARIED = ("group_size", "region_size")
TITLES = {
    "group_size": "## Figure 3.12: group sizes",
    "region_size": "## Region sizes",
}


def varied(results: Results, column: str) -> list[list[Series]]:
    """Return series of the details that differ in nothing but one setting, two or more together."""
    measured = [
        row
        for row in results.details
        if row.get("miou_test") is not None and row.get(column) is not None and row["strategy"] not in BOUNDS
    ]
    parts: dict[tuple[Any, ...], list[Series]] = {}
    for each in divide(measured, (*SETTING, *VARIED), None):
        key = tuple(each.key[name] for name in (*SETTING, *VARIED) if name != column)
        parts.setdefault(key, []).append(each)
    return [_whole(together) for together in parts.values() if len(_whole(together)) > 1]


def _whole(together: Sequence[Series]) -> list[Series]:
    """Return those that went through as many images as the others; groups may differ in size."""
    if any(each.key.get("group_size") is None for each in together):
        most = max(each.rounds for each in together)
        return [each for each in together if each.rounds == most]
    most = max(each.rounds * each["group_size"] for each in together)
    # The last group of a pool may be smaller than the others.
    return [each for each in together if (each.rounds + 1) * each["group_size"] > most]


def variants(results: Results, column: str) -> list[str]:
    """Return the section on one setting."""
    lines = [TITLES[column], ""]
    together = varied(results, column)
    if not together:
        what = column.replace("_", " ")
        return [*lines, f"Not run yet: no strategy has been run to the end with two values of {what}.", ""]
    what = column.replace("_", " ")
    body = [
        [
            name(each),
            annotator(each),
            share(each["initial_share"]),
            share(each["budget"]),
            plain(each[column]),
            _others(each, column),
            seeds(len(each.finished)),
            points(_half(each)),
            points(each.final("miou_test")),
            *cost(each),
        ]
        for group in together
        for each in group
    ]
    head = [
        "strategy",
        "annotator",
        "P",
        "budget",
        what,
        "other settings",
        "seeds",
        "test, half way",
        "test, end",
    ]
    lines += table([*head, *COST_HEAD], body)
    compared: list[tuple[str, Difference | None]] = []
    for group in together:
        for small, large in combinations(group, 2):
            words = (
                f"{name(small)}, {annotator(small)}: {what} {plain(large[column])} − {plain(small[column])}"
            )
            halves = difference(_halves(large), _halves(small))
            ends = difference(large.finals("miou_test"), small.finals("miou_test"))
            compared += [(f"{words}, half way", halves), (f"{words}, end", ends)]
    return [*lines, *differences(compared)]


def _others(series: Series, column: str) -> str:
    values = {name: series.key[name] for name in VARIED if name != column and series.key[name] is not None}
    counts = [
        row["regions_per_image"]
        for run in series.runs.values()
        for row in run
        if row.get("regions_per_image") is not None
    ]
    words = [f"{name.replace('_', ' ')} {plain(value)}" for name, value in values.items()]
    if counts:
        words.append(f"regions an image {span(counts)}")
    return ", ".join(words) or "not recorded"


def _halves(series: Series) -> dict[int, float]:
    return series.at(series.rounds // 2, "miou_test")


def _half(series: Series) -> float | None:
    values = _halves(series)
    return sum(values.values()) / len(values) if values else None
