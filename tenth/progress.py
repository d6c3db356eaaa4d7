"""Progress with an ETA on standard error, where `--json` output stays clean: bars, or lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from tqdm import tqdm

T = TypeVar("T")

LINE_SECONDS = 30.0
"""Time between two lines, where there is no terminal to draw a bar on."""


class Bar(Protocol):
    """What a long task reports to."""

    def update(self, n: int = 1) -> bool | None:
        """Count `n` more items as done."""

    def set_postfix_str(self, s: str = "") -> None:
        """Show a short text behind the bar."""


class Progress:
    """Makes progress bars.

    Parameters
    ----------
    enabled : bool, optional
        ``None`` shows bars on a terminal (standard error) and writes lines elsewhere, as into the log of a
        command that runs over night; ``False`` (default) shows nothing, ``True`` always bars.
    clock : callable, optional
        Returns seconds; for the lines.
    """

    def __init__(self, enabled: bool | None = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.enabled = enabled
        self.clock = clock
        self.last_line = clock()

    @contextmanager
    def bar(self, total: int, description: str, unit: str = "it", initial: int = 0) -> Iterator[Bar]:
        """Show a bar for `total` items, `initial` of them done before, while the context lasts.

        It stays on the terminal afterwards; one inside another vanishes, and the outer one keeps its place.
        """
        if self.enabled is None and not sys.stderr.isatty():
            lines = _Lines(self, total, description, unit, initial)
            try:
                yield lines
            finally:
                lines.end()
            return
        with tqdm(
            total=total,
            initial=initial,
            desc=description,
            unit=unit,
            disable=self.enabled is False,
            dynamic_ncols=True,
            delay=1.0,
            leave=None,
        ) as bar:
            yield bar

    def over(self, items: Iterable[T], total: int, description: str, unit: str = "it") -> Iterator[T]:
        """Yield from `items`, counting each on a bar."""
        with self.bar(total, description, unit) as bar:
            for item in items:
                yield item
                bar.update()


class _Lines:
    """In place of a bar: a line now and then, and one at the end.

    A task that is over before its first line is worth one only where none at all was written for as long:
    many short tasks do not fill a log, and do not leave it silent.
    """

    def __init__(self, progress: Progress, total: int, description: str, unit: str, initial: int) -> None:
        self.progress = progress
        self.total = total
        self.description = description
        self.unit = unit
        self.initial = self.done = initial
        self.text = ""
        self.start = self.last = progress.clock()
        self.begun = False

    def update(self, n: int = 1) -> None:
        self.done += n
        now = self.progress.clock()
        if self.done < self.total and now - self.last >= LINE_SECONDS:
            left = (now - self.start) / max(1, self.done - self.initial) * (self.total - self.done)
            self._write(now, f"{tqdm.format_interval(left)} left")

    def set_postfix_str(self, s: str = "") -> None:
        self.text = s

    def end(self) -> None:
        now = self.progress.clock()
        if self.begun or now - self.progress.last_line >= LINE_SECONDS:
            self._write(now, f"ended after {tqdm.format_interval(now - self.start)}")

    def _write(self, now: float, when: str) -> None:
        self.begun = True
        self.last = self.progress.last_line = now
        behind = f", {self.text}" if self.text else ""
        sys.stderr.write(f"{self.description}: {self.done}/{self.total} {self.unit}, {when}{behind}\n")
        sys.stderr.flush()


SILENT = Progress(False)
