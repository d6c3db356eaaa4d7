"""One command at a time in a workspace.

The lock is the kernel's (flock) on a file that names its holder. However the holder dies, the kernel lets go
of it, so a stale file never has to be told from a live one by its age or process id.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from tenth.errors import WorkspaceBusy
from tenth.workspace.schema import utc_now

_held: set[int] = set()


def _let_go_in_child() -> None:
    # A forked child (a data loader's worker) shares the lock; were it to outlive us, it would keep it.
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, or fail at once.

    Raises
    ------
    WorkspaceBusy
        When another process (or another part of this one) holds it; the message names the holder.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise WorkspaceBusy(
            f"The workspace {path.parent} is in use by {holder(path)}. Wait until it is done, or stop it."
        ) from None
    _held.add(descriptor)
    try:
        _write(descriptor, _own_name())
        yield
    finally:
        if descriptor in _held:  # a forked child that leaves the context has let go already
            _held.discard(descriptor)
            _write(descriptor, "")
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for a child that is just being forked
            os.close(descriptor)


def _own_name() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return json.dumps(
        {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": utc_now().isoformat(timespec="seconds"),
            "command": command,
        }
    )


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def holder(path: Path) -> str:
    """Return who holds the lock at `path`, in words."""
    try:
        name = json.loads(path.read_text(encoding="utf-8"))
        return f"`{name['command']}` (process {name['pid']} on {name['host']}, since {name['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which has not yet written its name"
