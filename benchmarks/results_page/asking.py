"""Tables 3.5, 3.6, 3.7: what asking costs, what it finds, and which classes gain."""

from __future__ import annotations

from typing import Any

from benchmarks.results_page import thesis
from benchmarks.results_page.efficiency import all_series, at_budget, set_apart
from benchmarks.results_page.load import Results
from benchmarks.results_page.series import ENTROPY_WITH_DROPOUT, ORDER, Series, difference, pick
from benchmarks.results_page.tables import COST_HEAD, annotator, cost, differences, name
from benchmarks.results_page.words import NOTHING, mean, percent, points, seeds, share, table


def table_3_5(results: Results) -> list[str]:
    """Return the section on seconds per image."""
    lines = ["## Table 3.5: seconds an image", ""]
    if not results.seconds:
        return [*lines, "Not run yet: there are no rows in `strategy_seconds.json`.", ""]
    sizes = sorted({str(row["size"]) for row in results.seconds}, key=_pixels)
    measured = {(row["strategy"], str(row["size"])): float(row["seconds"]) for row in results.seconds}
    strategies = sorted({row["strategy"] for row in results.seconds}, key=_order)
    body = [
        [
            f"`{strategy}`",
            *(
                f"{measured[strategy, size]:.2f}" if (strategy, size) in measured else NOTHING
                for size in sizes
            ),
            f"{thesis.SECONDS[strategy]:.2f}" if strategy in thesis.SECONDS else NOTHING,
        ]
        for strategy in strategies
    ]
    lines += [
        "The thesis's hardware is unknown: compare the ratios within a column. Nobody is asked here.",
        "",
    ]
    return [*lines, *table(["strategy", *(f"s at {size}" for size in sizes), "thesis, 1024×2048"], body)]


def _pixels(size: str) -> tuple[int, str]:
    numbers = [int(part) for part in size.replace("×", "x").split("x") if part.isdigit()]
    return (numbers[0] * numbers[1] if len(numbers) == 2 else 0, size)


def _order(strategy: str) -> tuple[int, str]:
    return (ORDER.index(strategy) if strategy in ORDER else len(ORDER), strategy)


def table_3_6(results: Results) -> list[str]:
    """Return the section on the share of queried pixels whose label was wrong."""
    lines = ["## Table 3.6: queried pixels that need another label", ""]
    groups = range(1, thesis.GROUPS + 1)
    found = False
    for (network, initial), series in set_apart(all_series(results.label_efficiency)).items():
        rows = [
            each for each in at_budget(series) if any(each.at(number, "wrong_share") for number in groups)
        ]
        if not rows:
            continue
        found = True
        body = [
            [
                name(each),
                annotator(each),
                seeds(len(each.finished or each.runs)),
                *(percent(mean(each.at(number, "wrong_share").values())) for number in groups),
                *cost(each),
                percent(thesis.WRONG.get(each["strategy"])),
            ]
            for each in rows
        ]
        head = ["strategy", "annotator", "seeds", *(str(number) for number in groups), *COST_HEAD, "thesis"]
        lines += [f"### {network}, P = {share(initial)} of train, 10 % of the pixels", ""]
        lines += [
            "Before the first group all strategies look at the same model, later each at its own. Wrong is "
            "what people are shown: the CRF's label for `sp-crf` and its class-specific form, the network's "
            "for all others.",
            "",
        ]
        lines += table(head, body)
        whole = pick(rows, strategy="random-regions", annotator="dominant")
        base = whole or pick(rows, strategy="random-pixels", annotator="exact")
        if base is not None:
            lines += differences(
                [
                    (
                        f"{name(each)} ({annotator(each)}) − {name(base)}, first group",
                        difference(each.at(1, "wrong_share"), base.at(1, "wrong_share")),
                    )
                    for each in rows
                    if each is not base
                ],
                "points of the queried pixels",
            )
    return lines if found else [*lines, "Not run yet: no row tells its `wrong_share`.", ""]


def table_3_7(results: Results) -> list[str]:
    """Return the section on the classes, from the details of the last round."""
    lines = ["## Table 3.7: IoU of the classes", ""]
    found = False
    for (network, initial), series in set_apart(all_series(results.label_efficiency)).items():
        rows = [each for each in at_budget(series) if _classes(each)]
        if not rows:
            continue
        found = True
        names = list(dict.fromkeys(label for each in rows for label in _classes(each)))
        body = [
            [
                name(each),
                annotator(each),
                seeds(len(each.finished)),
                *(points(_classes(each).get(label)) for label in names),
                *cost(each),
            ]
            for each in rows
        ]
        lines += [f"### {network}, P = {share(initial)} of train, 10 % of the pixels", ""]
        lines += ["On test, after the last group, in per cent, mean over the seeds.", ""]
        lines += table(["strategy", "annotator", "seeds", *names, *COST_HEAD], body)
        lines += _against_dropout(rows, names)
    if not found:
        lines += ["Not run yet: `label_efficiency_details.json` has no `class_iou_test` of a whole run.", ""]
    return lines


def _classes(series: Series) -> dict[str, float]:
    """Return the mean IoU of each class over the seeds whose run is whole."""
    ious: dict[str, list[float]] = {}
    for values in by_seed(series, "class_iou_test").values():
        for label, iou in values.items():
            if iou is not None:
                ious.setdefault(label, []).append(iou)
    return {label: sum(values) / len(values) for label, values in ious.items()}


def by_seed(series: Series, column: str) -> dict[int, dict[str, Any]]:
    """Return a column that is a table of its own, after the last round, by seed."""
    last = {seed: series.runs[seed][-1].get(column) for seed in series.finished}
    return {seed: value for seed, value in last.items() if isinstance(value, dict)}


def _against_dropout(rows: list[Series], names: list[str]) -> list[str]:
    dropout = pick(rows, strategy="mc-dropout", annotator="exact")
    entropy = pick(rows, strategy=ENTROPY_WITH_DROPOUT, annotator="exact")
    if dropout is None or entropy is None:
        return []
    one, other = (by_seed(each, "class_iou_test") for each in (dropout, entropy))
    return differences(
        [
            (
                f"{label}: `mc-dropout` − `{ENTROPY_WITH_DROPOUT}`",
                difference(
                    {seed: ious[label] for seed, ious in one.items() if ious.get(label) is not None},
                    {seed: ious[label] for seed, ious in other.items() if ious.get(label) is not None},
                ),
            )
            for label in names
        ],
        "points of IoU on test",
    )
