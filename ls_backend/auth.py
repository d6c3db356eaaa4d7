"""Basic auth on everything but `/health`, which Label Studio and load balancers ask without a login."""

from __future__ import annotations

import base64
import binascii
import hmac

from flask import Flask, Response, request

from tenth.workspace.secrets import BackendCredentials

_OPEN = "health.answer"


def require_login(app: Flask, credentials: BackendCredentials) -> None:
    """Let `app` answer 401 to requests that do not carry `credentials`, unknown addresses included."""
    login = f"{credentials.user}:{credentials.password}"
    # Label Studio sends Latin-1 where it can, others UTF-8.
    wanted = [login.encode()]
    if max(login) <= "ÿ":
        wanted.append(login.encode("latin-1"))

    @app.before_request
    def check() -> Response | None:
        if request.endpoint == _OPEN or _is_login(request.headers.get("Authorization", ""), wanted):
            return None
        answer = Response('{"error": "Log in with the user and password of TENTH_BACKEND_USER."}\n', 401)
        answer.content_type = "application/json"
        answer.headers["WWW-Authenticate"] = 'Basic realm="Tenth"'
        return answer


def _is_login(header: str, wanted: list[bytes]) -> bool:
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    # Compared in constant time, so that answers do not tell how much of a guess was right.
    return any(scheme.lower() == "basic" and hmac.compare_digest(given, login) for login in wanted)
