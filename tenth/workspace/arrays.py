"""Arrays on disk, by name: label maps, superpixels, painted answers.

A name is visible only once its file is whole and on the disk, so a crash leaves nothing half written behind.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tenth.errors import DataError
from tenth.workspace.files import remove_leftovers, sync_folder, temporary_path

_TEMPORARY = ".tmp"
_COMPRESSION_LEVEL = 4  # label maps: a third of level 6's time for a tenth more bytes

# RuntimeError: a flipped bit can make a member look encrypted or compressed in another way.
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


class ArrayStore:
    """Named groups of arrays, one compressed npz file each.

    Parameters
    ----------
    folder : str or Path
        Made when missing; what dead writers left in it is removed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder / _TEMPORARY)

    def path(self, name: str) -> Path:
        """Return the file that holds `name`.

        Raises
        ------
        DataError
            When `name` is not made of letters, digits and ``._-``, parted by ``/``.
        """
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", name, re.ASCII):
            raise DataError(
                f"{name!r} cannot name an array. Use letters, digits, '.', '_' and '-', parted by '/'."
            )
        return self.folder / f"{name}.npz"

    def save(self, name: str, /, **arrays: npt.ArrayLike) -> str:
        """Write arrays under a name, replacing what was there.

        Parameters
        ----------
        name : str
            Such as ``"round-0003/image-000017"``.
        **arrays : array_like
            Of numbers or texts, any shape.

        Returns
        -------
        str
            `name`, once the file outlasts a power cut.

        Raises
        ------
        DataError
            When an array holds Python objects.
        """
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(self.folder / _TEMPORARY)
        try:
            with temporary.open("xb") as file:
                with zipfile.ZipFile(
                    file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL
                ) as archive:
                    for key, array in arrays.items():
                        _write(archive, key, np.asanyarray(array), name)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
        return name

    def load(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays saved under `name`.

        Raises
        ------
        DataError
            When there are none, or the file is damaged; the message names it.
        """
        path = self.path(name)
        try:
            with zipfile.ZipFile(path) as archive:
                return {member.removesuffix(".npy"): _read(archive, member) for member in archive.namelist()}
        except FileNotFoundError:
            raise DataError(
                f"There are no arrays {name!r} in the workspace: {path} is missing. Restore it from a backup."
            ) from None
        except _DAMAGE as error:
            raise DataError(f"{path} is damaged ({error}). Restore it from a backup.") from error

    def exists(self, name: str) -> bool:
        """Return whether arrays were saved under `name`."""
        return self.path(name).is_file()


def _write(archive: zipfile.ZipFile, key: str, array: npt.NDArray[Any], name: str) -> None:
    if array.dtype.hasobject:
        raise DataError(f"Array '{key}' of {name!r} holds Python objects; only numbers and texts are stored.")
    with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, array, allow_pickle=False)  # type: ignore[no-untyped-call]


def _read(archive: zipfile.ZipFile, member: str) -> npt.NDArray[Any]:
    # The whole member first: its checksum is compared at its end, and only then is the header parsed.
    content = io.BytesIO(archive.read(member))
    array: npt.NDArray[Any] = np.lib.format.read_array(content, allow_pickle=False)  # type: ignore[no-untyped-call]
    return array
