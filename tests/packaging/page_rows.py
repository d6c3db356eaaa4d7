"""Rows of results made up for tests of docs/results.md, and what finds its cells."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks is no part of the wheel


INITIAL, FULL = 0.40, 0.60


def row(strategy="tenth", seed=0, number=6, miou=0.58, **changed):
    """Return a row whose columns agree with each other."""
    initial, full = changed.pop("initial", INITIAL), changed.pop("full", FULL)
    return {
        "strategy": strategy,
        "network": "icnet",
        "annotator": "dominant",
        "initial_share": 0.1,
        "seed": seed,
        "round": number,
        "budget": 0.1,
        "pixel_share": 0.096 * number / 6,
        "keys": 150 * number,
        "miou_val": miou + 0.01,
        "miou_test": miou,
        "miou_test_seq05vd": miou - 0.02,
        "initial_miou_test": initial,
        "full_label_miou_test": full,
        "ratio": miou / full,
        "gap_closed": (miou - initial) / (full - initial),
        "wrong_share": 0.5,
        "seconds": 60.0,
    } | changed


def run(strategy, seed, final, rounds=6, **changed):
    """Return the rows of a run that climbs evenly from the initial model to `final`."""
    return [
        row(strategy, seed, number, INITIAL + (final - INITIAL) * number / rounds, **changed)
        for number in range(1, rounds + 1)
    ]


def bounds():
    ends = (("full-labels", FULL), ("initial-labels", INITIAL))
    changed = {"pixel_share": 0.0, "keys": 0, "wrong_share": None}
    return [row(name, 0, 0, miou, **changed) for name, miou in ends]


def store(folder, name, rows, about=None):
    document = {"runs": rows} | ({"about": about} if about else {})
    (folder / name).write_text(json.dumps(document), encoding="utf-8")


def section(text, title):
    """Return what stands under a heading that starts like `title`."""
    return re.split(rf"(?m)^## {re.escape(title)}.*$", text)[1].split("\n## ")[0]


def cells(text, *starts):
    """Return the cells of the only row of a table whose first ones are `starts`."""
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    found = [each for each in rows if tuple(each[: len(starts)]) == starts]
    assert len(found) == 1, (starts, found)
    return found[0]
