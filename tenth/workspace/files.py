"""Files and folders that appear whole or not at all, also after a crash or a power cut."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tenth.errors import ConfigurationError

_ABANDONED_SECONDS = 24 * 3600.0


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of `path` outlast a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_output_folder(folder: Path) -> None:
    """Make `folder` where it is missing, and see that a file can be written into it.

    For the start of long work, so that it does not fail at the end.

    Raises
    ------
    ConfigurationError
        When it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"The results cannot be written into {folder}: {error.strerror or error}. Give a folder that "
            "there is or that can be made, and that you may write to."
        ) from error


def temporary_path(folder: Path) -> Path:
    """Return a new path in `folder` whose name says which process of which machine writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{_host()}.{os.getpid()}.{uuid.uuid4().hex}"


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that are dead by now left in a folder of temporary paths.

    Writers of another machine cannot be asked; theirs count as dead after a day.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process cleans as well
            if _abandoned(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _abandoned(path: Path) -> bool:
    host, _, rest = path.name.partition(".")
    pid = rest.partition(".")[0]
    if host == _host() and pid.isdigit():
        return not is_alive(int(pid))
    return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS


def _host() -> str:
    return socket.gethostname().replace(".", "-")


def is_alive(pid: int) -> bool:
    """Return whether a process with this id runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Replace a small UTF-8 file in one step; readers see the old text or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(text, encoding="utf-8")
        if path.exists():
            shutil.copymode(path, temporary)
        sync_file(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait until no other process or thread is inside `exclusive` of the same path, and keep them out."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
