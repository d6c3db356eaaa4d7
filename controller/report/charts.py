"""Line charts as inline SVG: axes with names, values at the points, and the same numbers as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from controller.report.facts import Facts
from controller.report.words import decimal, integer, pixels

WIDTH, HEIGHT = 480, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 104, 16, 46
LABEL_DISTANCE = 16.0


@dataclass(frozen=True)
class Series:
    """A line: its points (x, y), its name at the last of them, its class in the style sheet."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Reference:
    """A level to compare with: a dashed line across the chart."""

    name: str
    style: str
    value: float


@dataclass(frozen=True)
class Axis:
    """Where values lie: a name, its range, its ticks, and how a value is written."""

    name: str
    ticks: Sequence[float]
    write: Callable[[float], str]

    def place(self, value: float, start: float, end: float) -> float:
        """Return where `value` lies when the axis goes from `start` to `end` on the page."""
        low, high = self.ticks[0], self.ticks[-1]
        return start + (value - low) / (high - low) * (end - start)


def learning_curves(facts: Facts) -> list[Markup]:
    """Return the learning curve over rounds and over pixels asked; none before anything was measured."""
    measured = [
        name for name in ("test", "val") if any(row[f"miou_{name}"] is not None for row in facts.rows)
    ]
    if not measured:
        return []
    references = [
        Reference(f"control {decimal(facts.control[name])}", f"{name} control", facts.control[name])
        for name in measured
        if name in facts.control
    ]
    rounds = [row["round"] for row in facts.rows]
    queried = [row["queried"] for row in facts.rows]
    # A single round has a place of its own on the axis.
    over_rounds = Axis("round", list(range(min(rounds), max(rounds[-1], rounds[0] + 1) + 1)), integer)
    charts = [("over the rounds", "round", over_rounds)]
    if queried[-1] > queried[0]:
        over_pixels = Axis(
            "pixels people were asked about, all rounds together", nice_ticks(0, queried[-1]), pixels
        )
        charts.append(("over the pixels that people were asked about", "queried", over_pixels))
    return [
        line_chart(f"mIoU {name}", axis, [curve(facts, split, column) for split in measured], references)
        for name, column, axis in charts
    ]


def curve(facts: Facts, split: str, column: str) -> Series:
    """Return the mIoU of the closed rounds against a column of their rows."""
    rows = [row for row in facts.rows if row[f"miou_{split}"] is not None]
    return Series(split, split, [(row[column], row[f"miou_{split}"]) for row in rows])


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round numbers, evenly spaced, that enclose both values; about `wanted` of them."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / wanted))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda size: abs(span / size - wanted))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * i, 10) for i in range(first, max(last, first + 1) + 1)]


def line_chart(title: str, x: Axis, series: Sequence[Series], references: Sequence[Reference]) -> Markup:
    """Return a chart of mIoU as one ``<svg>`` element; colours come from the page's style sheet."""
    values = [value for line in series for _, value in line.points] + [level.value for level in references]
    y = Axis("mIoU", nice_ticks(min(values), max(values)), lambda value: f"{value:.4g}")
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [*grid(x, y, right, bottom)]
    labels: list[tuple[float, str, str]] = []
    for level in references:
        height = y.place(level.value, bottom, TOP)
        parts.append(
            f'<line class="{level.style}" x1="{LEFT}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}"/>'
        )
        labels.append((height, level.name, level.style))
    for line in series:
        places = [(x.place(a, LEFT, right), y.place(b, bottom, TOP)) for a, b in line.points]
        parts.append(polyline(line, places, x))
        labels.append((places[-1][1], f"{line.name} {decimal(line.points[-1][1])}", line.style))
    parts += [
        f'<text class="name {style}" x="{right + 8}" y="{height + 4:.1f}">{escape(name)}</text>'
        for height, name, style in spread(labels)
    ]
    words = escape(spoken(title, x, series, references))
    return Markup(  # noqa: S704 - every text in `parts` is escaped
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def grid(x: Axis, y: Axis, right: float, bottom: float) -> list[str]:
    """Return the lines, numbers and names of both axes."""
    parts = []
    for tick in y.ticks:
        height = y.place(tick, bottom, TOP)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{escape(y.write(tick))}</text>'
        )
    for tick in x.ticks:
        across = x.place(tick, LEFT, right)
        parts.append(
            f'<line class="tick" x1="{across:.1f}" x2="{across:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
        )
        parts.append(
            f'<text x="{across:.1f}" y="{bottom + 18}" text-anchor="middle">{escape(x.write(tick))}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x.name)}</text>')
    half = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(13 {half}) rotate(-90)" text-anchor="middle">{escape(y.name)}</text>'
    )
    return parts


def polyline(line: Series, places: Sequence[tuple[float, float]], x: Axis) -> str:
    """Return a line and its points, each with its values for a pointer that rests on it."""
    path = " ".join(f"{across:.1f},{height:.1f}" for across, height in places)
    points = "".join(
        f'<circle class="{line.style}" cx="{across:.1f}" cy="{height:.1f}" r="4">'
        f"<title>{escape(f'{line.name}, {x.write(a)}: {decimal(b, 4)}')}</title></circle>"
        for (across, height), (a, b) in zip(places, line.points, strict=True)
    )
    return f'<polyline class="{line.style}" points="{path}"/>{points}'


def spread(labels: Sequence[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Move labels (height, name, style) apart, as little as it takes, so that none covers another."""
    moved = sorted(labels)
    lowest = HEIGHT - BOTTOM
    for i in range(1, len(moved)):
        height = max(moved[i][0], moved[i - 1][0] + LABEL_DISTANCE)
        moved[i] = (height, *moved[i][1:])
    for i in range(len(moved) - 1, -1, -1):
        height = min(moved[i][0], lowest)
        moved[i] = (height, *moved[i][1:])
        lowest = height - LABEL_DISTANCE  # type: ignore[assignment]
    return moved


def spoken(title: str, x: Axis, series: Sequence[Series], references: Sequence[Reference]) -> str:
    """Return the chart in words, for those who cannot see it."""
    lines = [
        f"{line.name}: " + ", ".join(f"{decimal(b)} at {x.write(a)}" for a, b in line.points)
        for line in series
    ]
    return f"{title}. Across: {x.name}. " + ". ".join([*lines, *(level.name for level in references)]) + "."
