"""Experiments in other settings than the main one, which was too slow for them: a part of the page each."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.results_page.efficiency import table_3_1
from benchmarks.results_page.load import DETAILS, Results
from benchmarks.results_page.variants import variants


def smaller(results: Results) -> list[str]:
    """Return the part on smaller images and fewer steps; nothing before anything was run there."""
    small = results.smaller
    if small is None or not small.label_efficiency:
        return []
    where = _size(small)
    text = (
        f"An earlier series of one seed, on fewer pixels and with fewer steps: {_settings(small)}. It has "
        "sizes of groups and regions that the setting above was too slow for on a processor. Thin things "
        "are lost at this size; compare within a table only."
    )
    sections = (table_3_1(small), variants(small, "group_size"), variants(small, "region_size"))
    return _part(f"At {where}", text, small, f", at {where}", sections)


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
