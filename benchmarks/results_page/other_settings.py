"""Experiments in another setting than the main one: a part of the page."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results_page.efficiency import table_3_1
from benchmarks.results_page.load import DETAILS, Results


def longer(results: Results) -> list[str]:
    """Return the part on longer trainings; nothing before anything was run there."""
    long = results.longer
    if long is None or not long.label_efficiency:
        return []
    where = _size(long)
    text = (
        "Whether more steps change the picture, that is whether the bounds are at their plateau: "
        f"{_settings(long)}. P alone, full labels and the last model of `tenth` have the steps of all rounds "
        "together."
    )
    return _part(f"Trained longer, at {where}", text, long, ", trained longer", (table_3_1(long),))


def _part(title: str, text: str, results: Results, suffix: str, sections: Iterable[list[str]]) -> list[str]:
    command = results.about(DETAILS[0])["command"]
    titled = [line for section in sections for line in [f"{section[0]}{suffix}", *section[1:]]]
    return [f"# {title}", "", text, "", f"    {command}", "", *titled]


def _size(results: Results) -> str:
    width, height = results.about(DETAILS[0])["size"]
    return f"{width}×{height}"


def _settings(results: Results) -> str:
    about = results.about(DETAILS[0])
    return (
        f"regions of {about['region_size']} pixels, {about['initial_steps']} steps at first and "
        f"{about['round_steps']} a round"
    )
