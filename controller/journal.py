"""Phases of one long piece of work, each done once: a killed call goes on behind the last one that ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tenth.workspace.files import write_text
from tenth.workspace.plain_json import plain

log = logging.getLogger(__name__)


class Journal:
    """The results of the phases so far, in a file that holds those of one piece of work at a time.

    Parameters
    ----------
    path : Path
        The file. Results of another piece of work in it are forgotten: what its phases left is about to be
        replaced.
    identity : object
        JSON; tells this piece of work from any other.
    """

    def __init__(self, path: Path, identity: object) -> None:
        self.path = path
        self.identity = plain(identity)
        self.done = self._read()

    def once(self, phase: str, compute: Callable[[], Any]) -> Any:
        """Return the result of a phase from an earlier call, or compute it and write it down.

        Parameters
        ----------
        phase : str
            Its name.
        compute : callable
            Returns the result, JSON. One that is interrupted leaves nothing behind.
        """
        if phase not in self.done:
            self.done[phase] = plain(compute())
            self._write()
        return self.done[phase]

    def close(self) -> None:
        """Forget the work, as it is done: the same is done anew when asked for again."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if found["identity"] == self.identity:
                return dict(found["phases"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%r); its work is done anew.", self.path, error)
        return {}

    def _write(self) -> None:
        document = {"identity": self.identity, "phases": self.done}
        write_text(self.path, json.dumps(document) + "\n")
