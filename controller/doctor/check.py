"""What one look at one thing finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from controller.loop import Loop

State = Literal["ok", "warning", "failed"]

CONFIGURATION, LABEL_STUDIO, DATA = 2, 4, 5
"""Exit codes of a failed check, those of the errors in `tenth.errors`."""


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Parameters
    ----------
    name : str
        What was looked at.
    state : str
        ``ok``; ``warning``: rounds run, but something is odd or was not looked at; ``failed``: something that
        they need, or that was set up, does not work.
    message : str
        What was found.
    remedy : str
        The command that mends it; empty where nothing has to be.
    exit_code : int
        2 configuration, 4 Label Studio, 5 data; 0 unless it failed.
    cause : str
        The failed check for which this one was not made; empty when it was made.
    """

    name: str
    state: State
    message: str
    remedy: str = ""
    exit_code: int = 0
    cause: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)


@dataclass
class Patient:
    """The workspace in a folder, opened on first use; that may fail, and is a finding then."""

    folder: Path

    @cached_property
    def loop(self) -> Loop:
        """The opened workspace; raises ConfigurationError when there is none."""
        return Loop.open(self.folder)

    @cached_property
    def project(self) -> dict[str, Any]:
        """The project as Label Studio describes it."""
        return self.loop.client.project(self.loop.project)

    @property
    def init(self) -> str:
        """The command that makes whatever is missing in this workspace."""
        return f"controller init --workspace {self.folder}"


@dataclass(frozen=True)
class Probe:
    """A check before it is made.

    Parameters
    ----------
    name : str
        What is looked at.
    look : Callable
        Makes the check; a TenthError that it raises counts as its failure.
    needs : tuple of str
        Names of checks without which this one would only fail in their wake.
    remedy : Callable
        The command that mends what `look` raises.
    """

    name: str
    look: Callable[[Patient, str], Check]
    needs: tuple[str, ...]
    remedy: Callable[[Patient], str]
