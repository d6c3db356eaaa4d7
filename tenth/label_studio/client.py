"""Everything we ask of Label Studio, as methods of one object."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import httpx

from tenth.label_studio.backends import BackendCalls
from tenth.label_studio.files import FileCalls
from tenth.label_studio.http import Connection
from tenth.label_studio.projects import ProjectCalls
from tenth.label_studio.storages import StorageCalls
from tenth.label_studio.tasks import TaskCalls


class LabelStudioClient(ProjectCalls, TaskCalls, FileCalls, BackendCalls, StorageCalls):
    """A user's view of one Label Studio server; safe to share between threads.

    Every method raises :class:`~tenth.errors.LabelStudioUnreachable` when the server does not answer and
    :class:`~tenth.errors.LabelStudioRefused` when it answers with an error. Connection failures, and
    server errors of calls that may be repeated, are tried four times within some seconds.

    Parameters
    ----------
    url : str
        Address of the server.
    api_key : str
        Personal access token or legacy token.
    transport : httpx.BaseTransport, optional
        Replaces the network, in tests.
    sleep : Callable[[float], None], optional
        How to wait between attempts.

    Raises
    ------
    ConfigurationError
        When `url` is no web address or `api_key` no token.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = Connection(url, api_key, transport=transport, sleep=sleep)

    @property
    def url(self) -> str:
        """Address of the server, without a trailing slash."""
        return self.connection.url

    def close(self) -> None:
        """Close the kept connections."""
        self.connection.close()

    def __enter__(self) -> LabelStudioClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
