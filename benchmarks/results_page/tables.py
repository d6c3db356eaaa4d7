"""The tables that sections share: costs, results over the groups, the test drives, differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results_page import thesis
from benchmarks.results_page.rows import BASELINE, BOUND, BOUND_ALIKE
from benchmarks.results_page.series import PIXELS, Difference, Series, base_of
from benchmarks.results_page.words import NOTHING, percent, points, seeds, share, signed, span, table, whole

COST_HEAD = ("pixels asked", "keys", "ratio", "gap closed")
NAMES = {BOUND: "full labels", BOUND_ALIKE: "full labels, P at a quarter", BASELINE: "P alone"}
FEW = {0: "no seed in common", 1: "one seed: no interval", 2: "two seeds: no interval"}


def name(series: Series) -> str:
    """Return the strategy as tables call it."""
    return NAMES.get(series["strategy"], f"`{series['strategy']}`")


def annotator(series: Series) -> str:
    """Return the annotator; nobody is asked for the bound and the baseline."""
    return NOTHING if series["strategy"] in NAMES else str(series.key.get("annotator"))


def cost(series: Series) -> list[str]:
    """Return what was asked and what it bought: the cells under `COST_HEAD`."""
    if series["strategy"] in NAMES:
        asked = [NOTHING, NOTHING]
    else:
        asked = [percent(series.final("pixel_share")), whole(series.final("keys"))]
    return [*asked, percent(series.final("ratio")), percent(series.final("gap_closed"))]


def over_groups(rows: Sequence[Series], printed: bool = False) -> list[str]:
    """Return the mIoU on test after each group, its costs, and what the thesis printed of ratio and gap."""
    groups = [str(number) for number in range(1, thesis.GROUPS + 1)]
    beside = ["thesis: ratio", "thesis: gap closed"] if printed else []
    body = []
    for each in rows:
        mious = [each.at(number, "miou_test") for number in range(thesis.GROUPS + 1)]
        if not mious[0] and each["strategy"] not in NAMES:
            mious[0] = each.at(
                max(1, min(run[0]["round"] for run in each.runs.values())), "initial_miou_test"
            )
        cells = [points(sum(m.values()) / len(m)) if m else NOTHING for m in mious]
        asked = NOTHING if each["strategy"] in NAMES else share(each["budget"])
        body.append(
            [
                name(each),
                annotator(each),
                asked,
                _seeds(each),
                *cells,
                *cost(each),
                *(_printed(each) if printed else []),
            ]
        )
    head = ["strategy", "annotator", "budget", "seeds", "P", *groups, *COST_HEAD, *beside]
    return table(head, body)


def _printed(series: Series) -> list[str]:
    strategy = series["strategy"]
    if strategy not in thesis.RATIO:
        return [NOTHING, NOTHING]
    return [percent(thesis.RATIO[strategy]), percent(thesis.gap_closed(thesis.MIOU[strategy]))]


def _seeds(series: Series) -> str:
    """Return how many runs are whole, and how far the others are."""
    under_way = [
        f"seed {seed} at group {rows[-1]['round']} of {series.rounds}"
        for seed, rows in series.runs.items()
        if seed not in series.finished
    ]
    return "; ".join([seeds(len(series.finished)), *under_way])


def drives(rows: Sequence[Series]) -> list[str]:
    """Return the results after the last group, on val, on test, and on test's two drives apart."""
    columns = ("miou_val", "miou_test", "miou_test_seq05vd", "miou_test_0001tp")
    body = [
        [
            name(each),
            annotator(each),
            seeds(len(each.finished)),
            *(points(each.final(c)) for c in columns),
            *cost(each),
        ]
        for each in rows
        if each.finished
    ]
    if not body:
        return ["No run is whole yet.", ""]
    return table(["strategy", "annotator", "seeds", "val", "test", "Seq05VD", "0001TP", *COST_HEAD], body)


def differences(
    rows: Iterable[tuple[str, Difference | None]], unit: str = "points of mIoU on test"
) -> list[str]:
    """Return differences seed by seed, their mean, its interval, and what that says."""
    body = [[what, *difference_cells(each)] for what, each in rows if each is not None]
    if not body:
        return [f"Differences ({unit}): no two runs to compare yet.", ""]
    return table([f"difference ({unit})", "seed by seed", "mean", "95 % interval", "so it is"], body)


def difference_cells(each: Difference) -> list[str]:
    """Return the pairs, the mean, the interval, and the reading of it."""
    pairs = ", ".join(f"{signed(value)} ({seed})" for seed, value in each.pairs.items())
    reading = {1: "above", -1: "below", 0: "not told apart"}[each.sign] if each.enough else "preliminary"
    return [pairs, signed(each.mean), interval(each), reading]


def interval(each: Difference) -> str:
    """Return the interval, or why there is none."""
    if each.interval is None:
        return FEW[len(each.pairs)]
    return f"{signed(each.interval[0])} to {signed(each.interval[1])}"


def settings(rows: Iterable[Series]) -> list[str]:
    """Return a line with the sizes of regions and groups behind a table."""
    asked = [
        row
        for each in rows
        if each["strategy"] not in NAMES and base_of(each["strategy"]) not in PIXELS
        for run in each.runs.values()
        for row in run
    ]
    words = {
        "region_size": "regions of {} pixels",
        "regions_per_image": "{} regions an image",
        "group_size": "groups of {} images",
    }
    parts = []
    for column, text in words.items():
        values = [row[column] for row in asked if row.get(column) is not None]
        parts.append(text.format(span(values)) if values else f"{column.replace('_', ' ')} not recorded")
    return [f"Settings of this table: {', '.join(parts)}.", ""]
