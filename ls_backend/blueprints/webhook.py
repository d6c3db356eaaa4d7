"""`POST /webhook`: what happened in Label Studio, kept for `controller watch`.

Label Studio sends it inside its own request, waits one second and never repeats it: it is checked, written to
the inbox and answered. Nothing is trained or fetched here.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint
from werkzeug.exceptions import BadRequest

from ls_backend.backend import backend
from ls_backend.blueprints.request import json_object, project_id

webhook = Blueprint("webhook", __name__)

_ACTION = re.compile(r"[A-Z][A-Z_]{0,63}")


@webhook.post("/webhook")
def receive() -> tuple[dict[str, Any], int]:
    """Put the event into the inbox; answer 201 with its number."""
    body = json_object()
    action = body.get("action")
    if not isinstance(action, str) or not _ACTION.fullmatch(action):
        raise BadRequest('"action" has to be the name of an event, such as "ANNOTATION_CREATED".')
    project = project_id(body.get("project"))
    event = backend().workspace.inbox.put(action, project, essence(body))
    return {"status": "queued", "event": event}, 201


def essence(body: dict[str, Any]) -> dict[str, Any]:
    """Return which tasks and annotations an event is about.

    Only that is kept: answers are pulled and checked anyway, and masks weigh megabytes.
    """
    return {
        "project": project_id(body.get("project")),
        "tasks": _ids(body.get("task"), body.get("tasks")),
        "annotations": _ids(body.get("annotation"), body.get("annotations")),
    }


def _ids(one: Any, several: Any) -> list[int]:
    entries = several if isinstance(several, list) else []
    ids = [entry.get("id") if isinstance(entry, dict) else entry for entry in [one, *entries]]
    return sorted({value for value in ids if type(value) is int})
