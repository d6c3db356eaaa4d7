"""Fills the template of the report page and writes it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from controller.loop import Loop
from controller.report.charts import learning_curves
from controller.report.facts import Facts, gather_facts
from controller.report.pictures import asked_pictures, heat_scale
from controller.report.words import decimal, duration, integer, percent, share, signed
from tenth.resources import template

PICTURES = 3


def write_report(loop: Loop, path: Path, *, title: str, control: Mapping[str, Any] | None) -> None:
    """Write one self-contained HTML file about all closed rounds of a workspace.

    Parameters
    ----------
    loop : Loop
        The opened workspace.
    path : Path
        The file; replaced at once or not at all.
    title : str
        Heading of the page.
    control : mapping or None
        ``miou_val`` and ``miou_test`` (each may be ``None``) of a model that took the same steps without
        people's answers, a line to compare with; ``None`` when there was none.

    Raises
    ------
    DataError
        When an image that the report shows, or a model version, cannot be read.
    """
    facts = gather_facts(loop, control)
    html = render(loop, facts, title)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(html, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def render(loop: Loop, facts: Facts, title: str) -> str:
    """Return the page as text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        decimal=decimal, duration=duration, integer=integer, percent=percent, share=share, signed=signed
    )
    environment.filters["log"] = math.log
    return environment.from_string(template("report.html")).render(
        title=title,
        facts=facts,
        curves=learning_curves(facts),
        pictures=asked_pictures(loop, facts, PICTURES),
        classes=loop.classes.classes,
        heat_scale=heat_scale(),
        written=datetime.now(UTC),
    )
