"""docs/results.md: fresh, made of the numbers in the JSON files, and plain about what is missing."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks is no part of the wheel

from benchmarks.results_page import thesis  # noqa: E402
from benchmarks.results_page.__main__ import main  # noqa: E402
from benchmarks.results_page.goals import verdict  # noqa: E402
from benchmarks.results_page.load import Results, load  # noqa: E402
from benchmarks.results_page.page import page, plots  # noqa: E402
from benchmarks.results_page.replication import claims  # noqa: E402
from benchmarks.results_page.rows import COLUMNS  # noqa: E402
from benchmarks.results_page.series import Difference, difference, divide, pick  # noqa: E402
from benchmarks.results_page.words import flat, span, table  # noqa: E402
from tenth.errors import DataError  # noqa: E402

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
    ]
    assert cells(goals, f"{where}, 10 %: of the gap closed")[4:6] == ["92.5 %", "reached by 7.5"]
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
    store(tmp_path, "strategy_seconds.json", rows, {"hardware": "two cores"})
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


def test_variants_differ_in_one_setting_and_went_through_as_many_images(tmp_path):
    details = []
    for seed in range(3):
        details += run("tenth", seed, 0.56, group_size=55, region_size=150)
        details += run("tenth", seed, 0.55, rounds=10, group_size=33, region_size=150)
        details += run("tenth", seed, 0.50, rounds=3, group_size=20, region_size=150)  # not at its end
        details += run("tenth", seed, 0.57, group_size=55, region_size=600)
    store(tmp_path, "label_efficiency_details.json", details)
    text = page(load(tmp_path))
    sizes = section(text, "Figure 3.12")
    assert cells(sizes, "`tenth`", "dominant", "10 %", "10 %", "55")[5:9] == [
        "region size 150",
        "3",
        "48.0",
        "56.0",
    ]
    assert "| 20 |" not in sizes
    assert cells(sizes, "`tenth`, dominant: group size 55 − 33, end")[2] == "+1.0"
    assert "group_sizes.png" in sizes
    rows, other = [{**each} for each in details], []
    for each in rows:
        other.append({key: each.pop(key) for key in ("group_size", "region_size")})
        other[-1] |= {key: each[key] for key in ("strategy", "seed", "round", "budget", "annotator")}
    for about in ({"group_size": 55, "region_size": 600}, {}):
        # The same in two files: the sizes that the details call main, or else the first of them, count.
        store(tmp_path, "label_efficiency.json", rows)
        store(tmp_path, "label_efficiency_details.json", other, about)
        together = page(load(tmp_path))
        assert section(together, "Figure 3.12") == sizes
        main = cells(section(together, "Table 3.1"), "`tenth`", "dominant", "10 %")
        assert main[10] == ("57.0" if about else "56.0")
    regions = section(text, "Region sizes")
    assert cells(regions, "`tenth`, dominant: region size 600 − 150, end")[2] == "+1.0"


def test_the_ablation_compares_with_all_of_tenth(tmp_path):
    rows = []
    for seed in range(3):
        rows += [each | {"without": None} for each in run("tenth", seed, 0.58)]
        rows += [each | {"without": "soft labels"} for each in run("tenth", seed, 0.55 + 0.001 * seed)]
    store(tmp_path, "ablation.json", rows)
    text = section(page(load(tmp_path)), "What each ingredient")
    assert cells(text, "`tenth without soft labels`")[4:7] == ["3", "56.1", "55.1"]
    on_val, on_test = (
        line for line in text.splitlines() if line.startswith("| `tenth without soft labels` −")
    )
    assert "| −2.9 |" in on_val and "| below |" in on_test


def test_named_runs_stand_beside_their_strategy_and_in_no_other_table(tmp_path):
    rows = []
    for seed in range(3):
        rows += run("tenth", seed, 0.58) + run("tenth without flip", seed, 0.57)
        rows += run("sp-crf", seed, 0.54) + run("sp-crf (answers only)", seed, 0.56)
    store(tmp_path, "label_efficiency.json", rows)
    text = page(load(tmp_path))
    for title in ("Table 3.1", "Table 3.2", "Table 3.6"):
        assert "answers only" not in section(text, title) and "without flip" not in section(text, title)
    ingredients = section(text, "What each ingredient")
    line = "| `tenth without flip` − `tenth`, P = 10 % | −1.0 (0), −1.0 (1), −1.0 (2) | −1.0 | −1.0 to −1.0 |"
    assert ingredients.count(line) == 2  # val and test
    assert "sp-crf" not in ingredients
    learned = section(text, "What is learned")
    alone = cells(learned, "`tenth` − `sp-crf (answers only)`, P = 10 %")
    assert alone[1:3] == ["+2.0 (0), +2.0 (1), +2.0 (2)", "+2.0"]
    assert cells(learned, "`sp-crf (answers only)` − `sp-crf`, P = 10 %")[2:5] == [
        "+2.0",
        "+2.0 to +2.0",
        "above",
    ]
    assert cells(learned, "`sp-crf`")[6] == "54.0" and "flip" not in learned


def test_files_of_other_forms_are_shown_as_they_are(tmp_path):
    rows = [{"size": "480x352", "images": 233, "miou": 0.50212, "classes": {"Sky": 0.91}}]
    (tmp_path / "espnetv2_zero_shot.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "crf_modes.json").write_text(json.dumps({"pixel": {"miou": 0.565}, "about": {}}))
    text = page(load(tmp_path))
    assert "| size | images | miou |" in section(text, "The Cityscapes model")
    assert "| 480x352 | 233 | 0.5021 |" in section(text, "The Cityscapes model")
    assert "| pixel.miou | 0.565 |" in section(text, "CRF over pixels")


def test_crf_modes_are_a_table(tmp_path):
    figures = {"miou": 0.565, "pixel_accuracy": 0.888, "errors_found": 0.437, "seconds_per_image": 0.9}
    held = {"held_out": 0.41, "held_out_network": 0.383}
    modes = {"pixel": {"defaults": figures, "best errors-found": figures | held}, "superpixel": {}}
    document = {"results": {"network": figures | {"seconds_per_image": None}} | modes, "size": [240, 180]}
    (tmp_path / "crf_modes.json").write_text(json.dumps(document))
    text = section(page(load(tmp_path)), "CRF over pixels")
    assert cells(text, "network alone")[1:] == ["56.5", "88.8 %", "43.7 %", "–", "–"]
    assert cells(text, "pixel, best errors-found")[4:] == ["0.410 (0.383)", "0.900"]
    assert "Settings: size 240×180." in text


def test_transfer_has_details_of_its_own(tmp_path):
    rows = run("tenth", 0, 0.58, network="espnetv2", initial_share=0.0)
    details = [
        {
            key: each[key]
            for key in ("strategy", "network", "annotator", "initial_share", "seed", "round", "budget")
        }
        | {"region_size": 40, "regions_per_image": 99.6, "group_size": 62}
        | {"miou_test_drives": {"Seq05VD": 0.5, "0001TP": each["miou_test"] - 0.1}}
        for each in rows
    ]
    store(tmp_path, "transfer.json", rows)
    store(tmp_path, "transfer_details.json", details, {"command": "python -m benchmarks.transfer"})
    text = page(load(tmp_path))
    assert "regions of 40 pixels, 99.6 regions an image, groups of 62 images" in section(text, "Table 3.3")
    assert cells(section(text, "Table 3.3"), "`tenth`", "dominant", "1 (preliminary)")[3:7] == [
        "59.0",
        "58.0",
        "56.0",
        "48.0",
    ]
    assert "    python -m benchmarks.transfer" in section(text, "How these results were made")


def test_what_did_not_replicate_is_computed(tmp_path):
    rows = []
    for seed in range(3):
        wobble = 0.001 * (seed - 1)
        rows += run("random-pixels", seed, 0.500 + wobble, annotator="exact")
        rows += run("entropy", seed, 0.480 - wobble, annotator="exact")  # clearly worse
        rows += run("entropy-edge", seed, 0.520, annotator="exact")  # clearly better
        rows += run("sp", seed, 0.520 + 30 * wobble, annotator="exact")  # either way
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "What did not replicate")
    found = {claim.text: claim.verdict for claim in claims(load(tmp_path))}
    where = " (P = 10 %)"
    assert found[f"`entropy` above `random-pixels`{where}"] == "**does not hold**"
    assert found[f"`entropy-edge` above `entropy`{where}"] == "holds"
    assert found[f"`sp` above `entropy-edge`{where}"] == "not told apart"
    assert found[f"`sp-crf` above `sp`{where}"] == "not run yet"
    bullets = [line for line in text.splitlines() if line.startswith("- ")]
    assert any("`entropy` above `random-pixels`" in line for line in bullets)
    assert not any("`entropy-edge` above `entropy`" in line for line in bullets)


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
    assert len(COLUMNS) == 18
