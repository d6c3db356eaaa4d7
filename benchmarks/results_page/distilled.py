"""Chapter 4: teachers, their ensemble, students alone and taught, and how fast all of them are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.results_page.load import (
    DISTILLATION,
    DISTILLATION_DETAILS,
    THESIS_LOSS,
    THESIS_LOSS_DETAILS,
    Results,
)
from benchmarks.results_page.measurements import losses
from benchmarks.results_page.other_students import (
    longer_students,
    rows_of_few_labels,
    students_by_pixel,
    students_of_few_labels,
    students_on_a_gpu,
)
from benchmarks.results_page.rows import Row
from benchmarks.results_page.students import MODES, TORCH, compared, of_mode, students, with_details
from benchmarks.results_page.words import NOTHING, points, seeds, signed, table


def distillation(results: Results) -> list[str]:
    """Return the sections on distillation."""
    details = results.documents.get(DISTILLATION_DETAILS, {})
    about: Mapping[str, Any] = details.get("about", {})
    rows = with_details(results.documents.get(DISTILLATION, {}).get("runs", []), details.get("runs", []))
    lines = ["# Distillation", ""]
    if not rows:
        return [*lines, f"Not run yet: there is no `{DISTILLATION}`.", ""]
    plain = [row for row in rows if row["runtime"] == TORCH]
    return [
        *lines,
        *_words(about),
        *_goals(plain, rows_of_few_labels(results)),
        *_ensemble_on_train(about),
        *_ensemble_on_test(plain, about),
        "## Tables 4.3 and 4.4: students alone, distilled, and by the soft labels only",
        "",
        *students(plain, about),
        *students_of_few_labels(results),
        *students_by_pixel(results),
        *longer_students(results),
        *students_on_a_gpu(results),
        *losses(results),
        *_without_class_weights(results),
        *_classes(plain, about),
        *_times(rows),
        *_asked_alike(details.get("runs", [])),
    ]


def _words(about: Mapping[str, Any]) -> list[str]:
    steps = ", ".join(f"{name} {count}" for name, count in about.get("teachers", {}).items())
    seconds = about.get("soft_label_seconds")
    taken = (
        ""
        if seconds is None
        else f" Weighing the teachers and writing their soft labels took {seconds:.0f} s."
    )
    return [
        "Chapter 4 of the thesis on CamVid: teachers are trained on the full labels of train, and teach "
        f"students by soft labels. Teachers and their steps: {steps}. "
        "ESPNetv2 comes from Cityscapes, ICNet and DeepLabv3+ have an EfficientNet-Lite0 of ImageNet; ENet "
        f"and ERFNet start from nothing.{taken} *Seconds* are the steps of a training times the seconds of a "
        "step alone or taught, measured in turns on a processor of its own, on "
        f"{about.get('hardware', 'unknown hardware')}. A distilled student got as many steps as fit into the "
        "seconds of one alone by that measurement. *With soft labels* adds what the teachers took. The steps "
        "are what the time at hand allowed. Losses were chosen on val by the short trainings below, nothing "
        "by test. The learning rates are those of the short trainings at the end of the page: ICNet's is "
        "that of the other chapter, not the best of them; those of DeepLabv3+, ESPNetv2 and ERFNet were not "
        "searched for. "
        "*Distilled* learns by DIST (arXiv 2205.10536), weight 1, from teachers at temperature 1, *by CWD* "
        "by channel-wise distillation (arXiv 2011.13256), weight 3, at temperature 1, too. *By KL* takes λ = "
        "100 times KL(teachers ‖ student), in which pixels of rare classes count more, as they do in the "
        "cross-entropy, at the thesis's temperatures; the thesis's loss is λ = 100 times KL(student ‖ "
        "teachers), unweighted; beside both, teachers are weighed as the thesis does, class by class by "
        f"their IoU on train. {compared(about)}",
        "",
        f"    {about.get('command', '')}",
        "",
    ]


def _goals(rows: Sequence[Row], few: Sequence[Row]) -> list[str]:
    """Return the goals, with those that students of few labels have in common with the others."""
    body = [*_judged(rows), *_speed(rows), *_judged(few, " of few labels and the pool")]
    if not body:
        return []
    return ["## Goals of distillation", "", *table(["on test", "goal", "here", "seeds", "result"], body)]


def _judged(rows: Sequence[Row], which: str = "") -> list[list[str]]:
    return [*_over_best_member(rows, which), *_gains(rows, which), *_share_of_ensemble(rows, which)]


def _ensemble(rows: Sequence[Row]) -> Row | None:
    """Return the ensemble that *distilled* learned from, which comes first, whatever others there are."""
    return next((row for row in rows if row["mode"] == "ensemble"), None)


def _over_best_member(rows: Sequence[Row], which: str) -> list[list[str]]:
    ensemble, teachers = _ensemble(rows), [row for row in rows if row["mode"] == "teacher"]
    if not ensemble or not teachers:
        return []
    best = max(teachers, key=lambda row: float(row["miou_val"]))
    on_test, on_val = (ensemble[split] - best[split] for split in ("miou_test", "miou_val"))
    here = f"{signed(on_test)} (on val {signed(on_val)})"
    return [[f"ensemble{which} above its best member", "> 0", here, seeds(1), _verdict(on_test, 0)]]


def _gains(rows: Sequence[Row], which: str) -> list[list[str]]:
    body = []
    for network in ("enet", "icnet"):
        alone, taught = of_mode(rows, "alone", network), of_mode(rows, "distilled", network)
        pairs = [(alone[seed], taught[seed]) for seed in taught if seed in alone]
        if pairs:
            on_test, on_val = (
                fmean(after[split] - before[split] for before, after in pairs)
                for split in ("miou_test", "miou_val")
            )
            what = f"{network}{which}, distilled above alone"
            here = f"{signed(on_test)} (on val {signed(on_val)})"
            body.append([what, "≥ +3", here, seeds(len(pairs)), _verdict(on_test, 0.03)])
    return body


def _speed(rows: Sequence[Row]) -> list[list[str]]:
    ensemble, enet = _ensemble(rows), of_mode(rows, "distilled", "enet").values()
    if not ensemble or not enet:
        return []
    faster = ensemble["ms_per_image"] / fmean(row["ms_per_image"] for row in enet)
    result = "reached" if faster >= 2.5 else "**missed**"
    return [["enet faster than the ensemble", "≥ 2.5 times", f"{faster:.1f} times", seeds(len(enet)), result]]


def _share_of_ensemble(rows: Sequence[Row], which: str) -> list[list[str]]:
    ensemble, icnet = _ensemble(rows), of_mode(rows, "distilled", "icnet").values()
    if not ensemble or not icnet:
        return []
    share = fmean(row["miou_test"] for row in icnet) / ensemble["miou_test"]
    result = "reached" if share >= 0.95 else f"**missed by {100 * (0.95 - share):.1f}**"
    what = f"distilled icnet{which}, of the ensemble's mIoU"
    return [[what, "≥ 95 %", f"{100 * share:.1f} %", seeds(len(icnet)), result]]


def _verdict(value: float, level: float) -> str:
    over = value - level
    return f"reached by {signed(over)[1:]}" if over >= 0 else f"**missed by {signed(over)[1:]}**"


def _ensemble_on_train(about: Mapping[str, Any]) -> list[str]:
    lines = ["## Table 4.1: the teachers and their ensemble on train", ""]
    train = {name: each for name, each in about.get("train", {}).items() if each}
    if not train:
        return [*lines, "Not run yet.", ""]
    body = [[name, points(each["miou"]), *map(points, each["class_iou"])] for name, each in train.items()]
    return [
        *lines,
        "IoU in per cent. The ensemble's is of the soft labels, as they were stored for *distilled*. The "
        "thesis's means over the classes: ERFNet 84.35, DeepLab 82.30, "
        "ICNet 77.7, ensemble 87.43.",
        "",
        *table(["network", "mIoU", *about["classes"]], body),
    ]


def _ensemble_on_test(rows: Sequence[Row], about: Mapping[str, Any]) -> list[str]:
    chosen = [row for row in rows if row["mode"] in ("teacher", "ensemble")]
    body = [
        [
            row["network"],
            row["loss"] if row["mode"] == "ensemble" else NOTHING,
            split,
            points(row[f"miou_{split}"]),
            *map(points, row[f"class_iou_{split}"]),
        ]
        for row in chosen
        for split in ("val", "test")
    ]
    head = ["network", "weights and temperatures", "on", "mIoU", *about.get("classes", [])]
    return [
        "## Table 4.2: the teachers and their ensemble on val and test",
        "",
        "The thesis, Cityscapes val: ensemble 75.44 of members with 67.7, 72.34 and 69.3.",
        "",
        *table(head, body),
    ]


def _without_class_weights(results: Results) -> list[str]:
    """Return the section on the earlier series, the loss of each row as it was."""
    every = [dict(row) for row in results.documents.get(THESIS_LOSS, {}).get("runs", [])]
    rows = [row for row in every if row["runtime"] == TORCH]
    alone = {(row["network"], row["seed"]): row for row in rows if row["mode"] == "alone"}
    students = [row for row in rows if (row["network"], row["seed"]) in alone]
    if not students:
        return []
    about = results.about(THESIS_LOSS_DETAILS)
    steps = ", ".join(f"{name} {count}" for name, count in about.get("teachers", {}).items())
    body = [
        [
            row["network"],
            row["mode"],
            row["loss"],
            str(row["seed"]),
            f"{row['train_seconds']:.0f}",
            points(row["miou_val"]),
            points(row["miou_test"]),
            signed(row["miou_test"] - alone[row["network"], row["seed"]]["miou_test"]),
        ]
        for row in students
    ]
    head = ["network", "mode", "loss", "seed", "seconds", "val", "test", "above alone"]
    return [
        "## The same without class weights in the divergence, trained longer",
        "",
        "An earlier series, preliminary: the thesis's loss, and the other direction, on another processor "
        f"({about.get('hardware', 'unknown')}), with teachers trained longer ({steps} steps). Distilled "
        "students had 1200 steps, those alone as many as fit into the same seconds. That processor computes "
        "bfloat16, which others only emulate.",
        "",
        *table(head, body),
        *_times_table(
            row for row in every if row["mode"] != "distilled" or "student ‖ teachers" in row["loss"]
        ),
        *_asked_alike(results.documents.get(THESIS_LOSS_DETAILS, {}).get("runs", [])),
    ]


def _classes(rows: Sequence[Row], about: Mapping[str, Any]) -> list[str]:
    body = [
        [
            row["network"],
            MODES[row["mode"]],
            str(row["seed"]),
            points(row["miou_test"]),
            *map(points, row["class_iou_test"]),
        ]
        for row in rows
        if row["mode"] in MODES
    ]
    if not body:
        return []
    head = ["network", "mode", "seed", "test", *about.get("classes", [])]
    return ["## Tables 4.3 and 4.4 by class, on test", "", *table(head, body)]


def _times(rows: Sequence[Row]) -> list[str]:
    return [
        "## Table 4.5: milliseconds an image",
        "",
        "From an image in memory to its labels, all in turns on one machine. Alone and distilled are the "
        "same network, so equal within noise. ONNX Runtime has no bfloat16 on processors. The thesis, GTX "
        "1080 Ti: ENet 145, ICNet 170, ERFNet 310 ms.",
        "",
        *_times_table(rows),
    ]


def _times_table(given: Iterable[Row]) -> list[str]:
    rows = list(given)
    first = min((row["seed"] for row in rows if row["mode"] == "distilled"), default=0)
    wanted = ("teacher", "ensemble", "alone", "distilled")
    chosen = [
        row for row in rows if row["mode"] in wanted and (row["seed"] == first or row["mode"] in wanted[:2])
    ]
    body, seen = [], set()
    for row in sorted(chosen, key=lambda each: float(each["train_seconds"])):
        key = (row["network"], row["mode"], row["runtime"])
        if key in seen:
            continue  # the one that trained longer, or at other temperatures, is the same network
        seen.add(key)
        body.append(
            [
                row["network"],
                row["mode"],
                f"{row['parameters'] / 1e6:.2f} M",
                row["runtime"],
                f"{row['ms_per_image']:.1f}",
                points(row["miou_val"]),
                points(row["miou_test"]),
            ]
        )
    body.sort(key=lambda cells: (cells[0], cells[1], cells[3]))
    return table(["network", "mode", "parameters", "runtime", "ms", "val", "test"], body)


def _asked_alike(details: Sequence[Mapping[str, Any]]) -> list[str]:
    known = [each for each in details if each.get("asked_alike")]
    if not known:
        return []
    body = [
        [
            each["job"],
            each["runtime"],
            *(f"{100 * each['asked_alike'][name]:.1f} %" for name in ("sp", "sp-crf")),
        ]
        for each in known
    ]
    return [
        "What bfloat16 does to the ranking of regions: of those that float32 asks at 10 %, the share that "
        "bfloat16 asks too, mean over the images of val.",
        "",
        *table(["model", "runtime", "`sp`", "`sp-crf`"], body),
    ]
