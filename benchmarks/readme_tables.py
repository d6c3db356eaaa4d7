"""Write the README's tables from the stored results: ``python -m benchmarks.readme_tables``.

Each table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``. Those of `OVERVIEWS`
come from the same files as docs/results.md, the others from ``benchmarks/results/demo_NAME.json``, a copy of
the ``demo/summary.json`` of that run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.results_page.load import load
from benchmarks.results_page.overview import overview, questions
from benchmarks.results_page.small_networks import small_networks

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
OVERVIEWS = {"strategies": overview, "questions": questions, "students": small_networks}
STEPS = ("score", "choose", "push", "pull", "merge", "train", "evaluate", "publish")


def filled(readme: str) -> str:
    """Return the README with all its tables as the stored summaries say."""

    def table(match: re.Match[str]) -> str:
        return f"<!-- results:{match[1]} -->\n{body(match[1])}\n<!-- /results:{match[1]} -->"

    return re.sub(r"<!-- results:(\w+) -->.*?<!-- /results:\1 -->", table, readme, flags=re.DOTALL)


def body(name: str) -> str:
    """Return the table of that name."""
    if name in OVERVIEWS:
        return OVERVIEWS[name](load(RESULTS))
    return markdown(json.loads((RESULTS / f"demo_{name}.json").read_text(encoding="utf-8")))


def markdown(summary: dict[str, Any]) -> str:
    """Return one run as a table, with the seconds of its steps below."""
    lines = [
        "| round | images | regions | pixel share | keys | mIoU val | mIoU test |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summary["rounds"]:
        share = f"{100 * row['pixel_share']:.1f} %" if row["round"] else "–"
        asked = [row["images"], row["regions"], share, row["keys"]] if row["round"] else ["–"] * 4
        cells = [row["round"], *asked, f"{row['miou_val']:.3f}", f"{row['miou_test']:.3f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    control = summary["control"]
    lines.append(f"| control | – | – | – | – | {control['miou_val']:.3f} | {control['miou_test']:.3f} |")
    lines += ["", "Seconds a step:", "", f"| round | {' | '.join(STEPS)} |", "|---" * (len(STEPS) + 1) + "|"]
    for row in summary["rounds"]:
        cells = [f"{row['seconds'][step]:.1f}" if step in row["seconds"] else "–" for step in STEPS]
        lines.append(f"| {row['round']} | {' | '.join(cells)} |")
    minutes, version = summary["seconds"] / 60, summary["label_studio_version"]
    lines += [
        "",
        f"{minutes:.0f} minutes in all, the control included; Label Studio {version}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    page = ROOT / "README.md"
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
