"""What the blueprints read from a request, checked."""

from __future__ import annotations

import re
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest

_LARGEST_ID = 2**31 - 1
"""What the database's column takes, and Label Studio's own."""


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
        When there is something, but no id in it, or one that cannot be.
    """
    if value is None or value == "":
        return None
    if isinstance(value, dict):
        value = value.get("id")
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,18})(\.\d+)?", value)):
        value = int(match[1])
    if type(value) is int and 0 <= value <= _LARGEST_ID:
        return value
    raise BadRequest('"project" has to be the id of a project, such as "3.1795358877".')
