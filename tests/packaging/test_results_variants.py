"""docs/results.md: runs with one thing changed, measurements, and what did not replicate."""

from __future__ import annotations

import json

from page_rows import bounds, cells, run, section, store

from benchmarks.results_page.load import load
from benchmarks.results_page.page import page
from benchmarks.results_page.replication import claims


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
    rows = run("tenth without flip", 0, 0.57) + run("tenth without purity", 0, 0.57, rounds=5)
    for seed in range(3):
        rows += run("tenth", seed, 0.58) + run("tenth without soft labels", seed, 0.55 + 0.001 * seed)
    store(tmp_path, "ablation.json", rows)
    store(tmp_path, "ablation_details.json", [], {"size": [120, 90], "region_size": 20})
    text = section(page(load(tmp_path)), "What each ingredient")
    assert "images of 120×90, regions of 20 pixels" in text and "other tables" not in text
    assert cells(text, "`tenth without soft labels`")[4:7] == ["3", "56.1", "55.1"]
    on_val, on_test = (
        line for line in text.splitlines() if line.startswith("| `tenth without soft labels` −")
    )
    assert "| −2.9 |" in on_val and "| below |" in on_test
    (missing,) = (line for line in text.splitlines() if line.startswith("Not run to the end there"))
    assert "`tenth without purity`" in missing and "`tenth with ClassMix`" in missing
    assert "flip" not in missing


def test_named_runs_stand_beside_their_strategy_and_in_no_other_table(tmp_path):
    rows = []
    for seed in range(3):
        rows += run("tenth", seed, 0.58) + run("tenth without flip", seed, 0.57)
        rows += run("sp-crf", seed, 0.54) + run("sp-crf (learned as tenth)", seed, 0.56)
    store(tmp_path, "label_efficiency.json", rows)
    text = page(load(tmp_path))
    for title in ("Table 3.1", "Table 3.2", "Table 3.6"):
        assert "learned as tenth" not in section(text, title) and "without flip" not in section(text, title)
    ingredients = section(text, "What each ingredient")
    line = "| `tenth without flip` − `tenth`, P = 10 % | −1.0 (0), −1.0 (1), −1.0 (2) | −1.0 | −1.0 to −1.0 |"
    assert ingredients.count(line) == 2  # val and test
    assert "sp-crf" not in ingredients
    learned = section(text, "What is learned")
    line = "| `tenth` − `sp-crf (learned as tenth)`, P = 10 % | +2.0 (0), +2.0 (1), +2.0 (2) | +2.0 |"
    assert section(text, "The questions alone").count(line) == 2  # val and test
    assert cells(learned, "`sp-crf (learned as tenth)` − `sp-crf`, P = 10 %")[2:5] == [
        "+2.0",
        "+2.0 to +2.0",
        "above",
    ]
    assert cells(learned, "`sp-crf`")[6] == "54.0" and "flip" not in learned


def test_questions_are_compared_at_the_same_budget(tmp_path):
    rows = []
    for budget, score in ((0.1, 0.55), (0.02, 0.50)):
        rows += run("tenth", 0, score, budget=budget)
        rows += run("sp-crf (learned as tenth)", 0, score - budget / 10, budget=budget)
    store(tmp_path, "ablation.json", rows)
    text = section(page(load(tmp_path)), "The questions alone")
    for share, points in (("10 %", "+1.0"), ("2 %", "+0.2")):
        line = f"| `tenth` − `sp-crf (learned as tenth)`, P = 10 %, {share} asked | {points} (0) |"
        assert text.count(line) == 2  # val and test


def test_changes_of_a_changed_run_are_compared_with_that_run(tmp_path):
    rows = run("tenth", 0, 0.58) + run("tenth without restart", 0, 0.56)
    rows += run("tenth without restart, with pseudo-labels", 0, 0.53)
    rows += run("tenth with soft labels, without flip", 0, 0.57)  # there is no "tenth with soft labels"
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "What each ingredient")
    for difference, points in (
        ("`tenth without restart` − `tenth`", "−2.0"),
        ("`tenth without restart, with pseudo-labels` − `tenth without restart`", "−3.0"),
        ("`tenth with soft labels, without flip` − `tenth`", "−1.0"),
    ):
        assert text.count(f"| {difference}, P = 10 % | {points} (0) | {points} |") == 2  # val and test


def test_strategies_are_compared_where_people_answer_alike(tmp_path):
    rows = run("sp", 0, 0.40) + run("sp", 0, 0.45, annotator="exact") + run("sp-crf", 0, 0.42)
    store(tmp_path, "label_efficiency.json", rows)
    text = section(page(load(tmp_path)), "What did not replicate")
    assert cells(text, "`sp-crf` above `sp` (P = 10 %)")[2].startswith("+2.0")


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


def other_setting(folder, **settings):
    folder.mkdir()
    rows = bounds() + run("sp-crf", 0, 0.54) + run("sp-crf", 0, 0.55, budget=0.2)
    about = {"size": [120, 90], "region_size": 20, "initial_steps": 300, "round_steps": 100} | settings
    store(folder, "label_efficiency.json", rows)
    store(folder, "label_efficiency_details.json", [], about)
    store(folder.parent, "label_efficiency.json", bounds() + run("sp-crf", 0, 0.5))


def test_longer_trainings_have_a_part_of_their_own(tmp_path):
    assert "\n# Trained longer" not in page(load(tmp_path))
    other_setting(tmp_path / "longer", initial_steps=1200, round_steps=400, command="run longer")
    whole, longer = page(load(tmp_path)).split("\n# Trained longer, at 120×90\n")
    row = ("`sp-crf`", "dominant", "10 %")
    assert cells(section(whole, "Table 3.1"), *row)[10] == "50.0"
    table = section(longer, "Table 3.1: all strategies over the groups, trained longer")
    assert cells(table, *row)[10] == "54.0"
    assert "1200 steps at first and 400 a round" in longer and "    run longer" in longer
