"""docs/results.md: chapter 4."""

from __future__ import annotations

import json

from page_rows import cells, section

from benchmarks.results_page.load import load
from benchmarks.results_page.page import page
from benchmarks.results_page.small_networks import small_networks

CLASSES = ["Road", "Car"]


def row(network, mode, miou, seed=0, runtime="torch f32", **changed):
    return {
        "network": network,
        "mode": mode,
        "seed": seed,
        "loss": "cross-entropy",
        "miou_val": miou + 0.02,
        "miou_test": miou,
        "class_iou_test": [miou + 0.1, miou - 0.1],
        "train_seconds": 100.0,
        "parameters": 400_000,
        "ms_per_image": 20.0,
        "runtime": runtime,
    } | changed


def written(tmp_path, rows, details=()):
    train = {"icnet": {"miou": 0.7, "class_iou": [0.8, 0.6]}, "student": None}
    about = {"classes": CLASSES, "teachers": {"icnet": 24}, "train": train, "soft_label_seconds": 12.3}
    about["step_seconds"] = {"enet": {"alone": 0.5, "dist": 0.6, "kl": 0.7}}
    (tmp_path / "distillation.json").write_text(json.dumps({"runs": rows}))
    (tmp_path / "distillation_details.json").write_text(json.dumps({"about": about, "runs": list(details)}))
    return page(load(tmp_path))


def test_nothing_run_is_said_to_be_so(tmp_path):
    assert "there is no `distillation.json`" in page(load(tmp_path))


def test_goals_are_judged_by_pairs_of_seeds(tmp_path):
    rows = [
        row("icnet", "teacher", 0.50),
        row("deeplabv3plus", "teacher", 0.52),
        row("icnet+deeplabv3plus", "ensemble", 0.53, ms_per_image=60.0),
        row("icnet+deeplabv3plus", "ensemble", 0.54, ms_per_image=60.0),  # weighed otherwise
        row("enet", "alone", 0.30),
        row("enet", "distilled", 0.34),
        row("enet", "distilled", 0.99, seed=1),  # has nothing to be compared with
        row("icnet", "alone", 0.49),
        row("icnet", "distilled", 0.50),
    ]
    text = section(written(tmp_path, rows), "Goals of distillation")
    assert cells(text, "ensemble above its best member")[2] == "+1.0 (on val +1.0)"
    assert cells(text, "enet, distilled above alone")[2] == "+4.0 (on val +4.0)"
    assert cells(text, "enet, distilled above alone")[4] == "reached by 1.0"
    assert cells(text, "icnet, distilled above alone")[4] == "**missed by 2.0**"
    assert cells(text, "enet faster than the ensemble")[2] == "3.0 times"
    assert cells(text, "distilled icnet, of the ensemble's mIoU")[4] == "**missed by 0.7**"


def test_who_trained_longer_is_told_apart(tmp_path):
    rows = [
        row("enet", "alone", 0.31, train_seconds=150.0),
        row("enet", "alone", 0.30),
        row("enet", "distilled", 0.34),
        row("enet", "distilled", 0.28),
        row("enet", "distilled", 0.29),
    ]
    names = ("alone-longer", "alone", "distilled", "distilled-thesis", "distilled-kl")
    jobs = [f"enet-{name}-s0" for name in names]
    details = [
        {"job": job, "runtime": "torch f32", "steps": steps}
        for job, steps in zip(jobs, (1100, 1000, 800, 900, 900), strict=True)
    ]
    text = section(written(tmp_path, rows, details), "Tables 4.3 and 4.4")
    # A step takes 0.5 s alone, 0.6 s by DIST; soft labels 12.3 s.
    alone = ["1000", "500", "500", "32.0", "30.0"]
    assert cells(text, "enet", "alone, as many seconds")[3:8] == alone
    longer = ["1100", "550", "550", "33.0", "31.0"]
    assert cells(text, "enet", "alone, the soft labels' seconds on top")[3:8] == longer
    taught = ["800", "480", "492", "36.0", "34.0", "+4.0 (0)"]
    assert cells(text, "enet", "distilled")[3:9] == taught
    assert cells(text, "enet", "distilled, by the thesis's loss")[8] == "−2.0 (0)"
    assert cells(text, "enet", "distilled, by KL(teachers ‖ student)")[8] == "−1.0 (0)"
    assert cells(text, "erfnet", "distilled")[2] == "not run yet"


