"""Where the picture of a task comes from, and from where it may not come.

A task is written by whoever may import tasks, so it must not make this process read what its writer could
not: local files are read inside the workspace's data set and pool only, and other file systems only where
they are object stores or the workspace's own pool.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
import threading
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import fsspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ls_backend.foreign import fetch, server_of, shown
from tenth.errors import DataError
from tenth.label_studio.client import LabelStudioClient
from tenth.segmentation.images import decode_image
from tenth.workspace.config import Config
from tenth.workspace.secrets import label_studio_credentials

MAX_BYTES = 256 * 1024 * 1024
"""Largest picture file that is fetched."""

MAX_PIXELS = 4096 * 4096
"""Largest picture that is predicted: network and CRF take some hundred bytes a pixel and class."""

_LABEL_STUDIO_PATHS = ("/data/", "/tasks/", "/projects/")
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "hf"})


class TaskImages:
    """Reads the pictures that tasks name; safe to share between threads.

    Parameters
    ----------
    config : Config
        Its data set and pool are the local folders that may be read; its Label Studio is asked with the key
        from the environment.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._dataset = Path(config.data.dataset).resolve()
        pool = config.data.pool.removeprefix("file://")
        self._pool = pool if "://" in pool or "::" in pool else ""
        self._roots = [self._dataset] + ([Path(pool).resolve()] if pool and not self._pool else [])
        self._client: LabelStudioClient | None = None
        self._making = threading.Lock()

    def load(self, source: str) -> NDArray[np.uint8]:
        """Return the picture at an address of a task.

        Parameters
        ----------
        source : str
            ``/data/…`` or another address of Label Studio, ``http(s)://``, ``data:``, an object store
            (``s3://…``), or a path inside the data set or pool.

        Returns
        -------
        (H, W, 3) uint8 array
            RGB.

        Raises
        ------
        DataError
            When it may not be read, is not there, is too large, or is no picture.
        ConfigurationError
            When it lies in Label Studio and the key is missing.
        LabelStudioError
            When Label Studio does not give it.
        """
        data = self._read(source.strip())
        if len(data) > MAX_BYTES:
            raise DataError(f"{shown(source)} is larger than {MAX_BYTES} bytes, which is the limit.")
        _check_size(data, shown(source))
        return decode_image(data, shown(source))

    def _read(self, source: str) -> bytes:
        if source.startswith("data:"):
            return _inline(source)
        if source.startswith(("http://", "https://")) and not self._is_label_studio(source):
            return fetch(source, MAX_BYTES, self._hosts())
        if source.startswith(("http://", "https://")):
            return self._from_label_studio(source)
        if ("://" in source or "::" in source) and not source.startswith("file://"):
            return self._from_store(source)
        path = self._local(unquote(urlsplit(source).path) if source.startswith("file://") else source)
        # In Docker the data set is /data, where Label Studio's addresses begin too: what is not there is its.
        if source.startswith(_LABEL_STUDIO_PATHS) and (path is None or not _is_file(path)):
            return self._from_label_studio(source)
        if path is not None:
            return _read_file(path)
        raise DataError(
            f"{shown(source)} lies outside the workspace's data set ({self._dataset}) and is not read. "
            "Move the image there, upload it to Label Studio, or give its http address."
        )

    def _hosts(self) -> list[str]:
        """Return the servers that may be asked wherever they are: those that the configuration names."""
        ours = (
            url for url in (self._label_studio_url(), self._pool) if url.startswith(("http://", "https://"))
        )
        return [*self._config.backend.image_hosts, *map(server_of, ours)]

    def _label_studio_url(self) -> str:
        return (self._config.label_studio.url or os.environ.get("LABEL_STUDIO_URL", "").strip()).rstrip("/")

    def _is_label_studio(self, url: str) -> bool:
        known = self._label_studio_url()
        return bool(known) and url.startswith(f"{known}/")

    def _from_label_studio(self, source: str) -> bytes:
        path = unquote(urlsplit(source.removeprefix(self._label_studio_url())).path)
        # Our key opens more than pictures, so nothing but where pictures are is asked with it.
        if ".." in path.split("/") or not path.startswith(_LABEL_STUDIO_PATHS):
            raise DataError(f"{shown(source)} is no address of a picture in Label Studio (/data/…).")
        return self._label_studio().download(source)

    def _label_studio(self) -> LabelStudioClient:
        with self._making:
            if self._client is None:
                credentials = label_studio_credentials(self._config.label_studio.url)
                self._client = LabelStudioClient(credentials.url, credentials.api_key)
            return self._client

    def _from_store(self, source: str) -> bytes:
        pool = self._pool.rstrip("/") + "/"
        rest = source.removeprefix(pool)
        inside_pool = (
            bool(self._pool) and rest != source and not {"::", ".."} & set(re.split(r"(::|/)", rest))
        )
        if not inside_pool and ("::" in source or source.partition("://")[0].lower() not in _OBJECT_STORES):
            raise DataError(
                f"{shown(source)} is not read: only http, object stores and the workspace's own pool "
                f"are ({', '.join(sorted(_OBJECT_STORES))}). Copy the image to one of them."
            )
        try:
            with fsspec.open(source, "rb") as stream:
                return bytes(stream.read(MAX_BYTES + 1))
        except Exception as error:  # each fsspec protocol raises errors of its own
            raise DataError(f"{shown(source)} cannot be read: {type(error).__name__}: {error}") from error

    def _local(self, source: str) -> Path | None:
        """Return the file that `source` is, links followed, if it lies where files may be read."""
        try:
            path = (self._dataset / source).resolve()
        except (OSError, ValueError):  # too long, or a NUL in it
            return None
        return path if any(path.is_relative_to(root) for root in self._roots) else None


def _inline(source: str) -> bytes:
    header, _, content = source.partition(",")
    if len(content) > 2 * MAX_BYTES:
        raise DataError(f"The inline picture has {len(content)} characters, more than {2 * MAX_BYTES}.")
    if not header.endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return base64.b64decode(unquote(content), validate=True)
    except binascii.Error as error:
        raise DataError(f"The inline picture {shown(source)} is not base64: {error}.") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long, or a folder on the way that may not be entered
        return False


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _check_size(data: bytes, name: str) -> None:
    """Refuse a picture by the size in its header, before it takes the memory of its pixels."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
    except Exception:  # decode_image says what is wrong with it
        return
    if width * height > MAX_PIXELS:
        raise DataError(f"{name} has {width} × {height} pixels; {MAX_PIXELS} are the limit. Scale it down.")
