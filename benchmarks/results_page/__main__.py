"""Write ``docs/results.md`` and its plots: ``python -m benchmarks.results_page [--check]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.results_page.load import load
from benchmarks.results_page.page import PICTURES, page, plots
from tenth.errors import TenthError

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Write or check; return 1 when the check fails or the input is bad."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is stale")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", metavar="DIR", help="folder of results.md")
    options = parser.parse_args(arguments)
    try:
        return (check if options.check else write)(options.results, options.out)
    except TenthError as error:
        print(error, file=sys.stderr)
        return 1


def write(results: Path, out: Path) -> int:
    """Write the page and every plot."""
    found = load(results)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.md").write_text(page(found), encoding="utf-8")
    drawn = plots(found)
    if drawn:
        (out / PICTURES).mkdir(parents=True, exist_ok=True)
    for plot in drawn:
        plot.draw(out / PICTURES / plot.file)
    print(f"{out / 'results.md'} and {len(drawn)} plots written")
    return 0


def check(results: Path, out: Path) -> int:
    """Compare the page with what would be written; of the plots, only that they are there."""
    found = load(results)
    path = out / "results.md"
    missing = [plot.file for plot in plots(found) if not (out / PICTURES / plot.file).exists()]
    stale = not path.exists() or path.read_text(encoding="utf-8") != page(found)
    if stale or missing:
        what = f"{path} is stale" if stale else f"plots are missing: {', '.join(missing)}"
        print(f"{what}: python -m benchmarks.results_page", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
