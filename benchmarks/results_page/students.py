"""Rows of students alone and taught, told apart by how they learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.results_page.rows import Row
from benchmarks.results_page.words import NOTHING, mean, points, seeds, signed, span, table, whole

TORCH = "torch f32"
"""The runtime that students are compared in."""

PRINTED = {"enet": (52.3, 55.8, 52.0), "icnet": (54.7, 57.8, 54.4), "erfnet": (72.34, 72.2, 69.3)}
"""Tables 4.3 and 4.4 of the thesis, Cityscapes val: alone, distilled, by the soft labels only."""

MODES = {
    "alone": "alone, as many seconds",
    "alone, longer": "alone, the soft labels' seconds on top",
    "distilled": "distilled",
    "distilled, soft": "distilled, without pseudo-labels",
    "distilled, iou": "distilled, teachers weighed by IoU on train",
    "distilled, cwd": "distilled, by CWD",
    "distilled, kl": "distilled, by KL(teachers ‖ student)",
    "distilled, thesis": "distilled, by the thesis's loss",
    "kl-only": "soft labels only, by KL(teachers ‖ student)",
}

OF_FEW_LABELS = "distilled, soft"
"""What there is no need for where all images have labels."""

VARIANTS = {
    "-alone-longer-": "alone, longer",
    "-distilled-soft-": "distilled, soft",
    "-distilled-iou-": "distilled, iou",
    "-distilled-cwd-": "distilled, cwd",
    "-distilled-kl-": "distilled, kl",
    "-distilled-thesis-": "distilled, thesis",
}
"""In the names of jobs: what the rows call alone or distilled, and this page tells apart."""


FORMS = {
    "distilled": "dist",
    "distilled, soft": "dist",
    "distilled, iou": "dist",
    "distilled, cwd": "cwd",
    "distilled, thesis": "kl by pixel",
    "alone": "alone",
    "alone, longer": "alone",
}
"""Whose seconds a step takes, where it is not the KL divergence's."""


def with_details(rows: Iterable[Row], details: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return rows with what details know; students of other losses and seconds get their own modes."""
    known = [dict(row) | {"steps": None, "class_iou_val": []} for row in rows]
    for row, detail in zip(known, details, strict=False):
        row |= {name: detail[name] for name in ("steps", "class_iou_val") if name in detail}
        for part, mode in VARIANTS.items():
            if part in detail.get("job", ""):
                row["mode"] = mode
    return known


def of_mode(rows: Sequence[Row], mode: str, network: str | None = None) -> dict[int, Row]:
    """Return the rows of a mode by seed."""
    return {row["seed"]: row for row in rows if row["mode"] == mode and network in (None, row["network"])}


def students(rows: Sequence[Row], about: Mapping[str, Any], *, only_run: bool = False) -> list[str]:
    """Return the table of students, a line each mode; `only_run` leaves out what has not been run."""
    body = []
    for network, printed in PRINTED.items():
        for mode, words in MODES.items():
            found = of_mode(rows, mode, network)
            if not found and (only_run or mode == OF_FEW_LABELS):
                continue
            thesis = dict(zip(("alone", "distilled", "kl-only"), printed, strict=True)).get(mode)
            gains = gains_of(found, of_mode(rows, "alone", network)) if mode != "alone" else NOTHING
            body.append(
                [
                    network,
                    words,
                    seeds(len(found)) if found else "not run yet",
                    *effort(list(found.values()), mode, about),
                    points(mean(row["miou_val"] for row in found.values())),
                    points(mean(row["miou_test"] for row in found.values())),
                    gains,
                    NOTHING if thesis is None else f"{thesis:.1f}",
                ]
            )
    head = ["network", "mode", "seeds", "steps", "seconds", "with soft labels", "val", "test"]
    return table([*head, "above alone, seed by seed", "thesis"], body)


def compared(about: Mapping[str, Any]) -> str:
    """Return how finely a series compared soft labels and weighed teachers; the earlier ones do not say."""
    stride = about.get("loss", {}).get("stride", 1)
    cells = "at each pixel" if stride == 1 else f"as means over cells of {stride}×{stride} pixels"
    stacked = "weighed by stacking on val, unless a row says otherwise"
    weighed = (
        stacked if about.get("weighting") == "stacked" else "weighed class by class by their IoU on train"
    )
    return f"Soft labels were compared {cells}; teachers were {weighed}."


def effort(found: Sequence[Row], mode: str, about: Mapping[str, Any]) -> list[str]:
    """Return steps, their seconds as a step was measured, and the same with those of the soft labels."""
    steps = [row["steps"] for row in found if row["steps"]]
    if not steps:
        return [NOTHING] * 3
    taken = about.get("step_seconds", {}).get(found[0]["network"], {}).get(FORMS.get(mode, "kl"))
    if taken is None:
        return [span(steps), NOTHING, NOTHING]
    seconds = fmean(steps) * taken
    own = 0.0 if mode.startswith("alone") else about.get("soft_label_seconds") or 0.0
    return [span(steps), whole(seconds), whole(seconds + own)]


def gains_of(found: Mapping[int, Row], alone: Mapping[int, Row]) -> str:
    """Return how far above those alone, seed by seed."""
    pairs = {
        seed: row["miou_test"] - alone[seed]["miou_test"] for seed, row in found.items() if seed in alone
    }
    return ", ".join(f"{signed(gain)} ({seed})" for seed, gain in pairs.items()) or NOTHING
