"""Secrets, from the environment only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from tenth.errors import ConfigurationError


@dataclass(frozen=True)
class LabelStudioCredentials:
    """Where Label Studio is and how to be let in; the key does not show when printed."""

    url: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class BackendCredentials:
    """The login that Label Studio presents to our backend; the password does not show when printed."""

    user: str
    password: str = field(repr=False)


def label_studio_credentials(url: str = "") -> LabelStudioCredentials:
    """Return the address and the key of Label Studio.

    Parameters
    ----------
    url : str, optional
        ``[label_studio] url`` of the configuration; where it is empty LABEL_STUDIO_URL counts.

    Raises
    ------
    ConfigurationError
        When a variable is missing; the message names it.
    """
    address = url or _required("LABEL_STUDIO_URL", "the address of Label Studio", "http://127.0.0.1:8080")
    if not address.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"LABEL_STUDIO_URL = {address!r} is no address. It must begin with http:// or https://."
        )
    key = _required("LABEL_STUDIO_API_KEY", "your access token from Label Studio's account page", "<token>")
    return LabelStudioCredentials(address.rstrip("/"), key)


def backend_credentials() -> BackendCredentials:
    """Return the login of our backend.

    Raises
    ------
    ConfigurationError
        When a variable is missing; the message names it.
    """
    return BackendCredentials(
        _required("TENTH_BACKEND_USER", "the user name that Label Studio presents to the backend", "tenth"),
        _required("TENTH_BACKEND_PASSWORD", "its password", '"$(openssl rand -hex 16)"'),
    )


def database_url(url: str) -> str:
    """Return the database's URL: TENTH_DATABASE_URL where it is set (it may hold a password), else `url`."""
    return os.environ.get("TENTH_DATABASE_URL", "").strip() or url


def _required(name: str, meaning: str, example: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(
            f"The environment variable {name} is not set. It is {meaning}. "
            f"Set it with `export {name}={example}`."
        )
    return value
