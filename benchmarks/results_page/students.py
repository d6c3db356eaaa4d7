"""Rows of students alone and taught, told apart by how they learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from statistics import fmean

from benchmarks.results_page.rows import Row
from benchmarks.results_page.words import NOTHING, points, seeds, signed, table

PRINTED = {"enet": (52.3, 55.8, 52.0), "icnet": (54.7, 57.8, 54.4), "erfnet": (72.34, 72.2, 69.3)}
"""Tables 4.3 and 4.4 of the thesis, Cityscapes val: alone, distilled, by the soft labels only."""

MODES = {
    "alone": "alone, as many seconds",
    "alone, longer": "alone, the soft labels' seconds on top",
    "distilled": "distilled",
    "distilled, cwd": "distilled, by CWD",
    "distilled, kl": "distilled, by KL(teachers ‖ student)",
    "distilled, thesis": "distilled, by the thesis's loss",
    "kl-only": "soft labels only, by KL(teachers ‖ student)",
}

VARIANTS = {
    "-alone-longer-": "alone, longer",
    "-distilled-cwd-": "distilled, cwd",
    "-distilled-kl-": "distilled, kl",
    "-distilled-thesis-": "distilled, thesis",
}
"""In the names of jobs: what the rows call alone or distilled, and this page tells apart."""


def mark_variants(rows: Iterable[Row], jobs: Iterable[str]) -> None:
    """Tell students by other losses, and those alone with more seconds, by the names of their jobs."""
    for row, job in zip(rows, chain(jobs, repeat("")), strict=False):
        for part, mode in VARIANTS.items():
            if part in job:
                row["mode"] = mode


def of_mode(rows: Sequence[Row], mode: str, network: str | None = None) -> dict[int, Row]:
    """Return the rows of a mode by seed."""
    return {row["seed"]: row for row in rows if row["mode"] == mode and network in (None, row["network"])}


def students(rows: Sequence[Row], *, only_run: bool = False) -> list[str]:
    """Return the table of students, a line each mode; `only_run` leaves out what has not been run."""
    body = []
    for network, printed in PRINTED.items():
        for mode, words in MODES.items():
            found = of_mode(rows, mode, network)
            if only_run and not found:
                continue
            thesis = dict(zip(("alone", "distilled", "kl-only"), printed, strict=True)).get(mode)
            mean = [
                fmean(float(row[column]) for row in found.values()) if found else None
                for column in ("miou_val", "miou_test")
            ]
            seconds = f"{fmean(row['train_seconds'] for row in found.values()):.0f}" if found else NOTHING
            gains = gains_of(found, of_mode(rows, "alone", network)) if mode != "alone" else NOTHING
            cells = [seeds(len(found)) if found else "not run yet", seconds, *map(points, mean), gains]
            body.append([network, words, *cells, NOTHING if thesis is None else f"{thesis:.1f}"])
    head = ["network", "mode", "seeds", "seconds", "val", "test", "above alone, seed by seed", "thesis"]
    return table(head, body)


def gains_of(found: Mapping[int, Row], alone: Mapping[int, Row]) -> str:
    """Return how far above those alone, seed by seed."""
    pairs = {
        seed: row["miou_test"] - alone[seed]["miou_test"] for seed, row in found.items() if seed in alone
    }
    return ", ".join(f"{signed(gain)} ({seed})" for seed, gain in pairs.items()) or NOTHING
