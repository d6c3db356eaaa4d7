"""Sections that show what a file holds: the Cityscapes model as it comes, CRF modes, soft labels, losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results_page.load import LOSSES, OUTPUT_STRIDES, SOFT_LABELS, TEACHER_WEIGHTS, Results
from benchmarks.results_page.rows import Row
from benchmarks.results_page.words import NOTHING, flat, percent, plain, points, signed, table

ZERO_SHOT = (
    "scale",
    "size",
    "images",
    "mapping",
    "join",
    "miou",
    "drives.Seq05VD",
    "drives.0001TP",
    "pixel_accuracy",
    "ms_per_image",
)
"""Columns of the Cityscapes model's table."""


def zero_shot(results: Results) -> list[str]:
    """Return the section on the Cityscapes model without any training on CamVid."""
    says = (
        "ESPNetv2 with its published Cityscapes weights, classes mapped, without any training on CamVid. An "
        "independent run of the same weights on all of test at 480×352 had given 50.2, and 51.4 with walls "
        "as buildings; on 50 images at 768×576 53.9."
    )
    name = "espnetv2_zero_shot.json"
    return as_measured(results, name, "The Cityscapes model on CamVid as it comes", says, ZERO_SHOT)


def soft_labels(results: Results) -> list[str]:
    """Return the section on the store of soft labels: from the best to the worst temperature of each data."""
    lines = ["## The store of soft labels", ""]
    rows = results.documents.get(SOFT_LABELS, {}).get("runs", [])
    if not rows:
        return [*lines, f"Not run yet: there is no `{SOFT_LABELS}`.", ""]
    parts: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        size = f"{row['width']}×{row['height']}"
        parts.setdefault((row["data"], size, str(row["classes"]), row["teachers"]), []).append(row)
    body = [
        [
            *key,
            _range([f"{100 * row['share_of_float16']:.2f}" for row in same]),
            f"{max(row['kl_mean'] for row in same):.1e}",
            f"{max(row['kl_p999'] for row in same):.1e}",
            "yes" if all(row["argmax_exact"] for row in same) else "**no**",
            _range([f"{row['encode_ms']:.0f}" for row in same]),
            _range([f"{row['decode_ms']:.0f}" for row in same]),
        ]
        for key, same in parts.items()
    ]
    temperatures = sorted({row["temperature"] for row in rows})
    head = ["data", "size", "classes", "teachers", "of float16, %", "mean KL", "99.9 % KL", "argmax exact"]
    return [
        *lines,
        f"Distributions at temperatures {', '.join(map(str, temperatures))}, written and read back: how "
        "small the store is beside float16, and what it loses at the worst of these temperatures: KL(exact ‖ "
        "stored) in nats, its mean (1e-3 is allowed) and its 99.9th percentile (0.05).",
        "",
        *table([*head, "ms to write", "ms to read"], body),
    ]


def _range(values: Sequence[str]) -> str:
    ordered = sorted(values, key=float)
    return ordered[0] if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"


def teacher_weights(results: Results) -> list[str]:
    """Return the section on ways to weigh teachers."""
    says = (
        "The ensembles of the teachers of all labels and of few at temperature 1, weighed otherwise: what "
        "each teacher counts, mean over the classes, and what they get right together. The thesis weighs by "
        "IoU on train."
    )
    return as_measured(results, TEACHER_WEIGHTS, "How much each teacher counts", says)


def output_strides(results: Results) -> list[str]:
    """Return the section on what the size of a network's output costs."""
    says = (
        "Labels averaged over cells of so many pixels a side, enlarged bilinearly and compared with "
        "themselves: what a network could tell that knew each class's share in each cell. The last map of "
        "ICNet has cells of 8, that of DeepLabv3+ of 4, that of ESPNetv2 of 2."
    )
    return as_measured(results, OUTPUT_STRIDES, "What the size of an output costs", says)


def training_settings(results: Results) -> list[str]:
    """Return the section on how the trainings were set."""
    says = (
        "Short trainings on the full labels of train, seed 0. Tables 3.1, 3.2 and 3.4 to 3.7 and the "
        "students of chapter 4 train with class weights by frequency and zoom 0.75 to 1.5; ICNet with a "
        "learning rate of 0.04, ENet and ERFNet with 0.1. Table 3.3 and the CRF's table have settings of "
        "their own, given there."
    )
    return as_measured(results, "training_settings.json", "Learning rates, class weights and zoom", says)


