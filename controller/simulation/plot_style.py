"""How plots look: one colour and marker a strategy in every figure, names at the ends of the lines.

Colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with a colour vision
deficiency tell apart; markers and dashes repeat the difference. Yellow is left out, for it vanishes on white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tenth.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK, GREY, ORANGE, SKY = "#000000", "#7A7A7A", "#E69F00", "#56B4E9"
GREEN, BLUE, VERMILION, PURPLE = "#009E73", "#0072B2", "#D55E00", "#CC79A7"
INK = "#262626"
DOTS_PER_INCH = 150
LINE_HEIGHT = 0.046
"""Least distance of two names at the ends of lines, as a share of the height of the axes."""

SOLID, DASHED, DOTTED = "-", (0, (5, 2)), (0, (1.5, 1.5))
Dash = str | tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class Look:
    """Colour, marker and dashes of a line."""

    color: str
    marker: str
    dash: Dash = SOLID
    width: float = 1.6


LOOKS = {
    "image": Look(BLACK, "D"),
    "random-pixels": Look(GREY, "o", DOTTED),
    "random-regions": Look(GREY, "s", DASHED),
    "entropy": Look(SKY, "o"),
    "entropy-edge": Look(SKY, "^", DASHED),
    "margin": Look(ORANGE, "o"),
    "least-confident": Look(ORANGE, "v", DASHED),
    "mc-dropout": Look(PURPLE, "o"),
    "mc-dropout-bald": Look(PURPLE, "v", DOTTED),
    "committee": Look(PURPLE, "s", DASHED),
    "sp": Look(GREEN, "s"),
    "sp-crf": Look(BLUE, "^"),
    "sp-crf-class": Look(BLUE, "D", DASHED),
    "sp-crf-class-share": Look(BLUE, "v", DOTTED),
    "tenth": Look(VERMILION, "*", SOLID, 2.6),
}
OTHERS = (
    Look(GREEN, "P", DOTTED),
    Look(PURPLE, "X", DOTTED),
    Look(ORANGE, "<", DOTTED),
    Look(BLACK, ">", DOTTED),
    Look(SKY, "h", DOTTED),
)
"""Looks of strategies that are not ours, in order of appearance."""


def look_of(strategy: str, others: Sequence[str] = ()) -> Look:
    """Return the look of a strategy; one that is not ours gets its own by its place among `others`.

    A named run, ``"sp-crf (learned as tenth)"``, has its strategy's colour and marker on a dotted line.
    """
    if strategy in LOOKS:
        return LOOKS[strategy]
    if (base := strategy.partition(" ")[0]) in LOOKS:
        return replace(LOOKS[base], dash=DOTTED, width=1.4)
    return OTHERS[(list(others).index(strategy) if strategy in others else 0) % len(OTHERS)]


def require_matplotlib() -> None:
    """Check that plots can be drawn, before hours are spent on what they would show.

    Raises
    ------
    ConfigurationError
        When matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "Plots need matplotlib, which is not installed here: pip install 'tenth[plots]'; "
            "or leave the plot out, the numbers do not depend on it."
        ) from error


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches; no window, no state outside of it.

    Raises
    ------
    ConfigurationError
        When matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def new_axes(figure: Figure, title: str, across: str, up: str) -> Axes:
    """Return axes with names, a faint grid, and room on the right for the names of the lines."""
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.grid(color="#DDDDDD", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def name_ends(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write the name of each line beside its end, moved apart so that none covers another.

    Parameters
    ----------
    axes : Axes
        With all its lines drawn.
    ends : sequence of (x, y, name, colour)
        The last point of each line in data coordinates.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    axes.set_xlim(*axes.get_xlim())
    heights = spread([(y - low) / (high - low) for _, y, _, _ in ends], LINE_HEIGHT)
    for (x, y, name, color), height in zip(ends, heights, strict=True):
        axes.annotate(
            name,
            xy=(x, y),
            xytext=(1.035, height),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            color=INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 1.0,
                "relpos": (0, 0.5),  # from the left of the name, not across it
                "shrinkA": 1,
                "shrinkB": 3,
            },
        )


def spread(heights: Sequence[float], distance: float) -> list[float]:
    """Move heights (0 at the bottom, 1 at the top) at least `distance` apart, each as little as may be.

    Heights that run into each other form a block, centred on the mean of what they wanted.
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    blocks: list[list[int]] = []
    for i in order:
        blocks.append([i])
        while len(blocks) > 1 and _bottom(blocks[-1], heights, distance) < (
            _bottom(blocks[-2], heights, distance) + len(blocks[-2]) * distance
        ):
            last = blocks.pop()
            blocks[-1] += last
    placed = [0.0] * len(heights)
    for block in blocks:
        for k, i in enumerate(block):
            placed[i] = _bottom(block, heights, distance) + k * distance
    return placed


def _bottom(block: Sequence[int], heights: Sequence[float], distance: float) -> float:
    """Return where the lowest of a block lies."""
    return sum(heights[i] for i in block) / len(block) - (len(block) - 1) * distance / 2


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure; the ending of its name says as what (``.png``, ``.svg``, ``.pdf``).

    Raises
    ------
    ConfigurationError
        When there is no such folder or the ending is none that can be written.
    """
    try:
        figure.savefig(path, dpi=DOTS_PER_INCH)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The plot cannot be written to {path}: {error}. "
            "Name a file that ends in .png in a folder that exists."
        ) from error
