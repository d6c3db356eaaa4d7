"""Soft labels on disk: computed once, read in every epoch, with no teacher in memory.

A store is a folder::

    soft_labels.json            what the labels are a function of (the identity), and the format's number
    labels/<key>.soft           one image each: checksum and what `codec.encode` made of it; the file of a key
                                that is too long for a file's name is called by a digest of it

The image is the chunk: reading one touches one file, any number of processes read at a time, and a killed
writer has lost the image that it was at. Cityscapes' 2975 images at 512×1024 and 19 classes, 59 GB as
float16, take about 1.2 GB at the thesis's temperatures; `benchmarks/soft_labels.py` measures it.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.segmentation.distillation.codec import decode, encode
from tenth.segmentation.distillation.record import digest_of, read_record, write_record, write_whole

log = logging.getLogger(__name__)

FORMAT = 1
"""Changes with what `encode` writes; labels of another format count as another identity's."""

_MANIFEST = "soft_labels.json"
_SUFFIX = ".soft"
_LONGEST_NAME = 240  # of the 255 bytes that file systems allow; the rest is for suffixes


class SoftLabelStore:
    """Class probabilities by image key, for one identity.

    Made by `create` or `open`. Holds no open file: it can be pickled, and used by any number of threads and
    processes; only the same key must not be written by two at a time.

    Parameters
    ----------
    folder : Path
        Where its files are.
    identity : mapping
        As JSON gives it back.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.identity = identity
        self._owner = digest_of(_canonical(identity).encode())

    @classmethod
    def create(cls, folder: str | Path, identity: Mapping[str, Any]) -> SoftLabelStore:
        """Make a store, or go on with the one that is there.

        A store of another identity, or an unreadable one, is reported as a warning and its labels are
        removed: work is lost, but a student never learns from labels of other teachers.

        Parameters
        ----------
        folder : str or Path
            Made when missing. Nothing but the store's own files is touched.
        identity : mapping
            JSON; what the labels are a function of: `Ensemble.identity`, the size of the images, and so on.

        Returns
        -------
        SoftLabelStore
            It knows which images it has already: ``key in store``.
        """
        store = cls(Path(folder), _plain(identity))
        reason = store._mismatch()
        if reason is None:
            return store
        # The manifest goes first and comes last: labels without one belong to nobody.
        manifest = store.folder / _MANIFEST
        if manifest.exists():
            log.warning("The soft labels in %s are computed anew: %s.", store.folder, reason)
            manifest.unlink()
        store._labels.mkdir(parents=True, exist_ok=True)
        for path in [*store._files(_SUFFIX), *store._files(f"{_SUFFIX}.tmp")]:
            path.unlink()
        text = json.dumps({"format": FORMAT, "identity": store.identity}, indent=1)
        write_whole(manifest, f"{text}\n".encode())
        return store

    @classmethod
    def open(cls, folder: str | Path, identity: Mapping[str, Any]) -> SoftLabelStore:
        """Open a store that `create` made; changes nothing.

        Parameters
        ----------
        folder : str or Path
        identity : mapping
            What the labels have to be a function of.

        Raises
        ------
        DataError
            When there is none, it cannot be read, or its identity is another; what differs is named.
        """
        store = cls(Path(folder), _plain(identity))
        reason = store._mismatch()
        if reason is not None:
            raise DataError(f"The soft labels in {store.folder} cannot be used: {reason}. Compute them anew.")
        return store

    def write(self, key: str, probabilities: NDArray[np.float32]) -> None:
        """Store an image's soft labels, replacing what was there; once it returns they outlast a power cut.

        Parameters
        ----------
        key : str
            The image's.
        probabilities : ndarray
            (C, H, W) float32, see `tenth.segmentation.distillation.codec.encode` for what is kept of it.

        Raises
        ------
        DataError
            When the key or the probabilities cannot be stored.
        """
        write_record(self._path(key), self._owner, key, encode(probabilities))

    def read(self, key: str) -> NDArray[np.float32]:
        """Return an image's soft labels: (C, H, W) float32 above 0, summing to 1 within 1e-5.

        Raises
        ------
        DataError
            When there are none, or they are damaged or another identity's.
        """
        path = self._path(key)
        try:
            return decode(read_record(path, self._owner, key))
        except FileNotFoundError:
            raise DataError(
                f"There are no soft labels of '{key}' in {self.folder}; compute them first."
            ) from None
        except OSError as error:
            raise DataError(f"The soft labels of '{key}' cannot be read: {error}.") from error

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    @property
    def nbytes(self) -> int:
        """Size of all labels on disk, in bytes."""
        return sum(path.stat().st_size for path in self._files(_SUFFIX))

    @property
    def _labels(self) -> Path:
        return self.folder / "labels"

    def _files(self, ending: str) -> list[Path]:
        return [path for path in self._labels.iterdir() if path.name.endswith(ending)]

    def _path(self, key: str) -> Path:
        name = quote(key, safe=" ")
        if not name:
            raise DataError("Soft labels cannot be stored without a key; give the image's name.")
        if len(name) > _LONGEST_NAME:
            name = f"={digest_of(key.encode()).hex()}"  # no quoted key begins with =
        return self._labels / f"{name}{_SUFFIX}"

    def _mismatch(self) -> str | None:
        """Return why the labels in the folder are not this identity's, ``None`` when they are."""
        manifest = self.folder / _MANIFEST
        try:
            stored = json.loads(manifest.read_text(encoding="utf-8"))
            number, identity = stored["format"], dict(stored["identity"])
        except FileNotFoundError:
            return f"{manifest} is missing"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{manifest} cannot be read ({error})"
        if number != FORMAT:
            return f"they are of format {number}, not {FORMAT}"
        names = sorted(identity.keys() | self.identity.keys())
        other = [name for name in names if not _same(identity, self.identity, name)]
        return f"{', '.join(other)} changed" if other else None


def _canonical(value: object) -> str:
    return json.dumps([FORMAT, value], sort_keys=True)


def _plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity as it comes back from JSON: tuples are lists there."""
    result: dict[str, Any] = json.loads(json.dumps(dict(identity)))
    return result


def _same(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    # As texts, in which a NaN equals itself; a missing name is not a null.
    with contextlib.suppress(KeyError):
        return _canonical(one[name]) == _canonical(other[name])
    return False
