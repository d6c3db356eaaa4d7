"""The README's tables are those of the stored runs, and the runs show what they have to."""

from __future__ import annotations

import json

import pytest
from page_rows import INITIAL, ROOT, row, run, store

from benchmarks.readme_tables import filled
from benchmarks.results_page.load import load
from benchmarks.results_page.overview import overview, questions

RUNS = sorted((ROOT / "benchmarks" / "results").glob("demo_*.json"))


def test_tables_are_fresh():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert filled(readme) == readme, "run: python -m benchmarks.readme_tables"


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


def test_the_bound_is_the_better_on_val_and_what_was_not_run_is_empty(tmp_path):
    asked = run("tenth", 0, 0.58, full=0.63)
    ends = [
        row("full-labels", number=0, miou=0.60, full=0.63),
        row("full-labels (learned as tenth)", number=0, miou=0.63, full=0.63),
        row("initial-labels", number=0, miou=INITIAL, full=0.63),
    ]
    regions = [each | {"regions_per_image": 10.0 + each["round"]} for each in asked]
    store(tmp_path, "label_efficiency.json", [*ends, *asked])
    store(tmp_path, "label_efficiency_details.json", [*ends, *regions])
    lines = overview(load(tmp_path)).splitlines()
    assert lines[2] == "| full labels | – | – | – | 100 % | 100 % | 63.0 | 64.0 |"
    assert lines[3].endswith(f"| {100 * INITIAL:.1f} | {100 * INITIAL + 1:.1f} |")
    assert lines[4] == "| P and `random-regions`, the thesis's way | – | – | – | – | – | – | – |"
    assert lines[7].startswith(
        "| P and `tenth`, last model trained anew | 10 % | 14 | 900 | 92.1 % | 78.3 % |"
    )


def test_questions_are_compared_where_all_learn_alike(tmp_path):
    asked = [
        *run("random-regions (learned as tenth)", 0, 0.55),
        *run("tenth with chance", 0, 0.58, budget=0.02),
    ]
    store(tmp_path, "label_efficiency.json", asked)
    lines = questions(load(tmp_path)).splitlines()
    assert lines[2] == "| `random-regions` | 75.0 % | 56.0 | 900 | – | – | – |"
    assert lines[4] == "| `tenth` | – | – | – | – | – | – |"
    assert lines[5] == "| `tenth`, `selection.chance = 1` | – | – | – | 90.0 % | 59.0 | 900 |"
