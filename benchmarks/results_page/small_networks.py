"""README's table of small networks that learned from images nobody labelled."""

from __future__ import annotations

from collections.abc import Collection

from benchmarks.results_page.load import Results
from benchmarks.results_page.other_students import rows_of_few_labels
from benchmarks.results_page.rows import Row
from benchmarks.results_page.students import of_mode
from benchmarks.results_page.words import NOTHING, mean, points, signed, table

HEAD = ["", "seeds", "parameters", "ms an image", "mIoU val", "mIoU test", "above alone"]


def small_networks(results: Results) -> str:
    """Return the table: the teachers together, then each student alone and taught, means over the seeds."""
    rows = rows_of_few_labels(results)
    body = [_line("the three teachers together", [row], None) for row in rows if row["mode"] == "ensemble"][
        :1
    ]
    for network in ("enet", "icnet"):
        alone, taught = of_mode(rows, "alone", network), of_mode(rows, "distilled", network)
        if not alone or not taught:
            continue
        gain = mean(
            row["miou_test"] - alone[seed]["miou_test"] for seed, row in taught.items() if seed in alone
        )
        body.append(_line(f"`{network}` alone", alone.values(), None))
        body.append(_line(f"`{network}` taught, in as many seconds", taught.values(), gain))
    return "\n".join(table(HEAD, body)).strip()


def _line(name: str, rows: Collection[Row], gain: float | None) -> list[str]:
    parameters, milliseconds, val, test = (
        mean(row[what] for row in rows) or 0.0
        for what in ("parameters", "ms_per_image", "miou_val", "miou_test")
    )
    return [
        name,
        str(len(rows)),
        f"{parameters / 1e6:.2f} M",
        f"{milliseconds:.0f}",
        points(val),
        points(test),
        NOTHING if gain is None else signed(gain),
    ]