def losses(results: Results) -> list[str]:
    """Return the section on what students learn soft labels by; nothing before it was measured."""
    document = results.documents.get(LOSSES, {})
    scores: dict[tuple[str, str], dict[int, float]] = {}
    for row in document.get("rows", []):
        scores.setdefault((row["network"], row["loss"]), {})[row["seed"]] = row["miou_val"]
    if not scores:
        return []
    body = []
    for (network, loss), found in scores.items():
        alone = scores.get((network, "cross-entropy"), {})
        gains = [f"{signed(found[seed] - alone[seed])} ({seed})" for seed in found if seed in alone]
        by_seed = ", ".join(f"{points(score)} ({seed})" for seed, score in found.items())
        body.append([network, loss, by_seed, NOTHING if loss == "cross-entropy" else ", ".join(gains)])
    about = document["about"]
    steps = {row["network"]: row["steps"] for row in document["rows"]}
    return [
        "## Losses of the students, in short trainings",
        "",
        f"Students on images of {about['size'].replace('x', '×')}, "
        + ", ".join(f"{network} {count} steps" for network, count in steps.items())
        + ", all as many steps as the one alone; the seed in brackets. The teachers are those of the tables "
        "above and look at the larger images, at the student's temperature T where that is 1, else at the "
        "thesis's. KL *by pixel and class* divides by both counts, as the thesis's λ = 100 wants. The same "
        "training with sums in another order came out 0.8 points apart: smaller differences say nothing. "
        + str(about.get("origin", "")),
        "",
        *table(["network", "loss", "val", "above alone"], body),
    ]


def crf_modes(results: Results) -> list[str]:
    """Return the section on the CRF over pixels and over superpixels."""
    title, name = "CRF over pixels and over superpixels", "crf_modes.json"
    says = "Both modes of the dense CRF, with the default weights and with weights fitted on labelled images."
    document = results.documents.get(name, {})
    measured = document.get("results")
    if not isinstance(measured, Mapping):
        return as_measured(results, name, title, says)
    rows = {"network alone": measured["network"]}
    for mode in ("pixel", "superpixel"):
        rows |= {f"{mode}, {which}": row for which, row in measured[mode].items()}
    body = [
        [
            which,
            points(row["miou"]),
            percent(row["pixel_accuracy"]),
            percent(row["errors_found"]),
            _held_out(row),
            NOTHING if row.get("seconds_per_image") is None else f"{row['seconds_per_image']:.3f}",
        ]
        for which, row in rows.items()
    ]
    head = ["CRF", "mIoU", "pixel accuracy", "errors found", "held out (network)", "s an image"]
    settings = {key: value for key, value in document.items() if key not in ("results", "libraries")}
    lines = [f"## {title}", "", says, "", *table(head, body)]
    lines += [
        "*Errors found*: share of the network's wrong pixels among those that would be asked. *Held out*: "
        "the measure fitted for, with weights chosen on the other folds; in brackets, the network's own.",
        "",
    ]
    return [*lines, f"Settings: {', '.join(f'{key} {value}' for key, value in flat(settings))}.", ""]


def _held_out(row: Mapping[str, Any]) -> str:
    if "held_out" not in row:
        return NOTHING
    return f"{row['held_out']:.3f} ({row['held_out_network']:.3f})"


def as_measured(results: Results, name: str, title: str, says: str, columns: Sequence[str] = ()) -> list[str]:
    """Return a section that is the rows of a file as they are; of their columns those named, where there."""
    lines = [f"## {title}", "", says, ""]
    document = results.documents.get(name)
    if document is None:
        return [*lines, f"Not run yet: there is no `{name}`.", ""]
    rows = document.get("runs", document.get("rows"))
    if not rows:
        values = {key: value for key, value in document.items() if key not in ("about", "runs", "rows")}
        return [
            *lines,
            *(table(["what", "value"], flat(values)) if values else ["The file has no rows yet.", ""]),
        ]
    cells = [dict(flat(row)) for row in rows]
    there = list(dict.fromkeys(key for row in cells for key in row))
    head = [key for key in columns if key in there] or there
    return [*lines, *table(head, [[row.get(key, plain(None)) for key in head] for row in cells])]
