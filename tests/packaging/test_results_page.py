"""docs/results.md: fresh, made of the numbers in the JSON files, and plain about what is missing."""

from __future__ import annotations

import os
import subprocess
import sys

from page_rows import ROOT, bounds, cells, row, run, section, store

from benchmarks.results_page.load import Results, load
from benchmarks.results_page.page import page, plots
from benchmarks.results_page.replication import claims


def test_the_page_is_fresh():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.results_page", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_nothing_run_is_said_to_be_so_and_no_number_is_ours(tmp_path):
    text = page(load(tmp_path))
    for title in ("Table 3.1", "Table 3.2", "Table 3.3", "Table 3.4", "Table 3.5", "Table 3.6", "Table 3.7"):
        assert "Not run yet" in section(text, title), title
    assert section(text, "Goals").count("not run yet") == 7
    assert "none of it has been run" in section(text, "What did not replicate")
    assert all(claim.here == "–" for claim in claims(Results()))
    assert plots(Results()) == []


def test_goals_say_by_how_much_they_are_reached_or_missed(tmp_path):
    # 0.585, 0.580, 0.590: 97.5 % of 0.6 and 92.5 % of the gap; at 5 %: 0.56, 93.3 %.
    rows = bounds()
    for seed, final in enumerate((0.585, 0.580, 0.590)):
        rows += run("tenth", seed, final) + run("tenth", seed, 0.56, budget=0.05)
        rows += run("sp-crf", seed, final - 0.02) + run("random-regions", seed, 0.55 + 0.01 * (seed == 1))
    store(tmp_path, "label_efficiency.json", rows)
    goals = section(page(load(tmp_path)), "Goals")
    where = "icnet, P = 10 %"
    ratio = cells(goals, f"{where}, 10 %: of the full labels' mIoU")
    assert ratio[1:] == [
        "≥ 97 %",
        "93.8 %",
        "3",
        "97.5 %",
        "reached by 0.5",
        "9.6 %",
        "900",
        "97.5 %",
        "92.5 %",
        "97.5 %",  # on val, of seed 0, whose bounds are there: 0.595 of 0.61
    ]
    gap = cells(goals, f"{where}, 10 %: of the gap closed")
    assert (gap[4:6], gap[-1]) == (["92.5 %", "reached by 7.5"], "92.5 %")
    assert cells(goals, f"{where}, 5 %: of the full labels' mIoU")[4:6] == ["93.3 %", "**missed by 1.7**"]
    assert cells(goals, "transfer, 10 %: of the gap closed")[5] == "not run yet"
    better = cells(goals, f"{where}: `tenth` above `sp-crf`")
    assert better[1:] == ["+2.0 (0), +2.0 (1), +2.0 (2)", "+2.0", "+2.0 to +2.0", "above", "reached by 2.0"]
    # +1.5, 0.0, +2.0: mean 1.17, s.d. 1.04, t(2) = 4.303: 1.17 ± 2.59
    other = cells(goals, f"{where}: `sp-crf` above `random-regions`")
    assert other[1:5] == ["+1.5 (0), +0.0 (1), +2.0 (2)", "+1.2", "−1.4 to +3.8", "not told apart"]


def test_one_seed_is_preliminary_and_has_no_interval(tmp_path):
    rows = run("tenth", 0, 0.59) + run("sp-crf", 0, 0.57)
    store(tmp_path, "label_efficiency.json", rows)
    text = page(load(tmp_path))
    assert cells(section(text, "Goals"), "icnet, P = 10 %: `tenth` above `sp-crf`")[1:] == [
        "+2.0 (0)",
        "+2.0",
        "one seed: no interval",
        "preliminary",
        "reached by 2.0, preliminary",
    ]
    assert "1 (preliminary)" in cells(section(text, "Table 3.1"), "`tenth`", "dominant", "10 %")


