"""Tables 3.1, 3.2, 3.3, 3.4: what each strategy buys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from benchmarks.results_page import thesis
from benchmarks.results_page.load import Results
from benchmarks.results_page.rows import BOUNDS, Row
from benchmarks.results_page.series import (
    ENTROPY_WITH_DROPOUT,
    SETTING,
    Difference,
    Series,
    base_of,
    difference,
    divide,
    pick,
)
from benchmarks.results_page.tables import (
    COST_HEAD,
    NAMES,
    annotator,
    cost,
    differences,
    drives,
    name,
    over_groups,
    settings,
)
from benchmarks.results_page.words import NOTHING, percent, points, seeds, share, table

TENTH = 0.1
"""The budget of table 3.1."""

STEPS = (*thesis.LADDER, "tenth")
ALONE = (("tenth", "sp-crf (learned as tenth)"), ("tenth", "random-regions (learned as tenth)"))
EXTRA_PAIRS = (("tenth", "sp-crf"), ("sp-crf", "random-regions"), ("tenth", "random-regions"))


def all_series(rows: Iterable[Row]) -> list[Series]:
    """Return the series of a file in the order of the tables."""
    return divide(rows, SETTING, thesis.GROUPS)


def set_apart(series: Sequence[Series]) -> dict[tuple[str, float], list[Series]]:
    """Return the series by network and initial share."""
    parts: dict[tuple[str, float], list[Series]] = {}
    for each in series:
        parts.setdefault((each["network"], each["initial_share"]), []).append(each)
    return parts


def at_budget(series: Iterable[Series], budget: float = TENTH) -> list[Series]:
    """Return the series at a budget, with bound and baseline; whole images at whatever they were run at.

    Named runs of a strategy, such as those of the ablation, have sections of their own.
    """
    return [
        each
        for each in series
        if each["strategy"] in (*NAMES, "image")
        or (abs(each["budget"] - budget) < 1e-9 and base_of(each["strategy"]) == each["strategy"])
    ]


def gap(
    series: Sequence[Series], one: dict[str, Any], other: dict[str, Any], column: str = "miou_test"
) -> Difference | None:
    """Return the difference in final mIoU between two series given by their values."""
    first, second = pick(series, **one), pick(series, **other)
    if first is None or second is None or first is second:
        return None
    return difference(first.finals(column), second.finals(column))


def table_3_1(results: Results) -> list[str]:
    """Return the section on all strategies over the groups."""
    lines = ["## Table 3.1: all strategies over the groups", ""]
    if not results.label_efficiency:
        return [*lines, "Not run yet: there are no rows in `label_efficiency.json`.", ""]
    for (network, initial), series in set_apart(all_series(results.label_efficiency)).items():
        rows = at_budget(series)
        lines += [f"### {network}, P = {share(initial)} of train, 10 % of the pixels", ""]
        lines += [
            "mIoU on test after each group, in per cent; the thesis's columns are of Cityscapes val with "
            f"P = {share(round(thesis.INITIAL_SHARE, 3))}.",
            "",
        ]
        lines += [*over_groups(rows, printed=True), *settings(rows)]
        lines += [
            "After the last group, in per cent, on the test drives together and apart:",
            "",
            *drives(rows),
        ]
        lines += differences(_steps(rows))
    return lines


def _steps(rows: Sequence[Series]) -> list[tuple[str, Difference | None]]:
    """Return the steps of the thesis's ladder and of the goal by annotator, then exact against dominant."""
    pairs = [*((better, worse) for worse, better in pairwise(STEPS)), *EXTRA_PAIRS]
    found: dict[tuple[int, int], tuple[str, Difference | None]] = {}
    for who in ("dominant", "exact"):
        for better, worse in pairs:
            one, other = pick(rows, strategy=better, annotator=who), pick(rows, strategy=worse, annotator=who)
            if one is not None and other is not None:
                # A strategy of pixels may have been run as either annotator, which is the same for it.
                whose = " against ".join(dict.fromkeys((one["annotator"], other["annotator"])))
                step = difference(one.finals("miou_test"), other.finals("miou_test"))
                found.setdefault((id(one), id(other)), (f"`{better}` − `{worse}`, {whose}", step))
    either = [
        (
            f"`{name}`: exact − dominant",
            gap(rows, {"strategy": name, "annotator": "exact"}, {"strategy": name, "annotator": "dominant"}),
        )
        for name in dict.fromkeys(each["strategy"] for each in rows if each["strategy"] not in NAMES)
    ]
    return [*found.values(), *either]


