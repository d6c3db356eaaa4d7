"""Numbers and tables as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

NOTHING = "–"
SEEDS = 3
"""Seeds that a result needs to count as more than preliminary."""


def points(value: float | None) -> str:
    """Return a mIoU of 0..1 in per cent, without the sign."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def percent(value: float | None) -> str:
    """Return a share of 0..1 in per cent."""
    return NOTHING if value is None else f"{100 * value:.1f} %".replace("-", "−")


def share(value: float) -> str:
    """Return a configured share in per cent with as few digits as it has."""
    return f"{100 * value:.4g} %"


def signed(value: float) -> str:
    """Return a difference of shares in points, always with its sign."""
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")  # + 0.0: nothing is no "−0.0"


def whole(value: float | None) -> str:
    """Return a count."""
    return NOTHING if value is None else f"{value:.0f}"


def mean(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    given = list(values)
    return fmean(given) if given else None


def seeds(count: int) -> str:
    """Return how many seeds a number is the mean of, marked while they are too few."""
    return f"{count} (preliminary)" if 0 < count < SEEDS else f"{count}"


def span(values: Collection[float]) -> str:
    """Return the one value, or the lowest and the highest, each with at most three digits or whole."""
    given = [f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in (min(values), max(values))]
    return " to ".join(dict.fromkeys(given))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table and an empty line."""
    return [
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
        *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows),
        "",
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (name, text), the names joined by dots, lists by commas."""
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found += flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            joint = "×" if key == "size" else ", "
            found.append((name, joint.join(plain(entry) for entry in value)))
        else:
            found.append((name, plain(value)))
    return found


def plain(value: Any) -> str:
    """Return a value of a JSON file as text, floats with at most four digits."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("\n", " ")