def test_a_run_under_way_counts_for_nothing_but_its_groups(tmp_path):
    store(tmp_path, "label_efficiency.json", bounds() + run("tenth", 0, 0.59)[:2])
    text = page(load(tmp_path))
    assert "under way" in cells(section(text, "Goals"), "icnet, P = 10 %, 10 %: of the gap closed")
    groups = cells(section(text, "Table 3.1"), "`tenth`", "dominant", "10 %")
    assert groups[3] == "0; seed 0 at group 2 of 6"
    assert groups[4:11] == ["40.0", "43.2", "46.3", "–", "–", "–", "–"]
    assert groups[11:15] == ["–"] * 4


def test_table_3_1_has_groups_costs_and_the_thesis(tmp_path):
    rows = bounds()
    for seed in range(3):
        rows += run("sp-crf", seed, 0.52) + run("sp-crf", seed, 0.54, annotator="exact")
        rows += run("random-pixels", seed, 0.50, annotator="exact")
    details = [
        {key: each[key] for key in ("strategy", "annotator", "initial_share", "seed", "round", "budget")}
        | {"region_size": 173, "regions_per_image": 90 + each["seed"], "group_size": 55}
        | {"miou_test_0001tp": each["miou_test"] + 0.05}
        for each in rows
    ]
    store(tmp_path, "label_efficiency.json", rows)
    store(tmp_path, "label_efficiency_details.json", details)
    text = section(page(load(tmp_path)), "Table 3.1")
    groups = cells(text, "`sp-crf`", "dominant", "10 %")
    assert groups[3:11] == ["3", "40.0", "42.0", "44.0", "46.0", "48.0", "50.0", "52.0"]
    assert groups[11:] == ["9.6 %", "900", "86.7 %", "60.0 %", "93.4 %", "55.7 %"]
    assert cells(text, "full labels", "–", "–")[-6:-2] == ["–", "–", "100.0 %", "100.0 %"]
    assert cells(text, "P alone", "–", "–")[-3] == "0.0 %"
    drives = cells(text, "`sp-crf`", "exact", "3")
    assert drives[3:7] == ["55.0", "54.0", "52.0", "59.0"]  # val, test, Seq05VD, 0001TP
    assert "regions of 173 pixels, 90 to 92 regions an image, groups of 55 images" in text
    assert cells(text, "`sp-crf`: exact − dominant")[2] == "+2.0"


def test_budgets_stand_side_by_side(tmp_path):
    rows = []
    for seed in range(3):
        for budget in (0.1, 0.2):
            share = {"budget": budget, "pixel_share": budget * 0.9}
            rows += run("sp-crf", seed, 0.50 + budget / 5, **share)
            rows += run("tenth", seed, 0.53 + budget / 5, **share)
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "Table 3.2")
    assert cells(text, "`sp-crf`", "dominant", "20 %")[3:] == [
        "3",
        "54.0",
        "18.0 %",
        "900",
        "90.0 %",
        "70.0 %",
        "94.6 %",
    ]
    assert cells(text, "`tenth` − `sp-crf` at 20 %, dominant")[2:] == ["+3.0", "+3.0 to +3.0", "above"]
    assert "budgets_icnet_p10.png" in text


def test_transfer_compares_with_its_own_bound(tmp_path):
    rows = []
    for seed in range(3):
        for strategy, final in (("random-regions", 0.54), ("sp-crf", 0.56), ("tenth", 0.59)):
            rows += run(strategy, seed, final, network="espnetv2", initial_share=0.0)
    store(tmp_path, "transfer.json", rows)
    text = page(load(tmp_path))
    assert cells(section(text, "Goals"), "transfer, espnetv2, 10 %: of the gap closed")[4:6] == [
        "95.0 %",
        "reached by 5.0",
    ]
    assert cells(section(text, "Table 3.3"), "`tenth` − `sp-crf` at 10 %, dominant")[2] == "+3.0"
    assert "0 of 39" in section(text, "What has been run") and "9 of 9" in section(text, "What has been run")


