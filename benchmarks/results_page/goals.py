"""The goals: what `tenth` set out to reach, and by how much each is reached or missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.results_page import thesis
from benchmarks.results_page.efficiency import all_series, gap, set_apart
from benchmarks.results_page.load import Results
from benchmarks.results_page.rows import BASELINE, BOUND, BOUND_ALIKE
from benchmarks.results_page.series import Difference, Series, pick
from benchmarks.results_page.tables import COST_HEAD, cost, difference_cells, interval
from benchmarks.results_page.words import NOTHING, SEEDS, mean, percent, seeds, share, signed, table

ASKED = {"strategy": "tenth", "annotator": "dominant"}


@dataclass(frozen=True)
class Goal:
    """A level that a column has to reach at a budget, mean of three seeds; and what the thesis reached."""

    column: str
    budget: float
    level: float
    thesis: float | None


WORDS = {"ratio": "of the full labels' mIoU", "gap_closed": "of the gap closed"}
GOALS = (
    Goal("ratio", 0.10, 0.97, thesis.RATIO["sp-crf-class"]),
    Goal("gap_closed", 0.10, 0.85, thesis.gap_closed(thesis.MIOU["sp-crf-class"])),
    Goal("ratio", 0.05, 0.95, None),
)
TRANSFER = (
    Goal("ratio", 0.10, 0.97, thesis.TRANSFER_RATIO["sp-crf"]),
    Goal(
        "gap_closed",
        0.10,
        0.90,
        thesis.gap_closed(thesis.TRANSFER["sp-crf"], thesis.TRANSFER_INITIAL, thesis.TRANSFER_FULL),
    ),
)
ON_VAL = "the same on val"
ORDERS = (("tenth", "sp-crf"), ("sp-crf", "random-regions"))
"""What has to be above what; the steps between them are in table 3.1."""


def goals(results: Results) -> list[str]:
    """Return the section on the goals."""
    body: list[list[str]] = []
    orders: list[tuple[str, Difference | None]] = []
    settings = set_apart(all_series(results.label_efficiency))
    for (network, initial), series in settings.items():
        where = f"{network}, P = {share(initial)}"
        body += [_row(where, goal, series) for goal in GOALS]
        orders += _orders(where, series)
    if not settings:
        body += [_row("CamVid", goal, []) for goal in GOALS]
        orders += _orders("CamVid", [])
    transfer = set_apart(all_series(results.transfer))
    for (network, _), series in transfer.items():
        body += [_row(f"transfer, {network}", goal, series) for goal in TRANSFER]
    if not transfer:
        body += [_row("transfer", goal, []) for goal in TRANSFER]
    head = [
        "`tenth`, dominant label, on test",
        "goal",
        "thesis",
        "seeds",
        "here",
        "result",
        *COST_HEAD,
        ON_VAL,
    ]
    lines = ["## Goals", "", *table(head, body)]
    for series in settings.values():
        lines += _preferred_by_val(series)
    lines += ["And the order at 10 %, in points of mIoU on test:", ""]
    head = ["goal", "seed by seed", "mean", "95 % interval", "so it is", "result"]
    lines += table(head, [_order_row(what, each) for what, each in orders])
    for series in settings.values():
        lines += _below_p(series)
    return lines


def _preferred_by_val(series: Sequence[Series]) -> list[str]:
    """Say where val, by which all is chosen, prefers the runs that went on without a restart."""
    lines = []
    for budget in sorted({goal.budget for goal in GOALS}, reverse=True):
        one, other = (
            ASKED | {"strategy": name, "budget": budget} for name in ("tenth without restart", "tenth")
        )
        step, run = gap(series, one, other, "miou_val"), pick(series, **one)
        if step is not None and run is not None and step.mean > 0:
            lines += [
                f"Val would not have chosen the restart at {share(budget)}. Without it mIoU on val is "
                f"{signed(step.mean)} ({interval(step)}), and on test it reaches "
                f"{percent(run.final('ratio'))} of the full labels' mIoU and "
                f"{percent(run.final('gap_closed'))} of the gap.",
                "",
            ]
    return lines


def _below_p(series: Sequence[Series]) -> list[str]:
    """Say of which strategies the answers did more harm than good, for then the order says little."""
    least = {"strategy": BASELINE}
    steps = {
        name: gap(series, {"strategy": name, "annotator": "dominant", "budget": 0.1}, least)
        for name in ("sp-crf", "random-regions")
    }
    worse = [f"`{name}`" for name, step in steps.items() if step is not None and step.mean < 0]
    if not worse:
        return []
    where = f"(P = {share(round(series[0]['initial_share'], 3))})"
    return [
        f"{' and '.join(worse)} ended below P alone {where}: the model's own labels, which the thesis's "
        "recipe adds, did more harm than the answers did good. What the questions alone are worth, all "
        "learned from alike, is told under *The questions alone*.",
        "",
    ]


def _row(where: str, goal: Goal, series: Sequence[Series]) -> list[str]:
    run = pick(series, **ASKED, budget=goal.budget)
    what = f"{where}, {share(goal.budget)}: {WORDS[goal.column]}"
    wanted = [what, f"≥ {share(goal.level)}", percent(goal.thesis)]
    value = None if run is None else run.final(goal.column)
    if run is None or value is None:
        under_way = "under way" if run is not None else "not run yet"
        return [*wanted, "0", NOTHING, under_way, *[NOTHING] * len(COST_HEAD), NOTHING]
    count = len(run.finals(goal.column))
    on_val = percent(mean(_on_val(run, series, goal.column)))
    return [*wanted, seeds(count), percent(value), verdict(value - goal.level, count), *cost(run), on_val]


def _on_val(run: Series, series: Iterable[Series], column: str) -> list[float]:
    """Return a goal's column, seed by seed, as val tells it: what was chosen by val may be chance on test."""
    ends = list(series)
    bounds = (pick(ends, strategy=name) for name in (BOUND, BOUND_ALIKE, BASELINE))
    plain, alike, least = ({} if each is None else each.finals("miou_val") for each in bounds)
    most = {seed: max(value, alike.get(seed, 0.0)) for seed, value in plain.items()}
    values = run.finals("miou_val")
    return [
        value / most[seed] if column == "ratio" else (value - least[seed]) / (most[seed] - least[seed])
        for seed, value in values.items()
        if seed in most and seed in least and most[seed] != least[seed]
    ]


def verdict(over: float, count: int) -> str:
    """Return whether a goal is reached and by how many points; preliminary with fewer than three seeds."""
    word = f"reached by {signed(over)[1:]}" if over >= 0 else f"**missed by {signed(over)[1:]}**"
    return word if count >= SEEDS else f"{word}, preliminary"


def _orders(where: str, series: Iterable[Series]) -> list[tuple[str, Difference | None]]:
    rows = list(series)
    found: list[tuple[str, Difference | None]] = []
    for better, worse in ORDERS:
        one, other = ({"strategy": name, "annotator": "dominant", "budget": 0.1} for name in (better, worse))
        found.append((f"{where}: `{better}` above `{worse}`", gap(rows, one, other)))
    return found


def _order_row(what: str, each: Difference | None) -> list[str]:
    if each is None:
        return [what, NOTHING, NOTHING, NOTHING, NOTHING, "not run yet"]
    return [what, *difference_cells(each), verdict(each.mean, len(each.pairs))]
