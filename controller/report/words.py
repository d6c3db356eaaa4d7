"""Numbers as people read them."""

from __future__ import annotations

NOTHING = "–"


def decimal(value: float | None, digits: int = 3) -> str:
    """Return 0.5432 as ``0.543``; a dash for ``None``."""
    return NOTHING if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, a real minus included."""
    return NOTHING if value is None else f"{value:+.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """Return the share 0.0957 as ``9.6 %``, with a space that does not break."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}\u202f%"


def share(part: float, whole: float) -> str:
    """Return part ÷ whole as a percentage; a dash when there is no whole."""
    return percent(part / whole) if whole else NOTHING


def integer(value: float) -> str:
    """Return 12345 as ``12 345``, with thin spaces that do not break."""
    return f"{round(value):,}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    """Return seconds as ``42 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}\u202fs"
    if whole < 3600:
        return f"{whole // 60}\u202fmin {whole % 60:02d}\u202fs"
    return f"{whole // 3600}\u202fh {whole % 3600 // 60:02d}\u202fmin"


def pixels(value: float) -> str:
    """Return a number of pixels shortly: ``950``, ``120k``, ``3.5M``."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.4g}"
