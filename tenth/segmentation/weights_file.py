"""Tensors in a safetensors file that appears whole or not at all, also after a kill or a power cut."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor


def write_weights(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
    """Write tensors to `path`, which holds either the old file or the new one at any moment.

    What killed writers of this machine left beside it is removed. Safetensors' own ``save_file`` has errors
    and temporary files of its own kind; here a full disk is an OSError.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    tensors : mapping
        By name, of any device and layout; they may share memory.
    header : mapping, optional
        Texts to keep in the file's header.

    Raises
    ------
    OSError
        When the system refuses to write; `path` is as it was then.
    """
    _remove_leftovers(path)
    temporary = path.with_name(f"{_temporary_start(path)}{os.getpid()}.{uuid.uuid4().hex}.tmp")
    try:
        write_durably(temporary, encoded(tensors, header))
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = str(path)  # that of a write names no file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def encoded(tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> bytes:
    """Return the content of a safetensors file with these tensors and texts."""
    # Copied, for safetensors refuses tensors that share memory or are channels last.
    copies = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return save(copies, None if header is None else dict(header))


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file that outlasts a power cut once this returns; raises OSError."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the renames in `folder` outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_start(path: Path) -> str:
    """Return what the names of this machine's temporary files for `path` begin with; a process id follows."""
    return f".{path.name}.{socket.gethostname()}."


def _remove_leftovers(path: Path) -> None:
    """Remove what killed writers of this machine left beside `path`; those of others cannot be asked."""
    start = _temporary_start(path)
    for left in path.parent.iterdir():
        pid = left.name.removeprefix(start).partition(".")[0]
        if left.name.startswith(start) and pid.isdigit() and not _is_alive(int(pid)):
            left.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
