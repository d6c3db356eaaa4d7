"""How the results came about: what has been run, what not, commands, hardware, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.results_page.efficiency import TENTH, all_series, set_apart
from benchmarks.results_page.load import ABLATION_DETAILS, MAIN, MORE, Results
from benchmarks.results_page.rows import SIZES
from benchmarks.results_page.series import ORDER, PIXELS, SETTING, Series, pick
from benchmarks.results_page.words import SEEDS, flat, plain, share, table

NOT_PLANNED = ("mc-dropout-bald", "sp-crf-class-share")
Planned = tuple[str, str, float]  # strategy, annotator, budget
STRATEGIES = tuple(name for name in ORDER[2:] if name not in NOT_PLANNED)
BUDGETS = (0.05, 0.2, 0.3, 0.4)
"""Budgets of table 3.2 beside 10 %."""

SHARES = (0.1, 0.4)
"""Shares of train that P is planned to be, as nearly as whole images allow."""

NEAR = 0.02

TABLES: dict[str, list[Planned]] = {
    "table 3.1, dominant label": [(name, "dominant", TENTH) for name in STRATEGIES if name not in PIXELS],
    "table 3.1, exact": [(name, "exact", TENTH) for name in STRATEGIES],
    "table 3.2": [(name, "dominant", budget) for name in ("sp-crf", "tenth") for budget in BUDGETS],
}
"""What is planned for each share."""

TRANSFER = ("random-regions", "sp-crf", "tenth")


def coverage(results: Results) -> list[str]:
    """Return the section on what has been run: whole runs of what is planned, and what is missing."""
    transfer = _counted([(name, "dominant", TENTH) for name in TRANSFER], all_series(results.transfer))
    body = [*_tables(results), ["table 3.3", *transfer]]
    head = ["experiment", f"whole runs, of {SEEDS} seeds each", "missing"]
    lines = ["## What has been run", "", *table(head, body)]
    if results.missing:
        lines += [f"Files that are not there yet: {', '.join(f'`{name}`' for name in results.missing)}.", ""]
    return lines


def _tables(results: Results) -> list[list[str]]:
    """Return how many runs there are of each table, and what is missing."""
    settings = set_apart(all_series(results.label_efficiency))
    body = []
    for initial in SHARES:
        series = [each for (_, own), rows in settings.items() if abs(own - initial) < NEAR for each in rows]
        body += [[f"{what}, P = {share(initial)}", *_counted(plan, series)] for what, plan in TABLES.items()]
    return body


def _counted(plan: Sequence[Planned], series: Iterable[Series]) -> list[str]:
    rows = list(series)
    counts = {}
    for name, who, budget in plan:
        given = {"strategy": name, "annotator": who}
        # Whole images have a budget of their own.
        run = pick(rows, **given) if name == "image" else pick(rows, **given, budget=budget)
        counts[name, budget] = 0 if run is None else min(SEEDS, len(run.finished))
    many = len({budget for _, _, budget in plan}) > 1
    missing = [
        f"`{name}`{f' at {share(budget)}' if many else ''} {SEEDS - count}"
        for (name, budget), count in counts.items()
        if count < SEEDS
    ]
    return [f"{sum(counts.values())} of {SEEDS * len(counts)}", ", ".join(missing) or "nothing"]


def how(results: Results) -> list[str]:
    """Return the section on commands, hardware and settings, as the files tell them."""
    lines = ["## How these results were made", ""]
    spent: dict[tuple[object, ...], float] = {}
    for row in (*results.label_efficiency, *results.transfer, *results.details):
        run = tuple(row.get(name) for name in (*SETTING, "seed", *SIZES))
        spent[run] = max(spent.get(run, 0.0), row.get("seconds") or 0.0)  # of all rounds so far
    hours = sum(spent.values()) / 3600
    if hours:
        lines += [
            f"The runs of tables 3.1 to 3.3 and their variants took {hours:.1f} hours.",
            "",
        ]
    told = [name for name in (*MAIN, *MORE, ABLATION_DETAILS) if results.about(name)]
    for name in told:
        lines += [f"### `{name}`", ""]
        about = dict(results.about(name))
        commands = about.pop("commands", about.pop("command", None))
        if commands:
            listed = [commands] if isinstance(commands, str) else list(commands)
            lines += [*(f"    {plain(command)}" for command in listed), ""]
        earlier = about.pop("earlier", [])
        lines += [f"- {key}: {value}" for key, value in flat(about)]
        lines += [*_earlier(earlier), ""]
    if not told:
        lines += ["No file tells its commands, hardware and settings yet.", ""]
    return lines


def _earlier(machines: Sequence[Mapping[str, str]]) -> list[str]:
    """Return where the runs of a file come from that its settings do not speak of."""
    commits: dict[str, list[str]] = {}
    for each in machines:
        commits.setdefault(each.get("hardware", "unknown"), []).append(each.get("commit", "unknown"))
    return [
        f"- other runs: {hardware}, at the commits {', '.join(each)}" for hardware, each in commits.items()
    ]
