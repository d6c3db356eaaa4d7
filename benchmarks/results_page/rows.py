"""Rows of the JSON files: what they have to be, and which of two files belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from controller.simulation.results import ROW
from tenth.errors import DataError

Row = dict[str, Any]

RUN = ("strategy", "network", "annotator", "initial_share", "seed", "round", "budget")
"""What tells rows apart, next to the sizes below."""

SIZES = ("group_size", "region_size")
"""Settings that the details tell and the rows do not."""

LEARNED_ALIKE = "(learned as tenth)"
"""How the names of runs end that learn from their labels what `tenth` learns from its own."""

BOUND, BASELINE = "full-labels", "initial-labels"
BOUND_ALIKE = f"{BOUND} {LEARNED_ALIKE}"
BOUNDS = (BOUND, BOUND_ALIKE, BASELINE)
SHARES = ("pixel_share", "miou_val", "miou_test", "miou_test_seq05vd", "wrong_share")
TOLERANCE = 1e-3
"""Rows may be rounded to three digits."""


def check(rows: Sequence[Row], file: str) -> None:
    """Check the columns and the numbers of each row.

    Raises
    ------
    DataError
        When a row lacks a column, has one too many, or contradicts itself.
    """
    for number, row in enumerate(rows):
        where = f"{file}, row {number}"
        missing, more = set(ROW) - set(row), set(row) - set(ROW)
        if missing or more:
            raise DataError(
                f"{where}: columns missing: {sorted(missing) or 'none'}, unknown: {sorted(more) or 'none'}. "
                "Others belong into label_efficiency_details.json."
            )
        _check_numbers(row, where)


def _check_numbers(row: Row, where: str) -> None:
    for name in SHARES:
        if row[name] is not None and not 0 <= row[name] <= 1:
            raise DataError(f"{where}: {name} is {row[name]}; it is a share, 0 to 1.")
    miou, initial, full = (row[name] for name in ("miou_test", "initial_miou_test", "full_label_miou_test"))
    if None in (miou, initial, full):
        return
    expected = {"ratio": miou / full}
    if abs(full - initial) > TOLERANCE:
        expected["gap_closed"] = (miou - initial) / (full - initial)
    for name, value in expected.items():
        # An error of rounding in mIoU grows by what it is divided by.
        allowed = TOLERANCE * (1 if name == "ratio" else max(1, 2 / abs(full - initial)))
        if row[name] is not None and abs(row[name] - value) > allowed:
            raise DataError(
                f"{where}: {name} is {row[name]}, but its mIoU columns say {value:.4f}. "
                "Compute it anew; the bound or the baseline may have changed since."
            )


def check_once(rows: Sequence[Row], file: str) -> None:
    """Check that no run and round is there twice.

    Raises
    ------
    DataError
        When one is; the message names it.
    """
    counts = Counter(tuple(row[name] for name in RUN) for row in rows)
    for key, count in counts.items():
        if count > 1:
            raise DataError(
                f"{file} has {count} rows of the same run and round: {dict(zip(RUN, key, strict=True))}. "
                "Keep one, or let the details tell their group_size and region_size."
            )


def beside(rows: Sequence[Row], details: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return both lists, each row with the columns that the other file adds to it.

    Files of the same length and order belong together row by row; otherwise a row goes with the only other of
    the same run and round, and with the same mIoU where both tell it.
    """
    if len(rows) == len(details) and all(map(_same_round, rows, details)):
        joined = [{**detail, **row} for row, detail in zip(rows, details, strict=True)]
        return joined, joined
    return _matched(rows, details), _matched(details, rows)


def _matched(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    by_run: dict[tuple[Any, ...], list[Row]] = {}
    for other in others:
        by_run.setdefault(_short(other), []).append(other)
    joined = []
    for row in rows:
        found = [other for other in by_run.get(_short(row), []) if _same_round(row, other)]
        joined.append({**found[0], **row} if len(found) == 1 else dict(row))
    return joined


def _short(row: Row) -> tuple[Any, ...]:
    return row["strategy"], row["seed"], row["round"]


def _same_round(one: Row, other: Row) -> bool:
    # Runs that differ in the sizes alone share everything but the result.
    names = [name for name in (*RUN, "miou_test") if name in one and name in other]
    return all(one[name] == other[name] for name in names)


def with_drives(details: Sequence[Row]) -> list[Row]:
    """Return details with ``miou_test_0001tp`` taken from the table of all drives, where they have that."""
    return [
        {"miou_test_0001tp": row["miou_test_drives"].get("0001TP"), **row}
        if "miou_test_drives" in row
        else row
        for row in details
    ]


def main_setting(rows: Sequence[Row], about: Mapping[str, Any]) -> list[Row]:
    """Return the rows of one size of groups and regions for each initial share.

    That is the one the details' "about" names; where no row of an initial share has it, that of most runs.
    """
    named = tuple(about.get(name) for name in SIZES)
    runs = dict.fromkeys(
        (_setting(row), _sizes(row), row["strategy"], row["annotator"], row["budget"], row["seed"])
        for row in rows
        if row["strategy"] not in BOUNDS
    )
    counts: dict[Any, Counter[tuple[Any, ...]]] = {}
    for setting, sizes, *_ in runs:
        counts.setdefault(setting, Counter())[sizes] += 1
    chosen = {
        setting: named if named in count else count.most_common(1)[0][0] for setting, count in counts.items()
    }
    return [row for row in rows if row["strategy"] in BOUNDS or _sizes(row) == chosen[_setting(row)]]


def _setting(row: Row) -> tuple[Any, ...]:
    return row["network"], row["initial_share"]


def _sizes(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in SIZES)
