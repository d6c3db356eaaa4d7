"""A file of bytes that knows what it belongs to and whether it is whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tenth.errors import DataError

_MAGIC = b"tenthSL1"
_DIGEST = 16
_START = len(_MAGIC) + 2 * _DIGEST


def digest_of(*parts: bytes | memoryview) -> bytes:
    """Return 16 bytes that tell any contents apart; parts are kept apart too."""
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def write_whole(path: Path, *parts: bytes) -> None:
    """Replace `path` in one step, to outlast a power cut; readers see the old content or the new one.

    Of several writers of one path at a time one would be writing into the other's temporary file; let each
    path have one writer. A killed one leaves that file, which the next writer of the path overwrites.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_record(path: Path, owner: bytes, key: str, content: bytes) -> None:
    """Write `content` under `key` for the `owner`, a digest."""
    checksum = digest_of(owner, key.encode(), content)
    write_whole(path, _MAGIC, owner, checksum, content)


def read_record(path: Path, owner: bytes, key: str) -> memoryview:
    """Return what `write_record` wrote.

    Raises
    ------
    DataError
        When the file is damaged, or is another key's or owner's.
    OSError
        When it cannot be read.
    """
    data = memoryview(path.read_bytes())
    content = data[_START:]
    checksum = data[len(_MAGIC) + _DIGEST : _START]
    if data[: len(_MAGIC)] != _MAGIC or checksum != digest_of(
        data[len(_MAGIC) : len(_MAGIC) + _DIGEST], key.encode(), content
    ):
        raise DataError(f"{path} is damaged: its checksum is wrong. Delete it and compute it again.")
    if data[len(_MAGIC) : len(_MAGIC) + _DIGEST] != owner:
        raise DataError(f"{path} comes from other teachers or settings. Delete it and compute it again.")
    return content
