"""HTTP with Label Studio: addresses, authentication, retries, and errors a user can act on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from tenth.errors import ConfigurationError, LabelStudioRefused, LabelStudioUnreachable
from tenth.label_studio.auth import authentication

Json = dict[str, Any]

_ATTEMPTS = 4
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_TIMEOUT = httpx.Timeout(120.0, connect=5.0)
_SAFE_METHODS = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_EXCERPT = 500
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_WHAT_TO_DO = {
    401: "Check LABEL_STUDIO_API_KEY. An organisation may have legacy tokens switched off: then create a "
    "personal access token under Account & Settings.",
    403: "The owner of LABEL_STUDIO_API_KEY may not do this; use the key of a user who may.",
    404: "Check LABEL_STUDIO_URL and the project id in controller.toml.",
    413: "A proxy in front of Label Studio limits requests; raise its limit or import smaller chunks.",
}


class Connection:
    """One Label Studio server and one user's key.

    Parameters
    ----------
    url : str
        Address of the server, with or without a trailing slash.
    api_key : str
        Personal access token or legacy token; it appears in no message and no log.
    transport : httpx.BaseTransport, optional
        Replaces the network.
    sleep : Callable[[float], None], optional
        How to wait between attempts.

    Raises
    ------
    ConfigurationError
        When the address or the key cannot be one.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _checked_url(url)
        self._sleep = sleep
        self._client = httpx.Client(
            base_url=self.url,
            auth=authentication(self.url, api_key),
            timeout=_TIMEOUT,
            transport=transport,
            # A company's proxy cannot reach this machine's loopback interface.
            trust_env=httpx.URL(self.url).host not in _LOOPBACK,
        )

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def request(
        self, method: str, path: str, *, repeatable: bool | None = None, **options: Any
    ) -> httpx.Response:
        """Return a successful answer to one request.

        Parameters
        ----------
        method, path : str
            The request; `path` begins at the server's root.
        repeatable : bool, optional
            Whether doing it twice does no harm; by default all methods but ``POST``. What is not
            repeatable is tried again only when the server cannot have seen or has declined (429) it.
        **options
            Passed to :meth:`httpx.Client.request`.

        Raises
        ------
        LabelStudioUnreachable
            When no attempt got an answer.
        LabelStudioRefused
            When the answer is an error.
        """
        if repeatable is None:
            repeatable = method in _SAFE_METHODS
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                response = self._client.request(method, path, **options)
            except httpx.TransportError as error:
                unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                if last or not (repeatable or unsent):
                    raise self._unreachable(method, path, error, attempt) from error
            else:
                declined = response.status_code == httpx.codes.TOO_MANY_REQUESTS
                if last or not (declined or (repeatable and response.is_server_error)):
                    return self._checked(method, path, response)
                pause = max(pause, _asked_pause(response))
            self._sleep(min(pause, _LONGEST_PAUSE_SECONDS))
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Return the decoded JSON answer; see :meth:`request`.

        Raises
        ------
        LabelStudioRefused
            Also when the answer is not JSON, as that of another kind of server.
        """
        response = self.request(method, path, **options)
        try:
            return response.json()
        except ValueError as error:
            raise LabelStudioRefused(
                f"{method} {path}: {self.url} answered {response.status_code} but no JSON "
                f"({_excerpt(response)!r}); is LABEL_STUDIO_URL the address of Label Studio itself?",
                response.status_code,
            ) from error

    def _checked(self, method: str, path: str, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        if response.is_redirect:
            hint = (
                f"It redirects to {response.headers.get('location')}; set LABEL_STUDIO_URL to that address."
            )
        else:
            hint = _WHAT_TO_DO.get(response.status_code, "")
        raise LabelStudioRefused(
            f"{method} {path}: Label Studio at {self.url} answered {response.status_code}: "
            f"{_excerpt(response)} {hint}".rstrip(),
            response.status_code,
        )

    def _unreachable(
        self, method: str, path: str, error: httpx.TransportError, attempts: int
    ) -> LabelStudioUnreachable:
        tries = f"{attempts} attempts" if attempts > 1 else "1 attempt"
        return LabelStudioUnreachable(
            f"{method} {path}: Label Studio at {self.url} did not answer after {tries} "
            f"({type(error).__name__}: {error}). Check that it runs and that LABEL_STUDIO_URL is right."
        )


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"LABEL_STUDIO_URL '{url}' is no web address ({error}).") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError(
            f"LABEL_STUDIO_URL '{url}' is no web address; it has to look like http://localhost:8080."
        )
    return str(parsed).rstrip("/")


def _asked_pause(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _excerpt(response: httpx.Response) -> str:
    """Return what the server says is wrong, shortly."""
    try:
        body = response.json()
    except ValueError:
        title = re.search(r"<title>\s*(.*?)\s*</title>", response.text, re.DOTALL)
        return (title[1] if title else response.text.strip())[:_EXCERPT]
    if isinstance(body, dict) and "detail" in body:
        problems = body.get("validation_errors")
        return (f"{body['detail']}: {problems}" if problems else str(body["detail"]))[:_EXCERPT]
    return str(body)[:_EXCERPT]