def test_seconds_are_as_measured(tmp_path):
    rows = [
        {"strategy": "entropy", "size": "1024x2048", "seconds": 0.33},
        {"strategy": "mc-dropout", "size": "1024x2048", "seconds": 1.65},
        {"strategy": "entropy", "size": "480x360", "seconds": 0.04},
    ]
    store(tmp_path, "strategy_seconds.json", rows, {"hardware": "two cores", "repeats": 3})
    text = page(load(tmp_path))
    assert cells(section(text, "Table 3.5"), "`entropy`") == ["`entropy`", "0.04", "0.33", "0.09"]
    assert cells(section(text, "Table 3.5"), "`mc-dropout`") == ["`mc-dropout`", "–", "1.65", "–"]
    assert "- hardware: two cores" in section(text, "How these results were made")
    claim = cells(section(text, "What did not replicate"), "`mc-dropout` takes longer than `entropy`")
    assert claim[1:] == ["7.8 times", "5.0 times", "holds"]


def test_wrong_shares_are_compared_where_all_look_at_the_same_model(tmp_path):
    rows = []
    for seed in range(3):
        rows += run("random-regions", seed, 0.5, wrong_share=0.2)
        rows += run("sp-crf", seed, 0.5, wrong_share=0.55)
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "Table 3.6")
    assert cells(text, "`sp-crf`", "dominant", "3")[3:9] == ["55.0 %"] * 6
    assert cells(text, "`sp-crf`", "dominant", "3")[-1] == "77.0 %"
    assert cells(text, "`sp-crf` (dominant) − `random-regions`, first group")[2] == "+35.0"


def test_classes_come_from_the_details_of_the_last_round(tmp_path):
    rows = [each for seed in range(2) for each in run("tenth", seed, 0.5)]
    details = [
        {key: each[key] for key in ("strategy", "annotator", "initial_share", "seed", "round", "budget")}
        | {"class_iou_test": {"Sky": 0.9 - 0.1 * each["seed"], "Pole": None if each["seed"] else 0.2}}
        for each in rows
        if each["round"] == 6
    ]
    store(tmp_path, "label_efficiency.json", rows)
    store(tmp_path, "label_efficiency_details.json", details)
    text = section(page(load(tmp_path)), "Table 3.7")
    assert cells(text, "`tenth`", "dominant", "2 (preliminary)")[3:5] == ["85.0", "20.0"]


def test_mc_dropout_is_compared_with_entropy_of_the_same_network(tmp_path):
    rows = run("mc-dropout", 0, 0.5) + run("entropy (with dropout)", 0, 0.49) + run("entropy", 0, 0.3)
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "Table 3.4")
    assert cells(text, "`entropy (with dropout)`")[4] == "49.0"
    assert "+1.0 (0)" in text and "30.0" not in text


def test_who_ended_below_p_is_told_seed_by_seed(tmp_path):
    rows = [
        row(name, seed, 0, miou, pixel_share=0.0, keys=0, wrong_share=None)
        for seed, ends in enumerate(((0.60, 0.40), (0.62, 0.50)))
        for name, miou in zip(("full-labels", "initial-labels"), ends, strict=True)
    ]
    rows += run("sp-crf", 0, 0.42) + run("random-regions", 1, 0.46, initial=0.50, full=0.62)
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "Goals")
    assert "`random-regions` ended below P alone" in text  # sp-crf did not, though the mean of P is higher


def test_what_val_would_have_chosen_stands_beside_the_goals(tmp_path):
    rows = bounds() + run("tenth", 0, 0.58) + run("tenth without restart", 0, 0.55)
    for each in rows:
        # on val the other way round
        each["miou_val"] = {"tenth": 0.50, "tenth without restart": 0.52}.get(each["strategy"], 0.5)
    store(tmp_path, "label_efficiency.json", rows)
    told = section(page(load(tmp_path)), "Goals")
    assert "Val would not have chosen the restart at 10 %" in told
    assert "is +2.0 (one seed: no interval), and on test it reaches 91.7 % of the full" in told
    assert "75.0 % of the gap" in told
    for each in rows:
        each["miou_val"] = {"tenth": 0.52, "tenth without restart": 0.50}.get(each["strategy"], 0.5)
    store(tmp_path, "label_efficiency.json", rows)
    assert "Val would not" not in page(load(tmp_path))
