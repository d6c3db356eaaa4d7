"""Plots of simulated rounds: learning curves, budget curve, group sizes, and pictures of what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Literal

from controller.simulation.plot_lines import (
    BOUNDS,
    Line,
    Row,
    draw,
    groups,
    last_rounds,
    over_rounds,
    sorted_by,
)
from controller.simulation.plot_pictures import plot_entropy_heatmap, plot_selected_pixels
from controller.simulation.plot_style import DASHED, DOTTED, SOLID, require_matplotlib

__all__ = [
    "plot_budget_curve",
    "plot_entropy_heatmap",
    "plot_group_sizes",
    "plot_learning_curves",
    "plot_selected_pixels",
    "require_matplotlib",
]

ASKED = "pixels of the pool that people were asked about, per cent"


def plot_learning_curves(
    rows: Sequence[Row], path: str | Path, *, against: Literal["round", "pixel_share"] = "round"
) -> None:
    """Plot the mIoU on test over the groups (the thesis's figure 3.3), a line a strategy.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of ``label_efficiency.json``. What differs between them besides strategy and seed (annotator,
        budget, initial share, network) makes lines of its own and is named. Lines start at the initial model.
    path : str or Path
        File to write, ``.png``.
    against : {"round", "pixel_share"}, optional
        What goes across: the groups so far, or the share of the pool's pixels that people were asked about.

    Raises
    ------
    DataError
        When no row tells a strategy's mIoU on test.
    ConfigurationError
        When matplotlib is missing or the file cannot be written.
    """
    fields = ("strategy", "annotator", "budget", "initial_share", "network")
    lines = [
        Line(name, look, over_rounds(group, against), hollow)
        for name, look, hollow, group in groups(rows, fields)
    ]
    across = "groups labelled" if against == "round" else ASKED
    draw(lines, rows, path, "Learning curves", across)


def plot_budget_curve(rows: Sequence[Row], path: str | Path) -> None:
    """Plot the mIoU on test after the last group over the share of pixels asked (figure 3.7).

    Parameters
    ----------
    rows : sequence of mapping
        Rows of ``label_efficiency.json`` at several budgets; of each run the last round counts.
    path : str or Path
        File to write, ``.png``.

    Raises
    ------
    DataError
        When no row tells a strategy's mIoU on test.
    ConfigurationError
        When matplotlib is missing or the file cannot be written.
    """
    lines = []
    for name, look, hollow, group in groups(rows, ("strategy", "annotator", "initial_share", "network")):
        last = last_rounds(group)
        points = [
            (100 * fmean(row["pixel_share"] for row in same), [100 * row["miou_test"] for row in same])
            for _, same in sorted_by(last, lambda row: float(row["budget"]))
        ]
        lines.append(Line(name, look, points, hollow))
    draw(
        lines,
        rows,
        path,
        "After the last group",
        ASKED,
    )


def plot_group_sizes(details_rows: Sequence[Row], path: str | Path) -> None:
    """Plot the mIoU on test over the images asked about, a line a group size (figure 3.12).

    Parameters
    ----------
    details_rows : sequence of mapping
        Rows of ``label_efficiency_details.json`` that have `miou_test` and `group_size`.
    path : str or Path
        File to write, ``.png``.

    Raises
    ------
    DataError
        When no row tells a strategy's mIoU on test.
    ConfigurationError
        When matplotlib is missing or the file cannot be written.
    """
    fields = ("strategy", "group_size", "annotator", "budget", "initial_share", "region_size")
    lines = []
    sizes = sorted({row["group_size"] for row in details_rows if row["strategy"] not in BOUNDS})
    for name, look, _, group in groups(details_rows, fields):
        points = [
            (float(images), [100 * row["miou_test"] for row in same])
            for images, same in sorted_by(group, lambda row: float(row["round"] * row["group_size"]))
        ]
        place = sizes.index(group[0]["group_size"])
        dashed = replace(look, dash=(SOLID, DASHED, DOTTED)[place % 3])
        lines.append(Line(name, dashed, points, hollow=place % 2 == 1))
    draw(lines, details_rows, path, "Group sizes", "images labelled")
