"""Progress bars with an ETA, on standard error so that `--json` output stays clean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from tqdm import tqdm

T = TypeVar("T")


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
        ``None`` shows bars only on a terminal (standard error), ``False`` (default) never, ``True`` always.
    """

    def __init__(self, enabled: bool | None = False) -> None:
        self.disable = None if enabled is None else not enabled

    @contextmanager
    def bar(self, total: int, description: str, unit: str = "it", initial: int = 0) -> Iterator[Bar]:
        """Show a bar for `total` items, `initial` of them done before, while the context lasts.

        It stays on the terminal afterwards; one inside another vanishes, and the outer one keeps its place.
        """
        with tqdm(
            total=total,
            initial=initial,
            desc=description,
            unit=unit,
            disable=self.disable,
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


SILENT = Progress(False)
