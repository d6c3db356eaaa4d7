"""Series of students beside the main one: of more steps, and of fewer labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results_page.load import (
    BY_PIXEL,
    BY_PIXEL_DETAILS,
    DISTILLATION_DETAILS,
    FEW_LABELS,
    FEW_LABELS_DETAILS,
    FEW_LONGER,
    FEW_LONGER_DETAILS,
    LONGER,
    LONGER_DETAILS,
    ON_GPU,
    ON_GPU_DETAILS,
    Results,
)
from benchmarks.results_page.rows import Row
from benchmarks.results_page.students import MODES, TORCH, compared, students, with_details
from benchmarks.results_page.words import percent, points, table


def students_by_pixel(results: Results) -> list[str]:
    """Return the section on the series that compared soft labels at each pixel."""
    rows = _rows(results, BY_PIXEL, BY_PIXEL_DETAILS)
    if not rows:
        return []
    about = results.about(BY_PIXEL_DETAILS)
    text = (
        "An earlier series, of teachers trained alike, and the losses that only it has. A step of a student "
        f"taught by DIST took as long as {_ratios(about['step_seconds'])} steps of one alone, on "
        f"{about['hardware']}; some were trained before that was measured, so seconds are not quite equal."
    )
    return [*_section("Students compared at each pixel", text, rows, about), *_teachers(rows)]


def longer_students(results: Results) -> list[str]:
    """Return the section on students that had more time beside the same teachers."""
    rows = _rows(results, LONGER, LONGER_DETAILS)
    if not rows:
        return []
    about = results.about(LONGER_DETAILS)
    text = (
        "An earlier series, of teachers trained alike: "
        f"{about.get('steps', 'more')} steps for a student alone and as many as fit into the same seconds "
        "for one taught: whether distillation pays later."
    )
    return _section("Students trained longer", text, rows, about)


def students_on_a_gpu(results: Results) -> list[str]:
    """Return the section on the series that was trained on a GPU, its teachers too."""
    rows = _rows(results, ON_GPU, ON_GPU_DETAILS)
    if not rows:
        return []
    about = results.about(ON_GPU_DETAILS)
    before = results.about(DISTILLATION_DETAILS).get("step_seconds", {})
    steps = ", ".join(f"{name} {count}" for name, count in about["teachers"].items())
    text = (
        f"{about['steps']} steps for a student alone; teachers trained longer as well ({steps}). On "
        f"{about['hardware']}: each loaded images by one thread, and unpacking soft labels takes longer than "
        "changing images. A step of a student taught by DIST took as long as "
        f"{_ratios(about['step_seconds'])} steps of one alone, in the tables above {_ratios(before)}; it had "
        "that many fewer in the same seconds. So this does not say what distillation brings in equal steps, "
        "and no goal is judged by it. Loading by several threads and comparing by cells, which trainings do "
        "since, are not measured on a GPU. What it does say: alone, with more steps, students gain more than "
        "soft labels gave them in the tables above."
    )
    return [*_section("Students on a GPU", text, rows, about), *_teachers(rows)]


PSEUDO = (
    " *Distilled* also takes what the teachers find likeliest in the others for their labels, as much as "
    "they are sure of it (pseudo-labels); the other rows do not."
)


def rows_of_few_labels(results: Results) -> list[Row]:
    """Return the rows of students that learn from images nobody labelled, and of their teachers."""
    return _rows(results, FEW_LABELS, FEW_LABELS_DETAILS)


def students_of_few_labels(results: Results) -> list[str]:
    """Return the section on students that learn from images nobody labelled."""
    rows = rows_of_few_labels(results)
    if not rows:
        return []
    about = results.about(FEW_LABELS_DETAILS)
    labelled, others = about["images"]["train"], about["images"]["unlabelled"]
    text = (
        f"What soft labels are for, where labels are scarce: {labelled} images of train have labels, the P "
        f"of the first chapter with seed 0, and nobody labelled the other {others}. Teachers were trained on "
        f"the {labelled} and asked about all; students alone learned from the {labelled}, those taught from "
        f"the {labelled} with their labels and from all {labelled + others} with soft labels, in as many "
        "seconds; labels of val do no more than weigh the teachers."
        f"{PSEUDO if about.get('pseudo_labels') else ''} On {about.get('hardware', 'unknown hardware')}."
    )
    title = "Students of images that nobody labelled"
    return [*_section(title, text, rows, about), *_teachers(rows), *_few_labels_longer(results)]


def _few_labels_longer(results: Results) -> list[str]:
    rows = _rows(results, FEW_LONGER, FEW_LONGER_DETAILS)
    if not rows:
        return []
    about = results.about(FEW_LONGER_DETAILS)
    ensemble = next(row["miou_test"] for row in rows if row["mode"] == "ensemble")
    best = max(row["miou_test"] for row in rows if row["mode"] == "distilled")
    text = (
        f"The same teachers and soft labels; {about['steps']} steps for a student alone and as many as fit "
        f"into the same seconds for one taught, which comes to {percent(best / ensemble)} of its teachers "
        "together."
    )
    return _section("The same, trained longer", text, rows, about)


def _rows(results: Results, name: str, details: str) -> list[Row]:
    """Return the rows in the runtime that students are compared in; none without a student."""
    documents = results.documents
    every = with_details(documents.get(name, {}).get("runs", []), documents.get(details, {}).get("runs", []))
    rows = [row for row in every if row["runtime"] == TORCH]
    return rows if any(row["mode"] in MODES for row in rows) else []


def _section(title: str, text: str, rows: Sequence[Row], about: Mapping[str, Any]) -> list[str]:
    command = f"    {about.get('command', '')}"
    return [
        f"## {title}",
        "",
        f"{text} {compared(about)}",
        "",
        command,
        "",
        *students(rows, about, only_run=True),
    ]


def _teachers(rows: Sequence[Row]) -> list[str]:
    """Return the table of a series' teachers."""
    body = [
        [
            row["network"],
            row["loss"] if row["mode"] == "ensemble" else "alone",
            points(row["miou_val"]),
            points(row["miou_test"]),
        ]
        for row in rows
        if row["mode"] in ("teacher", "ensemble")
    ]
    return table(["teachers", "weights and temperatures", "val", "test"], body)


def _ratios(step_seconds: Mapping[str, Mapping[str, float]]) -> str:
    """Return how many steps alone a step by DIST takes, by network."""
    known = {name: each["dist"] / each["alone"] for name, each in step_seconds.items() if "dist" in each}
    return ", ".join(f"{ratio:.1f} ({name})" for name, ratio in known.items())
