"""Where the pictures of region tasks are kept so that Label Studio can show them.

A stored name holds a digest of the content: a repeated push finds what it stored before, and never shows
an old picture for a new region of the same name.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

import fsspec

from tenth.errors import ConfigurationError, LabelStudioRefused, OutOfReach
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.files import check_names
from tenth.progress import SILENT, Progress
from tenth.registry import Registry

_ROOT_VARIABLES = ("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT", "LOCAL_FILES_DOCUMENT_ROOT")


class CropStore(Protocol):
    """A place for pictures."""

    def put(self, files: Sequence[tuple[str, bytes]], progress: Progress = SILENT) -> dict[str, str]:
        """Store pictures, those that are there already at no cost.

        Parameters
        ----------
        files : Sequence[tuple[str, bytes]]
            Names (letters, digits, ``._-``; ending in .png, .jpg or .jpeg; each once) and contents.
        progress : Progress, optional
            Where to show a bar.

        Returns
        -------
        dict[str, str]
            Name → address for a task's ``data``.

        Raises
        ------
        DataError
            When a name cannot be used.
        """


class CropStoreFactory(Protocol):
    """Makes a crop store of one kind from the settings of ``[label_studio]``."""

    def __call__(self, *, client: LabelStudioClient, project: int, folder: str, url: str) -> CropStore:
        """Return the store; `folder` and `url` are ``crop_folder`` and ``crop_url``, possibly empty."""


CROP_STORES: Registry[CropStoreFactory] = Registry("crop store", "tenth.crop_stores")


def build_crop_store(
    kind: str, *, client: LabelStudioClient, project: int, folder: str = "", url: str = ""
) -> CropStore:
    """Return the crop store called `kind`: ``upload``, ``local-files``, ``bucket`` or a package's own.

    Raises
    ------
    ConfigurationError
        When there is no such kind, or its folder or address is missing or unusable.
    """
    return CROP_STORES.get(kind)(client=client, project=project, folder=folder, url=url)


class UploadStore:
    """Label Studio's own uploads: nothing to set up.

    Parameters
    ----------
    client : LabelStudioClient
        The server.
    project : int
        The project that keeps the files.
    """

    def __init__(self, client: LabelStudioClient, project: int) -> None:
        self._client = client
        self._project = project

    def put(self, files: Sequence[tuple[str, bytes]], progress: Progress = SILENT) -> dict[str, str]:
        """Upload what the project lacks; see :meth:`CropStore.put`."""
        stored = _stored_names(files)
        urls = self._client.uploaded_files(self._project)
        missing = [(stored[name], content) for name, content in files if stored[name] not in urls]
        urls |= self._client.upload_files(self._project, missing, progress=progress)
        return {name: urls[stored[name]] for name, _ in files}


class LocalFilesStore:
    """A folder that Label Studio serves (``LOCAL_FILES_SERVING_ENABLED=true``).

    Parameters
    ----------
    client : LabelStudioClient
        The server.
    project : int
        The project whose members may see the files.
    folder : Path
        Where to write; the server must see it under the same path.
    document_root : Path
        The server's ``LOCAL_FILES_DOCUMENT_ROOT``, above `folder`.

    Raises
    ------
    ConfigurationError
        When `folder` is not below `document_root`.
    """

    def __init__(self, client: LabelStudioClient, project: int, folder: Path, document_root: Path) -> None:
        self._client = client
        self._project = project
        self._folder = folder.absolute()
        root = document_root.absolute()
        if root not in self._folder.parents:
            raise ConfigurationError(
                f"crop_folder {self._folder} is not below Label Studio's LOCAL_FILES_DOCUMENT_ROOT {root}; "
                "choose a folder below it."
            )
        self._prefix = PurePosixPath(self._folder.relative_to(root).as_posix())

    def put(self, files: Sequence[tuple[str, bytes]], progress: Progress = SILENT) -> dict[str, str]:
        """Write what the folder lacks and see that the server shows it; see :meth:`CropStore.put`.

        Raises
        ------
        ConfigurationError
            When the server does not show the folder's files.
        """
        stored = _stored_names(files)
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, content in progress.over(files, len(files), "write crops", "file"):
            _write(self._folder / stored[name], content)
        urls = {name: f"/data/local-files/?d={quote(str(self._prefix / stored[name]))}" for name, _ in files}
        if files:
            self._check_served(urls[files[0][0]], files[0][1])
        return urls

    def _check_served(self, url: str, content: bytes) -> None:
        try:
            self._client.create_local_storage(self._project, str(self._folder))
            served = self._client.download(url)
        except LabelStudioRefused as error:
            if error.status not in (400, 403, 404):
                raise
            problem = str(error)
        else:
            if served == content:
                return
            problem = f"{url} is another file there"
        raise ConfigurationError(
            f"Label Studio does not serve the files of crop_folder {self._folder}: {problem} Start it with "
            "LOCAL_FILES_SERVING_ENABLED=true and a LOCAL_FILES_DOCUMENT_ROOT above that folder, which it "
            "must see under the same path; set LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT for the controller too "
            "when the root is not the folder's parent."
        )


class BucketStore:
    """A bucket that `fsspec` writes to.

    For ``s3://`` Label Studio gets a storage of its own, so that it signs each address anew whenever a task
    is opened: an address signed once would end while people still work. It is given the AWS credentials
    of the environment, if any, else uses the server's own. For other buckets (``gs://``, ``az://``), add
    the storage in the project's settings.

    Parameters
    ----------
    client : LabelStudioClient
        The server.
    project : int
        The project that shows the pictures.
    url : str
        ``s3://bucket/prefix``, or another address for `fsspec`.

    Raises
    ------
    ConfigurationError
        When `url` is a folder, or `fsspec` does not know it or lacks a package for it.
    """

    def __init__(self, client: LabelStudioClient, project: int, url: str) -> None:
        self._client = client
        self._project = project
        self._url = url.rstrip("/")
        if "://" not in url or url.startswith("file:"):
            raise ConfigurationError(
                f"crop_url '{url}' is a folder, which a browser cannot open; use crop_store = 'local-files' "
                "with crop_folder instead, or name a bucket such as s3://bucket/crops."
            )
        try:
            self._files, self._path = fsspec.core.url_to_fs(self._url)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(
                f"crop_url '{url}' cannot be opened ({error}); correct it, or install the package it needs "
                "(s3fs for s3://)."
            ) from error

    def put(self, files: Sequence[tuple[str, bytes]], progress: Progress = SILENT) -> dict[str, str]:
        """Write what the bucket lacks; see :meth:`CropStore.put`.

        Raises
        ------
        OutOfReach
            Also when the bucket cannot be written.
        """
        stored = _stored_names(files)
        try:
            self._write_missing(stored, files, progress)
        except Exception as error:  # each fsspec protocol raises errors of its own
            raise OutOfReach(
                f"The crops cannot be written to {self._url} ({type(error).__name__}: {error}); check that "
                "it exists and that the environment's credentials may write there."
            ) from error
        if self._url.startswith("s3://"):
            self._let_label_studio_read()
        return {name: f"{self._url}/{stored[name]}" for name, _ in files}

    def _write_missing(
        self, stored: dict[str, str], files: Sequence[tuple[str, bytes]], progress: Progress
    ) -> None:
        self._files.invalidate_cache(self._path)
        try:
            there = {PurePosixPath(path).name for path in self._files.ls(self._path, detail=False)}
        except FileNotFoundError:  # a prefix without files does not exist
            there = set()
        for name, content in progress.over(files, len(files), "write crops", "file"):
            if stored[name] not in there:
                self._files.pipe_file(f"{self._path}/{stored[name]}", content)

    def _let_label_studio_read(self) -> None:
        bucket, _, prefix = self._url.removeprefix("s3://").partition("/")
        self._client.create_s3_storage(
            self._project,
            bucket,
            prefix=prefix,
            access_key=os.environ.get("AWS_ACCESS_KEY_ID", ""),
            secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
            region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", ""),
            endpoint=os.environ.get("AWS_ENDPOINT_URL", ""),
        )


@CROP_STORES.register("upload")
def _upload(*, client: LabelStudioClient, project: int, **_: Any) -> CropStore:
    return UploadStore(client, project)


@CROP_STORES.register("local-files")
def _local_files(*, client: LabelStudioClient, project: int, folder: str, **_: Any) -> CropStore:
    if not folder:
        raise ConfigurationError(
            "crop_store = 'local-files' needs crop_folder, a folder Label Studio serves."
        )
    roots = [os.environ[name] for name in _ROOT_VARIABLES if os.environ.get(name)]
    return LocalFilesStore(client, project, Path(folder), Path(roots[0]) if roots else Path(folder).parent)


@CROP_STORES.register("bucket")
def _bucket(*, client: LabelStudioClient, project: int, url: str, **_: Any) -> CropStore:
    if not url:
        raise ConfigurationError("crop_store = 'bucket' needs crop_url, for example s3://bucket/crops.")
    return BucketStore(client, project, url)


def _stored_names(files: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Return name → name with a digest of the content before the ending."""
    check_names([name for name, _ in files])
    stored: dict[str, str] = {}
    for name, content in files:
        stem, _, ending = name.rpartition(".")
        stored[name] = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
    return stored


def _write(path: Path, content: bytes) -> None:
    if path.exists():
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
        # The server runs as another user; temporary files are readable by their owner alone.
        os.fchmod(file.fileno(), 0o644)
    Path(file.name).replace(path)