def test_runtimes_and_what_bfloat16_asks(tmp_path):
    rows = [
        row("enet", "distilled", 0.34),
        row("enet", "distilled", 0.33, runtime="openvino bf16", ms_per_image=5.25),
    ]
    details = [
        {
            "job": "enet-distilled-s0",
            "runtime": "openvino bf16",
            "asked_alike": {"sp": 0.912, "sp-crf": 0.88},
        }
    ]
    text = section(written(tmp_path, rows, details), "Table 4.5")
    assert cells(text, "enet", "distilled", "0.40 M", "openvino bf16")[4] == "5.2"
    assert cells(text, "enet-distilled-s0", "openvino bf16")[2:] == ["91.2 %", "88.0 %"]


def test_losses_are_compared_with_the_student_alone_of_the_same_seed(tmp_path):
    rows = [
        {"network": "enet", "steps": 6, "seed": seed, "loss": loss, "miou_val": score}
        for seed, loss, score in (
            (0, "cross-entropy", 0.28),
            (0, "cross-entropy + 1 · DIST, T 1", 0.376),
            (1, "cross-entropy + 1 · DIST, T 1", 0.35),
            (1, "cross-entropy", 0.3),
        )
    ]
    about = {"size": "120x90"}
    (tmp_path / "distillation_losses.json").write_text(json.dumps({"about": about, "rows": rows}))
    text = section(written(tmp_path, [row("enet", "alone", 0.3)]), "Losses of the students")
    assert cells(text, "enet", "cross-entropy")[2:] == ["28.0 (0), 30.0 (1)", "–"]
    assert cells(text, "enet", "cross-entropy + 1 · DIST, T 1")[3] == "+9.6 (0), +5.0 (1)"


def test_the_series_without_class_weights_keeps_its_own_losses(tmp_path):
    rows = [
        row("enet", "alone", 0.39),
        row("enet", "distilled", 0.28, loss="100 · KL(student ‖ teachers)"),
        row("enet", "distilled", 0.29, loss="100 · KL(teachers ‖ student)"),
        row("enet", "distilled", 0.99, runtime="openvino f32"),
        row("icnet", "distilled", 0.44),  # has nothing to be compared with
        row("icnet", "teacher", 0.45, seed=100),
    ]
    (tmp_path / "distillation_thesis_loss.json").write_text(json.dumps({"runs": rows}))
    text = section(written(tmp_path, [row("enet", "alone", 0.3)]), "The same without class weights")
    assert cells(text, "enet", "distilled", "100 · KL(student ‖ teachers)")[6:] == ["28.0", "−11.0"]
    assert cells(text, "enet", "distilled", "100 · KL(teachers ‖ student)")[6:] == ["29.0", "−10.0"]
    assert "| icnet | distilled | cross-entropy" not in text
    assert cells(text, "icnet", "teacher", "0.40 M", "torch f32")[4:] == ["20.0", "47.0", "45.0"]


def test_students_that_trained_longer_have_a_section(tmp_path):
    rows = [row("icnet", "alone", 0.45), row("icnet", "distilled", 0.47), row("icnet", "teacher", 0.43)]
    about = {"about": {"steps": 3600}}
    (tmp_path / "distillation_longer.json").write_text(json.dumps({"runs": rows}))
    (tmp_path / "distillation_longer_details.json").write_text(json.dumps(about))
    text = section(written(tmp_path, [row("icnet", "alone", 0.4)]), "Students trained longer")
    assert "3600 steps for a student alone" in text
    assert cells(text, "icnet", "distilled")[6:9] == ["49.0", "47.0", "+2.0 (0)"]
    assert "not run yet" not in text


