"""Push the next group and be killed on the way: ``killed_push.py WORKSPACE POINT``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import controller.push as push_module
from controller.loop import Loop
from controller.round import next_round

POINTS = {
    "uploaded": ("client", "import_tasks", 1, "before"),
    "imported": ("client", "import_tasks", 1, "after"),
    "noted": ("push", "note_tasks", 3, "after"),
    "unshown": ("client", "set_model_version", 1, "before"),
}
"""Point → whose function, which call of it, and on which side of it the end comes."""


def killing(function: Callable[..., Any], call: int, side: str) -> Callable[..., Any]:
    """Return `function`, but the process ends at its `call`-th call."""
    calls = 0

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **options)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def main(folder: str, point: str) -> None:
    """Run until the point."""
    whose, name, call, side = POINTS[point]
    loop = Loop.open(Path(folder))
    target: Any = loop.client if whose == "client" else push_module
    setattr(target, name, killing(getattr(target, name), call, side))
    next_round(loop)


if __name__ == "__main__":
    main(*sys.argv[1:])
