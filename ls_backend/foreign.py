"""Pictures from servers other than Label Studio, which get no key of ours.

Whoever writes a task names the server. Two kinds of address trust whoever reaches them and are not asked:
this machine's own (loopback), and link-local ones, where a cloud hands its machines their keys. Private
networks are asked, for object stores are there. A name whose address changes between our look and the
connection slips through; what such a server answers is shown to nobody, unless it is a picture.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Collection

import httpx

from tenth.errors import DataError

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_SECONDS = 60.0
_PORTS = {"http": 80, "https": 443}


def fetch(url: str, limit: int, hosts: Collection[str] = ()) -> bytes:
    """Download a picture; redirects are followed.

    Parameters
    ----------
    url : str
        ``http://…`` or ``https://…``.
    limit : int
        Largest number of bytes.
    hosts : collection of str, optional
        Servers that are asked wherever they are, as ``"host"`` or ``"host:port"``.

    Raises
    ------
    DataError
        When a server on the way may not be asked, does not give it, or it is too large or takes too long.
    """

    def check(request: httpx.Request) -> None:
        _require_open(request.url, hosts)

    deadline = time.monotonic() + _SECONDS
    content = bytearray()
    client = httpx.Client(timeout=_TIMEOUT, follow_redirects=True, event_hooks={"request": [check]})
    try:
        with client, client.stream("GET", url) as response:
            if not response.is_success:
                raise DataError(
                    f"{shown(url)} cannot be fetched: its server answered {response.status_code}."
                )
            for part in response.iter_bytes():
                content += part
                if len(content) > limit or time.monotonic() > deadline:
                    raise DataError(
                        f"{shown(url)} is larger than {limit} bytes or takes longer than {_SECONDS:.0f} s; "
                        "it is given up."
                    )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DataError(f"{shown(url)} cannot be fetched: {type(error).__name__}.") from error
    return bytes(content)


def server_of(url: str | httpx.URL) -> str:
    """Return the server of an http address as ``"host:port"``."""
    parsed = httpx.URL(url)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return f"{host}:{parsed.port or _PORTS.get(parsed.scheme)}"


def shown(source: str) -> str:
    """Return an address for messages: without the query (it may hold a signature) and the inline content."""
    text = source.partition("?")[0]
    return text if len(text) <= 200 else f"{text[:200]}…"


def _require_open(url: httpx.URL, hosts: Collection[str]) -> None:
    server = server_of(url)
    if server in hosts or server.rpartition(":")[0] in hosts:
        return
    for address in _addresses(url):
        if address.is_loopback or address.is_link_local or address.is_unspecified:
            raise DataError(
                f"{server} is at {address}, this machine's own or a link-local address, and tasks may not "
                "make it be asked. If its pictures are meant, name it in controller.toml, [backend] "
                f'image_hosts = ["{server}"], and start the backend again.'
            )


def _addresses(url: httpx.URL) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return where a server is; empty where nobody knows, for a proxy may, and the request fails else."""
    try:
        found = socket.getaddrinfo(url.raw_host.decode(), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    addresses = (ipaddress.ip_address(entry[4][0]) for entry in found)
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]