def test_students_of_few_labels_have_a_section_with_their_teachers(tmp_path):
    rows = [
        row("icnet", "alone", 0.30),
        row("icnet", "distilled", 0.36),
        row("icnet+espnetv2", "ensemble", 0.4, loss="teachers stacked on val, T 1, 1"),
        row("icnet", "distilled", 0.33),
    ]
    about = {"images": {"train": 12, "unlabelled": 30}, "loss": {"stride": 4}, "command": "run --labelled 12"}
    (tmp_path / "distillation_few_labels.json").write_text(json.dumps({"runs": rows}))
    jobs = [{"job": f"icnet-{mode}-s0"} for mode in ("alone", "distilled", "ensemble", "distilled-iou")]
    details = {"about": about, "runs": jobs}
    (tmp_path / "distillation_few_labels_details.json").write_text(json.dumps(details))
    whole = written(tmp_path, [row("icnet", "alone", 0.4)])
    goal = cells(
        section(whole, "Goals of distillation"), "icnet of few labels and the pool, distilled above alone"
    )
    assert goal[1:] == ["≥ +3", "+6.0 (on val +6.0)", "1 (preliminary)", "reached by 3.0"]
    text = section(whole, "Students of images that nobody labelled")
    assert "12 images of train have labels" in text
    assert "pseudo-labels" not in text
    assert "from all 42 with soft labels" in text
    assert "over cells of 4×4 pixels" in text
    assert "    run --labelled 12\n" in text
    assert cells(text, "icnet", "distilled")[6:9] == ["38.0", "36.0", "+6.0 (0)"]
    assert cells(text, "icnet", "distilled, teachers weighed by IoU on train")[8] == "+3.0 (0)"
    assert cells(text, "icnet+espnetv2", "teachers stacked on val, T 1, 1")[2:] == ["42.0", "40.0"]
    longer = {"about": about | {"steps": 3600}, "runs": jobs}
    (tmp_path / "distillation_few_labels_longer.json").write_text(json.dumps({"runs": rows}))
    (tmp_path / "distillation_few_labels_longer_details.json").write_text(json.dumps(longer))
    text = section(page(load(tmp_path)), "The same, trained longer")
    assert "3600 steps for a student alone" in text
    assert "which comes to 90.0 % of its teachers" in text


def test_small_networks_beside_their_teachers(tmp_path):
    rows = [
        row("icnet+espnetv2", "ensemble", 0.4, ms_per_image=90.0, parameters=8_000_000),
        row("icnet+espnetv2", "ensemble", 0.5),  # weighed otherwise
        row("icnet", "alone", 0.30),
        row("icnet", "alone", 0.34, seed=1),
        row("icnet", "distilled", 0.36),
        row("icnet", "distilled", 0.38, seed=1, ms_per_image=22.0),
        row("icnet", "distilled", 0.1),
        row("enet", "alone", 0.2),
    ]
    jobs = ["a", "b", "icnet-alone-s0", "icnet-alone-s1", "icnet-distilled-s0", "icnet-distilled-s1"]
    details = [{"job": job} for job in [*jobs, "icnet-distilled-iou-s0"]]
    (tmp_path / "distillation_few_labels.json").write_text(json.dumps({"runs": rows}))
    (tmp_path / "distillation_few_labels_details.json").write_text(json.dumps({"about": {}, "runs": details}))
    text = small_networks(load(tmp_path))
    assert cells(text, "the three teachers together")[1:] == ["1", "8.00 M", "90", "42.0", "40.0", "–"]
    assert cells(text, "`icnet` alone")[1:] == ["2", "0.40 M", "20", "34.0", "32.0", "–"]
    assert cells(text, "`icnet` taught, in as many seconds")[3:] == ["21", "39.0", "37.0", "+5.0"]
    assert "enet` alone" not in text
