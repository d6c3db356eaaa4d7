"""The two kinds of Label Studio tokens, as `httpx` authentication."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator

import httpx

from tenth.errors import ConfigurationError, LabelStudioRefused

# The server gives an access token for five minutes; a minute is left for slow requests and clocks.
_ACCESS_SECONDS = 240.0


class LegacyToken(httpx.Auth):
    """A token that is sent as it is: ``Authorization: Token …``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token to `request`."""
        request.headers["Authorization"] = f"Token {self._token}"
        yield request


class PersonalAccessToken(httpx.Auth):
    """A refresh token that buys access tokens of five minutes, renewed before they end and when refused.

    Parameters
    ----------
    url : str
        Address of Label Studio, without a trailing slash.
    token : str
        The personal access token.
    clock : Callable[[], float], optional
        Monotonic seconds.
    """

    def __init__(self, url: str, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._token = token
        self._clock = clock
        self._access = ""
        self._renew_at = float("-inf")
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add a valid access token to `request`; a refused one is renewed once."""
        if self._clock() >= self._renew_at:
            self._accept((yield self._refresh_request()))
        request.headers["Authorization"] = f"Bearer {self._access}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._accept((yield self._refresh_request()))
            request.headers["Authorization"] = f"Bearer {self._access}"
            yield request

    def _refresh_request(self) -> httpx.Request:
        return httpx.Request("POST", f"{self._url}/api/token/refresh/", json={"refresh": self._token})

    def _accept(self, response: httpx.Response) -> None:
        response.read()
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            # Nothing of the request itself was sent: it may be tried again.
            raise httpx.ConnectError(f"the token could not be renewed, status {response.status_code}")
        if not response.is_success:
            raise LabelStudioRefused(
                f"{self._url} refused the personal access token (status {response.status_code}): it is "
                "wrong, expired or revoked. Create a new one under Account & Settings > Personal Access "
                "Token and put it into LABEL_STUDIO_API_KEY.",
                response.status_code,
            )
        with self._lock:
            self._access = _access_token(self._url, response)
            self._renew_at = self._clock() + _ACCESS_SECONDS


def _access_token(url: str, response: httpx.Response) -> str:
    try:
        return str(response.json()["access"])
    except (ValueError, KeyError, TypeError) as error:
        raise LabelStudioRefused(
            f"{url} gave no access token for the personal access token; is it the address of Label Studio?",
            response.status_code,
        ) from error


def authentication(url: str, api_key: str) -> LegacyToken | PersonalAccessToken:
    """Return how to send `api_key`: a JSON web token is a personal access token, all else a legacy token.

    Raises
    ------
    ConfigurationError
        When `api_key` is empty or no header could carry it.
    """
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            "The Label Studio API key is empty or holds characters no token has; copy it again from "
            "Account & Settings into LABEL_STUDIO_API_KEY."
        )
    is_web_token = key.startswith("ey") and key.count(".") == 2
    return PersonalAccessToken(url, key) if is_web_token else LegacyToken(key)
