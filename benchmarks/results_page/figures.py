"""The plots of the page: which there are, from which rows, and under which names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.results_page.efficiency import TENTH, all_series, at_budget, set_apart
from benchmarks.results_page.load import Results
from benchmarks.results_page.rows import Row
from benchmarks.results_page.series import Series
from benchmarks.results_page.tables import NAMES
from benchmarks.results_page.variants import varied
from benchmarks.results_page.words import share
from controller.simulation.plots import plot_budget_curve, plot_group_sizes, plot_learning_curves


@dataclass(frozen=True)
class Plot:
    """A plot: the section it belongs to, its file, what it shows, and how it is drawn."""

    section: str
    file: str
    caption: str
    draw: Callable[[Path], None]


def plots(results: Results) -> list[Plot]:
    """Return the plots that there are numbers for."""
    found: list[Plot] = []
    for (network, initial), series in set_apart(all_series(results.label_efficiency)).items():
        where = f"{network}, P = {share(initial)}"
        found += _learning(series, "3.1", f"learning_{network}_p{100 * initial:.0f}", f"Figure 3.3: {where}")
        found += _budgets(series, f"budgets_{network}_p{100 * initial:.0f}.png", f"Figure 3.7: {where}")
    for (network, _), series in set_apart(all_series(results.transfer)).items():
        found += _learning(series, "3.3", f"transfer_{network}", f"Figure 3.8: transfer, {network}")
    sizes = [row for group in varied(results, "group_size") for row in _of_common_seeds(group)]
    if sizes:
        draw = partial(plot_group_sizes, sizes)
        found.append(Plot("3.12", "group_sizes.png", "Figure 3.12: group sizes", draw))
    return found


def _of_common_seeds(series: list[Series]) -> list[Row]:
    """Return the rows of the seeds that all series have: of others a mean would compare initial sets."""
    common = set.intersection(*(set(each.finished) for each in series))
    return [row for row in _rows(series) if row["seed"] in common]


def _learning(series: list[Series], section: str, file: str, caption: str) -> list[Plot]:
    rows = at_budget(series, TENTH)
    found = []
    for who in ("dominant", "exact"):
        chosen = [each for each in rows if each["annotator"] == who and each["strategy"] not in NAMES]
        if chosen:
            draw = partial(plot_learning_curves, _rows(chosen))
            found.append(Plot(section, f"{file}_{who}.png", f"{caption}, {who}, 10 % of the pixels", draw))
    return found


def _budgets(series: list[Series], file: str, caption: str) -> list[Plot]:
    chosen = [each for each in series if each["strategy"] in ("sp-crf", "tenth") and each.finished]
    if len({each["budget"] for each in chosen}) < 2:
        return []
    finished = [row for each in chosen for seed in each.finished for row in each.runs[seed]]
    return [
        Plot("3.2", file, f"{caption}, by the share of pixels asked", partial(plot_budget_curve, finished))
    ]


def _rows(series: Iterable[Series]) -> list[Row]:
    """Return the rows of whole runs, or of all where none is whole: what the tables show."""
    return [row for each in series for seed in each.finished or each.runs for row in each.runs[seed]]


def linked(found: Iterable[Plot], section: str, folder: str) -> list[str]:
    """Return the plots of a section as Markdown."""
    lines = []
    for plot in found:
        if plot.section == section:
            lines += [f"![{plot.caption}]({folder}/{plot.file})", ""]
    return lines
