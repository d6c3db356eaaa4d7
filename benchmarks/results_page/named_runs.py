"""Named runs: the same questions with something else learned from the answers; the ablation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ablation import BY_CHANCE, LEARNING, SWITCHED_OFF, SWITCHED_ON
from benchmarks.results_page import thesis
from benchmarks.results_page.load import ABLATION_DETAILS, Results
from benchmarks.results_page.rows import BOUNDS, LEARNED_ALIKE, Row
from benchmarks.results_page.series import SETTING, Difference, Series, base_of, difference, divide
from benchmarks.results_page.tables import COST_HEAD, annotator, cost, differences, name
from benchmarks.results_page.words import NOTHING, points, seeds, share, table

ABLATION = "tenth with"
"""How the names of runs of the ablation begin: ``tenth without flip``, ``tenth with mean teacher``."""


def learned_otherwise(results: Results) -> list[str]:
    """Return the section on the same questions with something else made of the answers."""
    lines = ["## What is learned from the same questions", ""]
    rows = [row for row in results.label_efficiency if not row["strategy"].startswith(ABLATION)]
    series = divide(rows, SETTING, thesis.GROUPS)
    named = [each for each in series if base_of(each["strategy"]) != each["strategy"]]
    if not named:
        return [
            *lines,
            "Not run yet in this setting; on smaller images below, with the ingredients of `tenth`.",
            "",
        ]
    pairs = _with_bases(series, named)
    bases = [base for _, base in pairs]
    lines += _both([each for each in series if each in named or each in bases])
    lines += [
        "A named run asks as its strategy does and learns otherwise.",
        "",
    ]
    return [*lines, *differences(_compared(pairs, "miou_test"))]


def questions_alone(results: Results) -> list[str]:
    """Return the section on what strategies ask where all learn from the answers as `tenth` does."""
    lines = ["## The questions alone", ""]
    parts = [
        *_asked_otherwise(results.label_efficiency, "In the setting of the other tables."),
        *_asked_otherwise(results.ablation, _smaller(results.about(ABLATION_DETAILS))),
    ]
    if not parts:
        return [*lines, "Not run yet.", ""]
    words = "All of these learn from their answers as `tenth` does; they differ in what they ask."
    return [*lines, words, "", *parts]


def _questions(series: Sequence[Series]) -> list[tuple[Series, Series]]:
    """Return pairs that differ in their questions alone: all learn from their answers as `tenth` does."""
    alone = [each for each in series if each["strategy"].endswith(LEARNED_ALIKE)]
    return [(one, other) for one in series for other in alone if _asks_otherwise(one, other)]


def _asks_otherwise(one: Series, other: Series) -> bool:
    if any(one[column] != other[column] for column in SETTING if column != "strategy"):
        return False
    if one["strategy"] in ("tenth", BY_CHANCE):
        return True
    better, worse = (f"{strategy} {LEARNED_ALIKE}" for strategy in ("sp-crf", "random-regions"))
    return (one["strategy"], other["strategy"]) == (better, worse)


def ablation(results: Results) -> list[str]:
    """Return the section on `tenth` without each of its ingredients, and with what was left out of it."""
    lines = ["## What each ingredient of `tenth` brings", ""]
    here = [row for row in results.label_efficiency if base_of(row["strategy"]) == "tenth"]
    parts = [
        *_ingredients(here, "In the setting of the other tables."),
        *_ingredients(results.ablation, _smaller(results.about(ABLATION_DETAILS))),
        *_not_run(results.ablation),
    ]
    if not parts:
        return [*lines, "Not run yet: there is no run of `tenth` with anything changed.", ""]
    return [
        *lines,
        "*Without*: below zero the ingredient pays. *With*: above zero it would. What stays is decided by "
        "val; test only shows what came of it. Every image of the pool is asked about in the end here, so "
        "`duplicates` only says which come first: what it is for, a pool most of which is never asked about, "
        "these runs do not test.",
        "",
        *parts,
    ]


def _ingredients(rows: Sequence[Row], words: str) -> list[str]:
    """Return the runs of one setting, and their differences to all of `tenth`; nothing without any."""
    series = divide(rows, SETTING, thesis.GROUPS)
    changed = [each for each in series if each["strategy"].startswith(ABLATION) and each.finished]
    if not changed:
        return []
    pairs = _with_bases(series, changed)
    whole = [base for _, base in pairs if base not in changed]
    lines = [words, "", *_both([*(each for each in series if each in whole), *changed])]
    for column, split in (("miou_val", "val"), ("miou_test", "test")):
        lines += differences(_compared(pairs, column), f"points of mIoU on {split}")
    return lines


def _not_run(rows: Sequence[Row]) -> list[str]:
    """Name the planned variants of the smaller setting that have no whole run, if there are any."""
    finished = {each["strategy"] for each in divide(rows, SETTING, thesis.GROUPS) if each.finished}
    planned = [
        *(f"tenth {change}" for change in LEARNING),
        *(f"tenth without {each}" for each in SWITCHED_OFF),
        *(f"tenth with {each}" for each in SWITCHED_ON),
    ]
    missing = [f"`{each}`" for each in planned if each not in finished]
    return [f"Not run to the end there: {', '.join(missing)}.", ""] if missing else []


def _asked_otherwise(rows: Sequence[Row], words: str) -> list[str]:
    """Return the runs of one setting that differ in their questions, and their differences."""
    series = divide(rows, SETTING, thesis.GROUPS)
    others = [
        each
        for each in series
        if each["strategy"].endswith(LEARNED_ALIKE) and each["strategy"] not in BOUNDS and each.finished
    ]
    if not others:
        return []
    ours = [each for each in series if any(_asks_otherwise(each, other) for other in others)]
    lines = [words, "", *_both([*others, *(each for each in ours if each not in others)])]
    for column, split in (("miou_val", "val"), ("miou_test", "test")):
        lines += differences(_compared(_questions(series), column), f"points of mIoU on {split}")
    return lines


def _smaller(about: Mapping[str, Any]) -> str:
    """Say how the runs of ``ablation.json`` were set."""
    width, height = about.get("size") or (0, 0)
    return (
        f"Smaller and shorter, so that there are more of them: images of {width}×{height}, regions of "
        f"{about.get('region_size')} pixels, {about.get('initial_steps')} steps at first and "
        f"{about.get('round_steps')} a round."
    )


def _with_bases(series: Sequence[Series], named: Sequence[Series]) -> list[tuple[Series, Series]]:
    """Return each named run with what it is compared to.

    That is the run without the last of the changes in its name (``tenth without restart, with pseudo-labels``
    goes with ``tenth without restart``), or else its strategy.
    """
    pairs = []
    for each in named:
        for wanted in (each["strategy"].rpartition(", ")[0], base_of(each["strategy"])):
            alike = {column: each[column] for column in SETTING} | {"strategy": wanted}
            base = next((other for other in series if dict(other.key) == alike), None)
            if base is not None and base is not each:
                pairs.append((each, base))
                break
    return pairs


def _compared(pairs: Sequence[tuple[Series, Series]], column: str) -> list[tuple[str, Difference | None]]:
    several = len({each["budget"] for each, _ in pairs}) > 1
    return [
        (
            f"{name(each)} − {name(base)}, P = {_share(each, 'initial_share')}"
            + (f", {_share(each, 'budget')} asked" if several else ""),
            difference(each.finals(column), base.finals(column)),
        )
        for each, base in pairs
    ]


def _both(series: Sequence[Series]) -> list[str]:
    body = [
        [
            name(each),
            annotator(each),
            _share(each, "initial_share"),
            _share(each, "budget"),
            seeds(len(each.finished)),
            points(each.final("miou_val")),
            points(each.final("miou_test")),
            *cost(each),
        ]
        for each in series
    ]
    return table(["run", "annotator", "P", "budget", "seeds", "val", "test", *COST_HEAD], body)


def _share(series: Series, column: str) -> str:
    return NOTHING if series[column] is None else share(series[column])
