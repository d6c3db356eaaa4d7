"""Basic auth on everything but `/health`, which Label Studio and load balancers ask without a login."""

from __future__ import annotations

import hmac

from flask import Flask, Response, request

from tenth.workspace.secrets import BackendCredentials

_OPEN = "health.answer"


def require_login(app: Flask, credentials: BackendCredentials) -> None:
    """Let `app` answer 401 to requests that do not carry `credentials`, unknown addresses included."""
    wanted = f"{credentials.user}\0{credentials.password}".encode()

    @app.before_request
    def check() -> Response | None:
        if request.endpoint == _OPEN:
            return None
        given = request.authorization
        user, password = (given.username, given.password) if given is not None else (None, None)
        # Compared in constant time, so that answers do not tell how much of a guess was right.
        if hmac.compare_digest(f"{user or ''}\0{password or ''}".encode(), wanted):
            return None
        answer = Response('{"error": "Log in with the user and password of TENTH_BACKEND_USER."}\n', 401)
        answer.content_type = "application/json"
        answer.headers["WWW-Authenticate"] = 'Basic realm="Tenth"'
        return answer
