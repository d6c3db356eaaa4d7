"""Calls that upload files to a project and download what tasks show."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import httpx

from tenth.errors import DataError, LabelStudioRefused
from tenth.label_studio.http import Connection
from tenth.progress import SILENT, Progress

# The server refuses more files in one request by default, and more bytes than 250 MB.
_FILES_A_REQUEST = 100
_BYTES_A_REQUEST = 64 * 1024 * 1024
# How the server spells what lies in a bucket; its own idea of its host may not be the one we reach it by.
_BUCKET_PATH = re.compile(r"https?://[^/]+(/.*)?(/tasks/\d+/(?:resolve|presign)/\?fileuri=.+)")
# Characters that Label Studio keeps as they are in the name of an uploaded file.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.(png|jpg|jpeg)")


class FileCalls:
    """The part of the client that deals with image files."""

    connection: Connection

    def upload_files(
        self,
        project: int,
        files: Sequence[tuple[str, bytes]],
        *,
        chunk: int = _FILES_A_REQUEST,
        progress: Progress = SILENT,
    ) -> dict[str, str]:
        """Upload images without creating tasks.

        Parameters
        ----------
        project : int
            Project id.
        files : Sequence[tuple[str, bytes]]
            Names (letters, digits, ``._-``; ending in .png, .jpg or .jpeg; each once) and contents.
        chunk : int, optional
            Files a request, at most 100 unless the server allows more.
        progress : Progress, optional
            Where to show a bar.

        Returns
        -------
        dict[str, str]
            Name → address for a task's ``data``: ``"/data/upload/7/1a2b3c4d-name.png"``.

        Raises
        ------
        DataError
            When a name cannot be used.
        """
        check_names([name for name, _ in files])
        urls: dict[str, str] = {}
        with progress.bar(len(files), "upload", "file") as bar:
            for part in _chunks(files, chunk):
                urls |= self._upload(project, part)
                bar.update(len(part))
        return urls

    def uploaded_files(self, project: int) -> dict[str, str]:
        """Return name → address of all files uploaded to a project; of equal names the newest."""
        found = self.connection.json("GET", f"/api/projects/{project}/file-uploads", params={"all": "true"})
        newest_last = sorted(found, key=lambda file: int(file["id"]))
        return {_own_name(file["file"]): f"/data/{file['file']}" for file in newest_last}

    def download(self, url: str) -> bytes:
        """Return the contents of an address found in a task's data.

        Parameters
        ----------
        url : str
            ``/data/…`` of this server (fetched with the key), or a whole ``http(s)`` address (fetched
            without it, unless it is this server's).

        Raises
        ------
        DataError
            When `url` is no such address, or another server does not give the file.
        LabelStudioRefused, LabelStudioUnreachable
            When this server does not give it.
        """
        if bucket := _BUCKET_PATH.fullmatch(url):
            url = bucket[2]
        own = self.connection.url
        if url.startswith(f"{own}/") or (url.startswith("/") and not url.startswith("//")):
            path = url.removeprefix(own)
            return self.connection.request("GET", path, follow_redirects=True).content
        if url.startswith(("http://", "https://")):
            return _foreign(url)
        raise DataError(
            f"'{url}' is neither a path on Label Studio nor an http address, so it cannot be fetched; "
            "import tasks whose image is one of the two."
        )

    def _upload(self, project: int, files: Sequence[tuple[str, bytes]]) -> dict[str, str]:
        parts = [(f"file{number}", (name, content)) for number, (name, content) in enumerate(files)]
        answer = self.connection.json(
            "POST",
            f"/api/projects/{project}/import",
            params={"commit_to_project": "false"},
            files=parts,
            repeatable=True,  # a second copy of a file harms nobody
            timeout=600.0,
        )
        stored = self.connection.json(
            "GET",
            f"/api/projects/{project}/file-uploads",
            params={"ids": json.dumps(answer["file_upload_ids"])},
        )
        urls = {_own_name(file["file"]): f"/data/{file['file']}" for file in stored}
        missing = [name for name, _ in files if name not in urls]
        if missing:
            raise LabelStudioRefused(
                f"Label Studio at {self.connection.url} took {len(files)} files, but its list lacks "
                f"{len(missing)}, for example {missing[0]}; check its log and its disk, then try again.",
                200,
            )
        return urls


def check_names(names: Sequence[str]) -> None:
    """Refuse file names that a store could change or confuse.

    Raises
    ------
    DataError
        When a name holds other characters, another ending, or appears twice.
    """
    seen: set[str] = set()
    for name in names:
        if not _PLAIN_NAME.fullmatch(name):
            raise DataError(
                f"'{name}' cannot be the name of an uploaded image; use letters, digits, '.', '_' and '-' "
                "and end it in .png, .jpg or .jpeg."
            )
        if name in seen:
            raise DataError(f"Two files are called '{name}'; every uploaded image needs a name of its own.")
        seen.add(name)


def _chunks(files: Sequence[tuple[str, bytes]], limit: int) -> list[list[tuple[str, bytes]]]:
    """Return `files` in order, cut so that no part has too many files or bytes."""
    parts: list[list[tuple[str, bytes]]] = []
    size = 0
    for name, content in files:
        if not parts or len(parts[-1]) >= limit or size + len(content) > _BYTES_A_REQUEST:
            parts.append([])
            size = 0
        parts[-1].append((name, content))
        size += len(content)
    return parts


def _own_name(stored: str) -> str:
    """Return the name a file was uploaded under: ``upload/7/1a2b3c4d-name.png`` → ``name.png``."""
    return stored.rpartition("/")[2].partition("-")[2]


def _foreign(url: str) -> bytes:
    try:
        response = httpx.get(url, timeout=60.0, follow_redirects=True)
    except httpx.HTTPError as error:
        raise DataError(f"{url} cannot be fetched ({type(error).__name__}: {error}).") from error
    if not response.is_success:
        raise DataError(f"{url} cannot be fetched: its server answered {response.status_code}.")
    return response.content
