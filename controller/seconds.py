"""Seconds that many small pieces of work took, summed over killed calls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path


class SecondsLog:
    """A file with a line for each piece; a killed writer has lost the one that it was at.

    Parameters
    ----------
    path : Path
        Made, with its folder, by the first line.
    owner : str
        What the pieces belong to; those of others in the same file do not count.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self.owner = owner

    def add(self, key: str, seconds: float) -> None:
        """Note what the piece `key` took."""
        line = json.dumps([self.owner, key, round(seconds, 6)])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            # In front, too: half a line of a killed writer must not swallow this one.
            file.write(f"\n{line}\n")

    def total(self, keys: Iterable[str]) -> float:
        """Return the sum over the pieces `keys`; of one that was done again, the last counts."""
        seconds: dict[str, float] = {}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                owner, key, value = json.loads(line)
            except ValueError:  # empty, or torn
                continue
            if owner == self.owner:
                seconds[key] = float(value)
        return sum(seconds.get(key, 0.0) for key in sorted(set(keys)))
