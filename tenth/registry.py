"""A name → factory table that other packages join by entry point."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from tenth.errors import ConfigurationError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one kind (networks, strategies, crop stores).

    Parameters
    ----------
    kind : str
        What the entries are, in error messages: ``"network"``.
    group : str
        Entry point group through which other packages add theirs: ``"tenth.networks"``.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters its argument under `name`.

        Raises
        ------
        ConfigurationError
            When `name` is taken by something else.
        """

        def enter(entry: T) -> T:
            if name in self._entries and self._entries[name] is not entry:
                raise ConfigurationError(f"Two {self.kind}s are named '{name}'; rename one of them.")
            self._entries[name] = entry
            return entry

        return enter

    def names(self) -> list[str]:
        """Return all names, our own and those of installed packages, sorted."""
        return sorted({*self._entries, *(point.name for point in entry_points(group=self.group))})

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises
        ------
        ConfigurationError
            When there is none; the message lists what there is, the nearest first.
        """
        if isinstance(name, str) and name not in self._entries:
            for point in entry_points(group=self.group):
                if point.name == name:
                    self._entries[name] = point.load()
        # What JSON or TOML holds in the place of a name may be a number or a list.
        if not isinstance(name, str) or name not in self._entries:
            near = difflib.get_close_matches(str(name), self.names(), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigurationError(
                f"There is no {self.kind} called '{name}'.{hint} Known: {', '.join(self.names())}."
            )
        return self._entries[name]
