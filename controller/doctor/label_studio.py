"""Checks of the Label Studio server and of our key to it."""

from __future__ import annotations

from typing import Any

import httpx

from controller.doctor.check import LABEL_STUDIO, Check, Patient, Probe
from tenth.label_studio.auth import PersonalAccessToken, authentication
from tenth.workspace.secrets import LabelStudioCredentials, label_studio_credentials

TESTED_VERSION = "1.23.2"
_SECONDS = 10.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def ask(url: str, **options: Any) -> httpx.Response:
    """Send one GET request, once; a proxy is left aside for this machine's own addresses."""
    proxy = httpx.URL(url).host not in _LOOPBACK
    return httpx.get(url, timeout=_SECONDS, trust_env=proxy, **options)


def server(patient: Patient, name: str) -> Check:
    """See that a Label Studio answers, without a key, and which version it is."""
    url = credentials_of(patient).url
    try:
        answer = ask(f"{url}/api/version")
        version = str(answer.json()["release"])
    except httpx.TransportError as error:
        message = f"{url} does not answer ({type(error).__name__}: {error})"
        return Check(name, "failed", message, _start(patient), LABEL_STUDIO)
    except (httpx.InvalidURL, ValueError, KeyError, TypeError):
        message = f"{url} answers, but not as Label Studio does"
        remedy = "export LABEL_STUDIO_URL=http://127.0.0.1:8080   # the address of Label Studio itself"
        return Check(name, "failed", message, remedy, LABEL_STUDIO)
    if version != TESTED_VERSION:
        message = f"{url} is version {version}; tested with {TESTED_VERSION}"
        remedy = f"pip install label-studio=={TESTED_VERSION}   # in Label Studio's own environment"
        return Check(name, "warning", message, remedy)
    return Check(name, "ok", f"{url} answers, version {version}")


def token(patient: Patient, name: str) -> Check:
    """See which kind of token we have, and that the server lets its owner in."""
    credentials = credentials_of(patient)
    personal = isinstance(authentication(credentials.url, credentials.api_key), PersonalAccessToken)
    user = patient.loop.client.whoami()
    return Check(
        name, "ok", f"{'personal access' if personal else 'legacy'} token of {user['email']}, accepted"
    )


def credentials_of(patient: Patient) -> LabelStudioCredentials:
    """Return address and key as all commands take them."""
    return label_studio_credentials(patient.loop.config.label_studio.url)


def _start(_: Patient) -> str:
    return "label-studio start   # or: export LABEL_STUDIO_URL=<the address where it runs>"


def _new_token(patient: Patient) -> str:
    page = f"{credentials_of(patient).url}/user/account/personal-access-token"
    return f"export LABEL_STUDIO_API_KEY=<a token made at {page}>"


PROBES = (
    Probe("Label Studio", server, ("Label Studio login",), _start),
    Probe("token", token, ("Label Studio",), _new_token),
)
