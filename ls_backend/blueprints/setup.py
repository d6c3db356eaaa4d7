"""`POST /setup`: the version that predictions of a project carry. Label Studio asks before each batch."""

from __future__ import annotations

from flask import Blueprint

from ls_backend.backend import backend
from ls_backend.blueprints.request import json_object, project_id
from ls_backend.versions import NO_MODEL, version_for

setup = Blueprint("setup", __name__)


@setup.post("/setup")
def answer() -> dict[str, str]:
    """Answer with the version of the open group, or the one in use where no group is open."""
    body = json_object()
    version = version_for(backend().workspace, project_id(body.get("project")))
    return {"model_version": version or NO_MODEL}
