"""Results on disk, each under what it is a function of: what took hours is not done twice."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tenth.workspace.files import write_text
from tenth.workspace.plain_json import plain

log = logging.getLogger(__name__)


class Memo:
    """A folder of results, one file each.

    Parameters
    ----------
    folder : Path
        Made with the first result.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recall(self, identity: object, compute: Callable[[], Any]) -> Any:
        """Return the result of an earlier call, or compute it and keep it.

        Parameters
        ----------
        identity : object
            JSON; all that the result is a function of.
        compute : callable
            Returns the result, JSON. One that is interrupted leaves nothing behind.

        Returns
        -------
        object
            As it comes back from JSON.
        """
        identity = plain(identity)
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        path = self.folder / f"{name}.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["identity"] == identity:
                return found["result"]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is damaged (%r); what it held is computed anew.", path, error)
        result = plain(compute())
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"identity": identity, "result": result}) + "\n")
        return result
