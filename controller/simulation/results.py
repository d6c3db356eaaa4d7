"""Rows of numbers, written as they come: the file is whole at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROW = (
    "strategy",
    "network",
    "annotator",
    "initial_share",
    "seed",
    "round",
    "budget",
    "pixel_share",
    "keys",
    "miou_val",
    "miou_test",
    "miou_test_seq05vd",
    "initial_miou_test",
    "full_label_miou_test",
    "ratio",
    "gap_closed",
    "wrong_share",
    "seconds",
)
"""The columns of a row, in order; what does not apply is null."""


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file that holds either the old or the new document at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def result_row(**values: Any) -> dict[str, Any]:
    """Return a row of exactly the columns of `ROW`.

    Raises
    ------
    ValueError
        When one is missing or unknown.
    """
    if set(values) != set(ROW):
        raise ValueError(f"A row needs exactly {ROW}; it differs in {sorted(set(values) ^ set(ROW))}.")
    return {name: values[name] for name in ROW}


def relative(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Return ``ratio`` and ``gap_closed`` of a row: miou / full, (miou − initial) / (full − initial)."""
    miou, initial, full = (row[name] for name in ("miou_test", "initial_miou_test", "full_label_miou_test"))
    if miou is None or full is None:
        return {"ratio": None, "gap_closed": None}
    gap = None if initial is None or full == initial else (miou - initial) / (full - initial)
    return {"ratio": miou / full if full else None, "gap_closed": gap}
