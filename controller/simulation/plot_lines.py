"""What the curves share: rows sorted into lines, and lines drawn with the bound and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from controller.simulation.plot_style import INK, LOOKS, Look, look_of, name_ends, new_axes, new_figure, save
from tenth.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = Mapping[str, Any]
BOUNDS = ("full-labels", "initial-labels")
UP = "mIoU on test, per cent"
MOST_BANDS = 6
"""Lines that have bands; those of more would cover each other."""


@dataclass(frozen=True)
class Line:
    """A line of a plot: for each place across, the values of the seeds, in per cent."""

    name: str
    look: Look
    points: Sequence[tuple[float, Sequence[float]]]
    hollow: bool = False


def groups(rows: Sequence[Row], fields: Sequence[str]) -> list[tuple[str, Look, bool, list[Row]]]:
    """Divide rows by `fields`; name each part by its strategy and by those fields that differ among all."""
    asked = [row for row in rows if row["strategy"] not in BOUNDS and row.get("miou_test") is not None]
    if not asked:
        raise DataError(
            f"There is nothing to plot: of {len(rows)} rows none tells a strategy's mIoU on test."
        )
    differing = [field for field in fields[1:] if len({row.get(field) for row in asked}) > 1]
    strategies = list(dict.fromkeys(row["strategy"] for row in asked))
    others = [name for name in strategies if name not in LOOKS]
    parts: dict[tuple[Any, ...], list[Row]] = {}
    for row in asked:
        parts.setdefault((row["strategy"], *(row.get(field) for field in differing)), []).append(row)
    return [
        (
            _name(key, differing),
            look_of(key[0], others),
            "annotator" in differing and group[0].get("annotator") == "exact",
            group,
        )
        for key, group in parts.items()
    ]


def _name(key: tuple[Any, ...], fields: Sequence[str]) -> str:
    words: dict[str, Callable[[Any], str]] = {
        "annotator": str,
        "network": str,
        "budget": lambda share: f"{100 * share:g} % asked",
        "initial_share": lambda share: f"P = {100 * share:g} %",
        "group_size": lambda size: f"{size} a group",
        "region_size": lambda size: f"regions of {size} px",
    }
    return ", ".join([key[0], *(words[field](value) for field, value in zip(fields, key[1:], strict=True))])


def over_rounds(rows: Sequence[Row], against: str) -> list[tuple[float, list[float]]]:
    """Return the points of a learning curve, from the initial model on."""
    points = []
    for number, same in sorted_by(rows, lambda row: float(row["round"])):
        across = number if against == "round" else 100 * fmean(row["pixel_share"] for row in same)
        points.append((across, [100 * row["miou_test"] for row in same]))
    starts = {
        row["seed"]: 100 * row["initial_miou_test"]
        for row in rows
        if row.get("initial_miou_test") is not None
    }
    if starts and not any(row["round"] == 0 for row in rows):
        points.insert(0, (0.0, list(starts.values())))
    return points


def sorted_by(rows: Iterable[Row], place: Callable[[Row], float]) -> list[tuple[float, list[Row]]]:
    """Return the rows by their place across, from left to right."""
    parts: dict[float, list[Row]] = {}
    for row in rows:
        parts.setdefault(place(row), []).append(row)
    return sorted(parts.items())


def last_rounds(rows: Iterable[Row]) -> list[Row]:
    """Return the row of the last round of each run."""
    last: dict[tuple[float, int], Row] = {}
    for row in rows:
        run = (row["budget"], row["seed"])
        if run not in last or last[run]["round"] < row["round"]:
            last[run] = row
    return list(last.values())


def draw(lines: Sequence[Line], rows: Sequence[Row], path: str | Path, title: str, across: str) -> None:
    """Draw lines and the levels of full and of initial labels into a file."""
    banded = len(lines) <= MOST_BANDS
    words = "lines: mean over seeds" + (", bands: lowest to highest seed" if banded else "")
    figure = new_figure(8.4, 5.2)
    axes = new_axes(figure, f"{title} ({words})", across, UP)
    if banded:
        for line in lines:
            _draw_band(axes, line)
    ends = [_draw_line(axes, line) for line in lines]
    right = axes.get_xlim()[1]
    for column, name in (("full_label_miou_test", "full labels"), ("initial_miou_test", "initial labels")):
        levels = {100 * row[column] for row in rows if row.get(column) is not None}
        if levels:
            level = fmean(levels)
            axes.axhline(level, color=INK, linewidth=1.2, linestyle=(0, (6, 3)), zorder=1)
            ends.append((right, level, f"{name} {level:.1f}", INK))
    name_ends(axes, ends)
    save(figure, path)


def _draw_band(axes: Axes, line: Line) -> None:
    axes.fill_between(
        [x for x, _ in line.points],
        [min(values) for _, values in line.points],
        [max(values) for _, values in line.points],
        color=line.look.color,
        alpha=0.13,
        linewidth=0,
    )


def _draw_line(axes: Axes, line: Line) -> tuple[float, float, str, str]:
    xs = [x for x, _ in line.points]
    means = [fmean(values) for _, values in line.points]
    look = line.look
    axes.plot(
        xs,
        means,
        color=look.color,
        marker=look.marker,
        linestyle=look.dash,
        linewidth=look.width,
        markersize=9 if look.marker == "*" else 5,
        markerfacecolor="white" if line.hollow else look.color,
        zorder=3 if look.width > 2 else 2,
    )
    return xs[-1], means[-1], f"{line.name} {means[-1]:.1f}", look.color
