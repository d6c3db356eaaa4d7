"""What the blueprints read from a request, checked."""

from __future__ import annotations

import re
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest


def json_object() -> dict[str, Any]:
    """Return the request's body.

    Raises
    ------
    BadRequest
        When it is not a JSON object.
    """
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadRequest("The request's body has to be a JSON object.")
    return body


def project_id(value: Any) -> int | None:
    """Return the id in a project as Label Studio writes it: ``3``, ``"3.1795358877"`` or ``{"id": 3, …}``.

    Raises
    ------
    BadRequest
        When there is something, but no id in it.
    """
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        value = value.get("id")
    if type(value) is int:
        return value
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,18})(\.\d+)?", value)):
        return int(match[1])
    raise BadRequest('"project" has to be the id of a project, such as "3.1795358877".')
