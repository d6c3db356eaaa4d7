"""The README's tables are those of the stored runs, and the runs show what they have to."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = sorted((ROOT / "benchmarks" / "results").glob("demo_*.json"))


def tables():
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "benchmarks" / "readme_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_fresh():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert tables().filled(readme) == readme, "run: python benchmarks/readme_tables.py"


def test_there_are_runs():
    assert [path.stem for path in RUNS] == ["demo_camvid", "demo_scenes"]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_run_keeps_its_promises(path):
    summary = json.loads(path.read_text(encoding="utf-8"))
    rounds = summary["rounds"]
    assert [row["round"] for row in rounds] == list(range(len(rounds))) and len(rounds) >= 4
    assert all(row["pixel_share"] <= 0.10 and row["regions"] <= 250 for row in rounds)
    assert rounds[-1]["miou_test"] > summary["control"]["miou_test"]
    assert 0.3 <= rounds[0]["miou_test"] <= 0.7
