"""Log in to Label Studio as a browser does: the only way to a first personal access token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tenth.errors import LabelStudioRefused


@contextmanager
def logged_in(url: str, username: str, password: str) -> Iterator[httpx.Client]:
    """Give a client that is logged in as `username` while the context lasts.

    Raises
    ------
    LabelStudioRefused
        When the server does not accept the login.
    """
    with httpx.Client(base_url=url, timeout=60.0, trust_env=False) as client:
        client.get("/user/login/")
        form = {
            "email": username,
            "password": password,
            "csrfmiddlewaretoken": client.cookies.get("csrftoken") or "",
        }
        answer = client.post("/user/login/", data=form)
        if answer.status_code != httpx.codes.FOUND:
            raise LabelStudioRefused(
                f"{url} refused the login of {username}; check the e-mail address and the password.",
                answer.status_code,
            )
        client.headers["X-CSRFToken"] = client.cookies.get("csrftoken") or ""
        yield client


def create_personal_access_token(session: httpx.Client) -> str:
    """Return a new personal access token of the user who is logged in.

    Raises
    ------
    LabelStudioRefused
        When the server gives none, for example because the user has one already.
    """
    answer = session.post("/api/token/")
    if answer.status_code != httpx.codes.CREATED:
        raise LabelStudioRefused(
            f"Label Studio gave no personal access token (status {answer.status_code}); revoke the user's "
            "present one under Account & Settings, then try again.",
            answer.status_code,
        )
    return str(answer.json()["token"])