def table_3_2(results: Results) -> list[str]:
    """Return the section on budgets of 5 to 40 %."""
    lines = ["## Table 3.2: budgets", ""]
    for (network, initial), series in set_apart(all_series(results.label_efficiency)).items():
        rows = [each for each in series if each["strategy"] in ("sp-crf", "tenth") and each.finished]
        if len({each["budget"] for each in rows}) < 2:
            continue
        lines += [f"### {network}, P = {share(initial)} of train", ""]
        body = [
            [
                name(each),
                annotator(each),
                share(each["budget"]),
                seeds(len(each.finished)),
                points(each.final("miou_test")),
                *cost(each),
                _thesis_budget(each),
            ]
            for each in rows
        ]
        head = ["strategy", "annotator", "budget", "seeds", "test", *COST_HEAD, "thesis: ratio"]
        lines += [*table(head, body), *settings(rows)]
        lines += differences(
            (
                f"`tenth` − `sp-crf` at {share(budget)}, {who}",
                gap(
                    rows,
                    {"strategy": "tenth", "annotator": who, "budget": budget},
                    {"strategy": "sp-crf", "annotator": who, "budget": budget},
                ),
            )
            for who in ("dominant", "exact")
            for budget in sorted({each["budget"] for each in rows})
        )
    if len(lines) == 2:
        lines += ["Not run yet: no setting has `sp-crf` or `tenth` at more than one budget.", ""]
    return lines


def _thesis_budget(series: Series) -> str:
    if series["strategy"] != "sp-crf":
        return NOTHING
    return percent(
        next((r for b, r in thesis.BUDGET_RATIO.items() if abs(b - series["budget"]) < 1e-9), None)
    )


def table_3_3(results: Results) -> list[str]:
    """Return the section on transfer."""
    lines = ["## Table 3.3: transfer from Cityscapes to CamVid", ""]
    if not results.transfer:
        return [*lines, "Not run yet: there are no rows in `transfer.json`.", ""]
    lines += [
        "Θ is an ESPNetv2 trained on Cityscapes alone, Q all of CamVid's train; *P alone* is Θ as it comes, "
        "its classes mapped. The thesis went from Cityscapes to Mapillary: "
        f"{thesis.TRANSFER_INITIAL} → {thesis.TRANSFER['sp-crf']} of {thesis.TRANSFER_FULL} with `sp-crf` "
        f"({_transfer('sp-crf')}), {thesis.TRANSFER['random-pixels']} with random pixels "
        f"({_transfer('random-pixels')}).",
        "",
    ]
    for series in set_apart(all_series(results.transfer)).values():
        lines += [*over_groups(series), *settings(series), *drives(series)]
        budgets = sorted({each["budget"] for each in series if each["strategy"] not in BOUNDS})
        lines += differences(
            (
                f"`{better}` − `{worse}` at {share(budget)}, {who}",
                gap(
                    series,
                    {"strategy": better, "annotator": who, "budget": budget},
                    {"strategy": worse, "annotator": who, "budget": budget},
                ),
            )
            for who in ("dominant", "exact")
            for budget in budgets
            for better, worse in (*EXTRA_PAIRS, *ALONE, ("sp-crf", "random-pixels"))
        )
    return lines


def _transfer(strategy: str) -> str:
    miou = thesis.TRANSFER[strategy]
    closed = thesis.gap_closed(miou, thesis.TRANSFER_INITIAL, thesis.TRANSFER_FULL)
    return f"{percent(thesis.TRANSFER_RATIO[strategy])}, {percent(closed)} of the gap"


DROPOUT = ("mc-dropout", ENTROPY_WITH_DROPOUT)


def with_dropout(series: Iterable[Series]) -> list[Series]:
    """Return MC dropout and entropy, both of a network with dropout, at 10 %."""
    return [each for each in series if each["strategy"] in DROPOUT and math.isclose(each["budget"], TENTH)]


def table_3_4(results: Results) -> list[str]:
    """Return the section on MC dropout against entropy, both of the same network with dropout."""
    lines = ["## Table 3.4: MC dropout against entropy", ""]
    lines += [
        f"The thesis: {thesis.DROPOUT['mc-dropout']} against {thesis.DROPOUT['entropy']} of "
        f"{thesis.DROPOUT_FULL}, {thesis.DROPOUT_SECONDS['mc-dropout']} s against "
        f"{thesis.DROPOUT_SECONDS['entropy']} s.",
        "",
    ]
    sizes = list(dict.fromkeys(str(row["size"]) for row in results.seconds))
    body: list[list[str]] = []
    compared: list[tuple[str, Difference | None]] = []
    for (network, initial), series in set_apart(all_series(results.label_efficiency)).items():
        rows = [each for each in with_dropout(series) if each.finished]
        where = f"{network}, P = {share(initial)}"
        body += [
            [name(each), where, annotator(each), seeds(len(each.finished)), points(each.final("miou_test"))]
            + cost(each)
            + [_seconds(results, base_of(each["strategy"]), size) for size in sizes]
            for each in rows
        ]
        # Both ask about pixels, so that either annotator serves.
        one, other = ({"strategy": name, "annotator": "exact"} for name in DROPOUT)
        compared.append((f"`mc-dropout` − `{ENTROPY_WITH_DROPOUT}`, {where}", gap(rows, one, other)))
    if not body:
        return [*lines, "Not run yet: neither has a whole run at 10 % with a network that has dropout.", ""]
    head = [
        "strategy",
        "setting",
        "annotator",
        "seeds",
        "test",
        *COST_HEAD,
        *(f"s, {size}" for size in sizes),
    ]
    return [*lines, *table(head, body), *differences(compared)]


def _seconds(results: Results, strategy: str, size: str) -> str:
    for row in results.seconds:
        if row["strategy"] == strategy and str(row["size"]) == size:
            return f"{row['seconds']:.2f}"
    return NOTHING
