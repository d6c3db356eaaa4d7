"""docs/results.md: which rows are taken, how they are compared, and how numbers are written."""

from __future__ import annotations

import math
import re

import pytest
from page_rows import row, run, store

from benchmarks.results_page import thesis
from benchmarks.results_page.__main__ import main
from benchmarks.results_page.goals import verdict
from benchmarks.results_page.load import load
from benchmarks.results_page.series import Difference, difference, divide, pick
from benchmarks.results_page.words import flat, span, table
from tenth.errors import DataError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.pop("keys"), r"columns missing: \['keys'\]"),
        (lambda each: each.update(more=1), r"unknown: \['more'\]"),
        (lambda each: each.update(miou_val=55.0), "miou_val is 55.0; it is a share"),
        (lambda each: each.update(ratio=0.99), "ratio is 0.99, but its mIoU columns say 0.9667"),
        (lambda each: each.update(gap_closed=0.5), "gap_closed is 0.5, but its mIoU columns say 0.9000"),
    ],
)
def test_rows_that_are_not_as_agreed_are_refused(tmp_path, change, message):
    bad = row()
    change(bad)
    store(tmp_path, "label_efficiency.json", [bad])
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_rows_may_be_rounded(tmp_path):
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in row().items()}
    store(tmp_path, "label_efficiency.json", [rounded | {"gap_closed": 0.895}])
    assert len(load(tmp_path).label_efficiency) == 1


def test_the_same_round_twice_is_refused(tmp_path):
    store(tmp_path, "label_efficiency.json", [row(), row(miou=0.57)])
    with pytest.raises(DataError, match=r"2 rows of the same run and round: \{'strategy': 'tenth'"):
        load(tmp_path)


def test_a_file_that_is_no_json_is_named(tmp_path, capsys):
    (tmp_path / "transfer.json").write_text("{")
    assert main(["--results", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "transfer.json is not JSON" in capsys.readouterr().err


def test_writing_then_checking(tmp_path, capsys):
    results, out = tmp_path / "results", tmp_path / "docs"
    results.mkdir()
    options = ["--results", str(results), "--out", str(out)]
    rows = [each for seed in range(2) for each in run("tenth", seed, 0.57)]
    store(results, "label_efficiency.json", rows)
    assert main(["--check", *options]) == 1
    assert main(options) == 0
    assert main(["--check", *options]) == 0
    text = (out / "results.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"\]\((images/\S+learning\S+\.png)\)", text)
    assert (out / picture).read_bytes().startswith(b"\x89PNG")
    (out / picture).unlink()
    assert main(["--check", *options]) == 1
    assert "plots are missing" in capsys.readouterr().err
    store(results, "label_efficiency.json", rows[:-1])
    assert main(["--check", *options]) == 1
    assert "is stale" in capsys.readouterr().err


def test_the_interval_is_that_of_students_paired_t():
    # Student's sleep data (1908), drug 2 against drug 1: mean 1.58, 95 % interval 0.70 to 2.46.
    pairs = dict(enumerate((1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)))
    low, high = Difference(pairs).interval
    assert (round(low, 2), round(high, 2)) == (0.70, 2.46)
    assert Difference(pairs).sign == 1
    assert Difference({0: 1.0, 1: 1.1}).interval is None


def test_differences_are_of_the_seeds_that_both_have():
    assert difference({0: 1.0, 1: 2.0}, {1: 0.5, 2: 0.0}).pairs == {1: 1.5}
    assert difference({0: 1.0}, {1: 1.0}) is None


def test_strategies_of_pixels_serve_either_annotator():
    rows = [row("entropy", annotator="exact"), row("sp", annotator="exact")]
    series = divide(rows, ("strategy", "annotator"), 6)
    assert pick(series, strategy="entropy", annotator="dominant")["annotator"] == "exact"
    assert pick(series, strategy="sp", annotator="dominant") is None


def test_verdicts_at_the_level_itself():
    assert verdict(0.0, 3) == "reached by 0.0"
    assert verdict(-0.0004, 3) == "**missed by 0.0**"
    assert verdict(0.01, 2) == "reached by 1.0, preliminary"


def test_the_thesis_numbers_agree_with_each_other():
    for strategy, ratio in thesis.RATIO.items():
        assert math.floor(1000 * thesis.MIOU[strategy] / thesis.FULL + 1e-9) / 1000 == ratio
    for budget, ratio in thesis.BUDGET_RATIO.items():
        assert abs(thesis.BUDGETS[budget] / thesis.FULL - ratio) < 0.001
    closed = {name: round(thesis.gap_closed(miou), 2) for name, miou in thesis.MIOU.items()}
    assert (closed["random-pixels"], closed["sp-crf"], closed["sp-crf-class"]) == (0.09, 0.56, 0.59)
    assert list(thesis.MIOU)[1:] == list(thesis.LADDER)


def test_words():
    assert table(["a"], [["b|c"]]) == ["| a |", "|---|", "| b\\|c |", ""]
    assert (span([3, 3]), span([5, 3]), span([78.93, 1209.7])) == ("3", "3 to 5", "78.9 to 1210")
    assert flat({"a": {"b": 0.123456}, "c": [1, 2], "d": True, "e": None}) == [
        ("a.b", "0.1235"),
        ("c", "1, 2"),
        ("d", "yes"),
        ("e", "–"),
    ]
